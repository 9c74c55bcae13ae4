"""A look at runs: which there are, how one stands, what it left to read. Nothing is written.

Whoever looks again and again brings a `RunReader`, which remembers what it has read.
"""

import contextlib
import time
from pathlib import Path
from typing import Any

from lora_hub.core import settings, store
from lora_hub.core.errors import RunError
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import Run, RunState
from lora_hub.runs import run_states


def list_runs(reader: RunReader | None = None) -> list[Run]:
    """All runs, newest first, as they are now; one that cannot be read is in the list as damaged. Nothing is written.

    reader: remembers what it has read; whoever lists again and again brings one.
    """
    reader = reader or RunReader()
    run_ids = store.list_run_ids()
    reader.keep_only(run_ids)
    home = settings.runs_dir()
    found = [_look(home / run_id, reader) for run_id in run_ids]
    # One that was removed since it was listed is not damaged, it is gone.
    return [run for run in found if run.state is not RunState.DAMAGED or (home / run.id).is_dir()]


def refresh_run(run_id: str, reader: RunReader | None = None) -> Run:
    """The run as it is now; where its process is gone without a word, it is lost. Nothing is written. Raises RunError
    where there is no such run."""
    return _look(store.run_folder(run_id), reader or RunReader())


def _look(folder: Path, reader: RunReader) -> Run:
    told = reader.read(folder)
    run = run_states.judge(told, folder)
    if run.state.is_final and not told.state.is_final:
        # The process may have written its last words between our look at them and our look at it.
        return run_states.judge(reader.read(folder), folder)
    return run


def wait_for_run(run_id: str, on_change: Any = None, poll: float = 0.3, reader: RunReader | None = None) -> Run:
    """Returns the run when it has ended. on_change(run) is called after each look."""
    reader = reader or RunReader()
    while True:
        run = refresh_run(run_id, reader)
        if on_change is not None:
            on_change(run)
        if run.state.is_final:
            return run
        time.sleep(poll)


def read_log(run_id: str, lines: int = 200, reader: RunReader | None = None) -> str:
    """The last lines of a run's log; runs that share a process share its log, and one that was resumed alone has
    both."""
    folders = dict.fromkeys(of or run_id for of in store.read_run(run_id, reader).logs) or {run_id: None}
    parts = []
    for of in folders:
        with contextlib.suppress(RunError):  # the run that it shared a process with was removed
            parts.append(store.read_log(of, lines))
    return "\n".join("\n".join(part for part in parts if part).splitlines()[-lines:])


def read_held_out(run_id: str, reader: RunReader | None = None) -> Any:
    """`held_out_of` the run of this id."""
    return held_out_of(store.read_run(run_id, reader))


def held_out_of(run: Run) -> Any:
    """A `run_rows.Found`: the held-out rows with all answers and what each is worth, and what is missing of them.
    Before the exam there are none, and none is missing."""
    from lora_hub.runs import run_rows  # what judges rows takes a while to be imported

    folder = store.run_folder(run.id)
    if not run.metrics and not (folder / run_rows.HELD_OUT).exists():
        return run_rows.Found([])
    task = None if run.state is RunState.DAMAGED else run.spec.task
    return run_rows.read_held_out(folder, expected=run.eval_rows if run.metrics else 0, task=task)
