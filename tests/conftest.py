"""One embedded Hub for the whole session, and a folder of its own for each test.

`huggingface_hub` reads HF_ENDPOINT when it is imported, so the server is started here, before any test module is read.
It is reached through HF_ENDPOINT, which a test's own LORA_HUB_HOME does not change.
"""

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Modules and tests live as long as the process: looking for garbage among them takes a quarter of its time.
gc.set_threshold(20_000, 20, 100)

_SESSION = Path(tempfile.mkdtemp(prefix="lora-hub-tests-"))
for _name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "SPACE_ID", "LORA_HUB_ORG"):
    os.environ.pop(_name, None)
os.environ |= {"LORA_HUB_HOME": str(_SESSION / "home"), "LORA_HUB_HUB": "embedded", "LORA_HUB_UPSTREAM": "off"}
os.environ["LORA_HUB_SPEED"] = "off"  # each test's own folder would have it measured again
os.environ["LORA_HUB_IDLE_MINUTES"] = "0.5"  # what a test's own process started does not stay long
# As the app does it: else the first command that a process runs would tell of the files that tests have left open.
os.umask(0o077)

from lora_hub.hub import endpoint  # noqa: E402
from lora_hub.local_hub.folder import SERVER_LOCK, find_server, read_record, take_lock  # noqa: E402

_CONNECTION = endpoint.connect()


def end_hub(folder: Path) -> None:
    """Ends the embedded Hub of a folder where one runs, and waits for its end."""
    if find_server(folder):
        os.kill(read_record(folder)["pid"], signal.SIGTERM)
        held = take_lock(folder / SERVER_LOCK, seconds=20)
        assert held is not None, f"the Hub of {folder} does not end"
        held.close()


# Files that take longest, so that none of them is begun when the others are at their end. The page's stand among those
# that wait for processes: two browsers at a time are as much as two cores draw.
LONG = (
    "ui/test_journey_of_two.py",
    "ui/test_page_access.py",
    "cli/test_cli_servers.py",
    "test_readme.py",
    "ui/test_page_data.py",
    "runs/test_hf_jobs.py",
    "ui/test_page_people.py",
    "ui/test_deployed_space.py",
    "cli/test_cli.py",
    "cli/test_cli_deploy.py",
    "ui/test_attacks.py",
    "training/test_together.py",
    "ui/test_page.py",
    "runs/test_runs.py",
    "ui/test_page_tasks.py",
    "test_third_language.py",
    "runs/test_pipeline.py",
    "ui/test_page_wiring.py",
    "hub/test_hub_life.py",
    "ui/test_page_address.py",
    "hub/test_hub_team.py",
    "ui/test_page_visitors.py",
    "local_hub/test_hub_suite.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    order = {str(Path(__file__).parent / name): place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(str(item.path), len(order)))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    _CONNECTION.close()
    end_hub(_SESSION / "home" / "hub")
    shutil.rmtree(_SESSION, ignore_errors=True)


@pytest.fixture(scope="session")
def hub() -> endpoint.HubConnection:
    """The embedded Hub that this session's client talks to."""
    return _CONNECTION


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A LORA_HUB_HOME of the test's own."""
    folder = tmp_path / "home"
    monkeypatch.setenv("LORA_HUB_HOME", str(folder))
    yield folder
    end_hub(folder / "hub")
