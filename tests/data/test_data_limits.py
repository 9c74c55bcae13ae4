"""Data over a limit is refused before it is processed, in the same sentence by every reader. JSON with duplicate keys
or numbers out of range is reported or kept unchanged."""

import html
import json
import zipfile
from pathlib import Path

import openpyxl
import polars
import pytest

from lora_hub.core.errors import DataError
from lora_hub.data.read import delimited
from lora_hub.data.read.read import read_table
from lora_hub.data.tables import limits

KINDS = ["csv", "fast.txt", "json", "jsonl", "nested.jsonl", "turns.jsonl", "parquet", "xlsx", "html", "md"]


def write(file: Path, rows: list[dict[str, str]]) -> Path:
    """Rows of texts in the format that a file's name says."""
    names = list(rows[0])
    cells = [names, *([row[name] for name in names] for row in rows)]
    kind = file.name.partition(".")[2]
    if kind == "parquet":
        polars.DataFrame(rows).write_parquet(file)
    elif kind == "xlsx":
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet()
        for row in cells:
            sheet.append(row)
        book.save(file)
    else:
        lines = {
            "csv": [",".join(f'"{cell}"' for cell in row) for row in cells],
            "fast.txt": [
                " ".join([*(f"__label__{name}" for name in row if name != "text"), row["text"]]) for row in rows
            ],
            "json": [json.dumps(rows)],
            "jsonl": [json.dumps(row) for row in rows],
            "nested.jsonl": [json.dumps({**row, "more": {"text": row["text"]}}) for row in rows],
            "turns.jsonl": [
                json.dumps(
                    {
                        **row,
                        "messages": [{"role": "user", "content": row["text"]}, {"role": "assistant", "content": "a"}],
                    }
                )
                for row in rows
            ],
            "html": [
                "<table>",
                *("<tr>" + "".join(f"<td>{html.escape(cell)}" for cell in row) + "</tr>" for row in cells),
                "</table>",
            ],
            "md": ["|" + "|".join(row) + "|" for row in [cells[0], ["---"] * len(names), *cells[1:]]],
        }[kind]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "fast.txt"])
def test_too_many_columns_are_told_in_one_sentence(tmp_path: Path, kind: str) -> None:
    rows = [{"text": f"a lamp {n}", **{f"c{place}": str(place) for place in range(2_001)}} for n in range(4)]
    with pytest.raises(DataError) as told:
        read_table(write(tmp_path / f"wide.{kind}", rows))
    assert str(told.value) == (
        f"wide.{kind} has more than 2,000 columns, which is the most that can be read. "
        "Keep the columns that are needed, and upload it again."
    )


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "xlsx"])  # a workbook's cell holds 32,767 letters
def test_a_text_larger_than_the_limit_is_refused_before_it_is_worked_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    rows = [{"text": f"a lamp of week {n}", "label": "ab"[n % 2]} for n in range(20)]
    rows[6]["text"] = "word " * ((limits.MAX_CELL + 100) // 5)
    if kind == "nested.jsonl":
        rows = [{"text": "w" * 9_000_000 if n == 6 else "a", "label": "ab"[n % 2]} for n in range(20)]
    monkeypatch.setattr("lora_hub.data.read.read.as_chats", lambda frame: pytest.fail("it was worked on"))
    with pytest.raises(DataError, match=r"A text in row 7 of .* is 9 MB long, in the column '\w+'; the limit is 8 MB"):
        read_table(write(tmp_path / f"long.{kind}", rows))


def test_a_text_of_a_class_folder_is_bounded_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "folders.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for part in ("train", "test"):
            for n in range(10):
                long = part == "test" and n == 3
                archive.writestr(
                    f"{part}/{'pos' if n % 2 else 'neg'}/{n}.txt", "x" * 9_000_000 if long else f"lamp {n}"
                )
    with pytest.raises(DataError, match="is 9 MB long"):
        read_table(tmp_path / "folders.zip")


@pytest.mark.parametrize("size", [100_000, 3_000_000])
def test_a_long_first_record_is_sampled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    taken = []
    sample = delimited._sample_text
    monkeypatch.setattr(delimited, "_sample_text", lambda source: taken.append(1) or sample(source))
    for delimiter in (",", "||"):
        taken.clear()
        first = "a lamp of many words " * (size // 21)
        text = "".join(f'"{cell}"{delimiter}"ham"\n' for cell in [first, *(f"short {n}" for n in range(30))])
        (tmp_path / "long.csv").write_text(text)
        table = read_table(tmp_path / "long.csv")
        assert (table.rows, table.frame.width, len(taken)) == (31, 2, 1)


TWICE = '{"text": "a lamp", "label": "ham", "label": "spam"}'
SAME = '{"text": "a lamp", "label": "ham", "label": "ham"}'
ONCE = [f'{{"text": ":) a \\"lamp\\" {n}", "label" : "ham"}}' for n in range(2_000)]  # a colon behind an opening mark
TURNS = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"%s}]}'


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        ([*ONCE, TWICE], 2_001),
        ([TWICE, *ONCE], 1),
        ([*(line.replace('"ham"', "1") for line in ONCE), TWICE.replace('"ham"', "1").replace('"spam"', "2")], 2_001),
        ([TURNS % "", TURNS % ', "name": null', TURNS % ', "content": "c"'], 3),
        ([TURNS % "", TURNS % ', "role" :"user"', TURNS % ""], 2),
        ([*(f'{{"text": {{"x": 1}}, "label": "{label}"}}' for label in "abab"), '{"text": {"x": 1, "x": 2}}'], 5),
    ],
)
def test_a_key_that_a_line_has_twice_is_told_with_its_line(tmp_path: Path, lines: list[str], broken: int) -> None:
    file = tmp_path / "twice.jsonl"
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(
        DataError, match=rf"1 line that is not valid JSON: line {broken} \(the key .* stands twice in one"
    ):
        read_table(file)
    table = read_table(file, skip_broken=True)
    assert table.rows == len(lines) - 1 and [problem.code for problem in table.problems] == ["broken-lines"]


def test_what_says_the_same_twice_says_it_once(tmp_path: Path) -> None:
    file = tmp_path / "same.jsonl"
    file.write_text("\n".join([SAME, *ONCE]) + "\n")
    assert read_table(file).frame.row(0) == ("a lamp", "ham")


@pytest.mark.parametrize(
    "text",
    [
        f"[{TWICE}]",
        f'{{"data": [{TWICE}]}}',
        f"[{TWICE}, // comment\n]",
        "[{'text': 'a lamp', 'label': 'ham', 'label': 'spam'}]",
        '{\n"text": "a", "label": "ham",\n"label": "spam"\n}\n{\n"text": "a", "label": "ham"\n}',
    ],
)
def test_a_document_with_a_key_twice_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "twice.json").write_text(text)
    with pytest.raises(
        DataError, match=r"twice.json .* the key .*label.* twice in one object, as .*ham.* and as .*spam"
    ):
        read_table(tmp_path / "twice.json")


@pytest.mark.parametrize("kind", ["jsonl", "json", "turns"])
@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("1e999", "1e999"),
        ("-1e999", "-1e999"),
        ("NaN", None),
        ("Infinity", None),
        ("-0", "0"),
        ("-0.0", "-0.0"),
        ("9" * 30, "9" * 30),
        ("12345678901234567890", "12345678901234567890"),
        ("7" * 5_000, "7" * 5_000),
        ("1e5", "100000.0"),
        ("0.5", "0.5"),
    ],
)
def test_numbers_are_the_same_text_in_every_kind_of_json(
    tmp_path: Path, kind: str, written: str, text: str | None
) -> None:
    turns = ', "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]'
    rows = [
        f'{{"text": "a lamp", "label": {value}{turns if kind == "turns" else ""}}}' for value in (written, "1", "2")
    ]
    file = tmp_path / "numbers.json"
    file.write_text(f"[{','.join(rows)}]" if kind == "json" else "\n".join(rows) + "\n")
    assert read_table(file).texts("label").to_list() == [text, "1", "2"]


def test_infinity_in_a_table_of_numbers_is_no_label(tmp_path: Path) -> None:
    frame = polars.DataFrame(
        {"text": ["a", "b", "c"], "x": [1.0, float("inf"), 2.0], "y": [[float("-inf")], [0.5], []]}
    )
    frame.write_parquet(tmp_path / "x.parquet")
    table = read_table(tmp_path / "x.parquet")
    assert table.texts("x").to_list() == ["1", None, "2"] and table.texts("y").to_list() == ["[null]", "[0.5]", "[]"]
