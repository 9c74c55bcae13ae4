"""What a command prints on standard error while it works."""

import shutil
import sys
from collections.abc import Iterable
from typing import Any

from lora_hub.cli.screen import Screen, labelled
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import Problem, Run
from lora_hub.runs import run_phases, run_states


def phase_line(run: Run) -> Message:
    """What a run is doing now, in one line: while it waits or is cancelled, the reason; and that it is late, if it
    is."""
    if run.waits or run.cancelling:
        state = _("cancelling") if run.cancelling else run_states.word(run.state)
        return _("{state}: {said}", state=state, said=run_states.describe(run))
    name, late = run_phases.name_of(run), run_phases.how_late(run)
    phase = run_phases.words(name) if name else run_states.word(run.state)
    return _("{phase}: {late}", phase=phase, late=late) if late else phase


def is_new(run: Run, before: Run | None) -> bool:
    """Whether a log needs another line for a run. Of one that waits it tells the place in the queue once: its start is
    the next thing that matters."""
    if before is None or not (run.waits and before.waits) or run.cancelling != before.cancelling:
        return before is None or phase_line(run).en != phase_line(before).en
    return False


class ProgressBar:
    """Shows a run on standard error: a bar on a terminal, else a line per new phase."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._terminal = sys.stderr.isatty()
        self._last = ""
        self._shown: Run | None = None

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._terminal and self._last:
            print(file=sys.stderr)

    def show(self, run: Run) -> None:
        phase = self._screen.tell(phase_line(run))
        if not self._terminal:
            if is_new(run, self._shown):
                print(phase, file=sys.stderr, flush=True)
            self._shown = run
            return
        width = 28
        share = run.step / run.total_steps if run.total_steps else 0.0
        bar = "#" * round(width * share) + "." * (width - round(width * share))
        told = [f"[{bar}] {run.step}/{run.total_steps}", phase]
        if run.train_losses:
            told.append(self._screen.tell(_("loss {loss:.3f}", loss=run.train_losses[-1][1])))
        if run.eta:
            told.append(self._screen.tell(_("{seconds:.0f} s left", seconds=run.eta)))
        line = "  ".join(told)[: shutil.get_terminal_size().columns - 1]
        self._last = line
        print("\r\033[K" + line, end="", file=sys.stderr, flush=True)


class GroupProgress:
    """Shows several runs on standard error: a line whenever one of them enters a new phase."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._shown: dict[str, Run] = {}

    def show(self, runs: list[Run]) -> None:
        for run in runs:
            if is_new(run, self._shown.get(run.id)):
                said = _("{task}: {said}", task=run.spec.task.id, said=phase_line(run))
                print(self._screen.tell(said), file=sys.stderr, flush=True)
            self._shown[run.id] = run


def show_scoring(screen: Screen, done: int, total: int) -> None:
    if sys.stderr.isatty():
        line = screen.tell(_("Answers: {done:,} of {total:,}", done=done, total=total))
        print(f"\r\033[K{line}", end="" if done < total else "\n", file=sys.stderr, flush=True)


def say_problems(screen: Screen, problems: Iterable[Problem], task: str = "") -> None:
    """Prints the problems of data on standard error, a line each. task: whose data, if there are several tasks."""
    for problem in problems:
        said = labelled(problem.severity, problem.said, problem.advice)
        screen.say(_("{task}: {said}", task=task, said=said) if task else said)
