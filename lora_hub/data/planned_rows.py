"""The rows of an inspection as they would be trained: what preview, lengths, template and plan stand on."""

from functools import cached_property

from lora_hub.core.errors import DataError
from lora_hub.core.schema import Task
from lora_hub.data.prompts import prepare, template
from lora_hub.data.prompts.prepare import Example
from lora_hub.data.tables.table import Table

# A plan looks at so many rows one by one; the run itself takes them all.
PLANNED_ROWS = 20_000
# Of these so many are the table's first ones.
FIRST_ROWS = 50


class PlannedRows:
    """At most `PLANNED_ROWS` rows of a table, each fact about them made when it is first asked for, and once.
    table: after the mends. task: in the rows' language."""

    def __init__(self, table: Table, task: Task, mapping: dict[str, str]) -> None:
        self._table, self._task, self._mapping = table, task, mapping

    @cached_property
    def task(self) -> Task:
        """With its labels from the data, as a run would freeze them."""
        return with_labels(self._task, self._table, self._mapping)

    @cached_property
    def examples(self) -> list[Example]:
        """The first rows' and, of a large table, those of others at equal distances. Raises DataError where a column is
        missing or no row can be used."""
        try:
            return prepare.build_examples(_sampled(self._table), self._task, self._mapping)
        except DataError:
            if self._table.rows <= PLANNED_ROWS:
                raise
            # few rows can be used, and the sample met none of them
            return prepare.build_examples(self._table, self._task, self._mapping)

    def all_examples(self) -> list[Example]:
        """Of every row of the table, however many there are. Raises DataError as `examples` does."""
        if self._table.rows <= PLANNED_ROWS:
            return self.examples
        return prepare.build_examples(self._table, self._task, self._mapping)


def with_labels(task: Task, table: Table, mapping: dict[str, str]) -> Task:
    """The task with its labels from the data, as a run would freeze them."""
    if task.output != "labels" or (not task.labels and "answer" not in mapping):
        return task
    if task.labels:
        return template.freeze_labels(task, task.labels)
    texts = table.texts(mapping["answer"]).drop_nulls().str.strip_chars()
    return template.freeze_labels(task, sorted(texts.filter(texts != "").unique().to_list()))


def _sampled(table: Table) -> Table:
    if table.rows <= PLANNED_ROWS:
        return table
    rest, wanted = table.rows - FIRST_ROWS, PLANNED_ROWS - FIRST_ROWS
    places = [*range(FIRST_ROWS), *(FIRST_ROWS + number * (rest - 1) // (wanted - 1) for number in range(wanted))]
    return Table(table.frame[places], table.format, row_numbers=table.numbers().gather(places))
