"""Whether an object of JSON text has a key twice, of which fast readers keep the last one without a word: the keys that
are written are counted, and those that were kept."""

import re
from typing import Any

KEY = re.compile(rb'"\s*:')
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"(\s*+:)?', re.DOTALL)  # with the colon that makes it a key


def has_doubles(text: bytes, values: list[Any]) -> bool:
    """Whether an object in sound JSON text has a key twice; `values`: what was read of it, each key once."""
    kept = _keys_of(values)
    return most_keys(text) > kept and sum(map(bool, STRING.findall(text))) > kept


def most_keys(text: bytes) -> int:
    """How many keys JSON text has, or a few more: a text that begins with a colon looks like one."""
    if any(mark in text for mark in (b" :", b"\t:", b"\r:", b"\n:")):
        return len(KEY.findall(text))
    return text.count(b'":')


def _keys_of(values: list[Any]) -> int:
    """How many keys the objects among values have, however deep they lie."""
    count, left = 0, values
    while left:
        objects = [one for one in left if isinstance(one, dict)]
        inner = [value for one in objects for value in one.values() if isinstance(value, (dict, list))]
        inner += [value for one in left if isinstance(one, list) for value in one]
        count += sum(map(len, objects))
        left = inner
    return count
