"""A dict that forgets: of more than there is room for, what was put in or asked for longest ago goes.

kept = Recent(64)
kept[key] = value
kept.get(key)                                        it is asked for, so it stays for now
Recent(48 << 20, lambda atlas: atlas.bytes)          room by what each value takes
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

K, V = TypeVar("K"), TypeVar("V")


class Recent(OrderedDict[K, V]):
    """The last one stays however large it is. Only `get` and putting in count as asking. Not thread-safe."""

    def __init__(self, most: int, size: Callable[[V], int] | None = None) -> None:
        """most: of values, or of what `size` says of each."""
        super().__init__()
        self._most, self._size = most, size

    def get(self, key: K, default: Any = None) -> Any:
        if key not in self:
            return default
        self.move_to_end(key)
        return self[key]

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > 1 and self._taken() > self._most:
            self.popitem(last=False)

    def _taken(self) -> int:
        return len(self) if self._size is None else sum(map(self._size, self.values()))
