"""Which adapters are in memory, who uses them, and whose place the next one takes.

An adapter that answers somebody is in use: it keeps its place. Of the others the one asked least recently goes first.

    places = Places(max_slots=16, max_bytes=4 << 30, changed=...)
    places.put(name, layers, nbytes)                    in the place of others where there is none left
    with places.hold({name: read}, cancelled) as held:  in use until the block ends; waits where others use all there is
        ...
"""

import itertools
import threading
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from lora_hub.answering.line import POLL_SECONDS, Line
from lora_hub.answering.peft_folder import LayerWeights
from lora_hub.answering.routing import THE_BASE, Attached
from lora_hub.core.errors import AdapterError
from lora_hub.core.messages import _

Read = Callable[[], tuple[dict[str, LayerWeights], int]]  # an adapter's layers, and their bytes


class Places:
    """At most `max_slots` adapters and `max_bytes` bytes of them. Safe to use from several threads. `changed` is called
    after every coming and going, under `lock`."""

    def __init__(self, max_slots: int, max_bytes: int, changed: Callable[[], None]) -> None:
        self.max_slots, self.max_bytes = max_slots, max_bytes
        self.lock = threading.RLock()
        self._changed = changed
        self._attached: OrderedDict[str, Attached] = OrderedDict()  # least recently asked first
        self._alive: weakref.WeakSet[Attached] = weakref.WeakSet()
        self._users: Counter[Attached] = Counter()
        self._serials = itertools.count(1)
        self._freed = threading.Condition(self.lock)
        self._line = Line()

    @property
    def attached(self) -> list[Attached]:
        """By slot."""
        with self.lock:
            return sorted(self._attached.values(), key=lambda adapter: adapter.slot)

    @property
    def alive(self) -> list[Attached]:
        """All that is attached, and what is not any more but is in somebody's plan."""
        with self.lock:
            return list(self._alive)

    @property
    def nbytes(self) -> int:
        """Bytes of all that is attached or in use."""
        with self.lock:
            return sum(adapter.nbytes for adapter in {*self._attached.values(), *self._users})

    def get(self, name: str) -> Attached | None:
        """The adapter attached under this name now."""
        with self.lock:
            return self._attached.get(name)

    def touch(self, adapter: Attached) -> None:
        """Notes that it was asked."""
        with self.lock:
            if self._attached.get(adapter.name) is adapter:
                self._attached.move_to_end(adapter.name)

    def put(self, name: str, layers: dict[str, LayerWeights], nbytes: int) -> Attached:
        """A place for an adapter; one of the same name gives it its own. Where all others are in use, those asked least
        recently are attached no more, and their answers go on with the tensors that they have."""
        with self.lock:
            old = self._attached.pop(name, None)
            if not self._make_room(nbytes):
                for adapter in sorted(self._attached.values(), key=lambda one: one in self._users):
                    if (
                        len(self._attached) < self.max_slots
                        and nbytes + sum(one.nbytes for one in self._attached.values()) <= self.max_bytes
                    ):
                        break
                    del self._attached[adapter.name]
            return self._add(name, layers, nbytes, old.slot if old else 0)

    def take_away(self, name: str) -> None:
        """Frees the place of an attached adapter."""
        with self.lock:
            del self._attached[name]
            self._changed()
            self._freed.notify_all()

    def clear(self) -> None:
        with self.lock:
            self._attached.clear()
            self._changed()
            self._freed.notify_all()

    @contextmanager
    def in_use(self, adapters: Iterable[Attached]) -> Iterator[None]:
        """Within it, the places of these adapters are taken last."""
        kept = list(adapters)
        with self.lock:
            for adapter in kept:
                self._keep(adapter)
        try:
            yield
        finally:
            self._give_back(kept)

    @contextmanager
    def hold(
        self, wanted: Mapping[str, Read], cancelled: Callable[[], bool] | None = None
    ) -> Iterator[dict[str, Attached] | None]:
        """These adapters by name, read where they are not attached, and in use until the block ends. Where others use
        all there is, it waits for them, in the order of coming; yields None where `cancelled` said so meanwhile.

        Raises AdapterError where these alone are more than fits, and what reading one raises.
        """
        held: dict[str, Attached] = {}
        try:
            # Only the first in the line gathers adapters, so that two halves never wait for each other.
            with self._line.turn(cancelled) as mine:
                for name, read in wanted.items() if mine else ():
                    adapter = self._hold_one(name, read, held, cancelled)
                    if adapter is None:
                        break
                    held[name] = adapter
            yield held if len(held) == len(wanted) else None
        finally:
            self._give_back(held.values())
            held.clear()  # whoever keeps the dictionary keeps no tensors

    def _hold_one(
        self, name: str, read: Read, held: dict[str, Attached], cancelled: Callable[[], bool] | None
    ) -> Attached | None:
        with self.lock:
            if name in self._attached:
                return self._keep(self._attached[name])
        layers, nbytes = read()  # outside the lock: a step of those who answer does not wait for a disk
        if len(held) >= self.max_slots or nbytes + sum(adapter.nbytes for adapter in held.values()) > self.max_bytes:
            most = self.max_bytes / 1e6
            raise AdapterError(
                _(
                    "{count} adapters at once are more than the memory for adapters holds: {max_slots} of them, "
                    "{most:.0f} MB."
                ),
                _("Ask fewer of them at once."),
                count=len(held) + 1,
                max_slots=self.max_slots,
                most=most,
            )
        with self._freed:
            while name not in self._attached and not self._make_room(nbytes):
                if cancelled is not None and cancelled():
                    return None
                self._freed.wait(POLL_SECONDS)
            return self._keep(self._attached.get(name) or self._add(name, layers, nbytes))

    def _keep(self, adapter: Attached) -> Attached:
        if adapter is not THE_BASE:
            self._users[adapter] += 1
            self.touch(adapter)
        return adapter

    def _give_back(self, adapters: Iterable[Attached]) -> None:
        with self._freed:
            for adapter in adapters:
                if adapter is not THE_BASE:
                    self._users[adapter] -= 1
                    if not self._users[adapter]:
                        del self._users[adapter]
            self._freed.notify_all()

    def _make_room(self, nbytes: int) -> bool:
        """Takes away those that nobody uses, least recently asked first, until `nbytes` more fit; whether they do.
        Where that would not be enough, all stay."""
        idle = [adapter for adapter in self._attached.values() if adapter not in self._users]
        left, taken, gone = len(self._attached), self.nbytes, 0
        while (left >= self.max_slots or taken + nbytes > self.max_bytes) and gone < len(idle):
            left, taken, gone = left - 1, taken - idle[gone].nbytes, gone + 1
        if left >= self.max_slots or taken + nbytes > self.max_bytes:
            return False
        for adapter in idle[:gone]:
            del self._attached[adapter.name]
        return True

    def _add(self, name: str, layers: dict[str, LayerWeights], nbytes: int, slot: int = 0) -> Attached:
        taken = {adapter.slot for adapter in self._attached.values()}
        adapter = Attached(
            name,
            slot or next(number for number in itertools.count(1) if number not in taken),
            next(self._serials),
            layers,
            nbytes,
        )
        self._attached[name] = adapter
        self._alive.add(adapter)
        self._changed()
        return adapter
