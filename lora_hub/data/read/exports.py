"""Which annotation tools' exports are known. A tool is a file of its own and a line here.

table = read_export(table)      the table as the tool means it; as it is where no tool wrote it
"""

from collections.abc import Callable

import polars

from lora_hub.data.read import argilla, label_studio, prodigy
from lora_hub.data.read.annotations import Export
from lora_hub.data.tables.table import Table

# What reads a tool's tables: None where the table is none of them.
TOOLS: tuple[Callable[[polars.DataFrame], Export | None], ...] = (
    label_studio.read_label_studio,
    prodigy.read_prodigy,
    argilla.read_argilla,
)


def read_export(table: Table) -> Table:
    """Rows that nobody vouches for are left out, labels of several people become one, and what was left open is told by
    row."""
    for read in TOOLS:
        export = read(table.frame)
        if export is not None:
            return export.table(table)
    return table
