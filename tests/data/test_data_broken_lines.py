"""Many truncated lines and unclosed quotation marks. Each is skipped by number if requested, refused by number if not,
or reported with its rows if kept. None is silently read as something else."""

import json
from pathlib import Path

import pytest

from lora_hub.core.errors import DataError
from lora_hub.core.messages import in_digits
from lora_hub.data.read.read import Table, read_table

ROWS = range(20)


def read(tmp_path: Path, text: str, suffix: str = "csv", **how) -> Table:
    file = tmp_path / f"data.{suffix}"
    file.write_text(text, encoding="utf-8")
    return read_table(file, **how)


def told(table: Table) -> dict[str, tuple[int, ...]]:
    return {problem.code: problem.rows for problem in table.problems}


def line(number: int) -> str:
    return json.dumps({"text": f"the text of row {number}", "label": "ab"[number % 2]})


def chat(number: int) -> str:
    return json.dumps(
        {"messages": [{"role": "user", "content": f"How many? {number}"}, {"role": "assistant", "content": "Two."}]}
    )


@pytest.mark.parametrize("make", [line, chat])
@pytest.mark.parametrize(
    "kept", [range(0, 20, 2), range(1, 20, 2), range(0, 20, 3), (7, 19)], ids=["even", "odd", "a third", "two"]
)
@pytest.mark.parametrize("end", ["behind", "in front"])
def test_jsonl_of_which_many_lines_are_cut_off(tmp_path: Path, make, kept, end: str) -> None:
    if end == "in front" and len(kept) < 10:
        pytest.skip("hardly any line begins as JSON does")
    text = "".join((make(n) if n in kept else make(n)[:22] if end == "behind" else make(n)[22:]) + "\n" for n in ROWS)
    with pytest.raises(
        DataError, match=rf"has {20 - len(kept)} lines that are not valid JSON: line {min(set(ROWS) - set(kept)) + 1} "
    ) as refused:
        read(tmp_path, text, "jsonl")
    assert "skip broken" in refused.value.hint and f"{in_digits(str(20 - len(kept)), 'fa')} خط" in refused.value.said.fa
    table = read(tmp_path, text, "jsonl", skip_broken=True)
    assert table.rows == len(kept) and [problem.count for problem in table.problems] == [20 - len(kept)]
    assert table.texts(table.columns[0]).to_list() == [
        read(tmp_path, make(n) + "\n" + make(n), "jsonl").texts(table.columns[0])[0] for n in kept
    ]


def test_a_document_with_a_fault_is_still_no_jsonl(tmp_path: Path) -> None:
    text = '{"data": [\n' + ",\n".join(line(n) if n != 5 else line(n)[:22] for n in ROWS) + "\n]}"
    with pytest.raises(DataError, match="is not valid JSON: line 7"):
        read(tmp_path, text, "json", skip_broken=True)


UNCLOSED = {
    "the text": lambda n: f'"the text {n},pos' if n % 2 else f'"the text {n}",neg',
    "a text with the delimiter": lambda n: f'"well, the text {n},pos' if n % 2 else f'"well, the text {n}",neg',
    "the last cell": lambda n: f'pos,"the text {n}' if n % 2 else f'neg,"the text {n}"',
    "all cells quoted": lambda n: f'"the text {n},"pos"' if n % 2 else f'"the text {n}","neg"',
    "one column": lambda n: f'"the text {n}' if n % 2 else f'"the text {n}"',
}


@pytest.mark.parametrize("form", UNCLOSED)
def test_a_quotation_mark_that_every_second_row_leaves_open(tmp_path: Path, form: str) -> None:
    header = {"one column": "text", "the last cell": "label,text"}.get(form, "text,label")
    text = f"{header}\n" + "".join(UNCLOSED[form](n) + "\n" for n in ROWS)
    with pytest.raises(DataError, match="has 10 lines that cannot be read: line 3 "):
        read(tmp_path, text)
    table = read(tmp_path, text, skip_broken=True)
    begin = "well, " if form == "a text with the delimiter" else ""
    assert table.frame["text"].to_list() == [f"{begin}the text {n}" for n in ROWS if n % 2 == 0]
    assert [(problem.code, problem.count) for problem in table.problems] == [("broken-lines", 10)]


@pytest.mark.parametrize(
    ("rows", "texts"),
    [
        (
            lambda n: f'"the text {n},pos' if n % 2 else f"the text {n},neg",
            lambda n: f'"the text {n}' if n % 2 else f"the text {n}",
        ),
        (
            lambda n: f'the text {n}",pos' if n % 2 else f'"the text {n}",neg',
            lambda n: f'the text {n}"' if n % 2 else f"the text {n}",
        ),
        (
            lambda n: f"'the text {n},pos" if n % 2 else f"'the text {n}',neg",
            lambda n: f"'the text {n}" if n % 2 else f"'the text {n}'",
        ),
    ],
    ids=["no cell is quoted", "the first mark is missing", "single marks"],
)
def test_marks_that_are_kept_are_told_with_their_rows(tmp_path: Path, rows, texts) -> None:
    table = read(tmp_path, "text,label\n" + "".join(rows(n) + "\n" for n in ROWS))
    assert table.frame["text"].to_list() == [texts(n) for n in ROWS]
    assert told(table) == {"loose-quotes": tuple(range(2, 21, 2))} and table.problems[0].said.fa


def test_marks_that_mean_something_are_not_questioned(tmp_path: Path) -> None:
    inches = "text,size\n" + "".join(f'{"a pipe" if n % 2 else "the rod"} number {n},{n}"\n' for n in ROWS)
    assert told(read(tmp_path, inches)) == {}
    said = "text,label\n" + "".join(f"'tis the season {n},pos\n" if n % 2 else f"the dogs' day {n},neg\n" for n in ROWS)
    assert told(read(tmp_path, said)) == {}
    quoted = read(
        tmp_path, "text,label\n" + "".join(f'5" pipe {n},pos\n' if n % 2 else f'"the text {n}",neg\n' for n in ROWS)
    )
    assert told(quoted) == {} and quoted.frame["text"].to_list() == [
        f'5" pipe {n}' if n % 2 else f"the text {n}" for n in ROWS
    ]


@pytest.mark.parametrize(
    ("header", "first", "second"),
    [
        ("text,label", '"the text {},pos', 'the text {}",neg'),
        ("label,text", 'pos,"the text {}', 'neg,the text {}"'),
        ("text,label", '"well, the text {},pos', 'so, the text {}",neg'),
        ("id;text;label", '1;"the text {};pos', '2;the text {}";neg'),
    ],
)
def test_rows_that_were_read_into_anothers_cell_are_told(tmp_path: Path, header: str, first: str, second: str) -> None:
    table = read(tmp_path, f"{header}\n" + "".join((second if n % 2 else first).format(n) + "\n" for n in ROWS))
    assert table.rows == 10 and told(table)["rows-in-a-cell"] == tuple(range(1, 11))


def test_texts_of_several_lines_are_not_taken_for_rows(tmp_path: Path) -> None:
    text = "text,label\n" + "".join(
        f'"Dear all, well\nit came, {n}, pos\nBest, Ann",{"pos" if n % 2 else "neg"}\n' for n in ROWS
    )
    assert told(read(tmp_path, text)) == {}
