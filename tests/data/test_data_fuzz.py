"""A short run of the readers' fuzzer; `tests/bench/fuzz_readers.py --minutes 10` is the long one."""

import importlib.util
from pathlib import Path

BENCH = Path(__file__).parents[1] / "bench" / "fuzz_readers.py"


def _fuzzer():
    spec = importlib.util.spec_from_file_location("fuzz_readers", BENCH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    counts, failures = _fuzzer().run(5, files=120, keep=tmp_path)
    assert not failures, "\n".join(failures)
    words = {word for _, word in counts}
    assert words == {"read", "refused"} and sum(counts.values()) == 120


def test_the_fuzzer_tells_a_reader_that_dies_or_hangs(tmp_path: Path, monkeypatch) -> None:
    fuzzer = _fuzzer()
    files = [tmp_path / name for name in ("sound", "dies", "hangs", "raises")]
    for file in files:
        file.write_text("x")
    monkeypatch.setattr(fuzzer, "SECONDS", 1)
    monkeypatch.setattr(
        fuzzer,
        "CHILD",
        """
import os, sys, time
for line in sys.stdin:
    if "dies" in line: os.abort()
    if "hangs" in line: time.sleep(100)
    print("\\x01" + ("TRACEBACK boo" if "raises" in line else "read"), flush=True)
""",
    )
    outcomes = [outcome.split()[0] for outcome in fuzzer._read_batch(files, [0] * 4, {})]
    assert outcomes == ["read", "CRASH", "HANG", "TRACEBACK"]
