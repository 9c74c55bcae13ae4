"""The reader against files it did not expect: real ones from ../shared/data, where that folder is, and random ones."""

import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lora_hub.core.errors import DataError, LoraHubError
from lora_hub.data.read.read import Table, read_table
from lora_hub.data.tables.overflow import find_overflow

SHARED = Path(__file__).parents[3] / "shared" / "data"


def codes(table: Table) -> set[str]:
    return {problem.code for problem in table.problems} | {found.problem.code for found in find_overflow(table)}


# file -> rows, columns, encoding, delimiter, problems; or the words of the refusal.
REAL = {
    "difficult/agnews.csv.gz": (800, 3, "utf-8", ",", set()),
    "difficult/agnews_array.json": (800, 3, "utf-8", "", set()),
    "difficult/agnews_wrapped.json": (300, 3, "utf-8", "", {"wrapped"}),
    "difficult/alpaca_missing_fields.json": (200, 3, "utf-8", "", set()),
    "difficult/banking_duplicates_conflicts_empty.csv": (475, 2, "utf-8", ",", set()),
    "difficult/begrotingsanalyse-2011.csv": (38, 20, "utf-8", ",", {"title-rows", "unnamed-columns"}),
    "difficult/broken.jsonl": "line 4 .* line 8 .* line 13 .* line 21",
    "difficult/cells_like_formulas_html.csv": (11, 2, "utf-8", ",", set()),
    "difficult/characters.csv": (382, 18, "big5", ",", {"encoding-detected"}),
    "difficult/chat_messages_mixed.jsonl": (8, 1, "utf-8", "", set()),
    "difficult/empty.csv": "empty",
    "difficult/encrypted_no_password.xls": "password",
    "difficult/fa_sentiment.parquet": (506, 2, "", "", set()),
    "difficult/fa_sentiment.xlsx": (506, 2, "", "", set()),
    "difficult/fa_sentiment_semicolon_bom_crlf.csv": (506, 2, "utf-8-sig", ";", set()),
    "difficult/header_only.csv": "no rows",
    "difficult/leak_test.csv": (300, 2, "utf-8", ",", set()),
    "difficult/leak_train.csv": (700, 2, "utf-8", ",", set()),
    "difficult/libreoffice.xlsx": "no cell with a value",
    "difficult/mixedGLB.csv": (133, 19, "utf-8", ",", {"title-rows"}),
    "difficult/one_class.csv": (200, 2, "utf-8", ",", set()),
    "difficult/ragged_unclosed_quote.csv": "line 6 has 4 cells .* line 21 opens a quotation mark",
    "difficult/rtl_controls_mixed.csv": (60, 2, "utf-8", ",", set()),
    "difficult/simple.psv": (28, 6, "utf-8", "|", set()),
    "difficult/simple.xls": (6, 3, "", "", set()),
    "difficult/skip_initials.csv": (2, 2, "utf-8", ",", set()),
    "difficult/sms_utf16le_tab.txt": (500, 2, "utf-16", "\t", set()),
    "difficult/spanish_chars.csv": (116, 8, "latin-1", ",", {"encoding-detected"}),
    "difficult/very_long_texts.jsonl": (5, 2, "utf-8", "", set()),
    "spam/spam.csv": (5572, 5, "windows-1252", ",", {"encoding-detected", "unnamed-columns", "overflow"}),
    "translation/pes.txt": (2616, 3, "utf-8", "\t", {"no-header"}),
    "translation/en_de.train.csv": (29000, 2, "utf-8", ",", set()),
    "qa/gsm8k_train.jsonl": (7473, 2, "utf-8", "", set()),
    "classification/sst2/sst2_train.tsv": (6920, 2, "utf-8", "\t", set()),
    "classification/sst2/sst2_dev.tsv": (872, 2, "utf-8", "\t", set()),
    "classification/banking77/train.csv": (10003, 2, "utf-8", ",", set()),
    "classification/parsinlu_entailment/train.csv": (755, 5, "utf-8", ",", {"unnamed-columns"}),
    "classification/parsinlu_sentiment/movie_train.jsonl": (2872, 9, "utf-8", "", set()),
    "classification/parsinlu_sentiment/movie.jsonl": (506, 4, "utf-8", "", set()),
    "instruct/alpaca_en_demo.json": (999, 3, "utf-8", "", set()),
    "instruct/glaive_toolcall_en_demo.json": (300, 1, "utf-8", "", set()),  # its tools belong to the conversations
    "instruct/dpo_en_demo.json": (300, 3, "utf-8", "", set()),
    "instruct/c4_demo.jsonl": (300, 1, "utf-8", "", set()),
    "instruct/tinker_conversations.jsonl": (128, 1, "utf-8", "", set()),
    "instruct/openai_cookbook_toy_chat_fine_tuning.jsonl": (5, 1, "utf-8", "", set()),
    "summarization/dialogsum.dev.jsonl": (500, 4, "utf-8", "", set()),
    "text2sql/wikisql_train_5000.jsonl": (5000, 4, "utf-8", "", set()),
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of real data is not here")
@pytest.mark.parametrize("name", REAL)
def test_real_files(name: str) -> None:
    expected = REAL[name]
    if isinstance(expected, str):
        with pytest.raises(DataError, match=expected):
            read_table(SHARED / name)
        return
    table = read_table(SHARED / name)
    assert (table.rows, table.frame.width, table.encoding, table.delimiter, codes(table)) == expected


def _put(folder: Path, content: bytes) -> Path:
    (folder / "any").write_bytes(content)
    return folder / "any"


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"\x80\x04\x95abc", "pickle"),
        (b"SQLite format 3\0", "database"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
    ],
)
def test_what_is_no_table_is_named(tmp_path: Path, start: bytes, what: str) -> None:
    with pytest.raises(DataError, match=what):
        read_table(_put(tmp_path, start + bytes(range(1, 200))))


PIECES = st.sampled_from(
    [
        *"\",;\t|\n\r'\\{}[]:=<>",
        "\r\n",
        '""',
        "text",
        "label",
        "متن",
        "می‌روم",
        "\0",
        "null",
        "NaN",
        "1e999",
        "\ufeff",
        "\u2028",
        "x" * 40,
    ]
)
BYTES = st.one_of(
    st.binary(max_size=300),
    st.lists(PIECES, max_size=60).map(lambda pieces: "".join(pieces).encode()),
    st.lists(PIECES, max_size=40).map(lambda pieces: ("text,label\n" + "".join(pieces)).encode()),
    st.lists(PIECES, max_size=40).map(lambda pieces: ('{"text": "a"}\n' + "".join(pieces)).encode()),
    st.builds(
        lambda head, rest: head + rest,
        st.sampled_from(
            [b"PK\x03\x04", b"\x1f\x8b\x08", b"PAR1", b"ARROW1", b"\xff\xfe", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"]
        ),
        st.binary(max_size=200),
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=BYTES, skip_broken=st.booleans())
def test_no_bytes_make_a_traceback(tmp_path: Path, content: bytes, skip_broken: bool) -> None:
    try:
        table = read_table(_put(tmp_path, content), skip_broken=skip_broken)
    except LoraHubError as error:
        assert error.message and len(error.message) < 2_000
    else:
        assert table.rows > 0 and len(set(table.columns)) == table.frame.width


CELLS = st.text(st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from('\n",;\t|\'"'), max_size=30).map(
    str.strip
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=2, max_size=30), delimiter=st.sampled_from(",;\t|"))
def test_what_was_written_is_what_is_read(tmp_path: Path, rows: list[tuple[str, str]], delimiter: str) -> None:
    """Any texts, quoted as RFC 4180 says, come back as they were, given the delimiter; but for empty rows at the
    end."""
    while rows and not any(rows[-1]):
        rows.pop()
    assume(len(rows) > 1)
    quoted = [delimiter.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [("text", "label"), *rows]]
    table = read_table(_put(tmp_path, ("\n".join(quoted) + "\n").encode()), delimiter=delimiter, encoding="utf-8")
    assert table.frame.rows() == rows


@pytest.mark.parametrize(
    ("members", "rows", "told"),
    [
        ({"train.csv": 20, "test.csv": 7}, 7, True),
        ({"d/train-0.csv": 20, "d/train-1.csv": 20, "d/test-0.csv": 7}, 7, True),
        ({"train.csv": 20, "validation.csv": 6}, 6, True),
        ({"a.csv": 20, "b.csv": 21, "test.csv": 7}, 7, False),
        ({"only.csv": 20}, 20, False),
    ],
)
def test_of_a_file_to_score_on_the_test_part_is_read(
    tmp_path: Path, members: dict[str, int], rows: int, told: bool
) -> None:
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for name, count in members.items():
            archive.writestr(name, "text,label\n" + "".join(f"{name} {n},{'ab'[n % 2]}\n" for n in range(count)))
    table = read_table(tmp_path / "data.zip", is_test=True)
    assert table.rows == rows and table.test is None and ("test-part" in codes(table)) is told
    # What it was read with gives the same rows again.
    again = read_table(
        tmp_path / "data.zip", encoding=table.encoding, delimiter=table.delimiter, sheet=table.sheet, is_test=True
    )
    assert again.frame.equals(table.frame)


def test_the_test_part_of_a_json_document_is_read(tmp_path: Path) -> None:
    part = [{"text": f"row {n}", "label": "ab"[n % 2]} for n in range(20)]
    (tmp_path / "data.json").write_text(json.dumps({"train": part, "test": part[:5]}))
    assert read_table(tmp_path / "data.json", is_test=True).rows == 5 and read_table(tmp_path / "data.json").rows == 20


@pytest.mark.parametrize("head", ["sentence,sentiment", "text"])
def test_a_test_part_with_other_columns_is_left_aside_and_told(tmp_path, head):
    """As in a competition: the rows to predict have no label, or their file names its columns otherwise."""
    from lora_hub.catalogue.tasks.catalogue import get_task
    from lora_hub.data.inspector import inspect_file

    train = "text,label\n" + "".join(
        f"the film number {n} was {word},{label}\n"
        for n in range(40)
        for word, label in [("fine", "good"), ("dull", "bad")]
    )
    test = head + "\n" + "".join(f"a text {n}{',good' if ',' in head else ''}\n" for n in range(12))
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        archive.writestr("train.csv", train)
        archive.writestr("test.csv", test)
    seen = inspect_file(tmp_path / "data.zip", get_task("sentiment"))
    told = next(found.problem for found in seen.findings if found.problem.code == "test-columns")
    assert (
        "12 rows" in told.message and "left aside" in told.message and seen.table.test is None and seen.info.rows == 80
    )
