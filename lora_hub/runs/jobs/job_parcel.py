"""What travels with runs of one job to hired hardware, in a private repo, and the command that unpacks it there.

    files = pack_program(specs) | pack_run(run)     path in the repo -> file, or its bytes; a folder for each run
    command, environment            of the job: unpacks them and begins `job_worker`
    unpack(folder, run_id)          in the job: a run's folder and its datasets in a home of its own

No token travels: the job has its own as a secret of the Hub.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import lora_hub
from lora_hub import hub
from lora_hub.core import events, settings, store
from lora_hub.core.schema import DatasetInfo, Event, Run, RunState, TrainSpec

ROWS, TEST, RUN = "data/rows", "data/test", "run"
RESULT = "result"
# Between the runs' ids, where they are told as one word.
COMMA = ","
# What a job runs with, in the versions that run here. The page's libraries stay at home.
LIBRARIES = (
    "torch huggingface_hub transformers peft trl datasets accelerate polars fastexcel python-calamine "
    "charset-normalizer sacrebleu psutil markdown-it-py babel orjson pathspec regex ftfy pydantic PyYAML"
).split()
COMMAND = """set -e
export PYTHONUNBUFFERED=1 HF_HUB_DISABLE_PROGRESS_BARS=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
python -c 'import huggingface_hub' 2>/dev/null || pip install --quiet "huggingface_hub==$HUB_CLIENT"
python -c 'import os
from huggingface_hub import snapshot_download
snapshot_download(os.environ["RUN_REPO"], repo_type="dataset", local_dir="job")'
cd job
python -m zipfile -e code.zip .
python needs.py || pip install --quiet -r requirements.txt
exec python -m lora_hub.runs.jobs.job_worker "$RUNS"
"""
# Whether all is there already, in the right versions.
NEEDS = """import sys
from importlib.metadata import PackageNotFoundError, version
try:
    for line in open("requirements.txt"):
        name, _, wanted = line.strip().partition("==")
        if wanted not in ("", version(name).partition("+")[0]):
            sys.exit(1)
except PackageNotFoundError:
    sys.exit(1)
"""


def folder_of(run_id: str) -> str:
    """A run's folder in the repo."""
    return f"runs/{run_id}"


def environment(run_ids: Sequence[str], repo: str) -> dict[str, str]:
    """The job's variables. Anybody who may look at the job sees them."""
    return {
        "RUNS": COMMA.join(run_ids),
        "RUN_REPO": repo,
        "LORA_HUB_ORG": settings.organization(),
        "LORA_HUB_MAX_UPLOAD_MB": f"{settings.max_upload_bytes() / 1e6:g}",
        "HUB_CLIENT": version("huggingface_hub"),
    }


def pack_program(specs: Sequence[TrainSpec]) -> dict[str, Path | bytes]:
    """The program, with what these runs need of libraries."""
    return {
        "code.zip": _code(),
        "needs.py": NEEDS.encode(),
        "requirements.txt": _requirements(specs).encode(),
    }


def pack_run(run: Run) -> dict[str, Path | bytes]:
    """A run, its rows, its checkpoints and the adapter that it goes on from. Raises DataError where a dataset is
    gone."""
    folder = store.run_folder(run.id)
    # Publishing is done from here: what a job may write to is not where others fetch adapters from.
    spec = run.spec.model_copy(update={"publish_to": "", "minimum": {}})
    files: dict[str, Path | bytes] = {
        f"{RUN}/spec.json": json.dumps(spec.model_dump(mode="json")).encode(),
        f"{RUN}/events.jsonl": _history(run).encode(),
    }
    for path, info in ((ROWS, spec.dataset), (TEST, spec.test_dataset)):
        if info is not None:
            files[path] = store.dataset_file(info)
    checkpoints = folder / store.CHECKPOINTS
    for file in (*checkpoints.glob("checkpoint-*/*"), *single_files(checkpoints)):
        files[f"{store.CHECKPOINTS}/{file.relative_to(checkpoints)}"] = file
    for file in (folder / store.PARENT).glob("*"):
        files[f"{store.PARENT}/{file.name}"] = file
    return {f"{folder_of(run.id)}/{path}": file for path, file in files.items()}


def single_files(checkpoints: Path) -> list[Path]:
    """The checkpoints that are one file each: of a training together with others, and of settings that are tried at
    once, with what says that one of these is out."""
    tried = f"{store.SWEEP}/*"
    names = (store.TOGETHER, f"{tried}/{store.DROPPED}", f"{tried}/{store.CHECKPOINTS}/{store.TOGETHER}")
    return [file for name in names for file in sorted(checkpoints.glob(name))]


def _requirements(specs: Sequence[TrainSpec]) -> str:
    """What the job needs, in the versions of here, without their builds ("2.13.0+cpu")."""
    pinned = [f"{name}=={version(name).partition('+')[0]}" for name in LIBRARIES]
    is_quantized = any(spec.quantization != "none" for spec in specs)
    return "\n".join([*pinned, *(["bitsandbytes"] if is_quantized else [])]) + "\n"


def _history(run: Run) -> str:
    """The losses so far, which the end of the training is judged by; who owns the run stays here."""
    losses = [event.data for event in store.read_events(run.id) if event.kind == "metric"]
    told = [("submitted", {}), ("state", {"state": RunState.QUEUED, "attempt": 1}), *(("metric", of) for of in losses)]
    made = [
        Event(source="app-before", seq=place, at=run.created, kind=kind, data=data)
        for place, (kind, data) in enumerate(told)
    ]
    return "".join(events.to_line(event) + "\n" for event in made)


def _code() -> bytes:
    """The package, as a zip: the files that a Space would get, and nothing that lies beside them."""
    root, made = Path(lora_hub.__file__).parents[1], io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in hub.package_files(root):
            archive.write(root / file, file)
    return made.getvalue()


def unpack(folder: Path, run_id: str) -> Path:
    """In the job: makes a run's folder in this home from what was packed into `folder`. Raises LoraHubError."""
    folder /= folder_of(run_id)
    made = settings.runs_dir() / run_id
    made.mkdir(parents=True)
    for file in (folder / RUN).iterdir():
        file.rename(made / file.name)
    for name in (store.CHECKPOINTS, store.PARENT):
        if (folder / name).is_dir():
            (folder / name).rename(made / name)
    spec = store.read_spec(run_id)
    kept: list[tuple[str, DatasetInfo | None]] = [(ROWS, spec.dataset), (TEST, spec.test_dataset)]
    for path, info in kept:
        if info is not None:
            store.add_dataset(folder / path, info.name, info.owner)
    return made
