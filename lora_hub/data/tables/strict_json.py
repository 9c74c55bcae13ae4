"""JSON that people wrote, read as it stands: a key that an object has twice is refused, where Python's reader keeps the
last one without a word, and no number becomes another.

    load('{"label": "ham", "label": "spam"}')      raises DoubledKey
    load("[1e999, NaN]")                           ["1e999", None]
"""

import ast
import json
import math
from collections.abc import Callable
from typing import Any

from lora_hub.core.messages import _


class DoubledKey(ValueError):
    """An object has a key twice, with two values. Its one argument is a Message that says which."""


def pairs_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object from its keys and values, as `json` hands them on. Raises DoubledKey; a key that has the same value
    twice says nothing else than once."""
    made = dict(pairs)
    if len(made) < len(pairs):
        first: dict[str, Any] = {}
        for key, value in pairs:
            if key in first and not _same(first[key], value):
                said = _(
                    "the key {key!r} stands twice in one object, as {one} and as {other}",
                    key=key[:60],
                    one=_shown(first[key]),
                    other=_shown(value),
                )
                raise DoubledKey(said)
            first[key] = value
    return made


def load(text: str, *, strict: bool = True) -> Any:
    """The value of JSON text. NaN and Infinity, which mean that there is none, are None; a number beyond what can be
    held stays text. strict: no bare line breaks in texts. Raises json.JSONDecodeError, DoubledKey and
    RecursionError."""
    try:
        return decoder(strict=strict).decode(text)
    except (json.JSONDecodeError, DoubledKey):
        raise
    except ValueError:  # Python turns no text of so many digits into a number
        return decoder(strict=strict, parse_int=lambda digits: int(digits) if len(digits) < 4_000 else digits).decode(
            text
        )


def load_python(text: str) -> Any:
    """The value of a literal as Python prints it. Raises DoubledKey, and what `ast.literal_eval` raises: ValueError,
    SyntaxError, TypeError, MemoryError and RecursionError."""
    tree = ast.parse(text.strip(), mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict) and len({ast.dump(key) for key in node.keys if key}) < len(node.keys):
            named = zip(node.keys, node.values, strict=True)
            pairs_of([(ast.unparse(key), ast.unparse(value)) for key, value in named if key])
    return ast.literal_eval(tree)


def decoder(*, strict: bool = True, parse_int: Callable[[str], int | str] | None = None) -> json.JSONDecoder:
    """A reader of several values, one after another. It raises as `load` does, and a ValueError for a whole number of
    thousands of digits without a `parse_int` that takes them."""
    return json.JSONDecoder(
        object_pairs_hook=pairs_of,
        parse_constant=lambda _: None,
        parse_float=_number,
        parse_int=parse_int,
        strict=strict,
    )


def _number(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]}…"
