"""Votes as preference data: rows of `prompt, chosen, rejected`, as TRL's DPOTrainer and others read them.

A vote for one answer makes a row with each of the others. Ties and "none is good" say nothing about which to prefer and
make none, and neither do two answers with the same text.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from lora_hub.core.schema import Comparison, Vote


def preference_rows(pairs: Iterable[tuple[Comparison, Vote]]) -> list[dict[str, Any]]:
    """A comparison and what its owner voted -> rows: prompt, chosen, rejected; and which comparison, task and models
    they are from. If one of the questions is a chat, these three are lists of messages in all rows."""
    told = [(one, vote) for one, vote in pairs if vote.place is not None and vote.place < len(one.placed)]
    is_chat = any(one.question.is_chat for one, _vote in told)
    return [row for one, vote in told for row in _rows(one, vote.place or 0, is_chat)]


def _rows(one: Comparison, place: int, is_chat: bool) -> Iterator[dict[str, Any]]:
    best = one.placed[place]
    for other in one.placed:
        if other.answer.text.strip() == best.answer.text.strip():
            continue
        texts = {"chosen": best.answer.text, "rejected": other.answer.text}
        yield {
            "prompt": _messages(one) if is_chat else one.asked,
            **({key: [{"role": "assistant", "content": text}] for key, text in texts.items()} if is_chat else texts),
            "task": one.task,
            "comparison": one.id,
            "chosen_model": one.model_of(best),
            "rejected_model": one.model_of(other),
        }


def _messages(one: Comparison) -> list[dict[str, str]]:
    question = one.question
    earlier = next(iter(question.earlier.values()), ())  # the turns of one pane: the others' own answers differ
    return [
        *([{"role": "system", "content": question.system}] if question.system.strip() else []),
        *({"role": turn.role, "content": turn.content} for turn in earlier),
        {"role": "user", "content": one.asked},
    ]
