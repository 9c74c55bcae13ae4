"""What a job leaves of a run in its private repo, brought into the run's folder: the adapter with what was answered,
or the checkpoints to go on from.

Whoever may write to the account may have written it: only files of known names and sizes come, no pickle is opened, and
the adapter is checked like any stranger's.
"""

import re
import shutil
from pathlib import Path

from lora_hub import hub
from lora_hub.catalogue import bases
from lora_hub.core import store
from lora_hub.core.errors import AdapterError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import TrainSpec
from lora_hub.hub import adapter_config
from lora_hub.hub.adapter_config import CONFIG_FILE, RECORD_FILE, WEIGHTS_FILE
from lora_hub.runs.jobs.job_parcel import RESULT, folder_of
from lora_hub.runs.run_rows import EXAMPLES, HELD_OUT
from lora_hub.training import candidates

GB, MB = 10**9, 10**6
# The most bytes that each may have.
ADAPTER = {
    CONFIG_FILE: adapter_config.MOST_BYTES,
    WEIGHTS_FILE: 20 * GB,
    RECORD_FILE: 16 * MB,
    hub.REGION_FILE: 8 << 20,
}
BESIDE = {HELD_OUT: GB, EXAMPLES: 100 * MB}
MOST_CHECKPOINTS, MOST_FILES = 100 * GB, 400
_CHECKPOINT = re.compile(
    rf"checkpoints/(checkpoint-\d{{1,9}}/[A-Za-z0-9][\w.-]{{0,100}}|{re.escape(store.TOGETHER)}"
    rf"|{store.SWEEP}/\d/({store.DROPPED}|{store.CHECKPOINTS}/{re.escape(store.TOGETHER)}))",
    re.ASCII,
)
COMING = ".coming"


def bring_adapter(repo: str, folder: Path, spec: TrainSpec, run_id: str) -> None:
    """Puts the job's adapter and answers into the run's folder. Raises AdapterError where they are no adapter of this
    run, HubError where the Hub does not hand them out."""
    there = _look_into(repo, run_id)
    wanted = {name: most for name, most in {**ADAPTER, **BESIDE}.items() if f"{RESULT}/{name}" in there}
    for name, most in wanted.items():
        if there[f"{RESULT}/{name}"] > most:
            raise AdapterError(
                _(
                    "{file} of the job has {size:,} bytes, more than it can have.",
                    file=name,
                    size=there[f"{RESULT}/{name}"],
                ),
                _("Train it again, on this machine or in another account."),
            )
    coming = folder / COMING
    shutil.rmtree(coming, ignore_errors=True)
    try:
        with store.disk_errors(folder):
            hub.bring_files(repo, {f"{folder_of(run_id)}/{RESULT}/{name}": coming / name for name in wanted})
        _check(coming, spec, run_id)
        adapter = folder / store.ADAPTER
        with store.disk_errors(folder):
            adapter.mkdir(exist_ok=True)
            for name in wanted:
                (coming / name).replace((adapter if name in ADAPTER else folder) / name)
    finally:
        shutil.rmtree(coming, ignore_errors=True)


def _look_into(repo: str, run_id: str) -> dict[str, int]:
    """The files of a run in the repo, without its folder, with their sizes in bytes. Raises HubError."""
    folder = f"{folder_of(run_id)}/"
    return {path.removeprefix(folder): size for path, size in hub.look_into(repo).items() if path.startswith(folder)}


def _check(coming: Path, spec: TrainSpec, run_id: str) -> None:
    """Raises AdapterError for what is no adapter of this run; names the base as it is named here."""
    config = adapter_config.read_config(coming)
    adapter_config.weights_file(coming, _("The adapter of the job"))
    record = hub.read_adapter_record(coming)
    hub.read_region(coming)
    try:
        # One that has tried several settings has the rank of the one that was kept.
        ranks = {one.lora.r for one in candidates.make_candidates(spec)} or {spec.lora.r}
        if record is None or record.get("run") != run_id or config.get("r") not in ranks:
            raise ValueError("not of this run")
        hub.parts_of(record, is_own=True)
    except ValueError as error:
        raise AdapterError(
            _("What the job left is no adapter of this run."), _("Resume the run to train it again.")
        ) from error
    base = bases.folder_of(spec.base)
    config |= {"base_model_name_or_path": str(base or spec.base.id), "revision": spec.base.revision or None}
    store.write_json(coming / CONFIG_FILE, config)


def bring_checkpoints(repo: str, folder: Path, run_id: str) -> None:
    """Puts the job's checkpoints in place of the run's. Raises LoraHubError."""
    there = {path: size for path, size in _look_into(repo, run_id).items() if _CHECKPOINT.fullmatch(path)}
    if not there:
        return
    if len(there) > MOST_FILES or sum(there.values()) > MOST_CHECKPOINTS:
        raise LoraHubError(_("The checkpoints of the job are more than a training leaves."), _("Begin anew."))
    coming = folder / COMING
    shutil.rmtree(coming, ignore_errors=True)
    try:
        with store.disk_errors(folder):
            hub.bring_files(repo, {f"{folder_of(run_id)}/{path}": coming / path for path in there})
            shutil.rmtree(folder / store.CHECKPOINTS, ignore_errors=True)
            (coming / store.CHECKPOINTS).replace(folder / store.CHECKPOINTS)
    finally:
        shutil.rmtree(coming, ignore_errors=True)
