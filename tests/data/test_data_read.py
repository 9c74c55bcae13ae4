"""Any file a person has: right rows, or a DataError that names what is wrong. Every file is made here."""

import gzip
import io
import json
import struct
import zipfile
from pathlib import Path

import fastexcel
import openpyxl
import polars
import pytest

from lora_hub.core.errors import DataError
from lora_hub.data.read.read import Table, read_table
from lora_hub.data.tables.overflow import find_overflow

ROWS = [("سلام، خوبی؟", "greeting"), ('She said "no", twice', "other"), ("two\nlines", "other"), ("007", "1")]


def put(folder: Path, name: str, content: bytes | str) -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def csv_of(rows: list[tuple[str, str]], delimiter: str = ",", end: str = "\n") -> str:
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if any(mark in text for mark in (delimiter, '"', "\n")) else text

    return end.join(delimiter.join(cell(text) for text in row) for row in [("text", "label"), *rows]) + end


def codes(table: Table) -> set[str]:
    return {problem.code for problem in table.problems}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimited_files_keep_every_cell_as_it_is(tmp_path: Path, delimiter: str, end: str) -> None:
    table = read_table(put(tmp_path, "any.name", csv_of(ROWS * 5, delimiter, end)))
    assert table.columns == ["text", "label"]
    assert [(text.replace("\r\n", "\n"), label) for text, label in table.frame.rows()] == ROWS * 5
    assert table.delimiter == delimiter and table.encoding == "utf-8"


def test_line_ends_of_old_macs(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, "mac.csv", csv_of(ROWS[:2] * 5, end="\r")))
    assert table.frame.rows() == ROWS[:2] * 5


@pytest.mark.parametrize(
    ("encoding", "shown", "text"),
    [
        ("utf-8-sig", "utf-8-sig", "متن فارسی با نیم‌فاصله: می‌روم"),
        ("utf-16", "utf-16", "متن فارسی می‌روم"),
        ("utf-16-le", "utf-16-le", "plain words, nothing else"),
        ("cp1252", "windows-1252", "It’s a “good” café – für 5 €"),
        ("latin-1", "latin-1", "el niño comió piñas, qué señal más pequeña"),
        ("cp1256", "windows-1256", "اين فيلم خيلي خوب بود و پايان خوبي داشت"),
        ("big5", "big5", "這部電影真的很好看，我還想再看一遍。"),
        ("cp1251", "windows-1251", "Это очень хорошее сообщение про погоду и город"),
        ("cp1250", "windows-1250", "Večer přijdeme později, těšíme se. Může být"),
    ],
)
def test_encodings_are_detected_and_told(tmp_path: Path, encoding: str, shown: str, text: str) -> None:
    rows = [(f"{text} {number}", ("a", "b")[number % 2]) for number in range(30)]
    file = put(tmp_path, "data.csv", csv_of(rows).encode(encoding))
    table = read_table(file)
    assert table.frame.rows() == rows
    assert table.encoding == shown
    assert ("encoding-detected" in codes(table)) == (not encoding.startswith("utf"))
    # What was found is also what a person may choose: a run reads the file again with it.
    assert read_table(file, encoding=table.encoding, delimiter=table.delimiter).frame.equals(table.frame)


def test_a_chosen_encoding_that_does_not_fit_names_the_line(tmp_path: Path) -> None:
    file = put(tmp_path, "data.csv", "text,label\nplain,a\ncafé,b\n".encode("latin-1"))
    with pytest.raises(DataError, match="line 3"):
        read_table(file, encoding="utf-8")
    with pytest.raises(DataError, match="no encoding named 'klingon'"):
        read_table(file, encoding="klingon")


def test_a_few_damaged_bytes_do_not_change_the_encoding(tmp_path: Path) -> None:
    rows = [(f"سلام دنیا شماره {number}", "a") for number in range(100)]
    table = read_table(put(tmp_path, "data.csv", csv_of(rows).encode()[:-4] + b"\xff,b\n"))
    assert table.encoding == "utf-8" and table.rows == 100
    assert "damaged-bytes" in codes(table)


def test_quotes_that_are_part_of_the_text(tmp_path: Path) -> None:
    """Tab-separated exports often quote nothing and escape nothing."""
    lines = ['" a fine film\t1', 'it\'s "not" bad\t0', 'a 5" screen\t1'] * 4
    table = read_table(put(tmp_path, "data.tsv", "sentence\tlabel\n" + "\n".join(lines) + "\n"))
    assert table.frame.rows() == [tuple(line.split("\t")) for line in lines]


def test_backslash_escapes_and_literal_marks(tmp_path: Path) -> None:
    escaped = read_table(put(tmp_path, "a.csv", 'text,label\n"he said \\"hi\\", twice",a\n"plain, too",b\n'))
    assert escaped.frame["text"].to_list() == ['he said "hi", twice', "plain, too"]
    literal = read_table(put(tmp_path, "b.csv", 'text,label\n"a, b",x\n"Hello" he said,y\na 5" pipe,x\n'))
    assert literal.frame["text"].to_list() == ["a, b", '"Hello" he said', 'a 5" pipe']


def test_text_longer_than_a_block(tmp_path: Path) -> None:
    long = "word, " * 1_000_000
    table = read_table(put(tmp_path, "data.csv", csv_of([(long, "a"), ("short", "b")])))
    assert table.frame["text"].to_list() == [long, "short"]


def test_lines_at_fault_are_named_and_left_out_on_request(tmp_path: Path) -> None:
    file = put(tmp_path, "data.csv", 'text,label\none,a\ntwo,b,and,more\nthree\n"never closed,a\nfour,b\n"five, 5",a\n')
    with pytest.raises(DataError, match="line 3 has 4 cells where the table has 2; line 5 opens a quotation mark"):
        read_table(file)
    table = read_table(file, skip_broken=True)
    assert table.frame.rows() == [("one", "a"), ("three", None), ("four", "b"), ("five, 5", "a")]
    told = {problem.code: problem for problem in table.problems}
    assert told["broken-lines"].count == 2
    assert told["short-rows"].rows == (2,)


def test_rows_that_overflow_into_unnamed_columns_are_told(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, "data.csv", "v1,v2,,\n" + "ham,all right,,\n" * 20 + "spam,cut, here, too\n"))
    assert table.columns == ["v1", "v2", "column_3", "column_4"]
    assert find_overflow(table)[0].problem.rows == (21,)


def test_repeated_and_empty_names(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, "data.csv", "text,text,,label\n" + "a b,c d,e,f\n" * 3))
    assert table.columns == ["text", "text_2", "column_3", "label"]
    assert {"repeated-columns", "unnamed-columns"} <= codes(table)


def test_titles_above_the_header(tmp_path: Path) -> None:
    table = read_table(
        put(tmp_path, "data.csv", "Survey 2024,,\nby the team,,\n,,\nid,review,stars\n" + "1,very good indeed,5\n" * 9)
    )
    assert table.columns == ["id", "review", "stars"] and table.rows == 9
    assert "title-rows" in codes(table)


def test_titles_without_delimiters_above_the_header(tmp_path: Path) -> None:
    body = "".join(f"review number {n} goes on,{n % 5}\n" for n in range(9))
    table = read_table(
        put(tmp_path, "data.csv", f"Survey of the year\nmade by us\n\nreview,stars\n{body}only a text\n")
    )
    assert table.columns == ["review", "stars"] and table.rows == 10
    told = {problem.code: problem for problem in table.problems}
    assert told["title-rows"].count == 2 and told["short-rows"].rows == (10,)


def test_wide_tables(tmp_path: Path) -> None:
    names = [f"name{number}" for number in range(200)]
    table = read_table(put(tmp_path, "data.csv", ",".join(names) + "\n" + (",".join(["some text"] * 200) + "\n") * 3))
    assert table.columns == names


def test_header_or_not_is_decided_by_content(tmp_path: Path) -> None:
    pairs = "".join(f"Good morning number {number}.\tصبح بخیر شماره {number}.\n" for number in range(20))
    bare = read_table(put(tmp_path, "a.tsv", pairs))
    assert bare.columns == ["column_1", "column_2"] and bare.rows == 20 and "no-header" in codes(bare)
    named = read_table(put(tmp_path, "b.tsv", "en\tfa\n" + pairs))
    assert named.columns == ["en", "fa"] and named.rows == 20
    labels = read_table(put(tmp_path, "c.csv", "ham,see you at five then\n" * 3 + "spam,win a prize today\n" * 3))
    assert labels.rows == 6
    numbers = read_table(put(tmp_path, "d.csv", "when,how much\n" + "1999,12\n2000,13\n" * 3))
    assert numbers.columns == ["when", "how much"]


def test_excel_says_which_delimiter(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, "data.csv", "sep=;\ntext;label\n1,5 litres;a\n2,5 litres;b\n"))
    assert table.columns == ["text", "label"] and table.rows == 2


def test_one_column_of_text(tmp_path: Path) -> None:
    table = read_table(
        put(tmp_path, "data.txt", "Once upon a time, there was.\nA king, a queen, and a fox.\nThey went home\n")
    )
    assert table.format == "text" and table.rows == 3 and table.frame.width == 1


def test_nul_bytes_are_left_out_and_told(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, "data.csv", csv_of([("fine text", "a"), ("with\0zero", "b")] * 30)))
    assert table.frame["text"][1] == "withzero"
    assert "nul-bytes" in codes(table)
    with pytest.raises(DataError, match="zero bytes"):
        read_table(put(tmp_path, "data.bin", b"ab\0\0\0\1\0\0" * 100))


@pytest.mark.parametrize("content", ["", "\n\n \n", "\ufeff"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match="empty|blank"):
        read_table(put(tmp_path, "data.csv", content))


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="header .*text, label.* no rows"):
        read_table(put(tmp_path, "data.csv", "text,label\n"))


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([{"text": text, "label": label} for text, label in ROWS], ensure_ascii=False, indent=1),
        json.dumps({"version": 1, "data": [{"text": text, "label": label} for text, label in ROWS]}),
        json.dumps({"text": [row[0] for row in ROWS], "label": [row[1] for row in ROWS]}),
        json.dumps({"columns": ["text", "label"], "data": ROWS}),
        json.dumps(
            {
                "text": {str(i): row[0] for i, row in enumerate(ROWS)},
                "label": {str(i): row[1] for i, row in enumerate(ROWS)},
            }
        ),
        json.dumps({f"row{i}": {"text": row[0], "label": row[1]} for i, row in enumerate(ROWS)}),
        json.dumps([["text", "label"], *ROWS]),
        json.dumps(
            {"features": [], "rows": [{"row_idx": i, "row": {"text": r[0], "label": r[1]}} for i, r in enumerate(ROWS)]}
        ),
        "\n".join(json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in ROWS),
        "\ufeff" + "\r\n\r\n".join(json.dumps({"text": text, "label": label}) for text, label in ROWS) + "\r\n",
        "\n".join(json.dumps({"text": text, "label": label}, indent=2) for text, label in ROWS),
    ],
    ids=[
        "array",
        "wrapped",
        "columns",
        "split",
        "pandas",
        "index",
        "lists",
        "viewer",
        "jsonl",
        "jsonl bom",
        "pretty jsonl",
    ],
)
def test_json_in_every_shape(tmp_path: Path, content: str) -> None:
    table = read_table(put(tmp_path, "data.txt", content))
    assert table.frame.select("text", "label").rows() == ROWS


def test_values_keep_their_text(tmp_path: Path) -> None:
    rows = [
        {"a": 1, "b": 0.5, "c": True, "d": None, "e": "007", "f": 12345678901234567890123},
        {"a": 0, "b": 2.0, "c": False, "e": "1", "g": "x"},
    ]
    expected = [
        ("1", "0.5", "true", None, "007", "12345678901234567890123", None),
        ("0", "2.0", "false", None, "1", None, "x"),
    ]
    array = read_table(put(tmp_path, "a.json", json.dumps(rows)))
    lines = read_table(put(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows))))
    assert array.frame.rows() == lines.frame.rows() == expected
    late = [{"text": "only text"}] * 2000 + [{"text": "and", "more": 3}]
    assert read_table(put(tmp_path, "b.jsonl", "\n".join(map(json.dumps, late)))).frame["more"].to_list()[-1] == "3"


def test_broken_jsonl_lines_are_named(tmp_path: Path) -> None:
    file = put(
        tmp_path,
        "data.jsonl",
        '{"text": "a", "label": "x"}\n{"text": "b", \n\n{"text": "c", "label": NaN}\n{\'text\': 1}\n',
    )
    with pytest.raises(DataError, match="2 lines that are not valid JSON: line 2 .*line 5"):
        read_table(file)
    table = read_table(file, skip_broken=True)
    assert table.frame.rows() == [("a", "x"), ("c", None)]
    with pytest.raises(DataError, match="line 2, column"):
        read_table(put(tmp_path, "broken.json", '[{"text": "a"},\n {"text": "b",, }]'))


def test_nested_values_are_kept(tmp_path: Path) -> None:
    chats = [
        {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "as a part"}]}]},
    ]
    table = read_table(put(tmp_path, "chat.jsonl", "\n".join(map(json.dumps, chats))))
    assert table.frame["messages"].to_list() == [chat["messages"] for chat in chats]
    assert table.is_nested("messages") and json.loads(table.texts("messages")[1]) == chats[1]["messages"]
    alike = read_table(put(tmp_path, "chat2.jsonl", "\n".join(map(json.dumps, chats[:1] * 3))))
    assert alike.frame["messages"].to_list() == [chats[0]["messages"]] * 3
    assert json.loads(alike.texts("messages")[0]) == chats[0]["messages"]


def test_well_known_nestings_become_columns(tmp_path: Path) -> None:
    squad = {
        "data": [
            {
                "title": "t",
                "paragraphs": [
                    {
                        "context": "It is red.",
                        "qas": [
                            {"id": "1", "question": "Colour?", "answers": [{"text": "red", "answer_start": 6}]},
                            {"id": "2", "question": "Size?", "answers": []},
                        ],
                    }
                ],
            }
        ]
    }
    table = read_table(put(tmp_path, "squad.json", json.dumps(squad)))
    assert table.frame.select("question", "context", "answer").rows() == [
        ("Colour?", "It is red.", "red"),
        ("Size?", "It is red.", ""),
    ]
    hub = [{"question": "q", "answers": {"text": ["a", "b"], "answer_start": [0, 1]}}]
    assert read_table(put(tmp_path, "hub.json", json.dumps(hub))).frame["answer"].to_list() == ["a"]
    pairs = [{"id": "1", "translation": {"en": "hello", "fa": "سلام"}}]
    assert read_table(put(tmp_path, "mt.jsonl", "\n".join(map(json.dumps, pairs * 2)))).columns == ["id", "en", "fa"]


def test_parquet_and_arrow(tmp_path: Path) -> None:
    frame = polars.DataFrame(
        {"text": [row[0] for row in ROWS], "label": [0, 1, None, 1], "score": [1.0, 0.0, None, 1.0]}
    )
    frame.write_parquet(tmp_path / "a.bin")
    frame.write_ipc(tmp_path / "b.bin")
    for name, kind in (("a.bin", "parquet"), ("b.bin", "arrow")):
        table = read_table(tmp_path / name)
        assert table.format == kind
        assert table.frame["label"].to_list() == ["0", "1", None, "1"]
        assert table.frame["score"].to_list() == ["1", "0", None, "1"]


def test_class_names_in_a_dataset_file_are_used(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    features = {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["negative", "positive"]}}}}
    table = pyarrow.table({"text": ["bad", "good"], "label": [0, 1]}).replace_schema_metadata(
        {"huggingface": json.dumps(features)}
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").frame["label"].to_list() == ["negative", "positive"]


def workbook(sheets: dict[str, list]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_workbooks(tmp_path: Path) -> None:
    data = workbook(
        {
            "Notes": [["see the next sheet"]],
            "Data": [["Customer survey"], [], ["text", "label", None], *[["خوب بود", 1, None], ["bad", 0, None]] * 6],
        }
    )
    table = read_table(put(tmp_path, "book.csv", data))
    assert table.format == "xlsx" and table.columns == ["text", "label"]
    assert table.frame.rows()[:2] == [("خوب بود", "1"), ("bad", "0")]
    assert {"title-rows", "other-sheets"} <= codes(table)
    assert read_table(
        put(tmp_path, "two.xlsx", workbook({"A": [["text", "label"], ["a b", "x"]], "B": [["q", "a"], ["c d", "y"]]})),
        sheet="B",
    ).columns == ["q", "a"]
    with pytest.raises(DataError, match="no sheet named 'C'"):
        read_table(tmp_path / "two.xlsx", sheet="C")
    with pytest.raises(DataError, match="no cell with a value"):
        read_table(put(tmp_path, "none.xlsx", workbook({"A": []})))
    with pytest.raises(DataError, match="damaged"):
        read_table(put(tmp_path, "cut.xlsx", data[: len(data) // 2]))


def test_hidden_sheets_are_passed_over(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(
        io.BytesIO(workbook({"Old": [["x", "y"]] * 50, "Data": [["text", "label"], ["a b", "c"], ["d e", "f"]]}))
    )
    book["Old"].sheet_state = "hidden"
    book.save(tmp_path / "book.xlsx")
    assert read_table(tmp_path / "book.xlsx").columns == ["text", "label"]


def test_open_document_sheets(tmp_path: Path) -> None:
    def row(*cells: str) -> str:
        return (
            "<table:table-row>"
            + "".join(
                f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>'
                for cell in cells
            )
            + "</table:table-row>"
        )

    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0"?><office:document-content {names}><office:body><office:spreadsheet><table:table '
        f'table:name="S">'
    )
    content += (
        row("text", "label")
        + row("می‌روم", "1")
        + row("b", "0")
        + "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        f"<manifest:manifest "
        f'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><manifest:file-entry '
        f'manifest:full-path="/" '
        f'manifest:media-type="{kind}"/></manifest:manifest>'
    )
    table = read_table(
        put(
            tmp_path,
            "sheet.xlsx",
            zipped({"mimetype": kind, "META-INF/manifest.xml": manifest, "content.xml": content}),
        )
    )
    assert table.format == "ods" and table.frame.rows() == [("می‌روم", "1"), ("b", "0")]


def test_a_parser_that_panics_is_told_in_words(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    # A compound file with one table of sectors, cut inside the first entry of its directory.
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<HHHHH", header, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<IIIIIIIIII", header, 40, 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0, 0)
    header[76:] = b"\0\0\0\0" + b"\xff" * 432
    sectors = struct.pack("<II", 0xFFFFFFFD, 0xFFFFFFFE) + b"\xff" * 504
    cut = bytes(header) + sectors + b"\0" * 121
    with pytest.raises(BaseException) as panic:
        fastexcel.read_excel(cut)
    assert type(panic.value).__name__ == "PanicException", "the parser is sound now: this guard can go"
    capfd.readouterr()
    with pytest.raises(DataError, match="damaged"):
        read_table(put(tmp_path, "book.xls", cut))
    assert capfd.readouterr().err == ""


def test_formulas_are_text_and_nothing_is_evaluated(tmp_path: Path) -> None:
    cells = ["=1+1", "+1-2", "@SUM(A1)", "<script>alert(1)</script>", "{{7*7}}"]
    table = read_table(put(tmp_path, "data.csv", csv_of([(cell, "x") for cell in cells])))
    assert table.frame["text"].to_list() == cells


def test_html_saved_as_xls(tmp_path: Path) -> None:
    page = (
        "<html><body><table><tr><th>text</th><th>label</th></tr>"
        + "<tr><td>می‌روم &amp; <b>me</b></td><td>1</td></tr>" * 3
        + "</table></body></html>"
    )
    table = read_table(put(tmp_path, "report.xls", page))
    assert table.format == "html" and table.frame.rows() == [("می‌روم & me", "1")] * 3
    sheet = (
        '<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" '
        'xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">'
        '<Worksheet ss:Name="S"><Table><Row><Cell><Data '
        'ss:Type="String">text</Data></Cell><Cell><Data>label</Data></Cell></Row>'
        "<Row><Cell><Data>hello there</Data></Cell><Cell><Data>a</Data></Cell></Row></Table></Worksheet></Workbook>"
    )
    spans = (
        "<table><tr><th>text<th>label</tr><tr><td>first one<td rowspan=2>a</tr><tr><td>second one</tr><tr><td "
        "colspan=2>last</tr></table>"
    )
    assert read_table(put(tmp_path, "spans.html", spans)).frame.rows() == [
        ("first one", "a"),
        ("second one", "a"),
        ("last", ""),
    ]
    assert read_table(put(tmp_path, "old.xls", sheet)).frame.rows() == [("hello there", "a")]


def zipped(members: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_gz_and_zip(tmp_path: Path) -> None:
    text = csv_of(ROWS)
    assert read_table(put(tmp_path, "a.csv.gz", gzip.compress(text.encode()))).frame.rows() == ROWS
    one = read_table(
        put(tmp_path, "one.zip", zipped({"__MACOSX/._a.csv": "junk", "folder/a.csv": text, "README.md": "about"}))
    )
    assert one.frame.rows() == ROWS and one.test is None
    pair = read_table(
        put(tmp_path, "pair.zip", zipped({"d/train.csv": text, "d/test.jsonl": '{"text": "t", "label": "x"}\n'}))
    )
    assert pair.rows == 4 and pair.test is not None and pair.test.frame.rows() == [("t", "x")]
    many = put(tmp_path, "many.zip", zipped({"a.csv": text, "b.csv": "q,a\none,two\n", "notes.txt": "about"}))
    first = read_table(many)
    assert first.sheet == "a.csv" and first.sheets == ["a.csv", "b.csv"] and "other-files" in codes(first)
    assert read_table(many, sheet="b.csv").frame.rows() == [("one", "two")]
    with pytest.raises(DataError, match="no file named 'd.csv'.*b.csv"):
        read_table(many, sheet="d.csv")
    with pytest.raises(DataError, match="damaged"):
        read_table(put(tmp_path, "cut.csv.gz", gzip.compress(text.encode())[:-12]))


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORA_HUB_MAX_UPLOAD_MB", "0.1")
    bomb = csv_of([("a" * 1000, "b")] * 1000)
    with pytest.raises(DataError, match="limit"):
        read_table(put(tmp_path, "large.csv", bomb))
    with pytest.raises(DataError, match="unpacks to more"):
        read_table(put(tmp_path, "bomb.csv.gz", gzip.compress(bomb.encode())))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", bomb)
    with pytest.raises(DataError, match="unpacks to more"):
        read_table(put(tmp_path, "bomb.zip", packed.getvalue()))


def test_one_is_said_of_one(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    one.write_text(",text,label\n" + "".join(f"{n * 7 % 5},a text {n},{'ab'[n % 2]}\n" for n in range(9)))
    two.write_text(",text,label,\n" + "".join(f"{n * 7 % 5},a text {n},{'ab'[n % 2]},x{n}\n" for n in range(9)))
    said = [
        next(problem.message for problem in read_table(file).problems if problem.code == "unnamed-columns")
        for file in (one, two)
    ]
    assert said == [
        "1 column has no name; it is called column_1.",
        "2 columns have no name; they are called column_1, column_4.",
    ]
