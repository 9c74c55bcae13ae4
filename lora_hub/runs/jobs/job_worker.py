"""The process on hired hardware of a run, or of several on one base: `python -m lora_hub.runs.jobs.job_worker RUN,RUN`,
inside a job, in the folder that the job's private repo was fetched to.

It is the ordinary worker, in a home of its own. Each of its events is a line of the job's output as well
(`job_wire`), each checkpoint goes back into the repo once it is whole, and so does a run's adapter before its last
word. Of several, the repo says which are cancelled.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_hub import hub
from lora_hub.core import settings, store
from lora_hub.core.errors import HubError, HubUnreachableError, LoraHubError
from lora_hub.core.messages import _, joined
from lora_hub.core.processes import set_environment
from lora_hub.core.schema import Event, EventKind
from lora_hub.hub import adapter_config
from lora_hub.runs import run_rows
from lora_hub.runs.group_worker import Member, run_group
from lora_hub.runs.hiring import CANCELLED
from lora_hub.runs.jobs import job_parcel, job_wire
from lora_hub.runs.owner import write_log

STATE = "trainer_state.json"  # the last file of a checkpoint
# The result is worth waiting for a Hub that does not answer, for so many seconds.
PATIENCE, AGAIN_SECONDS = 900.0, 5.0
# Between two looks for those of several that were cancelled.
LOOK_SECONDS = 10.0


class JobWorker(Member):
    """repo: the job's private one."""

    needs_hub = True

    def __init__(self, run_id: str, repo: str) -> None:
        super().__init__(run_id)
        self.repo = repo
        self._sent = self._checkpoints()
        self._is_back = False

    def report(self, kind: EventKind, **data: Any) -> Event:
        event = super().report(kind, **data)
        with contextlib.suppress(OSError):
            print(job_wire.to_line(self.run_id, event), flush=True)
        self._send_checkpoints()
        return event

    @property
    def is_trained(self) -> bool:
        """Once the adapter is back: what lies only here is lost with this machine."""
        return self._is_back

    def examine(self, *arguments: Any) -> None:
        """Hands the adapter back as soon as it is scored, whatever becomes of the others and of the job's time."""
        super().examine(*arguments)
        self.publish()

    def publish(self) -> None:
        """Hands the adapter back; it is published from where the run was started."""
        if self._is_back:
            return
        adapter = self.folder / store.ADAPTER
        names = (adapter_config.CONFIG_FILE, adapter_config.WEIGHTS_FILE, adapter_config.RECORD_FILE, hub.REGION_FILE)
        files = [adapter / name for name in names] + [self.folder / run_rows.HELD_OUT, self.folder / run_rows.EXAMPLES]
        found: dict[str, Path | bytes] = {
            f"{self._place}/{job_parcel.RESULT}/{file.name}": file for file in files if file.is_file()
        }
        try:
            _patiently(lambda: hub.send_files(self.repo, found))
        except HubUnreachableError:
            raise
        except HubError as error:  # as where the token has expired that the job was started with
            raise HubError(
                joined(_("The result could not be handed back from the hired machine."), error.said),
                _("Sign in again, or use a token that lasts, and resume the run: it goes on from its last checkpoint."),
            ) from error
        self._is_back = True
        super().publish()

    @property
    def _place(self) -> str:
        return job_parcel.folder_of(self.run_id)

    def _checkpoints(self) -> dict[Path, int]:
        """When each whole checkpoint was written, a folder or the one file of a training together."""
        folder = self.folder / store.CHECKPOINTS
        found = {state.parent: state for state in folder.glob(f"checkpoint-*/{STATE}")}
        found |= {file: file for file in job_parcel.single_files(folder)}
        return {path: last.stat().st_mtime_ns for path, last in found.items()}

    def _send_checkpoints(self) -> None:
        """Puts new checkpoints into the repo, and removes those that the trainer has removed. Whoever trains has just
        said something, so that none is being written."""
        there = self._checkpoints()
        if there == self._sent:
            return
        place = f"{self._place}/{store.CHECKPOINTS}"
        files: dict[str, Path | bytes] = {}
        for path in (path for path, when in there.items() if self._sent.get(path) != when):
            inside = path.iterdir() if path.is_dir() else [path]
            files |= {f"{place}/{file.relative_to(self.folder / store.CHECKPOINTS)}": file for file in inside}
        gone = [
            f"{place}/{path.relative_to(self.folder / store.CHECKPOINTS)}{'/' if path.match('checkpoint-*') else ''}"
            for path in self._sent.keys() - there.keys()
        ]
        try:
            hub.send_files(self.repo, files, gone)
            self._sent = there
        except LoraHubError as error:  # the training is worth more than a step to go on from; the next word tries again
            write_log(f"the checkpoint stays here for now: {error}")


def _patiently(send: Callable[[], None]) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return send()
        except HubUnreachableError as error:
            if time.monotonic() > until:
                raise
            write_log(f"trying again: {error}")
            time.sleep(AGAIN_SECONDS)


def _watch_cancelled(repo: str, run_ids: list[str]) -> None:
    """Passes on who of several is cancelled."""
    while True:
        time.sleep(LOOK_SECONDS)
        with contextlib.suppress(LoraHubError, OSError):
            there = hub.look_into(repo)
            for run_id in run_ids:
                if f"{CANCELLED}/{run_id}" in there:
                    store.ask_cancel(run_id)


def main(names: str) -> int:
    set_environment()
    settings.hide_progress()
    here = Path.cwd()
    os.environ["LORA_HUB_HOME"] = str(here / "home")
    repo, run_ids = os.environ["RUN_REPO"], names.split(job_parcel.COMMA)
    for run_id in run_ids:
        job_parcel.unpack(here, run_id)
    workers = [JobWorker(run_id, repo) for run_id in run_ids]
    if len(workers) == 1:
        return workers[0].run()
    threading.Thread(target=_watch_cancelled, args=(repo, run_ids), name="cancelled", daemon=True).start()
    return run_group(workers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
