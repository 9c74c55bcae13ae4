"""What the card of a weighted sum of adapters tells instead of a training: its parts, how their weights were found, and
the commands that find them and the figures again.

    composition = composition_of(record)        None where the adapter was trained
"""

import shlex
from typing import Any

from lora_hub.core import verdicts
from lora_hub.evaluation import metrics
from lora_hub.hub.adapter_config import RECORD_FILE
from lora_hub.hub.card import reproduce
from lora_hub.hub.card.card_metadata import Facts, is_hub_id, short_name
from lora_hub.hub.card.markdown import escape, plain
from lora_hub.hub.composition import Composition

LONGEST_MAP = 2_000  # characters of the columns' names in a command


def composition_of(record: dict[str, Any]) -> Composition | None:
    """Raises pydantic's ValidationError where the record's recipe is none."""
    return Composition.model_validate(record["composition"]) if record.get("composition") else None


def recipe(composition: Composition) -> str:
    """The adapters with their weights, and how those were found and judged."""
    lines = ["| adapter | commit | weight | rank |", "|---|---|---|---|"]
    lines += [
        f"| {escape(part.adapter)} | {escape(part.revision or '–', 60)} | {part.weight:+.4f} | {part.rank} |"
        for part in composition.parts
    ]
    found = composition.single
    return "\n".join(
        [
            "It was not trained: it is the sum of these adapters' changes of the base, each times its weight. The sum "
            "is exact: its matrices are those of the adapters side by side, so its rank is the sum of their ranks.",
            "",
            *lines,
            "",
            f"The weights were found by CMA-ES on {composition.fitted} examples: {composition.evaluations} evaluations "
            f"of the loss of their answers, with an L1 penalty (arXiv 2307.13269), over {composition.tried} adapters. "
            f"It was judged on {composition.judged} other examples. {escape(metrics.title_of(found.metric).en)} there, "
            f"against the best single adapter ({escape(found.against)}): {found.adapter:.1f} against {found.base:.1f}. "
            f"{verdicts.describe(found).en}",
            *_unused(composition),
            "",
            _found_by(composition.region_rows),
        ]
    )


def _unused(composition: Composition) -> list[str]:
    if not composition.unused:
        return []
    names = ", ".join(f"{escape(part.adapter)} ({escape(part.revision[:8] or '–')})" for part in composition.unused)
    return ["", f"The search gave the weight 0 to {names}."]


def _found_by(rows: int) -> str:
    if not rows:
        return "`route` and *Auto* do not find it: too few different questions were among its examples. Ask it by name."
    return f"`route` and *Auto* find it by where {rows} of its examples' questions lie (`router.safetensors`)."


def commands(facts: Facts, composition: Composition) -> tuple[str, str]:
    """Lines for a shell, to be run where the examples lie: that find the weights again, and that computes the figures
    again."""
    spec, own_task = facts.spec, not reproduce.is_catalogue_task(facts.spec)
    base = spec.base.id if is_hub_id(spec.base) or spec.base.id == "built-in" else f"FOLDER_OF_{short_name(spec.base)}"
    words = ["--task", RECORD_FILE if own_task else spec.task.id, "--base", base]
    for part in (*composition.parts, *composition.unused):
        words += ["--adapter", plain(part.place)]
    words += ["--map", plain(reproduce.named_columns(spec), LONGEST_MAP)]
    told = ["python", "-m", "lora_hub", "compose", plain(spec.dataset.name)]
    test = ["--test", plain(spec.test_dataset.name)] if spec.test_dataset else []
    found = " ".join(map(shlex.quote, [*told, *words, *test, "--seed", str(composition.seed)]))
    if own_task:
        found = f"hf download {shlex.quote(facts.repo_id)} {RECORD_FILE} --local-dir .\n{found}"
    return found, " ".join(map(shlex.quote, [*told, "--check", facts.repo_id, *test]))
