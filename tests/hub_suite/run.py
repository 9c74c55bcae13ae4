"""Runs the client's own tests against the embedded Hub: `python tests/hub_suite/run.py whole|chosen [PYTEST ARGUMENTS]`

They come from the source distribution of the pinned `huggingface_hub`, which the Makefile downloads to .venv/hub-suite
and this unpacks to a temporary folder. Each half of the files has a server and a pytest of its own, at the same time.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT), str(HERE.parent), str(HERE.parent / "local_hub")]
from test_local_hub import start_server  # noqa: E402

# two halves that take about as long; left_out.yaml says what is not here
CHOSEN = [
    ["test_hf_api.py"],
    [
        "test_file_download.py",
        "test_snapshot_download.py",
        "test_commit_api.py",
        "test_commit_scheduler.py",
        "test_repocard.py",
    ],
]
FURTHER = [
    ["test_hf_file_system.py"],
    ["test_cli_discussions.py", "test_cli.py::TestModelsLsCommand", "test_cli.py::TestRepoListCommand"],
]
FURTHER[1] += [
    "test_utils_http.py::TestUniqueRequestId",
    "test_hub_mixin_pytorch.py",
    "test_cache_layout.py::TestReferenceUpdates",
]
WHOLE = [chosen + further for chosen, further in zip(CHOSEN, FURTHER, strict=True)]


def unpack(folder: Path) -> None:
    """The shipped tests as the package `tests` in `folder`, with our fixtures. FileNotFoundError where there are
    none."""
    archives = list((ROOT / ".venv" / "hub-suite").glob("huggingface_hub-*.tar.gz"))
    if len(archives) != 1:
        raise FileNotFoundError(
            "The client's source distribution is not in .venv/hub-suite; `make hub-suite` fetches it."
        )
    (folder / "tests").mkdir()
    with tarfile.open(archives[0]) as archive:
        for member in archive:
            path = Path(member.name)
            if member.isfile() and path.suffix == ".py" and path.parts[1:-1] == ("tests",):
                (folder / "tests" / path.name).write_bytes(archive.extractfile(member).read())
    (folder / "tests" / "__init__.py").touch()
    shutil.copy(HERE / "suite_conftest.py", folder / "tests" / "conftest.py")
    shutil.copy(HERE / "left_out.yaml", folder / "tests")
    shutil.copytree(HERE / "fixtures", folder / "tests" / "fixtures")
    (folder / "tests" / "fixtures" / "working_repo").mkdir()


def start(folder: Path, files: list[str], arguments: list[str]) -> tuple[object, subprocess.Popen]:
    folder.mkdir()
    unpack(folder)
    server = start_server(folder / "h" / "hub", "--accounts", str(HERE / "accounts.yaml"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "LORA_HUB_", "PYTEST_"))}
    kept |= {
        "HF_ENDPOINT": server.url,
        "LORA_HUB_SUITE_URL": server.url,
        "HF_HOME": str(folder / "hf"),
        "HF_HUB_DISABLE_XET": "1",
    }
    kept |= {
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(folder),
    }
    (folder / "pytest.ini").touch()
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore",
        "-r",
        "fE",
        "--tb=short",
        *arguments,
    ]
    with open(folder / "said.txt", "w") as said:
        child = subprocess.Popen(
            [*command, *(f"tests/{file}" for file in files)], cwd=folder, env=kept, stdout=said, stderr=said
        )
    return server, child


def main() -> int:
    halves, failed = {"whole": WHOLE, "chosen": CHOSEN}[sys.argv[1]], 0
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / str(n) for n in range(len(halves))]
        running = [start(folder, files, sys.argv[2:]) for folder, files in zip(folders, halves, strict=True)]
        for folder, (server, child) in zip(folders, running, strict=True):
            try:
                failed |= child.wait()
            finally:
                child.kill()
                server.kill()
            print((folder / "said.txt").read_text(), flush=True)
            if "Traceback" in server.log:
                print(server.log[-4000:])
                failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
