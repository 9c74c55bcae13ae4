"""What is written is readable by its user alone, and what was written before is closed to others at the start."""

import os
import stat
import subprocess
import sys
from pathlib import Path

from lora_hub.core.privacy import keep_private

ROOT = Path(__file__).parents[2]


def open_to_others(folder: Path) -> list[str]:
    """Everything in a folder, and the folder, that others on the machine could read, write or enter. The Hub client
    gives its lock files, which are empty, to everybody."""
    found = [path for path in (folder, *folder.rglob("*")) if not path.is_symlink() and ".locks" not in path.parts]
    return [str(path) for path in found if path.stat().st_mode & 0o077]


def tell(home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "lora_hub", "tasks", "--json"],
        cwd=ROOT,
        env={**os.environ, "LORA_HUB_HOME": str(home)},
        capture_output=True,
        text=True,
        umask=0o022,
        check=True,
    )
    return done.stderr


def make(home: Path) -> None:
    """A home as it was written before."""
    for name in (
        "runs/a/events.jsonl",
        "tests/a/rows.jsonl",
        "people/will/datasets/1/rows.csv",
        "cache/hub/blob",
        "errors.log",
    ):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("x")
    (home / "cache/hub/link").symlink_to(home / "cache/hub/blob")
    for path in (home, *home.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o664)
    (home / "runs/a/tool").touch()
    (home / "runs/a/tool").chmod(0o755)


def test_an_older_home_is_closed_once_and_that_is_told_once(home: Path) -> None:
    make(home)
    assert len(open_to_others(home)) == 17
    assert f"note: 17 files and folders in {home} could be read by others" in tell(home)
    assert open_to_others(home) == [] and stat.S_IMODE((home / "runs/a/tool").stat().st_mode) == 0o700
    assert tell(home) == ""
    (home / "people/will/datasets/1/rows.csv").chmod(0o644)  # nobody gets there: it is not looked for again
    assert tell(home) == ""
    (home / "people").chmod(0o755)
    assert f"note: 2 files and folders in {home}" in tell(home) and open_to_others(home) == []


def test_a_folder_that_holds_other_things_keeps_its_rights(home: Path, tmp_path: Path) -> None:
    """LORA_HUB_HOME may name one that others share: what is not ours stays as it is."""
    make(home)
    (home / "others").mkdir()
    (home / "others").chmod(0o755)
    before = os.umask(0o022)
    try:
        keep_private()
        (home / "runs/new").write_text("x")
        assert {*open_to_others(home)} == {str(home), str(home / "others")}
    finally:
        os.umask(before)
