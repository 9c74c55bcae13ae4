"""File locks: one exclusive holder or several shared ones, nothing written by checking, and released when the holder
ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lora_hub.core import file_lock

ROOT = Path(__file__).parents[2]


def test_one_holds_a_lock_or_several_share_it(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    mine = file_lock.take(file)
    assert (
        file_lock.is_held(file)
        and file_lock.take(file) is None
        and file_lock.take(file, shared=True, seconds=0.05) is None
    )
    os.close(mine)
    assert not file_lock.is_held(file)
    shared = [file_lock.take(file, shared=True) for _ in range(2)]
    assert None not in shared and file_lock.take(file) is None and not file_lock.is_held(file), (
        "who shares it holds it from nobody who would, too"
    )
    for descriptor in shared:
        os.close(descriptor)
    with file_lock.alone(file):
        assert file_lock.is_held(file)
    assert not file_lock.is_held(file)


def test_a_look_writes_nothing(tmp_path: Path) -> None:
    assert not file_lock.is_held(tmp_path / "lock")
    with pytest.raises(FileNotFoundError):
        file_lock.take(tmp_path / "lock", create=False)
    assert list(tmp_path.iterdir()) == []


def test_it_goes_with_its_process_and_is_not_inherited(tmp_path: Path) -> None:
    code = f"""
import subprocess, sys
from pathlib import Path
from lora_hub.core import file_lock
assert file_lock.take(Path({str(tmp_path / "lock")!r})) is not None
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, close_fds=False)
print("has it", flush=True)
input()
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert holder.stdout.readline() == b"has it\n" and file_lock.is_held(tmp_path / "lock")
    holder.kill()
    holder.wait()
    assert not file_lock.is_held(tmp_path / "lock")
    holder.stdin.close()
    holder.stdout.close()
