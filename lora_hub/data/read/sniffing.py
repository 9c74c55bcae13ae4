"""Finds the delimiter that splits a text into columns. The four commonest are tried, and rarer ones (::, ||, ~, Persian
commas, spaces between quoted cells) only count if every line agrees."""

import csv
import io
import re
from collections import Counter

DELIMITERS = ",\t;|"
# Longer ones first: || is not two empty columns of |.
RARE = (
    "|||",
    "||",
    "\t\t",
    "###",
    "::",
    "\x1f",
    "\x01",
    "\x1e",
    "~",
    "^",
    "¦",
    "§",
    "｜",
    "،",
    "؛",
    "，",
    "；",
    "：：",
)
SAMPLE_ROWS = 300


def sniff_delimiter(text: str) -> str:
    """The delimiter that splits the sample into rows of equal width; empty if none does (one column)."""
    best, best_score = "", 0.0
    for delimiter in DELIMITERS:
        score = max(_regularity(text, delimiter, '"'), _regularity(text, delimiter, ""))
        if score > best_score:
            best, best_score = delimiter, score
    best = best if best_score >= 0.5 else ""
    rare = _rare(text)
    if rare and (not best or best in rare or not _agree(text, best)):
        best = rare
    if (
        best
        and best != "\t"
        and best not in ",;"
        and f" {best} " in text
        and text.count(best) == text.count(f" {best} ")
    ):
        return f" {best} "
    return best or (" " if _spaced(text) else "")


def _lines(text: str) -> list[str]:
    return [line for line in re.split(r"[\r\n]+", text)[:SAMPLE_ROWS] if line.strip()]


def _rare(text: str) -> str:
    """A rare delimiter that occurs equally often in every line; empty if there is none. In prose, a space follows each
    comma, and the number of commas varies."""
    lines = _lines(text)
    if len(lines) < 2:
        return ""
    for delimiter in RARE:
        count = lines[0].count(delimiter)
        if not count or any(line.count(delimiter) != count for line in lines):
            continue
        if delimiter[0] in "|\t" and any(delimiter[0] in line.replace(delimiter, "") for line in lines):
            continue
        if sum(line.count(delimiter + " ") for line in lines) > 0.3 * count * len(lines):
            if any(line.count(delimiter) != line.count(f" {delimiter} ") for line in lines):
                continue
        return delimiter
    return ""


def _agree(text: str, delimiter: str) -> bool:
    return len({len(record) for record in csv.reader(_lines(text), delimiter=delimiter)}) == 1


def _spaced(text: str) -> bool:
    """Cells separated by single spaces, as R writes them: most are quoted, or one of at least three columns holds only
    numbers. The header may lack the cell above the row names."""
    lines = _lines(text)
    if len(lines) < 3 or "  " in text or "\t" in text or re.search(r'"[,;|] ', text):
        return False
    rows = list(csv.reader(lines, delimiter=" "))
    widths = {len(row) for row in rows[1:]}
    if len(widths) != 1 or widths == {1} or len(rows[0]) not in (max(widths), max(widths) - 1):
        return False
    if sum(len(re.findall(r'(?:^| )"', line)) for line in lines[1:]) >= 0.4 * sum(len(row) for row in rows[1:]):
        return True
    return max(widths) >= 3 and any(
        all(re.fullmatch(r"[-+]?\d+([.,]\d+)?", row[place]) for row in rows[1:]) for place in range(max(widths))
    )


def _regularity(text: str, delimiter: str, quote: str) -> float:
    """Share of records with the commonest number of cells. It counts more if the first record agrees and there are many
    cells, and less if a space follows the delimiter, as after commas in prose."""
    if delimiter not in text:
        return 0.0
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    records = []
    for record in reader:
        if record:
            records.append(record)
        if len(records) > SAMPLE_ROWS:
            break
    if len(records) > 1 and not text.endswith(("\n", "\r")):
        records.pop()  # the sample may end inside it
    widths = Counter(len(record) for record in records)
    width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
    if width < 2:
        return 0.0
    cells = [cell for record in records for cell in record[1:]]
    spaced = sum(cell.startswith(" ") for cell in cells) / max(1, len(cells))
    score = count / len(records) * (1 - 0.6 * spaced) + 0.02 * min(width, 10)
    if len(records[0]) == width:
        score += 0.2
    elif len(records[0]) == 1 and count < 0.9 * len(records):
        score -= 0.3  # a header without the delimiter, prose below
    return score + (0.1 if delimiter == "\t" else 0.0)


def skips_spaces(text: str, delimiter: str) -> bool:
    """Whether a space precedes quoted cells after the delimiter: `"a", "b, c"`."""
    opened = len(re.findall(rf'{re.escape(delimiter)} +"', text))
    lines = _lines(text)
    return opened >= 0.5 * max(1, len(lines) - 1) and '"' in text and f'{delimiter}"' not in text.replace('""', "")


def is_single_quoted(text: str, delimiter: str) -> bool:
    """Whether cells are quoted with ' instead of ": the marks are paired, and with them every row has the header's
    width."""
    edge = re.escape(delimiter)
    # Two patterns, one for each end of a cell: one for the whole cell would try every pair of marks in a line.
    opened, closed = re.search(rf"(?m)(?:^|{edge})'", text), re.search(rf"(?m)'(?={edge}|$)", text)
    if '"' in text or not opened or not closed:
        return False
    lines = _lines(text)
    rows = list(csv.reader(lines, delimiter=delimiter, quotechar="'"))
    edges = sum(len(re.findall(rf"(?:^|{re.escape(delimiter)})'", line)) for line in lines[1:])
    return len({len(row) for row in rows}) == 1 and edges >= 0.4 * sum(len(row) for row in rows[1:]) > 0
