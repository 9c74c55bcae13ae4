"""A run as files that people take away: what it told at each step, its held-out rows, its settings, its log.

metrics_csv(run), metrics_rows(run)
"""

from dataclasses import dataclass
from typing import Any

from lora_hub.core.events import MEASURES
from lora_hub.core.schema import Run
from lora_hub.runs.spreadsheet import to_csv

# What can be taken away, and the end of its file's name.
FILES = {
    "metrics": "metrics.csv",
    "metrics-json": "metrics.json",
    "rows": "held-out.csv",
    "settings": "settings.yaml",
    "log": "log.txt",
}
TITLES = ("step", "loss", "eval_loss", *MEASURES)


@dataclass(frozen=True)
class RunFile:
    """name: of the file. text: what is in it."""

    name: str
    text: str

    @property
    def kind(self) -> str:
        """Its media type."""
        ends = {"csv": "text/csv", "json": "application/json", "yaml": "application/yaml", "svg": "image/svg+xml"}
        return ends.get(self.name.rpartition(".")[2], "text/plain")


def metrics_rows(run: Run) -> list[dict[str, Any]]:
    """What was told at each step, by `TITLES`; None where that was not told. memory: bytes."""
    found: dict[int, dict[str, Any]] = {}
    curves = {"loss": run.train_losses, "eval_loss": run.eval_losses, **run.measures}
    for name, pairs in curves.items():
        for step, value in pairs:
            found.setdefault(step, dict.fromkeys(TITLES) | {"step": step})[name] = value
    return [found[step] for step in sorted(found)]


def metrics_csv(run: Run) -> str:
    return to_csv(TITLES, (row.values() for row in metrics_rows(run)))
