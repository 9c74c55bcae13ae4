"""Keep what it knows: some of the base's own answers are mixed into the rows that are trained on, so that the adapter
learns its task and to stay as it is elsewhere (rehearsal of what the model itself says: Huang et al. 2024,
arXiv 2403.01244).

    rows = own_answers(model, tokenizer, base, 100)          as tokens, like any other rows of a training
    train = with_replay(train, rows)

A base is asked once; its answers are kept in the cache for the next training.
"""

import contextlib
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lora_hub.core import settings, store
from lora_hub.core.schema import BaseModel
from lora_hub.data.prompts.prepare import Encoded
from lora_hub.runs.replay_prompts import make_prompts

FOLDER = "own_answers"
# Of an answer; what is longer is cut there, and its end is not trained on.
MOST_TOKENS = 48


def own_answers(
    model: Any,
    tokenizer: Any,
    base: BaseModel,
    count: int,
    *,
    max_length: int = 1024,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[dict[str, list[int]]]:
    """The base's answers to general prompts, each as {input_ids, completion_mask}; fewer where it answers nothing, or
    where a row is longer than `max_length` tokens. model: loaded; it comes back as it was. Empty where it was
    cancelled."""
    from lora_hub.answering import questions
    from lora_hub.answering.stack import AdapterStack
    from lora_hub.catalogue.tasks import catalogue
    from lora_hub.data.prompts import template

    prompts, task = make_prompts(base.languages, count), catalogue.get_task("chat")
    asked = [{"messages": [{"role": "user", "content": prompt}]} for prompt in prompts]
    known = json.dumps([base.id, base.revision, base.fingerprint, tokenizer.chat_template, MOST_TOKENS, prompts])
    file = settings.home() / "cache" / FOLDER / f"{hashlib.sha256(known.encode()).hexdigest()[:24]}.json"
    answers = _read(file, len(prompts))
    if answers is None:
        with contextlib.closing(AdapterStack(model, base)) as stack:
            put = questions.put(tokenizer, task, asked)
            found = questions.answer_all(
                stack, tokenizer, put, max_new_tokens=MOST_TOKENS, progress=progress, cancelled=cancelled
            )
        if any(one.finish == "cancelled" for one in found):
            return []
        answers = [(one.text, one.finish == "stop") for one in found]
        store.write_json(file, answers)
    rows = []
    for given, (text, is_whole) in zip(asked, answers, strict=True):
        if not text.strip():
            continue
        read, said = template.encode_prompt(tokenizer, task, given), template.encode_answer(tokenizer, text)
        said = said if is_whole else said[:-1]
        if said and len(read) + len(said) <= max_length:
            rows.append({"input_ids": read + said, "completion_mask": [0] * len(read) + [1] * len(said)})
    return rows


def _read(file: Any, count: int) -> list[tuple[str, bool]] | None:
    """The answers that were kept; None where there are none, or the file is no longer whole."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return [(str(text), bool(is_whole)) for text, is_whole in kept] if len(kept) == count else None
    except (OSError, ValueError, TypeError):
        return None


def with_replay(train: Encoded, rows: list[dict[str, list[int]]]) -> Encoded:
    """The rows with the base's own answers beside them."""
    return replace(train, replayed=rows)
