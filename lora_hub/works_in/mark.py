"""The noun of this room: whether an adapter works in one place, and why not."""

from typing import Any, Literal

from lora_hub.core.messages import NOTHING, Message, _, joined
from lora_hub.core.schema import Noun

Place = Literal["peft", "vllm", "gguf-adapter", "gguf", "merged"]
PLACES: dict[Place, Message] = {
    "peft": _("PEFT"),
    "vllm": _("vLLM"),
    "gguf-adapter": _("llama.cpp (GGUF adapter)"),
    "gguf": _("merged GGUF (Ollama, LM Studio)"),
    "merged": _("transformers (merged)"),
}


class Mark(Noun):
    """works: "yes"; "if": on conditions; "no"; "unknown": nobody here knows. reasons: the conditions, or what prevents
    it. settings: keys of the form's settings that this hangs on. sources: where the rules are written."""

    place: Place
    works: Literal["yes", "if", "no", "unknown"]
    reasons: tuple[Message, ...] = ()
    settings: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def title(self) -> Message:
        return PLACES[self.place]

    @property
    def why(self) -> Message:
        return joined(*self.reasons) if self.reasons else NOTHING

    def to_json(self) -> dict[str, Any]:
        """For programs. why: a message, in the reader's language or in English."""
        return {"place": self.place, "works": self.works, "why": self.why}
