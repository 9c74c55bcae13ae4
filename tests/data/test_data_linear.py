"""Readers and checks take time proportional to the file's size, whatever is wrong with it: measured in lines read,
never in seconds."""

from pathlib import Path

import pytest

from lora_hub.core.errors import DataError
from lora_hub.data.chats.convert import holds_marks
from lora_hub.data.read import ragged
from lora_hub.data.read.delimited import Dialect
from lora_hub.data.read.read import read_table

FAULTY = {
    "text after a closing quotation mark": '"a" b c,"x" y\n',
    "each line opens a quotation mark that the next one closes and opens anew": 'b",x,"c\n',
    "an odd quotation mark a line": '"abc,ham\n',
    "doubled marks that an open cell swallows": '""x,ham\n',
    "both at once": 'b",x,"c\n"a" b,c\n',
}


class Counted(list):
    """Lines that count how often one of them is taken."""

    taken = 0

    def __getitem__(self, place):  # noqa: ANN001, ANN204
        self.taken += 1
        return super().__getitem__(place)


@pytest.mark.parametrize("line", FAULTY.values(), ids=FAULTY)
@pytest.mark.parametrize("opened", ["", '"never closed\n'])
def test_ragged_rows_are_read_a_few_times_each(line: str, opened: str) -> None:
    lines = Counted(("text,label\n" + opened + line * 2_000).splitlines(keepends=True))
    records, starts, faults = ragged._records(lines, Dialect(","))
    assert lines.taken <= 4 * len(lines)
    # Every line is part of a record or told as a fault: none is passed over.
    assert len(records) == len(starts) and len(records) + len(faults) >= len(lines) / 2
    assert sorted(starts) == starts and len({*starts, *(line for line, _ in faults)}) == len(starts) + len(faults)


def test_forty_thousand_faults_are_told_by_number(tmp_path: Path) -> None:
    file = tmp_path / "broken.csv"
    file.write_text("text,label\nfine,ham\n" + 'b",x,"c\n' * 40_000 + "good,spam\n", encoding="utf-8")
    with pytest.raises(
        DataError,
        match=r"has 40,000 lines that cannot be read: line 3 opens a quotation mark that is never closed.*; \.\.\.",
    ):
        read_table(file)
    table = read_table(file, skip_broken=True)
    assert table.frame.rows() == [("fine", "ham"), ("good", "spam")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("an SQL dump's comments", "/* x */   " * 400 + "nothing"),
        ("settings and spaces", "[a]\n" + " " * 4_000 + "x"),
        ("spaces", "text,label\n" + " " * 60_000 + ",ham\nx,spam\n"),
        ("single marks", "text,label\n" + ",'x" * 60_000),
        ("keys", "".join(f'{{"a{n}": "x", "b{n}": "y"}}\n' for n in range(60_000))),
        ("hidden tags", "<table><tr><td>a</td></tr></table><div hidden>" + "<div>" * 40_000 + "</p>" * 40_000),
        ("cells that reach down", "<table>" + '<tr><td rowspan="9999">a</td><td>b</td></tr>' * 900 + "</table>"),
    ],
    ids=lambda value: value if len(value) < 40 else "",
)
def test_hostile_texts_are_read_or_refused(tmp_path: Path, name: str, content: str) -> None:
    """Each of these took minutes, or more memory than there is, and the suite would end in them."""
    file = tmp_path / "rows.txt"
    file.write_text(content, encoding="utf-8")
    try:
        assert read_table(file, skip_broken=True).rows
    except DataError as error:
        assert error.message


def test_marks_of_speakers_in_a_long_text() -> None:
    assert not holds_marks("a" + " " * 200_000 + "#") and not holds_marks("[INST] " * 50_000)
    assert holds_marks("<s>[INST] <<SYS>>Be kind.<</SYS>> Hi [/INST] Hello </s><s>[INST] Bye [/INST] See you")
