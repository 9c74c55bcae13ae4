"""What a command says on standard error while it works."""

import shutil
import sys
from collections.abc import Iterable
from typing import Any

from lora_hub.core.schema import Problem, Run
from lora_hub.runs import run_phases, run_states


def phase_line(run: Run) -> str:
    """What a run does now, in a line; while it waits or ends, why, and where it is late, that it is."""
    if run.waits or run.cancelling:
        return f"{'cancelling' if run.cancelling else run.state.value}: {run_states.describe(run).en}"
    late = run_phases.how_late(run)
    return (run.phase or run.state.value).split(" (")[0] + (f": {late.en}" if late else "")


class ProgressBar:
    """Shows a run on standard error: a bar where it is a terminal, else a line for each new phase."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = ""

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *_: Any) -> None:
        if self._terminal and self._last:
            print(file=sys.stderr)

    def show(self, run: Run) -> None:
        phase = phase_line(run)
        if not self._terminal:
            if phase != self._last:
                self._last = phase
                print(phase, file=sys.stderr, flush=True)
            return
        width = 28
        share = run.step / run.total_steps if run.total_steps else 0.0
        bar = "#" * round(width * share) + "." * (width - round(width * share))
        loss = f"  loss {run.train_losses[-1][1]:.3f}" if run.train_losses else ""
        eta = f"  {run.eta:.0f} s left" if run.eta else ""
        line = f"[{bar}] {run.step}/{run.total_steps}  {phase}{loss}{eta}"[: shutil.get_terminal_size().columns - 1]
        self._last = line
        print("\r\033[K" + line, end="", file=sys.stderr, flush=True)


class GroupProgress:
    """Shows several runs on standard error: a line whenever one of them begins something else."""

    def __init__(self) -> None:
        self._last: dict[str, str] = {}

    def __enter__(self) -> "GroupProgress":
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def show(self, runs: list[Run]) -> None:
        for run in runs:
            phase = phase_line(run)
            if self._last.get(run.id) != phase:
                self._last[run.id] = phase
                print(f"{run.spec.task.id}: {phase}", file=sys.stderr, flush=True)


def show_scoring(name: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{name}: {done} of {total}", end="" if done < total else "\n", file=sys.stderr, flush=True)


def say_problems(problems: Iterable[Problem], about: str = "") -> None:
    """What is wrong with data, a line each, on standard error. `about`: whose data, where there is more than one."""
    for problem in problems:
        print(f"{about}{problem.severity}: {problem.message} {problem.hint}".strip(), file=sys.stderr, flush=True)
