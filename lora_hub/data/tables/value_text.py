"""The standard text form of a value, used wherever a cell is read, compared, checked, trained on or shown.

    value_text("ham")                                    "ham"
    value_text(True), value_text(0.5)                    "true", "0.5"
    value_text({"item": "lamp", "note": None})           '{"item": "lamp", "note": null}'
    label_text(["urgent", "positive"])                   "positive, urgent"

Lists and objects become JSON as `json.dumps` writes it (a space after each comma and colon, letters unescaped), so that
an answer is learnt in the form programs write. The one exception: a list of labels becomes its labels.
"""

import datetime
import json
import math
import re
from typing import Any

from lora_hub.data.tables import strict_json

# A cell that is a number or a percentage, in Latin, Arabic or Persian digits.
NUMBER = re.compile(r"[-+]?[\d.,\s\u0660-\u0669\u06f0-\u06f9]*[\d\u0660-\u0669\u06f0-\u06f9]\s*%?$")

# Keys under which annotation tools put the label inside an object (Argilla, doccano, brat, spaCy).
LABEL_KEYS = ("value", "label", "labels", "name", "text", "class", "category", "choices", "title")


def value_text(value: Any) -> str | None:
    """The text of any value from a reader. None for None and for NaN or infinity; bytes become UTF-8 text or, if
    invalid, hex digits."""
    if value is None or isinstance(value, str):
        return value if value is None or value.isascii() else _whole(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else None
    if isinstance(value, (list, dict, tuple)):
        return json_text(value)
    plain = _plain(value)
    return plain if isinstance(plain, str) else value_text(plain)


def json_text(value: Any) -> str:
    """JSON text of a list or an object, whatever it contains: NaN and Infinity become null, a date its ISO form."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain)
    except (ValueError, TypeError):  # NaN, or a key that JSON does not allow
        text = json.dumps(_sound(value), ensure_ascii=False, default=_plain)
    return text if text.isascii() else _whole(text)


def label_text(value: Any) -> str | None:
    """A label, or several labels of one row in one spelling: alphabetical, each once, separated by a comma and a space.

    Accepts: a label; a list of labels; the JSON or Python text of such a list ("['urgent']", as pandas writes it into a
    CSV); {label: whether it applies} (spaCy's `cats`), taking those that apply; objects with the label under a known
    key. None if the value holds labels of parts of a text, or otherwise no label.
    """
    names = label_names(value)
    return None if names is None else ", ".join(sorted(set(names)))


def label_names(value: Any) -> list[str] | None:
    """The labels of `label_text`, one by one, unchanged."""
    if value is None:
        return []
    if isinstance(value, str):
        inner = listed(value)
        return label_names(inner) if inner is not None else [text] if (text := value.strip()) else []
    if isinstance(value, dict):
        return _names_of_object(value)
    if not isinstance(value, (list, tuple)):
        text = value_text(value)
        return [text] if text else []
    if (
        len(value) > 1
        and all(isinstance(item, (bool, int, float)) and item in (0, 1) for item in value)
        and len(set(value)) < len(value)
    ):
        return None  # a mark for each class, or one for each annotator: which class is not recorded
    names: list[str] = []
    for item in value:
        if isinstance(item, (list, tuple)):
            return None  # [start, end, label]: of a part of the text
        found = label_names(item)
        if found is None:
            return None
        names += found
    return names


def _names_of_object(value: dict) -> list[str] | None:
    if {"start", "end"} <= set(value) or {"start_offset", "end_offset"} <= set(value):
        return None  # of a part of the text
    key = next((key for key in LABEL_KEYS if value.get(key) is not None), None)
    if key is not None:
        return None if isinstance(value[key], dict) else label_names(value[key])
    marks = [mark for mark in value.values() if mark is not None]
    if not marks:
        return []
    return (
        [str(name) for name, mark in value.items() if mark]
        if all(isinstance(mark, (bool, int, float)) and mark in (0, 1) for mark in marks)
        else None
    )


def listed(text: str) -> list | dict | None:
    """The list or object that a text holds in JSON or Python's print format; None for any other text."""
    text = text.strip()
    if (text[:1], text[-1:]) not in (("[", "]"), ("{", "}"), ("(", ")")):
        return None
    # A numpy array prints without commas, so Python would read its texts as one text.
    commas = re.sub(
        r"(?<=[\d.])\s+(?=[-\d])" if re.fullmatch(r"\[[-\d.\s]+\]", text) else r"(?<=['\"])\s+(?=['\"])", ", ", text
    )
    for read, written in ((strict_json.load, text), (strict_json.load_python, commas)):
        try:
            value = read(written)
        except strict_json.DoubledKey:
            return None
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            continue
        if isinstance(value, (list, dict)):
            return value
        # Tuples and sets only of names: (1, 2) is as often a text.
        if isinstance(value, (tuple, set)) and value and all(isinstance(item, str) for item in value):
            return list(value) if isinstance(value, tuple) else sorted(value, key=str)
    return None


def _plain(value: Any) -> Any:
    """Values that JSON does not have, converted to values it has."""
    if isinstance(value, (bytes, bytearray)):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            return bytes(value).hex()
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat(*[" "] if isinstance(value, datetime.datetime) else [])
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    for method in ("to_list", "tolist"):  # a polars series; numpy's arrays and numbers
        if hasattr(value, method):
            return getattr(value, method)()
    return str(value)


def _sound(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): _sound(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_sound(item) for item in value]
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    return _sound(_plain(value))


def _whole(text: str) -> str:
    """Half a surrogate pair, which no file can hold, becomes a question mark."""
    return text.encode("utf-8", errors="replace").decode()
