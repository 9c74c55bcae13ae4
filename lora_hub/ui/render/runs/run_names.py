"""Names that tell runs apart: a number if several have one title, and the base, data and time.

names = name_runs(runs)             run id -> RunName, numbered from the oldest run with the same title
names[run.id].title("en")           "Spam detection #2"; without a number if the title is unique
names[run.id].facts("en")           "Built-in · spam.csv · 28 Nov, 21:17"
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from lora_hub.core.messages import _, text_in
from lora_hub.core.schema import Run
from lora_hub.ui.render.text import between, moment, number, t


@dataclass(frozen=True)
class RunName:
    """number: 0 if no other run has the title."""

    run: Run
    number: int = 0

    def title(self, language: str) -> str:
        title = self.run.name or self.run.spec.name or text_in(self.run.spec.task.title, language)
        return (
            t(_("{title} #{number}"), language, title=title, number=number(self.number, language))
            if self.number
            else title
        )

    def facts(self, language: str) -> list[str]:
        """Base, data and start time on the machine's clock; for a named run preceded by its task."""
        spec = self.run.spec
        task = [text_in(spec.task.title, language)] if self.run.name or spec.name else []
        return [
            *task,
            spec.base.title or spec.base.id,
            spec.dataset.name,
            moment(self.run.created or self.run.started or time.time(), language),
        ]

    def line(self, language: str) -> str:
        """Everything in one line of plain text, for a list of choices, with each part isolated."""
        return between(language).join(f"\u2068{part}\u2069" for part in [self.title(language), *self.facts(language)])


def name_runs(runs: Sequence[Run]) -> dict[str, RunName]:
    """runs: all runs. Runs share a title if they have the same name or, without a name, the same task. A run that gets
    a name keeps its place among those of its task: the others' numbers do not change."""
    of_title: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        name = run.name or run.spec.name
        for title in {(name, ""), ("", "" if run.spec.name else run.spec.task.id)} - {("", "")}:
            of_title.setdefault(title, []).append(run)
    found = {}
    for (name, _task), same in of_title.items():
        for place, run in enumerate(sorted(same, key=lambda run: (run.created or run.started, run.id)), start=1):
            if name == (run.name or run.spec.name):
                found[run.id] = RunName(run, place if len(same) > 1 else 0)
    return found
