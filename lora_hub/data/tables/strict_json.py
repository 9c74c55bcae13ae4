"""Reads JSON that people wrote without changing it: refuses duplicate keys, of which Python's reader silently keeps the
last, and changes no number.

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
    """An object has the same key twice, with different values. Its one argument is a Message that says which."""


def pairs_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object from its keys and values, as `json` provides them. Raises DoubledKey; a repeated key with the same
    value is accepted."""
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
    """The value of JSON text. NaN and Infinity become None; a number out of range stays text. strict: no bare line
    breaks in texts. Raises json.JSONDecodeError, DoubledKey and RecursionError."""
    try:
        return decoder(strict=strict).decode(text)
    except (json.JSONDecodeError, DoubledKey):
        raise
    except ValueError:  # Python does not convert a text of that many digits
        return decoder(strict=strict, parse_int=lambda digits: int(digits) if len(digits) < 4_000 else digits).decode(
            text
        )


def load_python(text: str) -> Any:
    """The value of a Python literal. Raises DoubledKey, and whatever `ast.literal_eval` raises: ValueError,
    SyntaxError, TypeError, MemoryError and RecursionError."""
    tree = ast.parse(text.strip(), mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict) and len({ast.dump(key) for key in node.keys if key}) < len(node.keys):
            named = zip(node.keys, node.values, strict=True)
            pairs_of([(ast.unparse(key), ast.unparse(value)) for key, value in named if key])
    return ast.literal_eval(tree)


def decoder(*, strict: bool = True, parse_int: Callable[[str], int | str] | None = None) -> json.JSONDecoder:
    """A reader for several consecutive values. Raises as `load` does, and a ValueError for a whole number of thousands
    of digits unless `parse_int` accepts it."""
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
