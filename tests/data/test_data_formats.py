"""The page, the error messages and README name the same formats, and each of them is read."""

import gzip
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import openpyxl
import polars
import pytest

from lora_hub.core.errors import DataError
from lora_hub.data.read import formats, read
from lora_hub.ui.render.text import t
from lora_hub.ui.tabs.finetune.data_room import WHAT_IS_READ

ROWS = [{"text": f"the message number {place} is here", "label": ("ham", "spam")[place % 2]} for place in range(8)]
FRAME = polars.DataFrame(ROWS)


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def lines(*start: str, row: str) -> bytes:
    return "\n".join([*start, *(row.format(**one) for one in ROWS)]).encode()


def workbook(file: io.BytesIO) -> None:
    book = openpyxl.Workbook()
    for row in (list(ROWS[0]), *(list(one.values()) for one in ROWS)):
        book.active.append(row)
    book.save(file)


FILES = {
    "CSV or TSV (any delimiter)": lines("text;label", row="{text};{label}"),
    "Excel (xlsx, xlsm, xls, ods)": written(workbook),
    "JSON": json.dumps(ROWS).encode(),
    "JSON Lines": b"\n".join(json.dumps(one).encode() for one in ROWS),
    "Parquet": written(FRAME.write_parquet),
    "Arrow": written(FRAME.write_ipc),
    "HTML tables": b"<html><table><tr><th>text</th><th>label</th></tr>"
    + lines(row="<tr><td>{text}</td><td>{label}</td></tr>")
    + b"</table></html>",
    "Markdown tables": lines("| text | label |", "|---|---|", row="| {text} | {label} |"),
    "fastText": lines(row="__label__{label} {text}"),
}


def test_each_kind_that_is_named_is_tried() -> None:
    assert set(FILES) == set(map(str, formats.TABLES))


@pytest.mark.parametrize("kind", FILES)
def test_each_kind_that_is_named_is_read(kind: str, tmp_path: Path) -> None:
    for name, content in (("file", FILES[kind]), ("packed", gzip.compress(FILES[kind]))):
        (tmp_path / name).write_bytes(content)
        assert read.read_table(tmp_path / name).rows == len(ROWS), kind


def plain(text: str) -> str:
    return re.sub("[\u2068\u2069«»]", "", text)


def test_the_page_the_refusals_and_readme_name_the_same(tmp_path: Path) -> None:
    (tmp_path / "paper.pdf").write_bytes(b"%PDF-1.7 ...")
    with pytest.raises(DataError) as refused:
        read.read_table(tmp_path / "paper.pdf")
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    data = readme.split("## Your data")[1].split("##")[0]
    for kind in formats.TABLES:
        english, persian = str(kind), plain(kind.title if isinstance(kind.title, str) else kind.title.fa)
        assert (
            english in t(WHAT_IS_READ, "en")
            and english in refused.value.hint
            and persian in plain(t(WHAT_IS_READ, "fa"))
            and persian in plain(refused.value.advice.fa)
        )
        for word in re.findall(r"[A-Za-z]{3,}", english.replace("any delimiter", "")):
            assert word.lower().rstrip("s") in data.lower(), word
    for packed in formats.PACKED:
        assert packed in t(WHAT_IS_READ, "en") and packed in refused.value.hint


PLANTED = {
    True: """
def begins(source, start):
    return start[:4] == b"CARD"


def read(source, options):
    return Table(polars.DataFrame({"text": source.read()[4:].decode().split(chr(10))}), "cards")
""",
    False: """
def begins(source, start):
    return start.startswith("<cards>")


def read(source, options):
    texts = re.findall("<card>(.*?)</card>", source.read().decode())
    return Table(polars.DataFrame({"text": texts}), "cards") if texts else None
""",
}


@pytest.mark.parametrize("binary", [True, False])
def test_a_format_is_one_file_and_one_line_of_the_table(tmp_path: Path, monkeypatch, binary: bool) -> None:
    import lora_hub.data.read as room

    name = f"card_files_{binary}".lower()
    code = "import re\n\nimport polars\n\nfrom lora_hub.data.tables.table import Table\n\n" + PLANTED[binary]
    (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path)])
    monkeypatch.setattr(formats, "TABLES", (*formats.TABLES, formats.Format("Card files", name, is_binary=binary)))
    cards = b"CARDone\ntwo" if binary else b"<cards><card>one</card><card>two</card></cards>"
    for file, content in (("plain", cards), ("packed", gzip.compress(cards))):
        (tmp_path / file).write_bytes(content)
        table = read.read_table(tmp_path / file)
        assert table.format == "cards" and table.frame["text"].to_list() == ["one", "two"]
    (tmp_path / "rows.csv").write_bytes(FILES["CSV or TSV (any delimiter)"])
    assert read.read_table(tmp_path / "rows.csv").format == "csv"
