"""Facts about a column from a sample of its rows: length, number of different values, numbers, scripts,
conversations."""

import json
import re
from dataclasses import dataclass, field

import polars

from lora_hub.core.errors import DataError
from lora_hub.data.chats.convert import holds_marks, to_messages
from lora_hub.data.columns.column_names import BOOKKEEPING, LABEL, SYNONYMS, TEXT, name_score, plain, squeezed
from lora_hub.data.tables.nested_cells import holds_lists, labels_of_cells, marks_of
from lora_hub.data.tables.table import Table, is_nested
from lora_hub.data.tables.value_text import NUMBER, label_text, value_text

SAMPLE_ROWS = 5_000
QUESTION = re.compile(r"[?؟]\s*$")
SQL = re.compile(
    r"\s*(?:SELECT\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s*\()", re.IGNORECASE
)
TABLES = re.compile(r"\s*CREATE\s+TABLE\b", re.IGNORECASE)
DATE = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|[A-Z][a-z]{2,8}\.? \d{1,2},? \d{4})(?:[T "
    r",]+\d{1,2}:\d{2}.*)?$"
)
SCRIPTS = {
    "latin": re.compile(r"[A-Za-z\u00c0-\u024f]"),
    "persian": re.compile(r"[\u0600-\u06ff\ufb50-\ufdff\ufe70-\ufeff]"),
    "cyrillic": re.compile(r"[\u0400-\u04ff]"),
    "cjk": re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]"),
    "hebrew": re.compile(r"[\u0590-\u05ff]"),
    "greek": re.compile(r"[\u0370-\u03ff]"),
    "devanagari": re.compile(r"[\u0900-\u097f]"),
}


# Names used for label columns and not for free text.
NAMED = (
    {squeezed(name) for name in LABEL}
    - {squeezed(name) for name in (*SYNONYMS["question"], *TEXT)}
    - set("answer output target note team subject پاسخ خروجی هدف".split())
)


@dataclass
class ColumnFacts:
    """filled: non-empty values in the sample of `rows` rows. median_length: characters. script: of most letters, or "".
    Shares (0 to 1) of the values: numbers; spaced: contain a space; questions; sql: SQL queries; tables: SQL that
    creates tables; dates. is_marked: texts with role markers (### Human:). is_nested: lists or objects, also as text;
    is_list: each of them holds a row's labels. For nested values the other facts describe their text."""

    name: str
    rows: int
    filled: int = 0
    distinct: int = 0
    median_length: int = 0
    longest: int = 0
    numbers: float = 0.0
    spaced: float = 0.0
    script: str = ""
    examples: list[str] = field(default_factory=list)
    is_nested: bool = False
    is_list: bool = False
    is_chat: bool = False
    is_marked: bool = False
    questions: float = 0.0
    sql: float = 0.0
    tables: float = 0.0
    dates: float = 0.0
    counts_up: bool = False

    @property
    def filled_share(self) -> float:
        return self.filled / self.rows if self.rows else 0.0

    @property
    def is_number(self) -> bool:
        return self.filled > 0 and self.numbers > 0.9

    @property
    def is_labels(self) -> bool:
        """Few distinct short values, most of them repeated."""
        if (self.is_nested and not self.is_list) or not self.filled or self.longest > 60:
            return False
        if self.filled < 5:  # too few rows to count: decide by the name, or by values of one word
            named = name_score(self.name, LABEL) - name_score(
                self.name, [*TEXT, *SYNONYMS["question"], *SYNONYMS["context"]]
            )
            return self.median_length <= 30 and (named > 0 or named == 0 and not self.spaced)
        if self.filled < 20:
            return self.distinct <= max(2, self.filled // 2) and self.median_length <= 30
        # Many labels with few rows each are accepted if the column's name says so, and nearly as many if they are
        # single words.
        share = (
            0.2
            if self.median_length > 30
            else 0.5
            if squeezed(self.name) in NAMED
            else 0.34
            if self.spaced < 0.1 and not self.is_number
            else 0.2
        )
        return self.distinct <= min(300, max(2, share * self.filled))

    @property
    def is_text(self) -> bool:
        return (
            not self.is_nested
            and self.filled > 0
            and not self.is_number
            and not self.is_labels
            and not self.is_bookkeeping
            and not self.is_code
            and self.dates < 0.8
        )

    @property
    def is_code(self) -> bool:
        """Identifiers such as C1_395000: no spaces, all different, with digits."""
        digits = sum(any(character.isdigit() for character in value) for value in self.examples)
        return self.spaced < 0.02 and self.distinct > 0.9 * self.filled > 4 and digits > 0.8 * len(self.examples)

    @property
    def is_bookkeeping(self) -> bool:
        name = plain(self.name)
        return (
            name in BOOKKEEPING
            or name.endswith(("_id", "_url", "_idx", "_uuid", "_date", "_at", "_time"))
            or self.is_counter
        )

    @property
    def is_counter(self) -> bool:
        """The row number, as spreadsheets and data frames put it in front of the rows."""
        return self.is_number and self.distinct == self.filled > 2 and self.counts_up

    @property
    def is_plausible(self) -> bool:
        """Could be an input or an answer: has values, and is not row numbers or ids."""
        return (
            not self.is_nested
            and self.filled_share > 0.3
            and not self.is_bookkeeping
            and not self.is_code
            and self.dates < 0.8
        )


def column_facts(table: Table) -> dict[str, ColumnFacts]:
    """Facts by column, in the table's order, computed once for a table."""
    return table.remember("column facts", lambda: _column_facts(table))


def _column_facts(table: Table) -> dict[str, ColumnFacts]:
    sample = table.frame
    if table.rows > SAMPLE_ROWS:
        # Every k-th row: files are often sorted by label.
        sample = table.frame.gather_every(table.rows // SAMPLE_ROWS).head(SAMPLE_ROWS)
    return {name: _facts(name, sample[name]) for name in sample.columns}


def _facts(name: str, series: polars.Series) -> ColumnFacts:
    facts = ColumnFacts(name, series.len())
    if is_nested(series.dtype):
        values = [value for value in series.to_list() if value is not None]
        facts.is_nested = True
        facts.filled = len(values)
        facts.is_chat = _are_chats(values[:50], name)
        if facts.is_chat:
            return facts
        series = _texts_of(values, facts)
    texts = series.drop_nulls()
    texts = texts.filter(texts.str.strip_chars() != "")
    facts.filled = texts.len()
    if not facts.filled:
        return facts
    if texts[0].lstrip()[:1] in ("[", "{") and _are_chats(texts.head(20).to_list(), name):
        facts.is_chat = facts.is_nested = True
        return facts
    if texts[0].lstrip()[:1] in ("[", "{", "(") and not facts.is_nested and holds_lists(texts):
        facts.is_nested = True
        texts = _texts_of(texts.to_list(), facts)
        texts = texts.filter(texts != "")
        if not texts.len():
            return facts
    facts.is_marked = all(holds_marks(value) for value in texts.head(10).to_list())
    lengths = texts.str.len_chars()
    facts.median_length = int(lengths.median())
    facts.longest = int(lengths.max())
    counts = texts.alias("value").value_counts(name="count").sort("count", "value", descending=[True, False])
    facts.distinct = counts.height
    facts.examples = counts["value"].head(12).to_list()
    some = texts.head(500).to_list()
    facts.numbers = sum(bool(NUMBER.match(value.strip())) for value in some if len(value) < 40) / len(some)
    facts.spaced = sum(" " in value.strip() for value in some) / len(some)
    facts.questions = sum(bool(QUESTION.search(value)) for value in some) / len(some)
    facts.sql = sum(bool(SQL.match(value)) for value in some) / len(some)
    facts.tables = sum(bool(TABLES.match(value)) for value in some) / len(some)
    facts.dates = sum(len(value) < 40 and bool(DATE.match(value.strip())) for value in some) / len(some)
    facts.counts_up = facts.numbers > 0.9 and _counts_up(some)
    facts.script = script_of("".join(value[:200] for value in some))
    return facts


def _texts_of(values: list, facts: ColumnFacts) -> polars.Series:
    """Lists of labels as labels, other nested values as JSON text."""
    # Class marks are labels too; if a row marks none or several, that is reported once the column is the answer.
    marks = marks_of(values)
    labels = (
        [label_text(value) for value in values]
        if marks is None
        else [
            value_text(value) if label is None else label
            for value, label in zip(values, labels_of_cells(facts.name, values, marks), strict=True)
        ]
    )
    facts.is_list = all(label is not None for label in labels)
    return polars.Series(
        labels if facts.is_list else [value_text(value) for value in values], dtype=polars.String
    ).drop_nulls()


def _counts_up(values: list[str]) -> bool:
    """Whole numbers that increase by a constant step."""
    if len(values) < 3 or not all(re.fullmatch(r"\d{1,12}(\.0+)?", value.strip()) for value in values):
        return False
    numbers = [int(value.strip().partition(".")[0]) for value in values]
    step = numbers[1] - numbers[0]
    return step > 0 and all(two - one == step for one, two in zip(numbers, numbers[1:], strict=False))


def script_of(text: str) -> str:
    """The script of more than half of the letters, or ""."""
    counts = {name: len(pattern.findall(text)) for name, pattern in SCRIPTS.items()}
    best = max(counts, key=counts.get)
    return best if counts[best] > 0.5 * max(1, sum(counts.values())) else ""


def _are_chats(values: list, name: str) -> bool:
    """Most values are lists of turns with a role and a text, or pairs; lists of plain texts only if the column has a
    name such as `dialog`."""
    named = name_score(name, SYNONYMS["messages"]) >= 1
    turns_seen, found = 0, 0
    for value in values:
        if isinstance(value, (list, dict)) and not value:
            continue
        turns_seen += 1
        try:
            whole = json.loads(value) if isinstance(value, str) and value.lstrip()[:1] in ("[", "{") else value
            if isinstance(whole, list) and whole and isinstance(whole[0], (str, list)) and not named:
                continue  # tags, or numbers
            if isinstance(whole, dict) and not (named or set(whole) & {"messages", "conversations", "conversation"}):
                continue
            messages = to_messages(whole)
        except DataError:
            # Single turns may be damaged, so the first turn decides.
            messages = [{}, {}] if _is_turn(whole) else []
        except ValueError:
            continue
        found += len(messages) > 1 or _is_turn(whole)
    return turns_seen > 0 and found > 0.5 * turns_seen


def _is_turn(value: object) -> bool:
    first = value[0] if isinstance(value, list) and value else None
    return (
        isinstance(first, dict)
        and bool({"role", "from", "speaker"} & set(first))
        and bool({"content", "value", "text"} & set(first))
    )
