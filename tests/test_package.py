"""The installable package and its container: a wheel of what the Dockerfile copies, installed where nothing may be
written, works in an empty folder for whoever has only a home of their own."""

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest
from test_privacy import open_to_others

from lora_hub import __version__
from lora_hub.core import settings

ROOT = Path(__file__).parents[1]
# What the product reads beside its modules.
DATA = ("*.yaml", "*.po", "*.html", "*.js", "*.css", "*.csv", "*.jsonl", "*.safetensors", "*.json", "*.jinja")
DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
STEPS = [line.partition(" ")[::2] for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]


def copied() -> list[Path]:
    """What the Dockerfile copies."""
    return [ROOT / name for step, words in STEPS if step == "COPY" for name in words.split()[:-1]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what the Dockerfile copies, as it builds it."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in copied():
        if path.is_dir():
            shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(path, source / path.name)
    subprocess.run([*PIP, "wheel", ".", "--no-deps", "--no-build-isolation", "-w", folder], cwd=source, check=True)
    (file,) = folder.iterdir()
    return file


def test_the_container_is_built_from_the_package_alone_and_runs_as_nobody_special() -> None:
    wanted = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {path.name for path in copied()} == wanted and all(path.exists() for path in copied())
    orders = [step for step, _words in STEPS]
    assert (
        orders[0] == "FROM"
        and orders[-1] == "CMD"
        and orders.index("USER") > max(place for place, step in enumerate(orders) if step in ("RUN", "COPY"))
    )
    told = dict(STEPS)
    assert told["USER"] not in ("root", "0") and told["FROM"] == "python:3.11-slim"
    variables = dict(pair.split("=") for pair in told["ENV"].split())
    assert variables["LORA_HUB_HOME"] == told["VOLUME"] and variables["LORA_HUB_PORT"] == told["EXPOSE"]
    named = f"{told['ENV']} {' '.join(words for step, words in STEPS if step == 'ARG')}"
    assert not re.search("TOKEN|SECRET|PASSWORD|_KEY", named), "whoever has the image would have it"
    command = json.loads(told["CMD"])
    assert command == ["lora-hub", "app"] and f"`{' '.join(command)}` opens" in (ROOT / "README.md").read_text()
    with pytest.MonkeyPatch.context() as as_in_it:
        for name, value in variables.items():
            as_in_it.setenv(name, value)
        settings.check()
        assert settings.is_open_to_others() and str(settings.home()) == told["VOLUME"]


def test_the_wheel_holds_all_that_the_product_reads(wheel: Path) -> None:
    files = {file for pattern in ("*.py", *DATA) for file in (ROOT / "lora_hub").rglob(pattern)}
    needed = {file.relative_to(ROOT).as_posix() for file in files if "making" not in file.parts}
    with zipfile.ZipFile(wheel) as held:
        names = {name for name in held.namelist() if name.startswith("lora_hub/")}
        (about,) = (name for name in held.namelist() if name.endswith(".dist-info/METADATA"))
        told = held.read(about).decode()
    assert needed - names == set() and not any("/making/" in name for name in names)
    assert f"\nVersion: {__version__}\n" in told
    pinned = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    assert [line.partition(": ")[2] for line in told.splitlines() if line.startswith("Requires-Dist: ")] == pinned


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Path:
    """The folder that it is installed to, which nobody may write to."""
    folder = tmp_path / "installed"
    subprocess.run([*PIP, "install", "--no-deps", "--no-compile", "--target", folder, wheel], check=True)
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    yield folder
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read().decode()


def test_it_works_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    here, home = tmp_path / "empty", tmp_path / "someone"
    here.mkdir(), home.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(installed),
        "LANG": "fa_IR.UTF-8",
        "LORA_HUB_HUB": "embedded",
        "LORA_HUB_UPSTREAM": "off",
        "LORA_HUB_IDLE_MINUTES": "0.02",
        "LORA_HUB_NO_BROWSER": "1",
        "LORA_HUB_PORT": str(port),
        "LORA_HUB_BIND": "0.0.0.0",
        "LORA_HUB_ROOT_PATH": "/lora",
        "PYTHONDONTWRITEBYTECODE": "1",  # root may write anywhere
    }
    rows = tmp_path / "rows.csv"
    rows.write_text("text,label\n" + "".join(f"message {n},{'spam' if n % 2 else 'ham'}\n" for n in range(40)))

    def start(*words: str) -> subprocess.Popen:
        command = [sys.executable, installed / "bin" / "lora-hub", *words]
        return subprocess.Popen(
            command, cwd=here, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    # the container's own look at it
    look = [sys.executable, *json.loads(dict(STEPS)["HEALTHCHECK"].partition(" CMD ")[2])[1:]]
    page = start("app")  # it takes longest
    try:
        version, read = start("--version"), start("inspect", str(rows), "--task", "spam", "--json")
        assert version.communicate(timeout=120)[0] == f"lora-hub {__version__}\n"
        said = read.communicate(timeout=120)
        assert json.loads(said[0])["rows"] == 40, said
        told = page.stdout.readline()
        assert told == f"LoRA Hub is open at http://0.0.0.0:{port}/lora/\n", page.communicate(timeout=60)
        shown = fetch(f"http://127.0.0.1:{port}/lora/")
        assert "انتشار" in shown and "lh-header" in shown, "the translations and the page's own files are there"
        root = json.loads(fetch(f"http://127.0.0.1:{port}/lora/config"))["root"]
        assert root == f"http://127.0.0.1:{port}/lora" and fetch(f"{root}/theme.css")
        health = json.loads(fetch(f"http://127.0.0.1:{port}/health"))
        assert subprocess.run(look, env=environment).returncode == 0
        assert health == {"status": "ok", "version": __version__, "hub": {"kind": "embedded", "reachable": True}}
    finally:
        page.send_signal(signal.SIGTERM)
        notes = page.communicate(timeout=60)[1]
    assert "other machines reach this page (LORA_HUB_BIND=0.0.0.0)" in notes
    assert subprocess.run(look, env=environment, stderr=subprocess.DEVNULL).returncode != 0
    assert page.returncode == 0 and list(here.iterdir()) == []
    assert (home / ".lora_hub" / "hub" / "token").is_file() and open_to_others(home / ".lora_hub") == []
    assert not list(installed.rglob("__pycache__"))
