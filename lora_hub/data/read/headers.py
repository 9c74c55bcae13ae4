"""Finds where a table begins: title rows above the header, whether the first row is a header, and the columns' names.

Works on cells (lists of text) and knows no file format, so a CSV and a spreadsheet are treated alike.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from lora_hub.core.messages import _, _n, several
from lora_hub.core.schema import Problem
from lora_hub.data.tables.table import row_problem
from lora_hub.data.tables.value_text import NUMBER

Cells = Sequence[str | None]
TITLE_ROWS = 20
# Stripped from names: spaces, quotation marks, and invisible direction marks.
AROUND = " \t\r\n\"'\u00a0\ufeff\u200b\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_IMPORT_ID = re.compile(r"\{\s*\"?'?ImportId")
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b")
# Typical column names of training tables; one of them in the first row decides.
HEADER_WORDS = set(
    "text texts label labels category class sentence sentence1 sentence2 sent1 sent2 review comment message messages "
    "question answer answers context passage instruction input inputs output outputs prompt completion response source "
    "target translation summary document dialogue article title description content intent sentiment topic tag rating "
    "score id idx index uid name query sql schema conversation conversations en fa de fr premise hypothesis utterance "
    "tweet body subject date email v1 v2 lang language headline abstract "
    "متن برچسب جمله نظر دیدگاه پیام پرسش پاسخ سوال سؤال جواب دسته موضوع احساس خلاصه ترجمه عنوان شرح توضیحات شناسه ردیف "
    "دستور ورودی خروجی انگلیسی فارسی امتیاز تاریخ نام محتوا".split()
)


@dataclass
class Layout:
    """`skip`: rows above the header. `header`: whether row `skip` is a header. `names`: the columns' names. `more`:
    rows below the header that belong to it."""

    skip: int
    header: bool
    names: list[str]
    problems: list[Problem] = field(default_factory=list)
    more: int = 0

    @property
    def first_row(self) -> int:
        return self.skip + (1 if self.header else 0) + self.more


def find_layout(sample: Sequence[Cells], width: int) -> Layout:
    """The layout of a table from its first rows (a hundred or so). `width`: columns of the whole table."""
    skip = _title_rows(sample, width)
    problems = []
    if skip:
        titles = [next((cell for cell in row if not _empty(cell)), "") for row in sample[:skip]]
        shown = "; ".join(title.strip()[:60] for title in titles if title)
        problems.append(left_above(skip, shown))
    header = bool(sample[skip:]) and is_header(sample[skip], sample[skip + 1 :])
    if not header:
        names = [f"column_{number}" for number in range(1, width + 1)]
        first = " | ".join((cell or "")[:30] for cell in sample[skip][:4]) if sample[skip:] else ""
        problems.append(
            row_problem(
                "no-header",
                "info",
                _("The first row ({row}) reads like data, so the columns are named column_1 on.", row=first),
                [],
                hint=_("If it is a header, put plain column names in the first row."),
            )
        )
        return Layout(skip, False, names, problems)
    top = [cell or "" for cell in sample[skip]] + [""] * (width - len(sample[skip]))
    top, below, told = _second_header(top, sample[skip + 1 :])
    names, more = name_columns(top)
    return Layout(skip, True, names, problems + told + more, below)


def _second_header(top: list[str], rest: Sequence[Cells]) -> tuple[list[str], int, list[Problem]]:
    """The column names, how many rows below the header belong to it, and what to report about them. Such rows are:
    names under a name over several columns (merged cells saved as CSV, or pandas' two levels); the same names in
    another language; descriptions that survey tools (Qualtrics) write between header and answers."""
    ids = next(
        (
            place
            for place, row in enumerate(rest[:3])
            if any(row) and all(_empty(cell) or _IMPORT_ID.match(cell.strip()) for cell in row)
        ),
        -1,
    )
    if ids >= 0:
        return top, ids + 1, [_below_header(ids + 1, rest[0])]
    if len(rest) < 3:
        return top, 0, []
    second = [(cell or "").strip() for cell in rest[0]] + [""] * (len(top) - len(rest[0]))
    filled = [cell for cell in second if cell]
    data = rest[1:]
    recurs = any(
        cell and any(place < len(row) and (row[place] or "").strip() == cell for row in data)
        for place, cell in enumerate(second)
    )
    if not filled or recurs or not all(_is_name(cell) for cell in filled) or second == [cell.strip() for cell in top]:
        return top, 0, []
    named = [cell.strip() for cell in top]
    under = [
        place for place, cell in enumerate(named) if place and second[place] and (not cell or cell == named[place - 1])
    ]
    # Every missing or repeated name has a name below it, and every column without one below has a name.
    whole = all(cell or second[place] for place, cell in enumerate(named))
    if under and whole and named[0] and is_header(second, data):
        over = list(named)
        for place in under:
            over[place] = over[place - 1]
        joined = [" ".join(dict.fromkeys(part for part in pair if part)) for pair in zip(over, second, strict=True)]
        return joined, 1, [told_header(2, joined)]
    # In a word list every row is as short as a header.
    if (
        len(filled) == sum(map(bool, named))
        and _has_texts(second, data)
        and 2 * sum(_word(cell) in HEADER_WORDS for cell in filled) > len(filled)
    ):
        return top, 1, [_below_header(1, rest[0])]
    return top, 0, []


def _has_texts(names: Cells, rows: Sequence[Cells]) -> bool:
    """Whether a column holds texts much longer than the name above them."""
    for place, name in enumerate(names):
        lengths = sorted(len(row[place].strip()) for row in rows if place < len(row) and not _empty(row[place]))
        if lengths and lengths[len(lengths) // 2] > max(12, 2 * len(name or "")):
            return True
    return False


def told_header(rows: int, names: Sequence[str | None]) -> Problem:
    said = _(
        "{rows} header rows were read as one: {names}.",
        rows=rows,
        names=several([name for name in names if name], most=6),
    )
    return row_problem("header-rows", "info", said, [], count=rows)


def _below_header(count: int, first: Cells) -> Problem:
    shown = " | ".join((cell or "")[:30] for cell in list(first)[:4])
    said = _n(
        "{count} row below the header that describes the columns left out: {row}",
        "{count} rows below the header that describe the columns left out: {row}",
        count=count,
        row=shown,
    )
    return row_problem("second-header", "info", said, [], count=count)


def left_above(count: int, shown: str) -> Problem:
    """`count` rows of titles or comments above the header; `shown`: their text."""
    said = _n("{count} row above the header left out.", "{count} rows above the header left out.", count=count)
    if shown:
        said = _n(
            "{count} row above the header left out: {row}",
            "{count} rows above the header left out: {row}",
            count=count,
            row=shown,
        )
    return row_problem("title-rows", "info", said, [], count=count)


def name_columns(cells: Cells) -> tuple[list[str], list[Problem]]:
    """Distinct, non-empty names. An empty one becomes column_N, the second "text" becomes text_2; both are reported."""
    names: dict[str, None] = {}
    unnamed, repeated = [], []
    cleaned = [re.sub(r"\s+", " ", (cell or "").strip(AROUND)) for cell in cells]
    taken, counts = set(cleaned), Counter()
    for number, name in enumerate(cleaned, 1):
        if not name:
            unnamed.append(number)
            name = f"column_{number}"
            while name in names or name in taken:
                name += "_"
        elif name in names:
            repeated.append(name)
            bare = name
            counts[bare] = max(2, counts[bare])
            while f"{bare}_{counts[bare]}" in names or f"{bare}_{counts[bare]}" in taken:
                counts[bare] += 1
            name = f"{bare}_{counts[bare]}"
        names[name] = None
    problems = []
    if unnamed:
        said = _n(
            "{count} column has no name; it is called {names}.",
            "{count} columns have no name; they are called {names}.",
            count=len(unnamed),
            names=several([f"column_{number}" for number in unnamed], most=5),
        )
        problems.append(row_problem("unnamed-columns", "info", said, [], count=len(unnamed)))
    if repeated:
        said = _(
            "Column names that occur more than once were numbered: {names}.", names=several(dict.fromkeys(repeated))
        )
        problems.append(row_problem("repeated-columns", "warning", said, [], count=len(repeated)))
    return list(names), problems


def is_header(first: Cells, rest: Sequence[Cells]) -> bool:
    """Whether `first` names the columns of `rest`, by its words and by how it differs from the rows below."""
    cells = [(cell or "").strip() for cell in first]
    filled = [cell for cell in cells if cell]
    if not filled:
        return False
    if any(_word(cell) in HEADER_WORDS for cell in filled):
        return not _occurs_below(cells, rest, share=0.2)
    if all(_numeric(cell) for cell in filled):
        return _is_years(filled, rest)
    if (
        len(filled) == len(cells) > 2
        and len({re.sub(r"\d+$", "", cell) for cell in cells}) == 1
        and len(set(cells)) == len(cells)
    ):
        return bool(re.match(r"[^\W\d]", cells[0])) and not _occurs_below(cells, rest, share=0.2)  # c1, c2, c3
    if not rest:
        return all(_is_name(cell) for cell in filled)
    for_, against = 0.0, 0.0
    for index, cell in enumerate(cells):
        below = [row[index].strip() for row in rest if index < len(row) and not _empty(row[index])]
        if not cell or not below:
            continue
        if _numeric(cell):
            against += 1
            continue
        numeric = sum(_numeric(value) for value in below) / len(below)
        if numeric > 0.8:
            for_ += 2
            continue
        if below.count(cell) > 0.02 * len(below) and len(set(below)) < 0.5 * len(below):
            against += 2  # the first row holds one of the labels
            continue
        lengths = sorted(len(value) for value in below)
        median = lengths[len(lengths) // 2]
        if _is_name(cell) and len(cell) < 0.5 * median:
            for_ += 1
        elif not _is_name(cell) or len(cell) > 1.5 * median:
            against += 1
        elif len(set(below)) < 0.2 * len(below) and cell not in below:
            for_ += 1  # not one of the few values below it
    if for_ == against:
        return all(_is_name(cell) for cell in filled) and len(set(filled)) == len(filled)
    return for_ > against


def _is_years(filled: list[str], rest: Sequence[Cells]) -> bool:
    """Consecutive years (1999, 2000, 2001) above cells that are not years."""
    if len(filled) < 3 or not all(re.fullmatch(r"(1[3-4]|19|20)\d\d", cell) for cell in filled):
        return False
    years = [int(cell) for cell in filled]
    follow = all(later - year == 1 for year, later in zip(years, years[1:], strict=False))
    return follow and not any(re.fullmatch(r"(1[3-4]|19|20)\d\d", (cell or "").strip()) for row in rest for cell in row)


def _title_rows(sample: Sequence[Cells], width: int) -> int:
    """Rows above the header: much emptier than the rows below."""
    if width < 2 or len(sample) < 2:
        return 0
    counts = [sum(not _empty(cell) for cell in row) for row in sample]
    below = sorted(counts[1:])
    usual = below[len(below) // 2]
    if usual < 2:
        return 0
    skip = 0
    while skip < min(TITLE_ROWS, len(sample) - 1) and counts[skip] < max(2, 0.5 * usual):
        skip += 1
    if counts[skip] < max(2, 0.5 * usual):
        return 0
    # A row of one repeated word above the real header ("province, province, ...") is a title too.
    if skip and len({cell for cell in sample[skip] if not _empty(cell)}) == 1 and skip + 1 < len(sample):
        skip += 1
    return skip


def _occurs_below(cells: list[str], rest: Sequence[Cells], share: float) -> bool:
    """Whether the first row's words are values of the table: `label` as one of the labels, or a header repeated every
    few rows."""
    if not rest:
        return False
    hits = sum(
        1
        for row in rest
        if all(index < len(row) and (row[index] or "").strip() == cell for index, cell in enumerate(cells))
    )
    return hits > share * len(rest)


def _word(cell: str) -> str:
    return re.sub(r"[\s_\-]+", "", cell.strip(AROUND + "#").lower())


def _is_name(cell: str) -> bool:
    return len(cell) <= 40 and len(cell.split()) <= 5 and not re.search(r"[.!?؟;。]$", cell) and not _numeric(cell)


def _numeric(cell: str) -> bool:
    return bool(NUMBER.match(cell) or DATE.match(cell))


def _empty(cell: str | None) -> bool:
    return cell is None or not cell.strip()
