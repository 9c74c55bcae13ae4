"""What a column holds, from a sample of its rows: how long, how many different values, numbers, scripts, conversations."""

import re
from dataclasses import dataclass, field

import polars

from lora_hub.data.column_names import BOOKKEEPING, plain
from lora_hub.data.headers import NUMBER
from lora_hub.data.table import Table, is_nested

SAMPLE_ROWS = 5_000
SCRIPTS = {
    "latin": re.compile(r"[A-Za-z\u00c0-\u024f]"),
    "persian": re.compile(r"[\u0600-\u06ff\ufb50-\ufdff\ufe70-\ufeff]"),
    "cyrillic": re.compile(r"[\u0400-\u04ff]"),
    "cjk": re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]"),
    "hebrew": re.compile(r"[\u0590-\u05ff]"),
    "greek": re.compile(r"[\u0370-\u03ff]"),
    "devanagari": re.compile(r"[\u0900-\u097f]"),
}


@dataclass
class ColumnFacts:
    """filled: non-empty values in the sample of `rows` rows. median_length: characters. script: of most letters, or "". numbers,
    spaced: share (0 to 1) of values that are numbers, that hold a space."""

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
    is_chat: bool = False

    @property
    def filled_share(self) -> float:
        return self.filled / self.rows if self.rows else 0.0

    @property
    def is_number(self) -> bool:
        return self.filled > 0 and self.numbers > 0.9

    @property
    def is_labels(self) -> bool:
        """Few distinct short values, most of them seen again and again."""
        if self.is_nested or not self.filled or self.longest > 60:
            return False
        if self.filled < 20:
            return self.distinct <= max(2, self.filled // 2) and self.median_length <= 30
        return self.distinct <= min(300, max(2, 0.2 * self.filled))

    @property
    def is_text(self) -> bool:
        return (
            not self.is_nested and self.filled > 0 and not self.is_number and not self.is_labels and not self.is_bookkeeping
            and not self.is_code
        )  # fmt: skip

    @property
    def is_code(self) -> bool:
        """Identifiers such as C1_395000: no spaces, all different, digits in them."""
        digits = sum(any(character.isdigit() for character in value) for value in self.examples)
        return self.spaced < 0.02 and self.distinct > 0.9 * self.filled > 20 and digits > 0.8 * len(self.examples)

    @property
    def is_bookkeeping(self) -> bool:
        name = plain(self.name)
        return name in BOOKKEEPING or name.endswith(("_id", "_url", "_idx"))

    @property
    def is_plausible(self) -> bool:
        """Could be an input or an answer: filled, and no row numbers or ids."""
        return not self.is_nested and self.filled_share > 0.3 and not self.is_bookkeeping and not self.is_code


def column_facts(table: Table) -> dict[str, ColumnFacts]:
    """Facts by column, in the table's order."""
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
        facts.is_chat = _are_chats(values[:50])
        return facts
    texts = series.drop_nulls()
    texts = texts.filter(texts.str.strip_chars() != "")
    facts.filled = texts.len()
    if not facts.filled:
        return facts
    if texts[0].lstrip()[:2] in ("[{", "[ ") and _are_chats(texts.head(20).to_list()):
        facts.is_chat = facts.is_nested = True
        return facts
    lengths = texts.str.len_chars()
    facts.median_length = int(lengths.median())
    facts.longest = int(lengths.max())
    counts = texts.value_counts(sort=True)
    facts.distinct = counts.height
    facts.examples = counts[texts.name].head(12).to_list()
    some = texts.head(500).to_list()
    facts.numbers = sum(bool(NUMBER.match(value.strip())) for value in some if len(value) < 40) / len(some)
    facts.spaced = sum(" " in value.strip() for value in some) / len(some)
    facts.script = script_of("".join(value[:200] for value in some))
    return facts


def script_of(text: str) -> str:
    """The script that more than half of the letters are in, or ""."""
    counts = {name: len(pattern.findall(text)) for name, pattern in SCRIPTS.items()}
    best = max(counts, key=counts.get)
    return best if counts[best] > 0.5 * max(1, sum(counts.values())) else ""


def _are_chats(values: list) -> bool:
    """Most values are lists of turns with a role and a text."""
    import json

    turns_seen, found = 0, 0
    for value in values:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                turns_seen += 1
                continue
        if isinstance(value, list) and not value:
            continue
        turns_seen += 1
        if isinstance(value, list) and isinstance(value[0], dict):
            keys = set(value[0])
            found += bool(keys & {"role", "from", "speaker"}) and bool(keys & {"content", "value", "text"})
    return turns_seen > 0 and found > 0.5 * turns_seen
