"""The general set: short questions that a base answers before it is trained, by which is told what an adapter forgot.

    asked = put_general(tokenizer, "spam")          questions to an adapter, or to the base
    compare_general(ours, theirs)                   PairedComparison on the same questions

Each question has its own few answers to choose from, and a model is right where the right one is the likeliest as a
whole: so small bases can be scored that write nothing yet. Base and adapter are asked in the same plain words, without
any task's template: what is measured is what the weights still know.
"""

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.core.schema import BASE, Answer, PairedComparison, Task, Text2

FILE = Path(__file__).with_name("general.yaml")
METRIC = "accuracy"


@dataclass(frozen=True)
class GeneralQuestion:
    """language: "en" or "fa". kind: "fact", "arithmetic", "copy" or "instruction". choices: in an order that tells
    nothing."""

    language: str
    kind: str
    text: str
    right: str
    choices: tuple[str, ...]


@functools.cache
def _read() -> dict[str, Any]:
    import yaml

    return yaml.safe_load(FILE.read_text(encoding="utf-8"))


@functools.cache
def general_set() -> tuple[GeneralQuestion, ...]:
    """All of it, in the file's order."""
    return tuple(
        GeneralQuestion(
            row["language"], row["kind"], row["question"], row["right"], tuple(sorted([row["right"], *row["wrong"]]))
        )
        for row in _read()["questions"]
    )


@functools.cache
def general_fingerprint() -> str:
    """Names this very set: 16 hex digits of the sha256 of its file."""
    return hashlib.sha256(FILE.read_bytes()).hexdigest()[:16]


def put_general(tokenizer: Any, adapter: str) -> list[Any]:
    """The questions, each with its own choices, in the set's order."""
    from lora_hub.answering import questions

    tasks = {
        language: Task(
            id="general", title=Text2(en="General"), instruction=Text2(en=""), output="labels", template=words
        )
        for language, words in _read()["words"].items()
    }
    return [
        questions.put(tokenizer, tasks[one.language], [{"text": one.text}], adapter=adapter, labels=one.choices)[0]
        for one in general_set()
    ]


def compare_general(ours: Sequence[Answer], theirs: Sequence[Answer]) -> PairedComparison:
    """Ours against theirs, on the same questions: below zero is what ours forgot."""
    from lora_hub.evaluation import metrics

    return metrics.compare_answers(
        METRIC, [answer.text for answer in ours], [answer.text for answer in theirs], _right()
    )


def forgets(found: PairedComparison, limit: float) -> bool:
    """Whether more than `limit` points are lost for sure: the whole interval lies below."""
    return found.high < -limit


def _right() -> list[str]:
    return [one.right for one in general_set()]


def measure_forgotten(
    stack: Any,
    tokenizer: Any,
    adapter: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> PairedComparison | None:
    """An attached adapter against its base on the general set; None where it was cancelled."""
    from lora_hub.answering import questions

    answers = []
    for place, who in enumerate((BASE, adapter)):

        def tell(done: int, total: int, place: int = place) -> None:
            if progress is not None:
                progress(place * total + done, 2 * total)

        asked = put_general(tokenizer, who)
        answers.append(
            questions.answer_all(stack, tokenizer, asked, max_new_tokens=1, progress=tell, cancelled=cancelled)
        )
        if cancelled():
            return None
    return compare_general(answers[1], answers[0])
