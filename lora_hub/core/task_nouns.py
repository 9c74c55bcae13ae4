"""The nouns of what is trained: task, base, dataset; `schema` has them, too."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lora_hub.core.finding_nouns import Mend, Problem
from lora_hub.core.messages import _, several
from lora_hub.core.noun import Noun, Text2
from lora_hub.core.setting import Setting


class Task(Noun):
    """What an adapter does: the inputs it reads, how they are put to the model, and what counts as right.

    `template` is the user's turn with `{role}` for each input and, where the task has labels, `{labels}`. `chat` tasks
    have the one input `messages` (a list of {role, content}) and no template. `prompt_language` says which instruction
    fills `{instruction}`; it is frozen with the task, so an adapter is always asked as it was trained, and so is what
    stands
    between the labels in the prompt: something that none of them holds.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,47}$")]
    title: Text2
    instruction: Text2
    inputs: tuple[str, ...] = ("text",)
    optional_inputs: tuple[str, ...] = ()
    output: Literal["labels", "text"] = "text"
    answer: Text2 = Text2(en="answer", fa="پاسخ")
    template: str = ""
    prompt_language: Annotated[
        Literal["en", "fa"],
        Setting(
            _("Instruction language"),
            _("In which language the task is put to the model."),
            synonyms=("instruction_language", "language"),
        ),
    ] = "en"
    labels: tuple[str, ...] = ()
    label_separator: str = ", "
    metrics: tuple[str, ...] = ("chrf",)
    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] = 128
    sample: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> "Task":
        if not self.inputs:
            raise ValueError(_("a task needs at least one input"))
        if "answer" in self.inputs:
            raise ValueError(_("'answer' is the output and cannot be an input"))
        unknown = set(self.optional_inputs) - set(self.inputs)
        if unknown:
            raise ValueError(_("optional_inputs names what inputs lacks: {unknown}", unknown=several(sorted(unknown))))
        return self

    @property
    def is_chat(self) -> bool:
        return self.inputs == ("messages",)


class BaseModel(Noun):
    """A base model. Parameters 0 means unknown; `bases.memory_bytes` tells what it takes in memory.

    `fingerprint`: sha256 over the weights files of a local base; a Hub base is named by its revision instead.
    """

    id: str
    revision: str = ""
    fingerprint: str = ""
    title: str = ""
    parameters: int = 0
    hidden_size: int = 0
    context: int = 2048
    licence: str = "unknown"
    gated: bool = False
    has_chat_template: bool = True
    default_lr: float = 2e-4
    folder: str = ""
    languages: tuple[str, ...] = ("en",)


class Lengths(Noun):
    """How long the rows are in a base's tokens, of a sample of `sampled` of `rows` rows.

    prompt, answer, total: quantiles (0, 5, 25, 50, 75, 95, 99 and 100 %) in tokens. too_long: rows of the sample longer
    than `max_length`, which training leaves out. answers_cut: those whose answer would end behind `max_length` if rows
    were cut there. over_context: rows longer than the base's context. trained_share: trained tokens of all tokens (0 to
    1).
    """

    base: str
    rows: int
    sampled: int
    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    total: tuple[int, ...]
    max_length: int
    context: int
    too_long: int
    answers_cut: int
    over_context: int
    trained_share: float


class DatasetInfo(Noun):
    """A dataset in our store. `fingerprint`: first 16 hex digits of the sha256 of the uploaded bytes. `sheets`: the
    sheets of a workbook or the files of an archive, of which `sheet` was read. `mends`: done after reading, in this
    order. `language`: of what goes in, such as "fa"; empty where it was not told. `test_rows`: of its own test part,
    where that is what a run scores. `owner`: whose it is, where people sign in; it is not published."""

    fingerprint: str
    name: str
    rows: int
    columns: tuple[str, ...]
    format: str
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    skip_broken: bool = False
    source: str = "upload"
    mends: tuple[Mend, ...] = ()
    problems: tuple[Problem, ...] = ()
    lengths: Lengths | None = None
    language: str = ""
    test_rows: int = 0
    owner: str = ""
