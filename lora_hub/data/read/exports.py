"""The supported annotation tools. Each tool has its own module and one line here.

table = read_export(table)      the table as the tool means it; as it is where no tool wrote it
"""

from collections.abc import Callable

import polars

from lora_hub.data.read import argilla, label_studio, prodigy
from lora_hub.data.read.annotations import Export
from lora_hub.data.tables.table import Table

# The reader of each tool, which returns None for other tables.
TOOLS: tuple[Callable[[polars.DataFrame], Export | None], ...] = (
    label_studio.read_label_studio,
    prodigy.read_prodigy,
    argilla.read_argilla,
)


def read_export(table: Table) -> Table:
    """Removes rows that annotators did not approve, merges several annotators' labels into one, and reports open cases
    by row."""
    for read in TOOLS:
        export = read(table.frame)
        if export is not None:
            return export.table(table)
    return table
