"""Hard files, made here: what a person would expect of each, or the words of the refusal. One table per family."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path

import openpyxl
import polars
import pyarrow
import pytest
from pyarrow import parquet

from lora_hub.core.errors import DataError
from lora_hub.data.read.read import Table, read_table

ROWS = [(f"This is review number {n}, quite long", ("pos", "neg")[n % 2]) for n in range(12)]
PERSIAN = [(f"این فیلم شماره {n} بود و می‌گویم خوب بود", ("مثبت", "منفی")[n % 2]) for n in range(12)]
HEADER = ("text", "label")


def put(folder: Path, content: bytes | str, name: str = "any") -> Path:
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / name


def lines(rows, delimiter: str = ",", header=HEADER) -> str:
    def cell(text: str) -> str:
        return f'"{text}"' if delimiter in text else text

    return "".join(delimiter.join(map(cell, row)) + "\n" for row in [header, *rows])


def codes(table: Table) -> dict[str, int]:
    return {problem.code: problem.count for problem in table.problems}


def check(table: Table) -> None:
    """Whatever a reader says, it says in both languages."""
    for problem in table.problems:
        assert problem.message and problem.said.fa, problem.code
        assert bool(problem.hint) == bool(problem.advice.fa), problem.code


NO_COMMA = [(text.replace(",", ""), label) for text, label in ROWS]
SAME = {  # name -> (bytes, rows expected); all have the columns text and label
    "utf-16-be without a mark": (lines(ROWS).encode("utf-16-be"), ROWS),
    "utf-16-le without a mark, Persian": (lines(PERSIAN).encode("utf-16-le"), PERSIAN),
    "utf-16-be without a mark, Persian": (lines(PERSIAN).encode("utf-16-be"), PERSIAN),
    "utf-32 without a mark": (lines(PERSIAN).encode("utf-32-be"), PERSIAN),
    "two marks": (("\ufeff\ufeff" + lines(ROWS)).encode(), ROWS),
    "CR only": (lines(ROWS).replace("\n", "\r"), ROWS),
    "quoted sep line": ('"sep=;"\r\n' + lines(ROWS, ";"), ROWS),
    "comments above": ("# made by us\n# on 1 May, in Tehran\n" + lines(ROWS), ROWS),
    "header after #": (lines(NO_COMMA, "\t", ("#text", "label")), NO_COMMA),
    "delimiter at each end": ("".join(f"|{a}|{b}|\n" for a, b in [HEADER, *ROWS]), ROWS),
    "delimiter at the end of rows": ("text,label\n" + "".join(f"{a},{b},\n" for a, b in NO_COMMA), NO_COMMA),
    "spaces before quotes": ("text, label\n" + "".join(f'"{a}", "{b}"\n' for a, b in ROWS), ROWS),
    "single quotes": ("text,label\n" + "".join(f"'{a}','{b}'\n" for a, b in ROWS), ROWS),
    "marks around names": ("\u200ftext\u200f,\u00a0label\n" + lines(ROWS)[11:], ROWS),
    "end-of-file mark": (lines(ROWS) + "\x1a", ROWS),
    "empty rows at the end": (lines(ROWS) + ",\n,\n", ROWS),
    "markdown": ("Some words.\n\n| text | label |\n|---|:-:|\n" + "".join(f"| {a} | {b} |\n" for a, b in ROWS), ROWS),
    "drawn table": (
        "+--+--+\n| text | label |\n+--+--+\n" + "".join(f"| {a} | {b} |\n" for a, b in ROWS) + "+--+--+\n",
        ROWS,
    ),
    "fasttext": ("".join(f"__label__{b} {a}\n" for a, b in ROWS), ROWS),
    "aligned by spaces": ("".join(f"{a:40}   {b}\n" for a, b in [HEADER, *ROWS]), ROWS),
    **{
        f"delimiter {mark!r}": (lines(NO_COMMA, mark), NO_COMMA)
        for mark in ("||", "::", "~", "^", "\x01", "\x1f", "###", "\t\t", " | ", " ||| ", "،", "؛", "，")
    },
}


@pytest.mark.parametrize("name", SAME)
def test_texts_with_two_columns(tmp_path: Path, name: str) -> None:
    content, rows = SAME[name]
    file = put(tmp_path, content)
    table = read_table(file)
    assert table.columns == ["text", "label"] and table.frame.rows() == rows
    check(table)
    # A run reads the file again with what was found.
    assert read_table(file, encoding=table.encoding, delimiter=table.delimiter).frame.equals(table.frame)


@pytest.mark.parametrize(
    ("encoding", "shown", "text"),
    [
        ("koi8_r", "koi8_r", "Это очень хорошее сообщение про погоду"),
        ("cp866", "cp866", "Это очень хорошее сообщение про погоду"),
        ("gb18030", "gb18030", "这部电影真的很好看，我还想再看一遍€"),
        ("shift_jis", "shift_jis", "この映画はとても面白かったのでもう一度見たい"),
        ("euc_jp", "euc_jp", "この映画はとても面白かったのでもう一度見たい"),
        ("euc_kr", "euc_kr", "이 영화는 정말 재미있어서 다시 보고 싶습니다"),
        ("iso8859_2", "iso8859-2", "Večer přijdeme později, těšíme se, žluť"),
        ("iso8859_6", "iso8859-6", "هذا الفيلم جميل جدا وانصح الجميع بمشاهدته"),
        ("iso8859_15", "iso8859-15", "le cœur coûte 5 € à Nîmes"),
        ("mac_roman", "macintosh", "C’est un café très agréable, l’été à Nîmes"),
        ("cp874", "cp874", "หนังเรื่องนี้ดีมาก อยากดูอีกครั้ง"),
        ("cp1253", "windows-1253", "Αυτή η ταινία ήταν πολύ καλή και θέλω"),
    ],
)
def test_code_pages(tmp_path: Path, encoding: str, shown: str, text: str) -> None:
    rows = [(f"{text} {n}", "ab"[n % 2]) for n in range(20)]
    file = put(tmp_path, lines(rows, ";").encode(encoding))
    table = read_table(file)
    assert table.encoding == shown and table.frame.rows() == rows
    check(table)
    assert read_table(file, encoding=table.encoding).frame.equals(table.frame)


def test_row_names_of_r_and_pandas(tmp_path: Path) -> None:
    body = "".join(f'"{n}" "some text {n}" "x"\n' for n in range(1, 9))
    table = read_table(put(tmp_path, '"text" "label"\n' + body))
    assert table.columns == ["column_1", "text", "label"] and table.frame.row(0) == ("1", "some text 1", "x")
    table = read_table(put(tmp_path, "text,label\n" + body.replace('" "', '","')))
    assert table.columns == ["column_1", "text", "label"] and table.rows == 8
    with pytest.raises(DataError, match="line 2 has 3 cells"):  # what is cut at a comma is no row name
        read_table(put(tmp_path, "text,label\n" + "a text of words, cut here,x\nthe same text, cut here,y\n" * 5))


def test_a_text_that_begins_with_a_hash_is_data(tmp_path: Path) -> None:
    table = read_table(
        put(
            tmp_path,
            "#love this film a lot today,pos\nthe worst film of the year,neg\n#bad film that we saw again,neg\n" * 4,
        )
    )
    assert table.rows == 12 and table.frame.row(0) == ("#love this film a lot today", "pos")


OBJECTS = [{"text": text, "label": label} for text, label in ROWS]
DOCUMENTS = {
    "wrapped twice": json.dumps({"data": {"rows": OBJECTS}}),
    "wrapped thrice": json.dumps({"status": "ok", "result": {"page": 1, "items": {"records": OBJECTS}}}),
    "columns inside": json.dumps({"data": {"columns": ["text", "label"], "rows": ROWS}}),
    "rasa": json.dumps({"rasa_nlu_data": {"common_examples": OBJECTS, "regex_features": []}}),
    "label studio": json.dumps(
        [
            {"data": {"text": a}, "annotations": [{"result": [{"from_name": "label", "value": {"choices": [b]}}]}]}
            for a, b in ROWS
        ]
    ),
    "rows by number": json.dumps({str(n): [a, b] for n, (a, b) in enumerate([HEADER, *ROWS])}),
    "comments": "// made by us\n[" + ", /* one */\n".join(map(json.dumps, OBJECTS)) + "]",
    "needless commas": "[\n" + "".join(json.dumps(row) + ",\n" for row in OBJECTS) + "]",
    "python": repr(OBJECTS),
    "python lines": "\n".join(map(repr, OBJECTS)),
    "bare line breaks": json.dumps(OBJECTS).replace(", quite", ",\tquite").replace("\\t", "\t"),
    "text of json": json.dumps(json.dumps(OBJECTS)),
    "lines of texts of json": "\n".join(json.dumps(json.dumps(row)) for row in OBJECTS),
    "marks between": "".join("\x1e" + json.dumps(row) + "\n" for row in OBJECTS),
    "one line, no commas": "".join(map(json.dumps, OBJECTS)),
    "doccano": "\n".join(json.dumps({"text": a, "label": [b]}) for a, b in ROWS),
    "utf-16": json.dumps(OBJECTS).encode("utf-16-le"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_json_of_every_house(tmp_path: Path, name: str) -> None:
    table = read_table(put(tmp_path, DOCUMENTS[name]))
    rows = [(a.replace(", quite", ",\tquite"), b) for a, b in ROWS] if name == "bare line breaks" else ROWS
    assert table.frame.select("text", "label").rows() == rows
    check(table)


def test_json_splits_labels_and_odd_values(tmp_path: Path) -> None:
    split = read_table(
        put(
            tmp_path,
            json.dumps({"train": {"text": ["a", "b"], "label": ["x", "y"]}, "test": {"text": ["c"], "label": ["x"]}}),
        )
    )
    assert split.rows == 2 and split.test.frame.rows() == [("c", "x")]
    lists = read_table(put(tmp_path, json.dumps({"pos": ["good", "nice", "fine"], "neg": ["bad", "awful"]})))
    assert lists.frame.rows()[-1] == ("awful", "neg") and lists.rows == 5
    odd = read_table(put(tmp_path, '{"text": "a \\ud800 b", "n": ' + "9" * 5_000 + '}\n{"text": "b", "n": 1}\n'))
    assert odd.frame["text"].to_list() == ["a ? b", "b"] and odd.frame["n"][0] == "9" * 5_000
    deep = read_table(put(tmp_path, '{"text": "x", "m": ' + "[" * 500 + "]" * 500 + '}\n{"text": "y"}\n'))
    assert deep.frame["text"].to_list() == ["x", "y"]
    file = put(tmp_path, '{"text": "a"}\n["b"]\n5\n{"text": "d"}\n')
    with pytest.raises(DataError, match="rows 2, 3"):
        read_table(file)
    table = read_table(file, skip_broken=True)
    assert table.frame["text"].to_list() == ["a", "d"] and codes(table)["broken-lines"] == 2
    with pytest.raises(DataError, match="1 line .* line 1 "):
        read_table(put(tmp_path, "hello\n" + "".join(json.dumps(row) + "\n" for row in OBJECTS)))


def book(sheets: dict[str, list], change=None) -> bytes:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    if change:
        change(made)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("train", "test"), [("train", "test"), ("Train", "Validation"), ("آموزش", "آزمون"), ("Data", "test")]
)
def test_sheets_that_are_a_split(tmp_path: Path, train: str, test: str) -> None:
    file = put(
        tmp_path,
        book(
            {"About": [["made by us"]], test: [HEADER, *ROWS[:3]], train: [HEADER, *ROWS]}
            if train != "Data"
            else {test: [HEADER, *ROWS[:3]], train: [HEADER, *ROWS]}
        ),
    )
    table = read_table(file)
    assert table.frame.rows() == ROWS and table.test.frame.rows() == ROWS[:3] and table.sheet == train
    check(table)
    again = read_table(file, sheet=table.sheet)  # as a run reads it
    assert again.test is not None and again.frame.equals(table.frame)
    alone = read_table(file, sheet=test)
    assert alone.frame.rows() == ROWS[:3] and alone.test is None and train in alone.sheets


def test_several_sheets(tmp_path: Path) -> None:
    file = put(tmp_path, book({"Empty": [], "First": [HEADER, *ROWS[:2]], "Second": [HEADER, *ROWS]}))
    table = read_table(file)
    assert table.sheet == "First" and table.sheets == ["First", "Second"] and codes(table)["other-sheets"] == 1
    assert read_table(file, sheet="Second").rows == len(ROWS)
    with pytest.raises(DataError, match="no sheet named 'Third'.*First, Second"):
        read_table(file, sheet="Third")


def test_cells_that_fastexcel_leaves_out_are_told(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, book({"S": [HEADER, *[(a, "=1+1") for a, _ in ROWS]]})))
    assert codes(table)["formulas"] == len(ROWS) and table.frame["label"].null_count() == len(ROWS)
    check(table)
    table = read_table(put(tmp_path, book({"S": [HEADER, *ROWS, ("#N/A", "pos"), ("#DIV/0!", "neg")]})))
    assert codes(table)["error-cells"] == 2 and table.rows == len(ROWS) + 2
    check(table)


def test_a_stray_cell_at_the_far_end_is_no_end_of_memory(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 1,048,576 and column 16,384"):
        read_table(put(tmp_path, book({"S": [HEADER, *ROWS]}, lambda made: made["S"].cell(1_048_576, 16_384, "x"))))
    assert (
        read_table(put(tmp_path, book({"S": [HEADER, *ROWS]}, lambda made: made["S"].cell(1_048_576, 1, "note")))).rows
        == len(ROWS) + 1
    )


def test_days_and_times(tmp_path: Path) -> None:
    from datetime import datetime, time

    rows = [("day", "at", "text"), *[(datetime(2024, 1, day), time(13, day), "some words") for day in range(1, 9)]]
    table = read_table(put(tmp_path, book({"S": rows})))
    assert table.frame.row(0) == ("2024-01-01", "13:01:00", "some words")


def page(rows, extra: str = "") -> str:
    return (
        "<table>"
        + "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
        + extra
        + "</table>"
    )


PAGES = {
    "several": "<html>" + page([("menu", "home")]) + page([HEADER, *ROWS]) + page([("a", "b"), ("c", "d")]) + "</html>",
    "layout": "<html><table><tr><td>nav<td>" + page([HEADER, *ROWS]) + "<td>side</table></html>",
    "inner": "<table>"
    + "".join(f"<tr><td>{a}<table><tr><td>in</table></td><td>{b}</td></tr>" for a, b in [HEADER, *ROWS])
    + "</table>",
    "invisible": page([HEADER, *[(f'<span style="display: none">9</span>{a}', b) for a, b in ROWS]]),
    "late": "<!-- x --><html><style>" + "a{b:c}" * 2000 + "</style>" + page([HEADER, *ROWS]) + "</html>",
    "flat OpenDocument": (
        '<?xml version="1.0"?><office:document '
        'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"><office:spreadsheet><table:table '
        'table:name="S">'
    )
    + "".join(
        "<table:table-row>"
        + "".join(f"<table:table-cell><text:p>{cell}</text:p></table:table-cell>" for cell in row)
        + "</table:table-row>"
        for row in [HEADER, *ROWS]
    )
    + "</table:table></office:spreadsheet></office:document>",
    "Excel XML with a comment": (
        '<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet><Table>'
    )
    + "".join(
        "<Row>"
        + "".join(f"<Cell><Data>{cell}</Data><Comment><Data>note</Data></Comment></Cell>" for cell in row)
        + "</Row>"
        for row in [HEADER, *ROWS]
    )
    + "</Table></Worksheet></Workbook>",
}


@pytest.mark.parametrize("name", PAGES)
def test_pages(tmp_path: Path, name: str) -> None:
    table = read_table(put(tmp_path, PAGES[name]))
    assert table.columns == ["text", "label"] and table.frame.rows() == ROWS
    check(table)


def zipped(members: dict[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(members: dict[str, str], mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content.encode())
            archive.addfile(info, io.BytesIO(content.encode()))
    return out.getvalue()


TEXT, TEST = lines(ROWS), lines(ROWS[:3])
MOSES = {"t.en-fa.en": "Hello\nGood bye\n", "t.en-fa.fa": "سلام\nخدا نگهدار\n"}
PACKED = {  # name -> (bytes, rows, rows of the test part or None)
    "by folder": (zipped({"d/train/a.csv": TEXT, "d/test/a.csv": TEST, "__MACOSX/d/._a.csv": "x"}), ROWS, ROWS[:3]),
    "Persian names": (zipped({"آموزش.csv": TEXT, "آزمون.csv": TEST}), ROWS, ROWS[:3]),
    "three": (zipped({"train.csv": TEXT, "valid.csv": TEST, "test.csv": TEST}), ROWS, ROWS[:3]),
    "data and notes": (zipped({"data.csv": TEXT, "notes.txt": "x\n", "schema.json": "{}"}), ROWS, None),
    "upwards": (zipped({"../../etc/a.csv": TEXT}), ROWS, None),
    "tar": (tarred({"a.csv": TEXT}, "w"), ROWS, None),
    "tar.gz": (tarred({"train.csv": TEXT, "test.csv": TEST}, "w:gz"), ROWS, ROWS[:3]),
    "tar.xz": (tarred({"train.csv": TEXT, "test.csv": TEST}, "w:xz"), ROWS, ROWS[:3]),
    "bz2": (bz2.compress(TEXT.encode()), ROWS, None),
    "xz": (lzma.compress(TEXT.encode()), ROWS, None),
    "zst": (pyarrow.compress(TEXT.encode(), codec="zstd", asbytes=True), ROWS, None),
    "gz twice": (gzip.compress(gzip.compress(TEXT.encode())), ROWS, None),
    "gz in zip": (
        zipped({"train.csv.gz": gzip.compress(TEXT.encode()), "test.csv.gz": gzip.compress(TEST.encode())}),
        ROWS,
        ROWS[:3],
    ),
    "parts": (
        zipped({"train-00000-of-00002.csv": lines(ROWS[:6]), "train-00001-of-00002.csv": lines(ROWS[6:])}),
        ROWS,
        None,
    ),
    "classes": (
        zipped({f"{label}/{n}.txt": text for n, (text, label) in enumerate(ROWS)}),
        sorted(ROWS[0::2]) + ROWS[1::2],
        None,
    ),
}


@pytest.mark.parametrize("name", PACKED)
def test_archives(tmp_path: Path, name: str) -> None:
    content, rows, test = PACKED[name]
    table = read_table(put(tmp_path, content))
    assert sorted(table.frame.select("text", "label").rows()) == sorted(rows)
    assert (table.test.frame.rows() if table.test else None) == test
    check(table)


def test_texts_in_two_languages(tmp_path: Path) -> None:
    table = read_table(put(tmp_path, zipped({"README": "about", **MOSES})))
    assert table.columns == ["en", "fa"] and table.frame.rows() == [("Hello", "سلام"), ("Good bye", "خدا نگهدار")]
    split = {
        f"{part}.{language}": text * many
        for part, many in (("train", 3), ("dev", 1), ("test", 2))
        for language, text in (("en", "Hi\n"), ("fa", "سلام\n"))
    }
    table = read_table(put(tmp_path, tarred(split, "w:gz")))
    assert (table.rows, table.test.rows) == (3, 2) and table.sheets == ["train", "dev", "test"]
    assert read_table(tmp_path / "any", sheet="dev").rows == 1
    check(table)
    with pytest.raises(DataError, match="a.en: 2; a.fa: 1"):
        read_table(put(tmp_path, zipped({"a.en": "one\ntwo\n", "a.fa": "یک\n"})))


def test_columns_of_every_type(tmp_path: Path) -> None:
    texts = [text for text, _ in ROWS]
    made = pyarrow.table(
        {
            "text": pyarrow.array([text.encode() for text in texts], type=pyarrow.binary()),
            "raw": pyarrow.array([b"\xff\xfe"] * 12, type=pyarrow.binary()),
            "for": pyarrow.array([5] * 12, type=pyarrow.duration("s")),
            "sum": pyarrow.array([1] * 12, type=pyarrow.decimal128(10, 2)),
            "image": [{"bytes": b"\x89PNG\xff", "path": "a.png"}] * 12,
            "kind": pyarrow.array(["a", "b"] * 6).dictionary_encode(),
        }
    )
    parquet.write_table(made, tmp_path / "a")
    table = read_table(tmp_path / "a")
    assert table.frame.row(0) == (texts[0], "5s", "1.00", "a") and codes(table)["binary-columns"] == 2
    check(table)
    twice = pyarrow.Table.from_arrays([pyarrow.array(["a"]), pyarrow.array(["b"])], names=["text", "text"])
    parquet.write_table(twice, tmp_path / "b")
    assert read_table(tmp_path / "b").columns == ["text", "text_2"]
    polars.DataFrame({"image": [b"\xff\xfe"]}).write_parquet(tmp_path / "c")
    with pytest.raises(DataError, match="nothing but columns of bytes"):
        read_table(tmp_path / "c")


REFUSED = {
    "subtitles": ("1\n00:00:01,000 --> 00:00:04,000\nHello\n\n", "subtitle"),
    "chat export": (
        "12/31/23, 9:15 PM - Ali: Hi\n12/31/23, 9:16 PM - Sara: Fine, thanks\nand you?\n" * 3,
        "chat exported from a messenger",
    ),
    "chat export of a phone": (
        "[31/12/2023, 21:15:01] Ali: Hi\n[31/12/2023, 21:16:01] Sara: Fine\n" * 3,
        "chat exported",
    ),
    "sql": ("-- dump\nDROP TABLE IF EXISTS t;\nINSERT INTO t VALUES (1,'a');\n", "SQL dump"),
    "ini": ("[main]\ntext=hello\n[other]\ntext=bye\n", "settings"),
    "po": ('msgid ""\nmsgstr ""\n\nmsgid "Hello"\nmsgstr "سلام"\n', "gettext"),
    "tmx": ('<?xml version="1.0"?><tmx><body/></tmx>', "XML document"),
    "xliff": ('<xliff version="1.2"><file>x</file></xliff>', "XML document"),
    "conll": ("EU NNP B-ORG\nrejects VBZ O\nGerman JJ B-MISC\ncall NN O\n\nPeter NNP B-PER\n", "CoNLL"),
    "libsvm": ("".join(f"{n % 2} 1:0.5 3:0.{n} 7:1\n" for n in range(9)), "libsvm"),
    "latex": ("\\begin{tabular}{ll}\na & b \\\\\n\\end{tabular}\n", "LaTeX"),
    "git lfs": ("version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 12345\n", "Git LFS pointer"),
    "yaml": ("- text: hello\n  label: x\n- text: bye\n  label: y\n", "YAML"),
    "javascript": ("var data = [{}];", "JavaScript"),
    "notebook": (json.dumps({"cells": [{"source": ["a"]}], "nbformat": 4}), "notebook"),
    "old pickle": (b"(lp0\n(dp1\nVtext\np2\nVa\np3\nsa.", "pickle"),
    "noise": (bytes(range(1, 256)) * 4, "bytes of an unknown kind"),
    "empty cells": (",,,\n,,,\n", "no cell with a value"),
    "deep": ("[" * 100_000, "nested too deeply"),
    "cut json": (json.dumps(OBJECTS, indent=1)[:-30], "line 47, column"),
    "word": (zipped({"[Content_Types].xml": "x", "word/document.xml": "x"}), "Word document"),
    "odt": (zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": "x"}), "text document"),
    "torch": (zipped({"archive/data.pkl": "x"}), "PyTorch"),
    "pictures": (zipped({"cats/1.jpg": "x", "cats/2.jpg": "x"}), "no data file .only .jpg"),
    "link in tar": (tarred({}, "w"), "no data file|bytes|zero bytes"),
    "cut bz2": (bz2.compress(TEXT.encode())[:-10], "damaged"),
    "cut tar": (tarred({"a.csv": TEXT * 50}, "w")[:3_000], "damaged"),
    "feather 1": (b"FEA1" + bytes(50), "Feather file of version 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_what_it_is(tmp_path: Path, name: str) -> None:
    content, words = REFUSED[name]
    with pytest.raises(DataError, match=words) as refused:
        read_table(put(tmp_path, content))
    assert refused.value.hint


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path)
    (tmp_path / "dangling").symlink_to("nowhere")
    with pytest.raises(DataError, match="no file"):
        read_table(tmp_path / "dangling")
    put(tmp_path, TEXT, "a")
    (tmp_path / "link").symlink_to("a")
    assert read_table(tmp_path / "link").frame.rows() == ROWS


# --- bounded before it is read ---


def test_too_many_columns_are_refused_by_the_first_record(tmp_path):
    """300,000 columns took 3 GB to be refused; their names may be quoted, and be more than the sample holds."""
    for name in ("c{}", '"c{}"'):
        header = ",".join(name.format(n) for n in range(60_000))
        with pytest.raises(DataError, match="more than 2,000 columns"):
            read_table(put(tmp_path, header + "\n" + ",".join(["1"] * 60_000) + "\n", "wide.csv"))


@pytest.mark.parametrize("word", ["long text, with commas ", "long text\nof lines, with commas "])
def test_a_first_record_that_is_longer_than_the_sample(tmp_path, word):
    first = word * (400_000 // len(word))
    table = read_table(put(tmp_path, f'"{first}","spam"\n' + '"short","ham"\n' * 40, "long.csv"))
    assert (table.rows, table.columns) == (41, ["column_1", "column_2"])
    assert table.frame.row(0)[:2] == (first, "spam") and table.frame.row(40)[:2] == ("short", "ham")


def test_an_archive_of_thousands_of_tables_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for n in range(1_001):
            archive.writestr(f"parts/{n}.csv", "text,label\na,b\n")
    with pytest.raises(DataError, match=r"1,001 tables; at most 1,000"):
        read_table(tmp_path / "many.zip")


def test_a_sheet_of_more_rows_than_a_workbook_may_have_is_refused(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    book.save(tmp_path / "book.xlsx")
    with (
        zipfile.ZipFile(tmp_path / "book.xlsx") as made,
        zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for name in made.namelist():
            data = made.read(name)
            if name.startswith("xl/worksheets/"):
                row = b'<row><c t="inlineStr"><is><t>a</t></is></c></row>'
                data = data.replace(b"</sheetData>", row * ((1 << 20) + 1) + b"</sheetData>")
            bomb.writestr(name, data)
    with pytest.raises(DataError, match="more than 1,048,576 rows"):
        read_table(tmp_path / "bomb.xlsx")


def test_every_row_of_a_page_that_closes_nothing_is_read(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    rows = "".join(f"<tr><td><b><i>text {number}<td><font>{number % 2}" for number in range(3_000))
    file.write_text(f"<table><tr><th>text<th>label{rows}</table>", encoding="utf-8")
    assert read_table(file).frame.rows() == [(f"text {number}", str(number % 2)) for number in range(3_000)]
