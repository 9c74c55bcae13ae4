"""One embedded Hub for the whole session, and a folder of its own for each test.

`huggingface_hub` reads HF_ENDPOINT when it is imported, so the server is started here, before any test module is read.
It is reached through HF_ENDPOINT, which a test's own LORA_HUB_HOME does not change.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_SESSION = Path(tempfile.mkdtemp(prefix="lora-hub-tests-"))
for _name in ("HF_ENDPOINT", "HF_TOKEN", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "SPACE_ID", "LORA_HUB_ORG"):
    os.environ.pop(_name, None)
os.environ |= {"LORA_HUB_HOME": str(_SESSION / "home"), "LORA_HUB_HUB": "embedded", "LORA_HUB_UPSTREAM": "off"}
os.environ["LORA_HUB_IDLE_MINUTES"] = "0.5"  # what a test's own process started does not stay long

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
