"""The organization's matrix: every adapter on every task's held-out rows, and what each forgot of the general set."""

from lora_hub.compare.matrix.cells import Cell, read_cells, to_lines
from lora_hub.compare.matrix.filling import Filler, check_cells, rows_of
from lora_hub.compare.matrix.kept_cells import add_cells, kept_cells
from lora_hub.compare.matrix.layout import Column, Grid, Matrix, Wanted, lay_out, matrix_json

__all__ = [
    "Cell",
    "Column",
    "Filler",
    "Grid",
    "Matrix",
    "Wanted",
    "add_cells",
    "check_cells",
    "kept_cells",
    "lay_out",
    "matrix_json",
    "read_cells",
    "rows_of",
    "to_lines",
]
