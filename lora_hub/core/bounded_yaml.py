"""YAML from a person or a stranger, checked against limits before it is loaded. A few hundred bytes of aliases can
expand to gigabytes, and deep nesting can exhaust the interpreter's stack.

    data = load("a: &a [1, 2]\\nb: *a\\n")      {"a": [1, 2], "b": [1, 2]}
"""

from typing import Any

import yaml

MAX_DEPTH, MAX_NODES = 30, 200_000


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Leaves dates as the text they were written as. A date object would not be text, and an impossible date would
    raise."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class Unbounded(yaml.MarkedYAMLError):
    """Nested more than `MAX_DEPTH` levels, or more than `MAX_NODES` values. Each alias counts as the values it expands
    to."""


class DoubledKey(yaml.MarkedYAMLError):
    """A mapping has the same key twice; YAML's own reader would keep the last. problem: the key. problem_mark: the
    position of its second occurrence."""


def load(text: str) -> Any:
    """The single document in a text. Raises yaml.YAMLError: `Unbounded` if it is too large or too deep, `DoubledKey` if
    a mapping has the same key twice."""
    _check(text)
    try:
        return yaml.load(text, Loader=_Loader)  # a safe loader
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError) as error:  # from a tagged value
        raise yaml.YAMLError("a value is not of the kind that its tag says") from error


class _Keys:
    """The keys of a mapping, in the order of its events: a key, its value, a key, its value."""

    def __init__(self) -> None:
        self._found: set[tuple[str, bool]] = set()
        self._is_key = True

    def add(self, event: yaml.NodeEvent) -> None:
        """Raises DoubledKey. A merge key (<<) may occur more than once."""
        if self._is_key and isinstance(event, yaml.ScalarEvent):
            key = (event.value, event.implicit[0])
            if key in self._found and event.value != "<<":
                raise DoubledKey(problem=event.value, problem_mark=event.start_mark)
            self._found.add(key)
        self._is_key = not self._is_key


def _check(text: str) -> None:
    """Counts values as if every alias were written out, without creating them."""
    sizes: dict[str, int] = {}  # anchor -> values below it
    open_: list[tuple[str | None, int]] = []  # for each open collection: its anchor, values before it
    keys: list[_Keys | None] = []  # for each open collection: its keys if it is a mapping
    count = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.NodeEvent) and keys and keys[-1] is not None:
            keys[-1].add(event)
        if isinstance(event, yaml.AliasEvent):
            # An alias inside its own anchor has no size yet; it would never end.
            count += sizes.get(event.anchor, MAX_NODES + 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, count))
            keys.append(_Keys() if isinstance(event, yaml.MappingStartEvent) else None)
            sizes.pop(event.anchor, None)
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            keys.pop()
            if anchor:
                sizes[anchor] = count - before
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor:
                sizes[event.anchor] = 1
        if len(open_) > MAX_DEPTH or count > MAX_NODES:
            what = f"more than {MAX_DEPTH} levels" if len(open_) > MAX_DEPTH else f"more than {MAX_NODES:,} values"
            raise Unbounded(problem=what, problem_mark=event.start_mark)
