"""The nouns of training data: task, base, dataset; `schema` exports them too."""

import bisect
import itertools
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, model_validator

from lora_hub.core.finding_nouns import Mend, Problem
from lora_hub.core.messages import _, several
from lora_hub.core.noun import Noun, Text2
from lora_hub.core.setting import Setting

# Of files that are one dataset: how many, and how often a row may come in a pass.
MOST_PARTS, MOST_WEIGHT = 20, 10.0


class Task(Noun):
    """What an adapter does: its inputs, the prompt that holds them, and how answers are scored.

    `template` is the user's turn, with `{role}` for each input and, if the task has labels, `{labels}`. `chat` tasks
    have the one input `messages` (a list of {role, content}) and no template. `prompt_language` selects the instruction
    that fills `{instruction}`. It is frozen with the task, so an adapter is always prompted as it was trained. The
    separator between the labels in the prompt is frozen too: a string that no label contains.
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


class Origin(Noun):
    """The GGUF file that a base was read from. sha256: of the file, in hex digits. quantization: how its weights were
    stored, such as Q4_1, so that the base is a rounded copy of the original. package: `name==version` of the Python
    package that carried it, if one did. hub_id: the repo of the original weights, where it is known."""

    file: str
    sha256: str
    quantization: str
    package: str = ""
    hub_id: str = ""


class BaseModel(Noun):
    """A base model. Parameters 0 means unknown; `bases.memory_bytes` gives the memory it needs.

    `fingerprint`: sha256 over the weights files of a local base; a Hub base has a revision instead. `origin`: of a base
    that was read from a GGUF file.
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
    origin: Origin | None = None


class Lengths(Noun):
    """How long the rows are in a base's tokens, measured on a sample of `sampled` of `rows` rows.

    prompt, answer, total: quantiles (0, 5, 25, 50, 75, 95, 99 and 100 %) in tokens. too_long: rows of the sample longer
    than `max_length`, which training leaves out. answers_cut: rows whose answer would end beyond `max_length` if rows
    were truncated there. over_context: rows longer than the base's context. trained_share: trained tokens as a share of
    all tokens (0 to 1). begin: tokens with which all rows begin (chat template, instruction, list of labels).
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
    begin: int = 0


class DataPart(Noun):
    """One of several files that are one dataset. fingerprint: of the file itself. rows: how many of the dataset's rows
    are its own; they follow on those of the parts before. weight: how often each of its rows comes in a pass: 2 is
    twice, 0.5 half of the rows. mapping: which of its columns became which role. encoding, delimiter, sheet,
    skip_broken: how it was read, as in `DatasetInfo`; the sheet of several."""

    name: str
    fingerprint: str
    rows: Annotated[int, Field(ge=0)]
    weight: Annotated[float, Field(gt=0, le=MOST_WEIGHT, allow_inf_nan=False)] = 1.0
    mapping: dict[str, str] = {}
    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""
    skip_broken: bool = False


class DatasetInfo(Noun):
    """A dataset in our store. `fingerprint`: first 16 hex digits of the sha256 of the uploaded bytes. `sheets`: the
    sheets of a workbook or the files of an archive; `sheet` was read. `mends`: applied after reading, in this order.
    `language`: of the inputs, such as "fa"; empty if not detected. `test_rows`: rows of its own test part, if a run
    scores that. `owner`: whose it is, if people sign in; never published. `parts`: the files that it was put together
    from."""

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
    parts: Annotated[tuple[DataPart, ...], Field(max_length=MOST_PARTS)] = ()

    def part_of(self, row: int) -> int:
        """The place of the part that a row (from 1) is of; 0 where there are none."""
        ends = list(itertools.accumulate(part.rows for part in self.parts))
        return min(bisect.bisect_left(ends, row), max(0, len(ends) - 1))

    def count_seen(self, rows: Iterable[int]) -> list[int]:
        """How many of these rows (from 1) a training sees, by part: of a weight below 1 the same ones come in each pass
        (`training.passes`). One number where there are no parts."""
        counts = Counter(self.part_of(row) for row in rows)
        weights = [part.weight for part in self.parts] or [1.0]
        return [round(counts[place] * min(weight, 1)) for place, weight in enumerate(weights)]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Its own, and those of the files that it was put together from."""
        return (self.fingerprint, *(part.fingerprint for part in self.parts))

    @property
    def weight(self) -> float:
        """How often a row comes in a pass, on average."""
        rows = sum(part.rows for part in self.parts)
        return sum(part.rows * part.weight for part in self.parts) / rows if rows else 1.0
