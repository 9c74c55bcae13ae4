"""Deletes a run, where nobody works on it: no worker, nobody who resumes it, nobody who publishes it."""

from lora_hub.core import run_lock, store
from lora_hub.core.errors import RunError
from lora_hub.core.messages import _
from lora_hub.runs.hiring import release
from lora_hub.runs.looking import refresh_run


def delete_run(run_id: str) -> None:
    """Deletes a run that has ended, with its folder; what was published stays. A job that nobody follows any more ends
    with it. Raises RunError if it has not ended, or is being resumed or published, HubUnreachableError if its job
    cannot be ended."""
    if not refresh_run(run_id).state.is_final:
        raise RunError(_("The run {run_id} has not ended yet."), _("Cancel it first."), run_id=run_id)
    folder = store.run_folder(run_id)
    with store.disk_errors(folder):
        lock = run_lock.take(folder, run_lock.ENDING_SECONDS)
    if lock is None:
        raise RunError(
            _("A process works on the run {run_id} at this moment."),
            _("Wait until it has ended, or cancel it."),
            run_id=run_id,
        )
    with lock:
        publishers = run_lock.take_from_publishers(folder)
        if publishers is None:
            raise RunError(
                _("The run {run_id} is being published at this moment."), _("Wait until that is done."), run_id=run_id
            )
        with publishers:
            hired = store.read_run(run_id).hired
            if hired is not None:
                release(hired, run_id)
            store.remove_run(run_id)
