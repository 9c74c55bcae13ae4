"""JSON documents: arrays, wrapped arrays, objects of columns, pandas' forms, SQuAD's nesting; and which file is JSONL."""

import json
import re
from typing import Any

from lora_hub.data.json_lines import read_lines
from lora_hub.data.json_rows import frame_of, table_of_values
from lora_hub.data.source import Source
from lora_hub.data.table import Table
from lora_hub.errors import DataError
from lora_hub.schema import Problem

# Keys that hold the rows of a wrapped file, in the order they are looked for.
ROW_KEYS = ("data", "rows", "records", "examples", "items", "results", "instances", "samples", "dataset", "train")
TEST_KEYS = ("test", "validation", "valid", "val", "dev", "eval")


def looks_like_json(head: str) -> bool:
    return head.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")


def read_json(source: Source, *, skip_broken: bool = False) -> Table:
    """Table of UTF-8 JSON or JSONL. Raises DataError with line and reason."""
    if _is_lines(source):
        return read_lines(source, skip_broken=skip_broken)
    text = _text(source)
    try:
        return _from_document(_load(text), source.name)
    except json.JSONDecodeError as error:
        objects = _objects_in_a_row(text)
        if objects is not None:
            return Table(frame_of(objects), "jsonl")
        raise DataError(
            f"{source.name} is not valid JSON: line {error.lineno}, column {error.colno}: {error.msg.lower()}.",
            "Mend the file there, or save it as JSONL (one object a line) or CSV.",
        ) from None
    except RecursionError:
        raise DataError(f"{source.name} is nested too deeply.", "Save it as one flat object a row.") from None


def _text(source: Source) -> str:
    return source.read().decode("utf-8", errors="replace").removeprefix("\ufeff")


def _load(text: str) -> Any:
    return json.loads(text, parse_constant=lambda _: None)


def _is_lines(source: Source) -> bool:
    """More than one line, and lines that each begin and end as a JSON value does."""
    head = source.head(1 << 20).decode("utf-8", errors="ignore").removeprefix("\ufeff")
    lines = [line.strip() for line in re.split(r"[\r\n]+", head) if line.strip()]
    if source.size > 1 << 20:
        if len(lines) < 2:
            return lines[0][:1] == "{" and _starts_with_whole_value(source)
        lines.pop()
    lines = lines[:50]
    whole = sum(1 for line in lines if (line[0], line[-1]) in (("{", "}"), ("[", "]")))
    if len(lines) == 1:
        return bool(whole) and lines[0][0] == "{" and _is_row(lines[0])
    if lines[0] in ("[", "{"):
        return False
    if lines[0][0] == "[" and not _parses(lines[0]):
        return False
    return whole > 0.5 * len(lines) and (_parses(lines[0]) or any(_parses(line) for line in lines[1:]))


def _starts_with_whole_value(source: Source) -> bool:
    with source.open() as file:
        line = file.readline()
        return _parses(line.decode("utf-8", errors="replace").strip().removeprefix("\ufeff")) and bool(file.readline().strip())


def _parses(line: str) -> bool:
    try:
        _load(line)
    except (ValueError, RecursionError):
        return False
    return True


def _is_row(line: str) -> bool:
    """A one-line file that is one row ({"text": ..., "label": ...}), not a whole document."""
    try:
        value = _load(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and ("messages" in value or "conversations" in value)


def _objects_in_a_row(text: str) -> list[dict] | None:
    """Objects one after another without commas, each over several lines."""
    decoder = json.JSONDecoder(parse_constant=lambda _: None)
    objects, position = [], 0
    while position < len(text):
        while position < len(text) and text[position] in " \t\r\n,":
            position += 1
        if position == len(text):
            break
        try:
            value, position = decoder.raw_decode(text, position)
        except (json.JSONDecodeError, RecursionError):
            return None
        if not isinstance(value, dict):
            return None
        objects.append(value)
    return objects or None


def _from_document(value: Any, name: str) -> Table:
    if isinstance(value, list):
        return table_of_values(value, name)
    if not isinstance(value, dict):
        raise DataError(f"{name} holds a single value, not a table.", "Save an array of objects or one object a line.")
    squad = _squad(value)
    if squad is not None:
        return Table(frame_of(squad), "json")
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return table_of_values([value["columns"], *value["data"]], name)
    lists = {key: item for key, item in value.items() if isinstance(item, list)}
    rows = {key: item for key, item in lists.items() if item and isinstance(item[0], dict)}
    if "messages" in rows or "conversations" in rows:
        return Table(frame_of([value]), "json")
    if rows:
        return _from_wrapped(rows, name)
    if lists and len(lists) == len(value) and len({len(item) for item in lists.values()}) == 1:
        keys = list(lists)
        return Table(frame_of([dict(zip(keys, row, strict=True)) for row in zip(*lists.values(), strict=True)]), "json")
    if lists and len(lists) == len(value) and len(lists) > 1:
        lengths = ", ".join(f"{key}: {len(item)}" for key, item in list(lists.items())[:6])
        raise DataError(f"The columns of {name} are not equally long ({lengths}).", "Every column needs one value a row.")
    objects = [item for item in value.values() if isinstance(item, dict)]
    if objects and len(objects) == len(value):
        return _from_objects(value, name)
    if len(lists) == 1 and next(iter(lists.values())):
        return table_of_values(next(iter(lists.values())), name)
    if not value or (lists and not any(lists.values())):
        raise DataError(f"{name} has no rows.", "Choose a file with data in it.")
    return Table(frame_of([value]), "json")


def _from_wrapped(rows: dict[str, list], name: str) -> Table:
    """{"version": ..., "data": [rows]}; {"train": [...], "test": [...]} is a split."""
    main = next((key for key in ROW_KEYS if key in rows), max(rows, key=lambda key: len(rows[key])))
    table = table_of_values(rows[main], name)
    test = next((key for key in TEST_KEYS if key in rows and key != main), "")
    if test:
        table.test = table_of_values(rows[test], name)
        told = f"The rows are under {main!r}; those under {test!r} are the test rows."
    else:
        told = f"The rows are under {main!r}."
    table.problems.append(Problem(code="wrapped", severity="info", message=told))
    return table


def _from_objects(value: dict[str, dict], name: str) -> Table:
    """pandas' forms: {"column": {"0": ...}} where the inner keys count rows, else {"row id": {column: ...}}."""
    inner = [list(item) for item in value.values()]
    if all(keys == inner[0] for keys in inner) and all(re.fullmatch(r"\d+", key) for key in inner[0]):
        keys = list(value)
        return Table(frame_of([{key: value[key][row] for key in keys} for row in inner[0]]), "json")
    return table_of_values(list(value.values()), name)


def _squad(value: dict) -> list[dict] | None:
    """Rows of SQuAD's nesting: data > paragraphs > qas. A question without an answer has an empty one."""
    articles = value.get("data", value.get("paragraphs"))
    if not isinstance(articles, list) or not articles:
        return None
    if "paragraphs" in value and "data" not in value:
        articles = [value]
    rows = []
    for article in articles:
        paragraphs = article.get("paragraphs") if isinstance(article, dict) else None
        if not isinstance(paragraphs, list):
            return None
        for paragraph in paragraphs:
            if not isinstance(paragraph, dict):
                return None
            for asked in paragraph.get("qas") or []:
                answers = asked.get("answers") or []
                texts = [item.get("text") if isinstance(item, dict) else item for item in answers]
                rows.append(
                    {
                        "id": asked.get("id"), "title": article.get("title"), "context": paragraph.get("context"),
                        "question": asked.get("question"), "answer": texts[0] if texts else "",
                    }
                )  # fmt: skip
    return rows or None
