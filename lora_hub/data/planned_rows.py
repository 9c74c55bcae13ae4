"""The rows of an inspection as they would be trained; preview, lengths, template check and plan use them."""

from collections.abc import Sequence
from functools import cached_property

from lora_hub.core.schema import Task
from lora_hub.data.columns.columns import check_mapping
from lora_hub.data.prompts import prepare, template
from lora_hub.data.prompts.prepare import Example
from lora_hub.data.tables.table import Table

# How many rows a plan checks one by one; the run itself uses all.
PLANNED_ROWS = 20_000
# How many of these are the table's first rows.
FIRST_ROWS = 50


class PlannedRows:
    """At most `PLANNED_ROWS` rows of a table; each fact about them is computed once, when first needed. table: after
    the mends. task: in the rows' language."""

    def __init__(self, table: Table, task: Task, mapping: dict[str, str]) -> None:
        self._table, self._task, self._mapping = table, task, mapping

    @cached_property
    def task(self) -> Task:
        """With its labels (`with_labels`)."""
        return with_labels(self._task, self._table, self._mapping)

    @cached_property
    def first(self) -> list[Example]:
        """Examples from the table's first rows, for a preview. Raises DataError if a column is missing."""
        check_mapping(self._table, self._task, self._mapping)
        return self._built(range(min(FIRST_ROWS, self._table.rows)))

    @cached_property
    def examples(self) -> list[Example]:
        """Examples from the first rows and, in a large table, from others at equal distances. Raises DataError if a
        column is missing or no row can be used."""
        rows, rest = self._table.rows, range(FIRST_ROWS, self._table.rows)
        if rows > PLANNED_ROWS:
            wanted = PLANNED_ROWS - FIRST_ROWS
            rest = [FIRST_ROWS + number * (rows - FIRST_ROWS - 1) // (wanted - 1) for number in range(wanted)]
        examples = self.first + self._built(rest)
        if not examples and rows > PLANNED_ROWS:  # few rows can be used, and the sample contains none of them
            examples = self._built(range(rows))
        if not examples:
            raise prepare.none_usable(self._table, self._task, self._mapping)
        return examples

    def all_examples(self) -> list[Example]:
        """Examples from every row of the table, however many. Raises DataError as `examples` does."""
        if self._table.rows <= PLANNED_ROWS:
            return self.examples
        return prepare.build_examples(self._table, self._task, self._mapping)

    def _built(self, places: Sequence[int]) -> list[Example]:
        if not len(places):
            return []
        table, numbers = self._table, self._table.numbers()
        if isinstance(places, range):
            frame, numbers = (one.slice(places.start, len(places)) for one in (table.frame, numbers))
        else:
            frame, numbers = table.frame[places], numbers.gather(places)
        return prepare.examples_of(Table(frame, table.format, row_numbers=numbers), self._task, self._mapping)


def with_labels(task: Task, table: Table, mapping: dict[str, str]) -> Task:
    """The task with its labels: its own, else those of the data in a stable order. A plan freezes the labels of a
    run."""
    if task.output != "labels" or (not task.labels and "answer" not in mapping):
        return task
    if task.labels:
        return template.freeze_labels(task, task.labels)
    texts = table.texts(mapping["answer"]).drop_nulls().str.strip_chars()
    return template.freeze_labels(task, sorted(texts.filter(texts != "").unique().to_list()))
