"""The nouns of a comparison: one question and everything it is besides its adapters; `schema` exports them too.

ask_question(prompt="You won a prize!", temperature=0.7, samples=2)     SpecError where a value will not do
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from lora_hub.core.answer_nouns import BASE, BASE_EXAMPLES
from lora_hub.core.errors import SpecError, refused
from lora_hub.core.messages import _
from lora_hub.core.noun import Noun

# Adapters of one comparison; with the base and the base with examples that makes ten panes.
MOST_ADAPTERS = 8
# Examples in the prompt of the base, answers of one pane, and turns of a chat.
MOST_EXAMPLES, MOST_SAMPLES, MOST_TURNS = 16, 8, 200
# An adapter at 1 is as it was trained, at 0 it is the base.
MOST_STRENGTH = 1.2
_DEPTH = 20  # of what is asked; nothing that means something is nested deeper


def whole_text(value: Any, depth: int = 0) -> Any:
    """A value of JSON whose texts have no half of a surrogate pair, which no tokenizer, file or request can hold. Where
    an emoji is cut in two, browsers send it so, and a shell passes on so what is no UTF-8."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict) and depth < _DEPTH:
        return {whole_text(key): whole_text(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple) and depth < _DEPTH:
        return type(value)(whole_text(one, depth + 1) for one in value)
    return value


class _Asked(Noun):
    """What a person typed."""

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, given: Any) -> Any:
        return whole_text(given)


class Turn(_Asked):
    """One turn of a chat."""

    role: Literal["user", "assistant"]
    content: str


class ShownExample(_Asked):
    """One example that the base is given in its prompt: inputs by role, and the right answer."""

    inputs: dict[str, Any]
    answer: str


class Question(_Asked):
    """One question, without the adapters that it is put to.

    base: ask the base, too. examples: show the base so many examples in a pane of its own, 0: no such pane.
    shown: those examples where a person typed them; empty: they are drawn from the first adapter's.
    prompt, inputs: what is asked, either as one text or by role; for a chat the next turn. system: a chat's system
    prompt. earlier: the turns of a chat before this one, by pane (`pane_names`), each with its own answers. A question
    with a system prompt or earlier turns is a chat, whatever the adapters' tasks are.
    max_new_tokens: 0: the task's own. temperature: 0: the most likely answer. top_p: the share of probability that is
    drawn from, 1: all. samples: answers of each pane, drawn with seed, seed + 1, ... free_text: tasks with labels
    answer in their own words. reference: the right answer for the first adapter's task, if it is known.
    strengths: by adapter, for those that are not asked as they were trained: 0 (the base) to 1.2.
    """

    base: bool = True
    examples: Annotated[int, Field(ge=0, le=MOST_EXAMPLES)] = 0
    shown: Annotated[tuple[ShownExample, ...], Field(max_length=MOST_EXAMPLES)] = ()
    prompt: str = ""
    inputs: Annotated[dict[str, Any], Field(max_length=100)] | None = None
    system: str = ""
    earlier: Annotated[
        dict[str, Annotated[tuple[Turn, ...], Field(max_length=MOST_TURNS)]], Field(max_length=MOST_ADAPTERS + 2)
    ] = {}
    max_new_tokens: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    temperature: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = 0.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    samples: Annotated[int, Field(ge=1, le=MOST_SAMPLES)] = 1
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 0
    free_text: bool = False
    reference: str = ""
    strengths: Annotated[
        dict[str, Annotated[float, Field(ge=0, le=MOST_STRENGTH)]], Field(max_length=MOST_ADAPTERS)
    ] = {}

    @model_validator(mode="after")
    def _consistent(self) -> "Question":
        if self.is_chat and self.inputs is not None:
            raise ValueError(_("a chat goes on with a prompt, not with inputs"))
        if self.samples > 1 and not self.temperature:
            raise ValueError(_("several answers differ only at a temperature above 0"))
        return self

    @property
    def is_chat(self) -> bool:
        """Whether it is a turn of a chat."""
        return bool(self.system.strip() or self.earlier)

    def strength_of(self, adapter: str) -> float:
        """How strongly this adapter is asked; 1: as it was trained."""
        return self.strengths.get(adapter, 1.0)

    def pane_names(self, adapters: list[str]) -> list[str]:
        """The names of the panes that answer it, in their order."""
        own = [BASE] if self.base else []
        return [*own, *([BASE_EXAMPLES] if self.examples else []), *adapters]

    @property
    def texts(self) -> Iterator[str]:
        """Everything that a model may be given to read, and what answers are compared with, as texts."""
        yield from (self.prompt, self.system, self.reference)
        yield from (str(value or "") for value in (self.inputs or {}).values())
        yield from (turn.content for turns in self.earlier.values() for turn in turns)
        for one in self.shown:
            yield one.answer
            yield from (str(value or "") for value in one.inputs.values())


def ask_question(**given: Any) -> Question:
    """The question with these fields. Raises SpecError, which names the first that will not do."""
    try:
        return Question(**given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise SpecError(
            _("{name} will not do: {reason}."),
            _("Change it and ask again."),
            name=".".join(str(part)[:60] for part in first["loc"]) or _("The question"),
            reason=refused(first),
        ) from None
