"""The rows that a run leaves in its folder, written and read back. Whatever happened to a file: what can be read of it
is returned, and what cannot is said.

found = read_held_out(folder, expected=52, task=task)
found.rows        `HeldOutRow`s
found.missing     what is not there and why, in words; None where nothing is missing"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel as Pydantic
from pydantic import ConfigDict, Field, ValidationError

from lora_hub.core import store, verdicts
from lora_hub.core.messages import Message, _, _n, joined, numbers
from lora_hub.core.schema import Answer, HeldOutRow, Judgement, Task
from lora_hub.evaluation import metrics

HELD_OUT, EXAMPLES = "held_out.jsonl", "examples.jsonl"
ANSWERERS = tuple(verdicts.WHO)
# The smallest probability that is written: less is nothing to four places.
LEAST_SEEN = 5e-5
# So many lines are named; more tell nobody anything.
NAMED_LINES = 5
_Number = Annotated[float, Field(allow_inf_nan=False)]


class _Line(Pydantic):
    """A line of held_out.jsonl as it has to be: each one's answer stands under its own key. Lines written before rows
    had scores lack the last four fields."""

    model_config = ConfigDict(strict=True, extra="ignore")

    row: int
    inputs: Annotated[dict[str, Any], Field(min_length=1)]
    reference: str | Annotated[list[str], Field(min_length=1)]
    base: str
    adapter: str
    base_examples: str | None = None
    parent: str | None = None
    prompt: str = ""
    metric: str = ""
    scores: dict[str, _Number] = {}
    right: dict[str, bool | None] = {}
    probabilities: dict[str, dict[str, _Number]] = {}

    def to_row(self) -> HeldOutRow:
        """Raises ValueError where an answer has no score."""
        said = {who: text for who in ANSWERERS if (text := getattr(self, who)) is not None}
        row = HeldOutRow(
            row=self.row,
            inputs=self.inputs,
            prompt=self.prompt,
            reference=self.reference if isinstance(self.reference, str) else tuple(self.reference),
            answers={
                who: Answer(text=text, probabilities=self.probabilities.get(who, {})) for who, text in said.items()
            },
        )
        if "scores" not in self.model_fields_set:
            return row
        if not self.metric or any(who not in self.scores or who not in self.right for who in said):
            raise ValueError("an answer without a score")
        judgements = {who: Judgement(metric=self.metric, score=self.scores[who], right=self.right[who]) for who in said}
        return row.model_copy(update={"judgements": judgements})


class _Example(Pydantic):
    model_config = ConfigDict(strict=True, extra="ignore")

    inputs: Annotated[dict[str, Any], Field(min_length=1)]
    answer: str


@dataclass(frozen=True)
class Found:
    """The rows that could be read (`HeldOutRow`, or of the examples {inputs, answer}), and what is missing of them in
    words."""

    rows: list[Any]
    missing: Message | None = None


def write_held_out(folder: Path, rows: Sequence[HeldOutRow]) -> None:
    """Writes the rows of an exam into the run's folder; probabilities that round to nothing are left out."""
    store.write_jsonl(folder / HELD_OUT, [_to_line(row) for row in rows])


def _to_line(row: HeldOutRow) -> dict[str, Any]:
    chances = {who: of.probabilities for who, of in row.answers.items() if of.probabilities}
    seen = {who: {label: round(p, 4) for label, p in of.items() if p >= LEAST_SEEN} for who, of in chances.items()}
    return {
        "row": row.row,
        "inputs": row.inputs,
        "prompt": row.prompt,
        "reference": row.reference,
        **{who: answer.text for who, answer in row.answers.items()},
        **({"probabilities": seen} if seen else {}),
        "metric": next(iter(row.judgements.values())).metric,
        "scores": {who: of.score for who, of in row.judgements.items()},
        "right": {who: of.right for who, of in row.judgements.items()},
    }


def read_held_out(folder: Path, *, expected: int, task: Task | None) -> Found:
    """The held-out rows in a run's folder. expected: how many were written; 0: not known. task: judges rows that were
    written before rows had scores; None: they are told as damaged."""

    def read(line: bytes) -> HeldOutRow:
        row = _Line.model_validate_json(line).to_row()
        if not row.judgements and task is not None:
            (row,) = metrics.judge_rows(task, [row])
        if not row.judgements:
            raise ValueError("answers without scores")
        return row

    rows, damaged, trouble = _read_lines(folder / HELD_OUT, read)
    # Everybody answered every row: one that says otherwise is not whole.
    answered = {number: tuple(row.answers) for number, row in rows.items()}
    usual = Counter(answered.values()).most_common(1)[0][0] if answered else ()
    damaged += [number for number, who in answered.items() if who != usual]
    whole = [row for number, row in rows.items() if answered[number] == usual]
    return Found(whole, _missing_rows(len(whole), sorted(damaged), trouble, expected))


def write_examples(folder: Path, shown: Sequence[tuple[dict[str, Any], str]]) -> None:
    """The examples that the exam showed to the base. They are rows of the person's own and stay in the run's folder."""
    store.write_jsonl(folder / EXAMPLES, [{"inputs": inputs, "answer": answer} for inputs, answer in shown])


def read_examples(folder: Path, *, expected: int | None) -> Found:
    """The examples that a run's exam showed to the base: all of them or none, since with some of them it is another
    question.
    expected: how many there were; None: not known."""
    rows, damaged, trouble = _read_lines(
        folder / EXAMPLES, lambda line: _Example.model_validate_json(line).model_dump()
    )
    if not damaged and (len(rows) == expected or expected is None):
        return Found(list(rows.values()))
    return Found(
        [],
        _(
            (
                "The examples that the exam showed to the base cannot be read any more ({why}): the base is asked "
                "without "
                "them, so it may score lower than in its exam."
            ),
            why=_why(EXAMPLES, damaged, trouble),
        ),
    )


def _read_lines(path: Path, read: Callable[[bytes], Any]) -> tuple[dict[int, Any], list[int], str]:
    """(rows by the number of their line, numbers of the lines that are none, why the file cannot be opened)."""
    rows, damaged = {}, []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    rows[number] = read(line)
                except (ValidationError, ValueError, RecursionError):
                    damaged.append(number)
    except FileNotFoundError:
        return rows, damaged, "missing"
    except OSError as error:
        return rows, damaged, error.strerror or str(error)
    return rows, damaged, ""


def _missing_rows(there: int, damaged: list[int], trouble: str, expected: int) -> Message | None:
    expected = max(expected, there + len(damaged))
    if there == expected and not trouble:
        return None
    why = _why(HELD_OUT, damaged, trouble)
    if there:
        lost = _(
            "{count:,} of the {expected:,} held-out rows cannot be shown: {why}.",
            count=expected - there,
            expected=expected,
            why=why,
        )
    else:
        lost = _n(
            "The one held-out row cannot be shown: {why}.",
            "None of the {count:,} held-out rows can be shown: {why}.",
            count=expected,
            why=why,
        )
    return joined(lost, _("The scores are kept elsewhere and are of all of them."))


def _why(name: str, damaged: list[int], trouble: str) -> Message:
    """What is wrong with a file of the run, in words."""
    if trouble == "missing":
        return _("the run's folder has no {name}", name=name)
    if trouble:
        return _("{name} cannot be read: {trouble}", name=name, trouble=trouble)
    if damaged:
        return _n(
            "line {lines} of {name} is cut off or damaged",
            "lines {lines} of {name} are cut off or damaged",
            count=len(damaged),
            lines=numbers(damaged, NAMED_LINES),
            name=name,
        )
    return _("{name} ends before them", name=name)
