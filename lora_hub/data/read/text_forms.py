"""Known text formats that do not look like a table: read if they hold rows, refused with an explanation if not.

`form_of(text)` recognizes a Markdown or drawn table, a fastText file, and columns aligned by spaces. `read_form(text,
form)` returns their rows. `refuse_form(text, name)` raises DataError for subtitles, chat exports, SQL dumps and the
like.
"""

import re
from collections import Counter

from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _
from lora_hub.data.read.cells import table_of_form
from lora_hub.data.read.source import Source
from lora_hub.data.tables.table import Table

START = 64 << 10  # bytes of a file that identify its format
USE = _("Save the data as CSV, JSONL or Excel, one example a row.")
CHAT = _("A chat has messages but no answers to learn. Make a table with a column of inputs and one of answers.")
# Possessive (*+): a comment or a space is read in one way only, or a beginning made of many would be read in every way
# there is. A form's name, what its beginning looks like, what its lines look like (at least `share` of them), and what
# to do.
_TIME = r"\d{1,2}:\d{2}(:\d{2})?[ \u202f\u00a0]?([AaPp]\.?[Mm]\.?|ق\.ظ\.?|ب\.ظ\.?)?"
_DAY = r"[\d۰-۹٠-٩]{1,4}[./-][\d۰-۹٠-٩]{1,2}[./-][\d۰-۹٠-٩]{1,4}"
REFUSED: tuple[tuple[Message, str, str, float, Message], ...] = (
    (
        _("a Git LFS pointer, not the data itself"),
        r"version https://git-lfs",
        "",
        0,
        _("Fetch the file itself (git lfs pull), or download it from its page."),
    ),
    (_("a subtitle file (SRT)"), r"\d+\s*\n\d{1,2}:\d{2}:\d{2}[,.]\d{3} --> ", "", 0, USE),
    (_("a subtitle file (WebVTT)"), r"WEBVTT\b", "", 0, USE),
    (_("a chat exported from a messenger"), r"", rf"[\u200e\u200f]?\[?{_DAY}[,،]? {_TIME}(\]| -|: (?=\D))", 0.4, CHAT),
    (
        _("a gettext translation file (PO)"),
        r"(#.*\n|\s)*+msgid \"",
        r"",
        0,
        _("Save the pairs as CSV with one column a language."),
    ),
    (
        _("a bundle of settings (INI or TOML)"),
        r"([#;].*\n|\s)*+\[[\w .-]+\][^\S\n]*\n([#;].*\n|\s)*+[\w .-]++\s*+=",
        r"",
        0,
        USE,
    ),
    (
        _("an SQL dump"),
        (
            r"(--.*\n|/\*.*?\*/;?|#.*\n|\s)*+(create (table|database)|insert into|drop table|pragma |begin "
            r"transaction|set [\w@]+ ?=|lock tables)"
        ),
        r"",
        0,
        _("Export the table as CSV from the database."),
    ),
    (_("a LaTeX document"), r"([%].*\n|\s)*+\\(documentclass|begin\{)", r"", 0, _("Save the table as CSV.")),
    (
        _("an e-mail or a web archive (MIME)"),
        (
            r"(MIME-Version:|From: .*\n|Received: "
            r"|Return-Path:|Delivered-To:)(.*\n)*?(MIME-Version|Content-Type|Subject|To): ?"
        ),
        r"",
        0,
        USE,
    ),
    (
        _("a sparse matrix (libsvm), which holds numbers and no text"),
        r"",
        r"[-+]?[\d.]+( +\d+:[-+\d.eE]+)+ *(#.*)?$",
        0.9,
        USE,
    ),
    (
        _("annotated words (CoNLL), a label for each word"),
        r"(-DOCSTART-|# (sent_id|newdoc|text|global\.columns) ?=)",
        r"",
        0,
        _("Use a file with one text and one answer a row."),
    ),
    (
        _("annotated words (CoNLL), a label for each word"),
        r"",
        r"(\S+[ \t]){1,9}([BIESLU]-[\w-]+|O)\s*$",
        0.9,
        _("Use a file with one text and one answer a row."),
    ),
    (
        _("a YAML document"),
        r"(%YAML|---\s*\n|([#].*\n)*(- [\w-]+: |[\w-]+:\s*\n[ -]|version: ))",
        r"\s*((- )?[\w-]+:(\s|$)|- |#|---|\.\.\.|\|)",
        0.95,
        _("Save it as JSON or CSV."),
    ),
    (_("a Python pickle, which could run code"), r"\((lp|dp)\d*\n|c[\w.]+\n\w+\np\d+\n", r"", 0, USE),
    (
        _("a JavaScript program"),
        r"((var|let|const) \w+|window(\.\w+)+|module\.exports) ?=",
        r"",
        0,
        _("Take away what stands before the first bracket, and save it as JSON."),
    ),
    (_("a PostScript document"), r"%!PS", r"", 0, USE),
)
MARKDOWN_RULE = re.compile(r"^[ \t]*+(?:\|[ \t]*+)?:?-++:?[ \t]*+(?:\|[ \t]*+:?-++:?[ \t]*+)++(?:\|[ \t]*+)?$")
DRAWN_RULE = re.compile(r"^[ \t]*[+├┌└╔╠╚][-=+─━═┬┼┴╦╬╩├┤┐┘╗╣╝]+[ \t]*$")
FASTTEXT = re.compile(r"(?:__label__\S+[ \t,]+)+")


def begins(source: Source, start: str) -> bool:
    return bool(form_of(_whole_lines(source, start)))


def read(source: Source, options: dict) -> Table | None:
    start = source.head(START).decode("utf-8", errors="ignore").removeprefix("\ufeff").lstrip()
    form = form_of(_whole_lines(source, start))
    rows = read_form(source.read().decode("utf-8", errors="replace"), form)
    return table_of_form(*rows, form) if rows else None


def _whole_lines(source: Source, start: str) -> str:
    return start if source.size <= START else start.rpartition("\n")[0]


def refuse_form(text: str, name: str) -> None:
    """Raises DataError if `text` (the beginning of a file) is in a known format that is not a table."""
    lines = [line for line in text.splitlines()[:200] if line.strip()]
    start = text.lstrip("\ufeff \t\r\n").replace("\r\n", "\n")[:4_000]
    for what, beginning, line, share, hint in REFUSED:
        if beginning and not re.match(
            beginning, start, re.IGNORECASE if "SQL" in what.sentence or "MIME" in what.sentence else 0
        ):
            continue
        if line and (len(lines) < 2 or sum(bool(re.match(line, one)) for one in lines) < share * len(lines)):
            continue
        if beginning or line:
            raise DataError(_("{name} is {what}."), hint, name=name, what=what)


def form_of(text: str) -> str:
    """fasttext, markdown (drawn tables too) or aligned, by the beginning of a file; empty if it is none of them."""
    head = [line for line in _lines(text)[:2_000] if line.strip()]
    if head and sum(line.startswith("__label__") for line in head) >= 0.95 * len(head):
        return "fasttext"
    if any(MARKDOWN_RULE.match(line) and "|" in line or DRAWN_RULE.match(line) for line in head[:200]):
        return "markdown"
    return "aligned" if _is_aligned(head) else ""


def read_form(text: str, form: str) -> tuple[list[list[str]], int] | None:
    """The rows of a whole text, the header's first if there is one, and how many lines were not part of it. `form`:
    from `form_of`. None if the rest of the text does not match its beginning."""
    if form == "fasttext":
        return _fasttext(_lines(text))
    if form == "markdown":
        return _piped(_lines(text))
    rows = [re.split(r" {2,}", line.strip()) for line in _lines(text) if line.strip()]
    return (rows, 0) if {len(row) for row in rows} == {len(rows[0])} else None


def _lines(text: str) -> list[str]:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _fasttext(lines: list[str]) -> tuple[list[list[str]], int]:
    rows, left = [["text", "label"]], 0
    for line in lines:
        if found := FASTTEXT.match(line):
            labels = [label.removeprefix("__label__") for label in re.split(r"[ \t,]+", found[0].strip(" \t,"))]
            rows.append([line[found.end() :].strip(), ", ".join(labels)])
        elif line.strip():
            left += 1
    return rows, left


def _piped(lines: list[str]) -> tuple[list[list[str]], int] | None:
    """The table with the most rows; surrounding lines are not part of it."""
    tables: list[list[list[str]]] = [[]]
    left = 0
    for line in lines:
        bare = line.strip().replace("│", "|").replace("║", "|").replace("┃", "|")
        if MARKDOWN_RULE.match(bare) or DRAWN_RULE.match(bare):
            continue
        if "|" in bare and (
            bare.startswith("|") or bare.count("|") == max(1, len(tables[-1][-1]) - 1 if tables[-1] else 1)
        ):
            cells = re.split(r"(?<!\\)\|", bare.removeprefix("|").removesuffix("|"))
            tables[-1].append([re.sub(r"(?i)<br\s*/?>", "\n", cell.strip().replace("\\|", "|")) for cell in cells])
        elif bare:
            left += 1
            tables.append([])
    best = max(tables, key=len)
    widths = Counter(map(len, best))
    if len(best) < 2 or widths.most_common(1)[0][1] < 0.9 * len(best) or len(best[0]) < 2:
        return None
    return best, left + sum(len(table) for table in tables if table is not best)


def _is_aligned(head: list[str]) -> bool:
    """Whether every line has as many cells as the first, separated by two or more spaces, and starting (or, for
    numbers, ending) at the same positions."""
    if len(head) < 3 or any("\t" in line for line in head[:50]):
        return False
    widths = {len(re.split(r" {2,}", line.strip())) for line in head}
    if len(widths) != 1 or widths == {1}:
        return False
    starts = [[found.start() for found in re.finditer(r"(?<!\S)\S+(?: \S+)*", line)] for line in head]
    ends = [[found.end() for found in re.finditer(r"(?<!\S)\S+(?: \S+)*", line)] for line in head]
    columns = range(next(iter(widths)))
    try:
        return all(
            min(len({row[column] for row in starts}), len({row[column] for row in ends})) <= max(1, 0.3 * len(head))
            for column in columns
        )
    except IndexError:
        return False
