"""YAML that a person or a stranger wrote, bounded before it is made: a few hundred bytes of aliases can stand for
gigabytes, and nesting deep enough ends the interpreter's stack.

    data = load("a: &a [1, 2]\\nb: *a\\n")      {"a": [1, 2], "b": [1, 2]}
"""

from typing import Any

import yaml

MAX_DEPTH, MAX_NODES = 30, 200_000
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unbounded(yaml.MarkedYAMLError):
    """Nested more than `MAX_DEPTH` levels, or more than `MAX_NODES` values where each alias counts as what it stands
    for."""


def load(text: str) -> Any:
    """The one document of a text. Raises yaml.YAMLError (`Unbounded` where it is too much)."""
    _check(text)
    return yaml.load(text, Loader=_LOADER)  # both are safe loaders


def _check(text: str) -> None:
    """Counts values as if every alias were written out, without making one."""
    sizes: dict[str, int] = {}  # anchor -> values below it
    open_: list[tuple[str | None, int]] = []  # of each open collection: its anchor, values before it
    count = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.AliasEvent):
            # One that stands in what it names has no size yet, and no end.
            count += sizes.get(event.anchor, MAX_NODES + 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_.append((event.anchor, count))
            sizes.pop(event.anchor, None)
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor:
                sizes[anchor] = count - before
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor:
                sizes[event.anchor] = 1
        if len(open_) > MAX_DEPTH or count > MAX_NODES:
            what = f"more than {MAX_DEPTH} levels" if len(open_) > MAX_DEPTH else f"more than {MAX_NODES:,} values"
            raise Unbounded(problem=what, problem_mark=event.start_mark)
