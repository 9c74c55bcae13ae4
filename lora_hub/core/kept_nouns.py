"""The nouns of kept comparisons and of votes; `schema` exports them too.

Comparison(id="0123456789abcdef", owner="ada", question=question, answers=views, ...)      a question with its answers
Vote(comparison=one.id, task="spam", shown=("base", "lora-hub/spam@1a2b3c"), choice="one", place=1, ...)
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from lora_hub.core.answer_nouns import BASE, BASE_EXAMPLES, PaneAnswer
from lora_hub.core.comparison_nouns import Question
from lora_hub.core.noun import Noun

# Of a kept comparison, also of one that somebody else's file claims to be.
COMPARISON_ID = r"[0-9a-f]{16}"
MOST_PANES = 80  # eight adapters and the base with up to eight answers each
# A vote: one is the best, several are equally good, or none is good.
Choice = Literal["one", "tie", "bad"]
_Id = Annotated[str, StringConstraints(pattern=rf"^{COMPARISON_ID}$")]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Comparison(Noun):
    """A question with the answers to it, as it is kept.

    owner: who asked; "local": whoever sits at the machine. at: UTC seconds. visibility: "organization": its members may
    open it, too. task: the id of the first adapter's task, "" without one. answers: in the order of the panes, without
    token ids and tasks. order: for a blind comparison the pane at
    each place of the page, drawn by the server; empty: the names were shown from the beginning.
    """

    id: _Id
    owner: str
    at: float
    visibility: Literal["private", "organization"] = "private"
    question: Question
    task: str = ""
    answers: tuple[PaneAnswer, ...]
    order: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "Comparison":
        if self.order and sorted(self.order) != list(range(len(self.answers))):
            raise ValueError("the order of a blind comparison names each pane once")
        return self

    @property
    def is_blind(self) -> bool:
        return bool(self.order)

    @property
    def placed(self) -> list[PaneAnswer]:
        """The answers in the order in which the page showed them."""
        return [self.answers[pane] for pane in self.order] if self.order else list(self.answers)

    @property
    def asked(self) -> str:
        """The question as one text."""
        inputs = self.question.inputs or {}
        return "\n".join(str(value) for value in inputs.values() if str(value).strip()) or self.question.prompt

    def model_of(self, answer: PaneAnswer) -> str:
        """What a vote for this answer is a vote for: an adapter at a commit, a run, or a base by its id."""
        name, _, version = answer.name.partition("@")
        if answer.name in (BASE, BASE_EXAMPLES):
            return f"{answer.name}:{answer.base}" if answer.base else answer.name
        commit = answer.revision[:12] or version
        return (f"{name}@{commit}" if commit else name) + ("" if answer.strength == 1 else f"*{answer.strength:g}")


class Vote(Noun):
    """A person's vote on a blind comparison.

    at: UTC seconds. shown: the models in the order in which the page showed them (`Comparison.model_of`). choice:
    "one": that at `place` (from 0) is the best; "tie": all are equally good; "bad": none is good. is_late: it came
    after the names were shown, and does not count.
    """

    comparison: _Id
    at: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
    task: Annotated[str, StringConstraints(max_length=100)] = ""
    shown: Annotated[tuple[_Name, ...], Field(min_length=2, max_length=MOST_PANES)]
    choice: Choice
    place: Annotated[int, Field(ge=0)] | None = None
    is_late: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> "Vote":
        if (self.choice == "one") != (self.place is not None):
            raise ValueError("a vote for one names its place, and no other vote does")
        if self.place is not None and self.place >= len(self.shown):
            raise ValueError("there is no pane at this place")
        return self
