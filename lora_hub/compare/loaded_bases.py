"""The bases in memory, each with its adapter stack and the queue of its visitors.

with bases.hold(panes) as (loaded, names): ...     the panes' base and adapters stay there until the block ends
"""

import gc
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lora_hub.answering.line import POLL_SECONDS, Line
from lora_hub.catalogue import bases
from lora_hub.catalogue.bases import NoBase
from lora_hub.compare.panes import Pane, base_key, slot_name
from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _, joined
from lora_hub.core.schema import BASE, BaseModel

# Bases kept in memory at once, beside the one that is asked: so much of the memory that is free without them. Of those
# without a running question, the least recently used is unloaded first.
HELD_SHARE = 0.5


@dataclass(frozen=True)
class Loaded:
    """A base in memory with its adapter stack and the queues of its visitors: for texts, and for labels (`labels`).
    tokenizers: those that adapters bring. nbytes: of its weights."""

    stack: Any
    tokenizer: Any
    visitors: Any
    labels: Any
    tokenizers: Any
    nbytes: int = 0

    def tokenizer_of(self, pane: Pane) -> Any:
        """The tokenizer for a pane: its own if it brings one. Raises AdapterError."""
        return self.tokenizers.of(pane.folder, pane.name) if pane.folder is not None else self.tokenizer


@contextmanager
def without_base(panes: Sequence[Pane]) -> Iterator[None]:
    """Tells whose base it is that cannot be loaded."""
    try:
        yield
    except BaseError as error:
        whose = next((pane.name for pane in panes if pane.folder is not None), "")
        if not whose:  # the base alone was asked for, and its own error names it
            raise
        hint = error.advice
        if isinstance(error, NoBase):  # an adapter has one base, so "choose another" would not help
            hint = _(
                "Name the base with --base where it is called otherwise or lies in a folder here, or try again when "
                "the Hub has it and can be reached."
            )
        raise BaseError(joined(_("{name} cannot be asked without its base.", name=whose), error.said), hint) from error


class LoadedBases:
    """The bases of this process. Thread-safe: visitors of the same base are answered in one running batch. Whoever
    needs another base that does not fit beside those in use waits, in order of arrival, until one of them is idle.
    most_adapters, most_bytes: of the adapters that each of them keeps attached; None: as many as the stack does."""

    def __init__(self, most_adapters: int | None = None, most_bytes: int | None = None) -> None:
        asked = {"max_slots": most_adapters, "max_bytes": most_bytes}
        self._most = {name: value for name, value in asked.items() if value is not None}
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._users: Counter[str] = Counter()  # running questions, by the base's key
        self._freed = threading.Condition()
        self._line = Line()

    @contextmanager
    def hold(
        self, panes: list[Pane], cancelled: Callable[[], bool] | None = None
    ) -> Iterator[tuple[Loaded, list[str]] | None]:
        """The panes' base with their adapters, and their names in its stack; all stay loaded until the block ends. None
        if `cancelled` returned true while this waited for others."""
        names = [slot_name(pane) for pane in panes]
        asked = {name: pane for name, pane in zip(names, panes, strict=True) if name != BASE}
        folders = {name: pane.folder for name, pane in asked.items()}
        strengths = {name: pane.strength for name, pane in asked.items()}
        with self._using(panes, cancelled) as loaded:
            if loaded is None:
                yield None
                return
            with loaded.stack.hold(folders, strengths=strengths, cancelled=cancelled) as held:
                yield (loaded, names) if held is not None else None

    @contextmanager
    def _using(self, panes: list[Pane], cancelled: Callable[[], bool] | None) -> Iterator[Loaded | None]:
        """The panes' base in memory. It stays there until the block ends."""
        base = panes[0].base
        key = base_key(base)
        with self._line.turn(cancelled) as mine:
            with without_base(panes):
                loaded = self._load(key, base, cancelled) if mine else None
        try:
            yield loaded
        finally:
            if loaded is not None:
                with self._freed:
                    self._users[key] -= 1
                    self._freed.notify_all()

    def _load(self, key: str, base: BaseModel, cancelled: Callable[[], bool] | None) -> Loaded | None:
        """Called in turn only, so nobody else is loading."""
        from lora_hub.answering import generate, loading, questions
        from lora_hub.answering.adapter_tokenizer import AdapterTokenizers
        from lora_hub.answering.stack import AdapterStack

        with self._freed:
            while key not in self._loaded and self._loaded and not self._fits(base):
                idle = next((known for known in self._loaded if not self._users[known]), None)
                if idle is not None:
                    self._loaded.pop(idle).stack.close()
                elif cancelled is not None and cancelled():
                    return None
                else:
                    self._freed.wait(POLL_SECONDS)
            if key in self._loaded:
                self._loaded.move_to_end(key)
                self._users[key] += 1
                return self._loaded[key]
        gc.collect()  # a model and its layers form a reference cycle: without this two bases would be in memory
        tokenizer = loading.load_tokenizer(base)
        stack = AdapterStack(loading.load_base(base), base, **self._most)
        tokenizers = AdapterTokenizers(tokenizer)
        nbytes = stack.model.get_memory_footprint()
        visitors, labels = generate.open_queue(stack, tokenizer), questions.open_label_queue(stack, tokenizer)
        loaded = Loaded(stack, tokenizer, visitors, labels, tokenizers, nbytes)
        with self._freed:
            self._loaded[key] = loaded
            self._users[key] += 1
        return loaded

    def _fits(self, base: BaseModel) -> bool:
        """Whether a base goes into the memory that is meant for them, beside those that are there. One of unknown size
        goes in alone."""
        taken, needed = sum(one.nbytes for one in self._loaded.values()), needed_bytes(base)
        return bool(needed) and taken + needed <= HELD_SHARE * (taken + free_bytes())


def needed_bytes(base: BaseModel) -> int:
    """Bytes of a base's weights as they are loaded here; 0 where nobody knows."""
    from lora_hub.answering import loading

    precision = loading.pick_precision(loading.pick_device())
    known = bases.memory_bytes(base, train=False, length=1, precision=precision)
    return known or base.parameters * bases.BYTES[precision]


def free_bytes() -> int:
    """Bytes that are free where bases are loaded."""
    from lora_hub.answering import loading

    device = loading.pick_device()
    if device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0]
    return loading.available_memory()
