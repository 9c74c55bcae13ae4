"""JSON and JSONL: arrays, wrapped arrays, objects of columns, SQuAD's nesting, one object a line.

JSONL goes through polars (fast, strict). What polars does not take (mixed types, NaN, a broken line, a byte order mark) is
read line by line, so that every broken line is told by its number.
"""

import json
import re
from typing import Any

import polars

from lora_hub.data.headers import find_layout
from lora_hub.data.source import Source
from lora_hub.data.table import MAX_COLUMNS, Table, row_problem, scalars_to_text
from lora_hub.errors import DataError
from lora_hub.schema import Problem

TOLD = 8
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


def read_lines(source: Source, *, skip_broken: bool = False) -> Table:
    """JSONL. Blank lines are passed over; a broken one is refused by its number, or left out where the person says so."""
    frame = _read_fast(source)
    if frame is not None:
        return Table(flatten_known(scalars_to_text(frame)), "jsonl")
    values, broken = [], []
    for number, line in enumerate(_text(source).replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
        if not line.strip():
            continue
        try:
            values.append(_load(line))
        except json.JSONDecodeError as error:
            broken.append((number, f"column {error.colno}: {error.msg.lower()}"))
        except (ValueError, RecursionError) as error:
            broken.append((number, str(error)))
    problems = _broken_lines(source.name, broken, skip_broken)
    if not values:
        raise DataError(f"{source.name} holds no readable line.", "Choose another file.")
    table = _from_values(values, source.name)
    return Table(table.frame, "jsonl", problems=problems + table.problems)


def _broken_lines(name: str, broken: list[tuple[int, str]], skip_broken: bool) -> list[Problem]:
    if not broken:
        return []
    told = "; ".join(f"line {number} ({reason})" for number, reason in broken[:TOLD])
    more = f"; and {len(broken) - TOLD} more" if len(broken) > TOLD else ""
    if not skip_broken:
        raise DataError(
            f"{name} has {len(broken)} line{'s' if len(broken) > 1 else ''} that are not valid JSON: {told}{more}.",
            "Mend them, or go on without these lines (skip broken lines).",
        )
    return [row_problem("broken-lines", "warning", f"Left out: {told}{more}.", [], count=len(broken))]


def _read_fast(source: Source) -> polars.DataFrame | None:
    """None where polars refuses, or would change a value: numbers and texts in one column, half a surrogate pair."""
    data = source.data if source.data is not None else source.path
    if source.head(3) == b"\xef\xbb\xbf" or not source.head(64).lstrip().startswith(b"{"):
        return None
    if any(rb"\ud" in chunk or rb"\uD" in chunk or b"\\u0000" in chunk for chunk in source.chunks()):
        return None
    try:
        return polars.read_ndjson(data, infer_schema_length=None)
    except polars.exceptions.PolarsError:
        return None
    except BaseException as error:  # polars' own panics are not Exceptions
        if type(error).__name__ == "PanicException":
            return None
        raise


def _from_document(value: Any, name: str) -> Table:
    if isinstance(value, list):
        return _from_values(value, name)
    if not isinstance(value, dict):
        raise DataError(f"{name} holds a single value, not a table.", "Save an array of objects or one object a line.")
    squad = _squad(value)
    if squad is not None:
        return Table(frame_of(squad), "json")
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return _from_values([value["columns"], *value["data"]], name)
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
        return _from_values(next(iter(lists.values())), name)
    if not value or (lists and not any(lists.values())):
        raise DataError(f"{name} has no rows.", "Choose a file with data in it.")
    return Table(frame_of([value]), "json")


def _from_wrapped(rows: dict[str, list], name: str) -> Table:
    """{"version": ..., "data": [rows]}; {"train": [...], "test": [...]} is a split."""
    main = next((key for key in ROW_KEYS if key in rows), max(rows, key=lambda key: len(rows[key])))
    table = _from_values(rows[main], name)
    test = next((key for key in TEST_KEYS if key in rows and key != main), "")
    if test:
        table.test = _from_values(rows[test], name)
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
    return _from_values(list(value.values()), name)


def _from_values(values: list, name: str) -> Table:
    if not values:
        raise DataError(f"{name} has no rows.", "Choose a file with data in it.")
    objects = [value for value in values if isinstance(value, dict)]
    if len(objects) == len(values):
        if all(set(value) >= {"row"} and isinstance(value["row"], dict) and set(value) <= {"row", "row_idx", "truncated_cells"}
               for value in values):  # fmt: skip
            values = [value["row"] for value in values]
        return Table(frame_of(values), "json")
    if objects:
        others = [number for number, value in enumerate(values, 1) if not isinstance(value, dict)]
        raise DataError(
            f"{name} mixes objects with other values (row {', '.join(map(str, others[:5]))}).", "Every row has to be an object."
        )
    if all(isinstance(value, list) for value in values):
        if values[0] and all(isinstance(turn, dict) for value in values for turn in value):
            return Table(frame_of([{"messages": value} for value in values]), "json")
        width = max(len(value) for value in values)
        if not width:
            raise DataError(f"{name} has no rows.", "Choose a file with data in it.")
        cells = [[_scalar(cell) for cell in value] + [None] * (width - len(value)) for value in values]
        layout = find_layout(cells[:300], width)
        body = cells[layout.first_row :]
        columns = {key: [row[index] for row in body] for index, key in enumerate(layout.names)}
        return Table(polars.DataFrame(columns, schema=dict.fromkeys(columns, polars.String)), "json", problems=layout.problems)
    return Table(polars.DataFrame({"text": [_scalar(value) for value in values]}, schema={"text": polars.String}), "json")


def frame_of(rows: list[dict]) -> polars.DataFrame:
    """Rows of any shape as a frame: columns in the order they first occur, scalars as text, nested values kept."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    if len(names) > MAX_COLUMNS:
        raise DataError(f"The rows have {len(names)} different keys.", f"At most {MAX_COLUMNS} columns can be read.")
    columns = []
    for name in names:
        values = [row.get(name) for row in rows]
        if any(isinstance(value, (list, dict)) for value in values):
            columns.append(_nested(name, values))
        else:
            columns.append(polars.Series(name, [_scalar(value) for value in values], dtype=polars.String))
    return flatten_known(polars.DataFrame(columns))


def _nested(name: str, values: list) -> polars.Series:
    return polars.Series(name, values, dtype=polars.Object)


def _scalar(value: Any) -> str | None:
    """JSON text of a scalar; a text as it is."""
    if value is None or isinstance(value, str):
        return value if value is None or value.isascii() else value.encode("utf-8", errors="replace").decode()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return None if value != value else repr(value)
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


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


def flatten_known(frame: polars.DataFrame) -> polars.DataFrame:
    """Columns of their own for well-known nestings: `translation: {en, fa}` becomes en and fa; `answers: {text: [...]}`
    (SQuAD on the Hub) gains the column `answer`, its first text; rows with messages and rows with conversations are one."""
    if {"messages", "conversations"} <= set(frame.columns):
        frame = _one_chat_column(frame)
    for name, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if name == "translation" and (dtype == polars.Object or isinstance(dtype, polars.Struct)):
            values = frame[name].to_list()
            if all(value is None or (isinstance(value, dict) and all(not isinstance(v, (list, dict)) for v in value.values()))
                   for value in values):  # fmt: skip
                keys = list(dict.fromkeys(key for value in values if value for key in value))
                new = [polars.Series(key, [_scalar((value or {}).get(key)) for value in values], dtype=polars.String)
                       for key in keys if key not in frame.columns]  # fmt: skip
                frame = frame.drop(name).with_columns(new)
        elif name == "answers" and "answer" not in frame.columns and (dtype == polars.Object or dtype.is_nested()):
            firsts = [_first_answer(value) for value in frame[name].to_list()]
            if any(first is not None for first in firsts):
                frame = frame.with_columns(polars.Series("answer", firsts, dtype=polars.String))
    return frame


def _one_chat_column(frame: polars.DataFrame) -> polars.DataFrame:
    """A file put together of two dialects: each row has the one column or the other."""
    pairs = list(zip(frame["messages"].to_list(), frame["conversations"].to_list(), strict=True))
    if any(left is not None and right is not None for left, right in pairs):
        return frame
    return frame.drop("conversations").with_columns(_nested("messages", [right if left is None else left for left, right in pairs]))


def _first_answer(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("text")
    if isinstance(value, list):
        value = value[0] if value else ""
    if isinstance(value, dict):
        value = value.get("text")
    return _scalar(value) if not isinstance(value, (list, dict)) else None
