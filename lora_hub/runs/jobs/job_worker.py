"""A run's process on hired hardware: `python -m lora_hub.runs.jobs.job_worker RUN`, inside a job, in the folder that
the job's private repo was fetched to.

It is the ordinary worker, in a home of its own. Each of its events is a line of the job's output as well
(`job_wire`), each checkpoint goes back into the repo once it is whole, and so does the adapter before the last word.
"""

import contextlib
import os
import sys
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
from lora_hub.runs.jobs import job_parcel, job_wire
from lora_hub.runs.owner import write_log
from lora_hub.runs.worker import Worker

STATE = "trainer_state.json"  # the last file of a checkpoint
# The result is worth waiting for a Hub that does not answer, for so many seconds.
PATIENCE, AGAIN_SECONDS = 900.0, 5.0


class JobWorker(Worker):
    """repo: the run's private one."""

    needs_hub = True

    def __init__(self, run_id: str, repo: str) -> None:
        super().__init__(run_id)
        self.repo = repo
        self._sent = {path.parent.name for path in self._checkpoints()}

    def report(self, kind: EventKind, **data: Any) -> Event:
        event = super().report(kind, **data)
        with contextlib.suppress(OSError):
            print(job_wire.to_line(event), flush=True)
        self._send_checkpoints()
        return event

    def publish(self) -> None:
        """Hands the adapter back; it is published from where the run was started."""
        adapter = self.folder / store.ADAPTER
        names = (adapter_config.CONFIG_FILE, adapter_config.WEIGHTS_FILE, adapter_config.RECORD_FILE, hub.REGION_FILE)
        files = [adapter / name for name in names] + [self.folder / run_rows.HELD_OUT, self.folder / run_rows.EXAMPLES]
        found: dict[str, Path | bytes] = {f"{job_parcel.RESULT}/{file.name}": file for file in files if file.is_file()}
        try:
            _patiently(lambda: hub.send_files(self.repo, found))
        except HubUnreachableError:
            raise
        except HubError as error:  # as where the token has expired that the job was started with
            raise HubError(
                joined(_("The result could not be handed back from the hired machine."), error.said),
                _("Sign in again, or use a token that lasts, and resume the run: it goes on from its last checkpoint."),
            ) from error
        super().publish()

    def _checkpoints(self) -> list[Path]:
        return sorted((self.folder / store.CHECKPOINTS).glob(f"checkpoint-*/{STATE}"))

    def _send_checkpoints(self) -> None:
        """Puts new checkpoints into the repo, and removes those that the trainer has removed. Whoever trains has just
        said something, so that none is being written."""
        there = {state.parent.name: state.parent for state in self._checkpoints()}
        if there.keys() == self._sent:
            return
        files: dict[str, Path | bytes] = {
            f"{store.CHECKPOINTS}/{name}/{file.name}": file
            for name in there.keys() - self._sent
            for file in there[name].iterdir()
        }
        gone = [f"{store.CHECKPOINTS}/{name}/" for name in self._sent - there.keys()]
        try:
            hub.send_files(self.repo, files, gone)
            self._sent = {*there}
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


def main(run_id: str) -> int:
    set_environment()
    settings.hide_progress()
    here = Path.cwd()
    os.environ["LORA_HUB_HOME"] = str(here / "home")
    job_parcel.unpack(here, run_id)
    return JobWorker(run_id, os.environ["RUN_REPO"]).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
