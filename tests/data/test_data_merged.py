"""Merged cells and headers of several rows: every row gets the values that a person sees beside it."""

import zipfile
from pathlib import Path

import openpyxl
import polars
import pytest
import xlwt

from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.data.checks.check_blanks import says_it_once
from lora_hub.data.inspector import Inspector, inspect_file
from lora_hub.data.mending.mend_arguments import parse_mends
from lora_hub.data.read.merged_cells import Merge, unmerged
from lora_hub.data.read.read import Table, read_table

REPORTED = Path(__file__).parents[3] / "shared" / "data" / "reported"
TEAMS = ["Billing", "Repairs", "Delivery"]
TEXTS = [f"My lamp came late and broken, order {number}" for number in range(36)]
MERGED = [(2 + 12 * team, 13 + 12 * team, name) for team, name in enumerate(TEAMS)]  # rows of the sheet, from 1


def problems_of(table: Table) -> dict:
    return {problem.code: problem for problem in table.problems}


def workbook(file: Path, *, down: int = 0, right: int = 0) -> Path:
    """The label in merged cells left of the texts; moved `down` and to the `right`."""
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.cell(1 + down, 1 + right, "Team")
    sheet.cell(1 + down, 2 + right, "Ticket text")
    for number, text in enumerate(TEXTS):
        sheet.cell(2 + down + number, 2 + right, text)
    for first, last, team in MERGED:
        sheet.cell(first + down, 1 + right, team)
        sheet.merge_cells(start_row=first + down, end_row=last + down, start_column=1 + right, end_column=1 + right)
    book.save(file)
    return file


def old_workbook(file: Path) -> Path:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Tickets")
    sheet.write(3, 2, "Team")
    sheet.write(3, 3, "Ticket text")
    for number, text in enumerate(TEXTS):
        sheet.write(4 + number, 3, text)
    for first, last, team in MERGED:
        sheet.write_merge(first + 2, last + 2, 2, 2, team)
    book.save(str(file))
    return file


def open_document(file: Path) -> Path:
    def cell(text: str, more: str = "") -> str:
        return f'<table:table-cell office:value-type="string" {more}><text:p>{text}</text:p></table:table-cell>'

    rows = [cell("Team") + cell("Ticket text")]
    for number, text in enumerate(TEXTS):
        span = 'table:number-rows-spanned="12" table:number-columns-spanned="1"'
        rows.append(
            (cell(TEAMS[number // 12], span) if number % 12 == 0 else "<table:covered-table-cell/>") + cell(text)
        )
    body = "".join(
        f'<table:table-row><table:table-cell table:number-columns-repeated="3"/>{row}</table:table-row>' for row in rows
    )
    empty = (
        '<table:table-row table:number-rows-repeated="5"><table:table-cell '
        'table:number-columns-repeated="9"/></table:table-row>'
    )
    names = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0"?><office:document-content {names} office:version="1.2"><office:body><office:spreadsheet>'
    )
    content += (
        f'<table:table table:name="Tickets">{empty}{body}</table:table></office:spreadsheet></office:body>'
        f"</office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        f"<manifest:manifest "
        f'xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><manifest:file-entry '
        f'manifest:full-path="/" '
        f'manifest:media-type="{kind}"/></manifest:manifest>'
    )
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in {"mimetype": kind, "META-INF/manifest.xml": manifest, "content.xml": content}.items():
            archive.writestr(name, text)
    return file


@pytest.mark.parametrize("kind", ["xlsx", "xlsx, away from the corner", "xls", "ods"])
def test_a_merged_label_belongs_to_each_of_its_rows(tmp_path: Path, kind: str) -> None:
    file = {
        "xlsx": lambda: workbook(tmp_path / "a.xlsx"),
        "xlsx, away from the corner": lambda: workbook(tmp_path / "b.xlsx", down=4, right=3),
        "xls": lambda: old_workbook(tmp_path / "c.xls"),
        "ods": lambda: open_document(tmp_path / "d.ods"),
    }[kind]()
    table = read_table(file)
    assert table.frame.rows() == [(TEAMS[number // 12], text) for number, text in enumerate(TEXTS)]
    assert problems_of(table)["merged-cells"].count == 33
    seen = inspect_file(file, get_task("topic"), {"text": "Ticket text", "answer": "Team"})
    assert (
        next(one.message for one in seen.problems if one.code == "labels")
        == "3 classes: Billing 12, Delivery 12, Repairs 12."
    )


def sheet_of(file: Path, rows: list[tuple], merged: list[str]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for cells in merged:
        book.active.merge_cells(cells)
    book.save(file)
    return file


DATA = [
    (f"The lamp of row {number} was late", f"2024-05-{number + 1:02}", ("billing", "repairs")[number % 2])
    for number in range(20)
]


@pytest.mark.parametrize(
    ("rows", "merged", "names", "told"),
    [
        (
            [("Ticket", None, "Team"), ("Text", "Day", None)],
            ["A1:B1", "C1:C2"],
            ["Ticket Text", "Ticket Day", "Team"],
            "header-rows",
        ),
        (
            [("Tickets of May", None, None), ("Ticket", None, "Team"), ("Text", "Day", None)],
            ["A1:C1", "A2:B2", "C2:C3"],
            ["Ticket Text", "Ticket Day", "Team"],
            "title-rows",
        ),
        (
            [("Text", "Day", "Team"), (None, None, None)],
            ["A1:A2", "B1:B2", "C1:C2"],
            ["Text", "Day", "Team"],
            "header-rows",
        ),
        ([("All", None, None), ("Text", "Day", "Team")], ["A1:C1"], ["Text", "Day", "Team"], "title-rows"),
        (
            [("A", None, "B"), ("C", None, "D"), ("Text", "Day", "Team")],
            ["A1:B1", "A2:B2"],
            ["A C Text", "A C Day", "B D Team"],
            "header-rows",
        ),
    ],
    ids=["a name over two", "under a title", "all two deep", "a title alone", "three deep"],
)
def test_merged_headers(tmp_path: Path, rows: list[tuple], merged: list[str], names: list[str], told: str) -> None:
    table = read_table(sheet_of(tmp_path / "a.xlsx", [*rows, *DATA], merged))
    assert table.columns == names and table.frame.rows() == DATA and told in problems_of(table)


def test_a_heading_across_the_data_is_no_row_of_values(tmp_path: Path) -> None:
    rows = [("Text", "Day", "Team"), *DATA[:10], ("Second week", None, None), *DATA[10:]]
    table = read_table(sheet_of(tmp_path / "a.xlsx", rows, ["A12:C12"]))
    assert table.rows == 21 and table.frame.rows()[10] == ("Second week", None, None)


def test_ranges_that_a_damaged_file_has_are_no_work() -> None:
    frame = polars.DataFrame({"a": ["x"] + [None] * 9_999})
    overlapping = [Merge(0, 0, 1 << 30, 0), *(Merge(row, 0, row + 9_999, 0) for row in range(9_000))]
    filled = unmerged(frame, overlapping).frame
    assert filled["a"].to_list() == ["x"] * 10_000


def lines(rows: list[tuple]) -> str:
    return "".join(",".join(cell or "" for cell in row) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("head", "names", "told"),
    [
        ([("Ticket", "", "Team"), ("Text", "Day", "")], ["Ticket Text", "Ticket Day", "Team"], "header-rows"),
        (
            [("Ticket", "Ticket", "Team"), ("Text", "Day", "Name")],
            ["Ticket Text", "Ticket Day", "Team Name"],
            "header-rows",
        ),
        ([("text", "date", "label"), ("متن", "تاریخ", "برچسب")], ["text", "date", "label"], "second-header"),
        (
            [
                ("Q1", "EndDate", "Q2"),
                ("What was wrong?", "End Date", "Which team?"),
                ('{"ImportId":"QID1"}', '{"ImportId":"endDate"}', '{"ImportId":"QID2"}'),
            ],
            ["Q1", "EndDate", "Q2"],
            "second-header",
        ),
    ],
    ids=["names over two", "names repeated", "in another language", "a survey's"],
)
def test_headers_of_several_rows_in_a_csv(tmp_path: Path, head: list[tuple], names: list[str], told: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(lines([*head, *DATA]), encoding="utf-8")
    table = read_table(file)
    assert table.columns == names and table.frame.rows() == DATA and told in problems_of(table)


@pytest.mark.parametrize(
    "rows",
    [
        [
            ("v1", "v2", "", ""),
            ("ham", "Go until jurong point", "", ""),
            *[("spam", f"You won {n}", "", "") for n in range(9)],
            ("ham", "bye", "and", "good luck"),
        ],
        [("en", "fa"), ("title", "عنوان"), ("label", "برچسب"), ("text", "متن"), ("date", "تاریخ"), ("name", "نام")],
        [
            ("text", "label"),
            ("question", "topic"),
            *[(f"a longer text of row {n}", ("topic", "other")[n % 2]) for n in range(12)],
        ],
        [("", "text", "label"), *[(str(n), f"a longer text of row {n}", ("a", "b")[n % 2]) for n in range(12)]],
    ],
    ids=["unnamed overflow", "a word list", "a label named like a header", "row names"],
)
def test_data_below_a_header_stays_data(tmp_path: Path, rows: list[tuple]) -> None:
    file = tmp_path / "a.csv"
    file.write_text(lines(rows), encoding="utf-8")
    assert read_table(file).rows == len(rows) - 1


def test_blanks_below_are_told_and_filled_at_a_click(tmp_path: Path) -> None:
    file = tmp_path / "merged.csv"
    file.write_text(
        lines(
            [
                ("Team", "Ticket text"),
                *[(TEAMS[n // 12] if n % 12 == 0 else "", text.replace(",", "")) for n, text in enumerate(TEXTS)],
            ]
        ),
        encoding="utf-8",
    )
    seen = inspect_file(file, get_task("topic"))
    assert seen.mapping == {"text": "Ticket text", "answer": "Team"}
    problem = next(one for one in seen.problems if one.code == "blank-below")
    assert problem.message.startswith("33 rows have an empty cell below a filled one in 'Team'") and problem.rows[
        :2
    ] == (2, 3)
    mended = inspect_file(file, get_task("topic"), mends=problem.mends)
    assert (
        next(one.message for one in mended.problems if one.code == "labels")
        == "3 classes: Billing 12, Delivery 12, Repairs 12."
    )
    assert "blank-below" not in {one.code for one in mended.problems} and mended.done[0].rows == 33


@pytest.mark.parametrize("above", [[], [("Ticket", "", "Handled")]], ids=["one header", "two header rows"])
def test_task_and_columns_are_proposed_for_what_a_mend_filled(tmp_path: Path, above: list[tuple]) -> None:
    rows = [
        (text.replace(",", ""), f"2026-01-{n % 28 + 1:02d}", TEAMS[n // 12] if n % 12 == 0 else "")
        for n, text in enumerate(TEXTS)
    ]
    file = tmp_path / "merged.csv"
    file.write_text(lines([*above, ("Ticket text", "Opened", "Team"), *rows]), encoding="utf-8")
    text, team = ("Ticket Ticket text", "Handled Team") if above else ("Ticket text", "Team")
    before = inspect_file(file, None)
    assert before.task.id == "instruction" and "answer" not in before.mapping
    mends = parse_mends(["blank-below"], Inspector(), file, None, None)
    after = inspect_file(file, None, mends=mends)
    assert after.task.id == "topic" and after.mapping == {"text": text, "answer": team}
    assert not any(problem.severity == "error" for problem in after.problems)
    assert (
        next(one.message for one in after.problems if one.code == "labels")
        == "3 classes: Billing 12, Delivery 12, Repairs 12."
    )
    # What somebody chose stays; of the rest the columns are proposed anew.
    assert inspect_file(file, get_task("intent"), {"text": text}, mends=mends).mapping == {"text": text, "answer": team}
    assert inspect_file(file, get_task("instruction"), mends=mends).task.id == "instruction"


@pytest.mark.parametrize(
    ("cells", "once"),
    [
        (["a", "", "", "b", "", "", "c", ""], True),
        (["a", "", "b", "", "c", "d", "", ""], True),
        (["", "a", "", "", "b", ""], False),
        (["a", "", "a", "", "a", "b", "", "a", "", ""], False),
        (["a", "b", "a", "b", "", "a", "b", "a"], False),
        (["a"] + [""] * 9, False),
        ([""] * 9, False),
    ],
)
def test_what_is_merely_missing_is_not_filled(cells: list[str], once: bool) -> None:
    assert says_it_once(polars.Series(cells)) is once


@pytest.mark.skipif(not REPORTED.is_dir(), reason="the reported inputs are not here")
def test_the_reported_workbook() -> None:
    seen = inspect_file(REPORTED / "merged_label.xlsx", get_task("topic"), {"text": "Ticket text", "answer": "Team"})
    assert (
        next(one.message for one in seen.problems if one.code == "labels")
        == "3 classes: Billing 12, Delivery 12, Repairs 12."
    )
