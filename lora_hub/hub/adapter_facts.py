"""An adapter's facts from what the Hub says of its repo: the metadata of its card, its tags, its files' sizes.

    ref_of(api.model_info("org/spam-built-in"))      an AdapterRef, without its versions

Anybody can edit a card, and a list shows hundreds of them: whatever is not what it should be is left out, and what is
longer than a shelf shows is cut.
"""

import math
import re
from typing import Any

from lora_hub.core.schema import AdapterRef, Score, Scores
from lora_hub.hub.client import hub_url

# Characters of a title, a base or a task; entries of what a card may list.
MOST_TEXT, MOST_LANGUAGES, MOST_SCORES = 200, 8, 16
# ISO 639 codes, also with a region, as the Hub takes them in a card's metadata.
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z]{2,4})?")
# Bytes of a number, by the name of its type in safetensors.
BYTES = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "U8": 1, "I8": 1}


def ref_of(info: Any) -> AdapterRef:
    """An adapter's facts from the Hub's own (`ModelInfo`), without its versions."""
    card = info.card_data
    ours = card.get("lora_hub") if card else None
    ours = ours if isinstance(ours, dict) else {}
    tags = info.tags or []
    task = (
        next((tag.removeprefix("task:") for tag in tags if tag.startswith("task:")), "") if "lora-hub" in tags else ""
    )
    return AdapterRef(
        repo_id=info.id,
        revision=info.sha or "",
        base=_text(ours.get("base")) or _base_of(card, tags),
        task=task[:MOST_TEXT],
        title=_text(ours.get("title")) or info.id.partition("/")[2],
        metrics=_recorded_scores(ours.get("metrics")) or _card_scores(card, info.model_index),
        updated=info.last_modified.isoformat() if info.last_modified else "",
        downloads=info.downloads or 0,
        private=bool(info.private),
        url=f"{hub_url()}/{info.id}",
        languages=_languages(card),
        size=_size(ours.get("size"), getattr(info, "safetensors", None)),
        owner=_text(ours.get("owner")),
        unpublished=_text(ours.get("unpublished")) != "",
        lora=_shape(ours.get("lora"), _base_of(card, tags)),
    )


def card_scores_of(info: Any) -> dict[str, dict[str, Scores]]:
    """The scores that a card's metadata tells twice: "shelf", as lists show them, and "results", as the Hub does."""
    ours = info.card_data.get("lora_hub") if info.card_data else None
    shelf = _recorded_scores(ours.get("metrics")) if isinstance(ours, dict) else {}
    return {"shelf": shelf, "results": _card_scores(info.card_data, info.model_index)}


def _text(value: Any) -> str:
    return value[:MOST_TEXT] if isinstance(value, str) else ""


def _base_of(card: Any, tags: list[str]) -> str:
    base = card.get("base_model") if card else None
    base = base[0] if isinstance(base, list) and base else base
    tagged = [tag.removeprefix("base_model:adapter:") for tag in tags if tag.startswith("base_model:adapter:")]
    return _text(base) or _text(next(iter(tagged), ""))


def _languages(card: Any) -> tuple[str, ...]:
    given = card.get("language") if card else None
    given = given if isinstance(given, list) else [given]
    # "no", the code of Norwegian, is False in YAML
    codes = ["no" if code is False else code for code in given[: 4 * MOST_LANGUAGES]]
    known = dict.fromkeys(code for code in codes if isinstance(code, str) and LANGUAGE.fullmatch(code))
    return tuple(known)[:MOST_LANGUAGES]


def _size(recorded: Any, counted: Any) -> int:
    """Bytes of the weights: as our own cards tell them, or from the Hub's count of the numbers in them. 0: unknown."""
    if isinstance(recorded, int) and not isinstance(recorded, bool) and 0 < recorded < 1 << 50:
        return recorded
    parameters = getattr(counted, "parameters", None)
    if not isinstance(parameters, dict):
        return 0
    return sum(
        count * BYTES.get(kind, 4)
        for kind, count in parameters.items()
        if isinstance(count, int) and 0 <= count < 1 << 47
    )


def _recorded_scores(metrics: Any) -> dict[str, Scores]:
    """Base and adapter with their intervals, as our own cards keep them."""
    if not isinstance(metrics, dict):
        return {}
    return {
        str(who)[:MOST_TEXT]: {
            str(name)[:MOST_TEXT]: Score(**score) for name, score in [*scores.items()][:MOST_SCORES] if _is_score(score)
        }
        for who, scores in [*metrics.items()][:MOST_SCORES]
        if isinstance(scores, dict)
    }


def _is_score(score: Any) -> bool:
    return (
        isinstance(score, dict)
        and {"value", "low", "high"} <= set(score) <= {"value", "low", "high", "rows"}
        and all(map(_is_number, score.values()))
        and 0 <= score["low"] <= score["value"] <= score["high"] <= 100
        and isinstance(score.get("rows", 0), int)
    )


def _shape(told: Any, base_repo: str) -> dict[str, Any]:
    """What decides where it works (`works_in.marks`), as our own cards tell it; empty where they do not. base_repo: the
    base's repo on the Hub, empty where it has none."""
    if not isinstance(told, dict) or not isinstance(told.get("r"), int) or isinstance(told["r"], bool):
        return {}
    targets = told.get("target_modules")
    named = [_text(one) for one in targets[:MOST_SCORES]] if isinstance(targets, list) else _text(targets)
    return {
        "peft_type": "LORA",
        "base_model_name_or_path": base_repo,
        "r": told["r"],
        "use_rslora": told.get("use_rslora") is True,
        "target_modules": named,
        "quantization": _text(told.get("quantization")) or "none",
        "base": _told_base(told.get("base")),
    }


def _told_base(told: Any) -> dict[str, Any]:
    """What a card says of the base (`works_in.tell_base`), cut."""
    names = ("family", "tied", "split", "is_folder")
    told = told if isinstance(told, dict) else {}
    return {
        one: told[one] if isinstance(told[one], bool) else _text(told[one])
        for one in names
        if told.get(one) is not None
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _card_scores(card: Any, model_index: Any) -> dict[str, Scores]:
    """The adapter's scores from the Hub's own evaluation results, which may be shares or per cent. They have no
    intervals: anything from 0 to 100 is all that is known."""
    from huggingface_hub.repocard_data import model_index_to_eval_results

    results = card.get("eval_results") if card else None
    if not results and model_index:
        try:
            results = model_index_to_eval_results(model_index)[1]
        except (KeyError, TypeError, ValueError):  # a card that its author wrote wrongly has no scores to show
            results = []
    values = {result.metric_type: result.metric_value for result in (results or [])[:MOST_SCORES]}
    scores = {
        str(name)[:MOST_TEXT]: Score(value=value, low=0.0, high=100.0)
        for name, value in values.items()
        if _is_number(value) and 0 <= value <= 100
    }
    return {"adapter": scores} if scores else {}
