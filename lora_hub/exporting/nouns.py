"""The nouns of an export: what is asked, what comes of it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lora_hub.core.messages import Message, _
from lora_hub.core.schema import BaseModel, Task

Kind = Literal["peft", "merged", "gguf-adapter", "gguf"]
KINDS: dict[Kind, Message] = {
    "peft": _("PEFT's folder, as a zip"),
    "merged": _("merged weights, for transformers"),
    "gguf-adapter": _("the adapter alone, as GGUF"),
    "gguf": _("the merged model, as GGUF"),
}
# Of each kind: how its numbers can be stored, the usual way first. "" : as they are.
TYPES: dict[Kind, tuple[str, ...]] = {
    "peft": ("",),
    "merged": ("",),
    "gguf-adapter": ("f32", "f16"),
    "gguf": ("q8_0", "f16", "bf16", "f32", "q4_0", "q4_k_m", "q5_k_m", "q6_k"),
}
# Per cent of the answers that have to be the adapter's own, by how the numbers are stored; what is coarser is told and
# not refused.
LEAST_AGREEMENT = {"": 90, "f32": 90, "f16": 90, "bf16": 90, "q8_0": 80}
MOST_ROWS = 50


@dataclass(frozen=True)
class Source:
    """The adapter that is exported. name: for people, and of the files. folder: PEFT's files. base, base_folder: the
    base and its files here. task: None if nobody says. repo, revision: where it is published; "" if nowhere. rows:
    inputs by role, at most MOST_ROWS, on which answers are compared. put_into: the repo that the export is put into
    afterwards, "" for none."""

    name: str
    folder: Path
    base: BaseModel
    base_folder: Path
    task: Task | None = None
    repo: str = ""
    revision: str = ""
    base_repo: str = ""
    rows: tuple[dict[str, Any], ...] = ()
    put_into: str = ""

    @property
    def file_name(self) -> str:
        """A name that any disk and any Hub takes."""
        plain = "".join(one if one.isascii() and (one.isalnum() or one in "-_.") else "-" for one in self.name)
        return plain.strip("-.")[:60] or "adapter"


@dataclass(frozen=True)
class Step:
    """Where an export stands. said: what is being done; done of total, in steps of it (0 of 0: nobody can say)."""

    said: Message
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Agreement:
    """How many of the answers, or of the likeliest next tokens, are those that base and adapter give. unit: "answers"
    or "tokens"."""

    same: int
    of: int
    unit: Literal["answers", "tokens"]

    @property
    def percent(self) -> float:
        return 100 * self.same / self.of if self.of else 100.0

    def tell(self) -> Message:
        if self.unit == "answers":
            return _("On {same} of {of} held-out rows it answers as the adapter does.", same=self.same, of=self.of)
        return _(
            "For {same} of {of} places in sample texts it gives the same next token as the adapter.",
            same=self.same,
            of=self.of,
        )


@dataclass(frozen=True)
class Exported:
    """What an export made. folder: its files, beside `files`. command: what asks it. agreement: None where nothing is
    to compare. tensors, largest_error: how many tensors were read back, and their largest error as a share of the
    largest number of its 32."""

    folder: Path
    kind: Kind
    type: str
    files: tuple[str, ...]
    command: str = ""
    agreement: Agreement | None = None
    tensors: int = 0
    largest_error: float = 0.0
    notes: tuple[Message, ...] = field(default_factory=tuple)

    @property
    def bytes(self) -> int:
        return sum((self.folder / file).stat().st_size for file in self.files)
