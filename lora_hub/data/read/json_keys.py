"""Whether an object in JSON text has a duplicate key, of which fast readers silently keep the last. Compares the number
of keys written with the number kept."""

import re
from typing import Any

KEY = re.compile(rb'"\s*:')
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"(\s*+:)?', re.DOTALL)  # with the colon that marks it as a key


def has_doubles(text: bytes, values: list[Any]) -> bool:
    """Whether an object in valid JSON text has a duplicate key; `values`: the parsed text, with each key once."""
    kept = _keys_of(values)
    return most_keys(text) > kept and sum(map(bool, STRING.findall(text))) > kept


def most_keys(text: bytes) -> int:
    """The number of keys in JSON text, or slightly more: a text that begins with a colon looks like one."""
    if any(mark in text for mark in (b" :", b"\t:", b"\r:", b"\n:")):
        return len(KEY.findall(text))
    return text.count(b'":')


def _keys_of(values: list[Any]) -> int:
    """The number of keys of all objects in these values, at any depth."""
    count, left = 0, values
    while left:
        objects = [one for one in left if isinstance(one, dict)]
        inner = [value for one in objects for value in one.values() if isinstance(value, (dict, list))]
        inner += [value for one in left if isinstance(one, list) for value in one]
        count += sum(map(len, objects))
        left = inner
    return count
