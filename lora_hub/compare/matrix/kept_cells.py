"""The cells that this machine has computed: `$LORA_HUB_HOME/matrix/<organization>.jsonl`, a line each."""

from collections.abc import Iterable
from pathlib import Path

from lora_hub.compare.matrix.cells import MOST_BYTES, Cell, read_cells, to_lines
from lora_hub.core import file_lock, settings, store


def _file(org: str) -> Path:
    return settings.home() / "matrix" / f"{settings.check_namespace(org, 'LORA_HUB_ORG')}.jsonl"


def kept_cells(org: str) -> dict[tuple[str, str, str, str], Cell]:
    """By `Cell.key`; empty where none was computed here."""
    try:
        with _file(org).open("rb") as file:
            return read_cells(file.read(MOST_BYTES))
    except FileNotFoundError:
        return {}


def add_cells(org: str, cells: Iterable[Cell]) -> None:
    """Keeps cells; a newer one takes the place of an older one of the same key."""
    path = _file(org)
    with store.disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock.alone(path.with_suffix(".lock")):
            kept = kept_cells(org) | {cell.key: cell for cell in cells}
            store.write_text(path, to_lines(kept.values()).decode())
