"""Counts how often our functions are called, for tests that each fact is computed once and passed on."""

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import lora_hub

PACKAGE = Path(lora_hub.__file__).parent


def calls_of(walk: Callable[[], object]) -> Counter[str]:
    """Entries of each function of ours in this thread, by file and name."""
    entered: Counter[str] = Counter()

    def count(frame, event: str, _argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(PACKAGE)):
            file = Path(frame.f_code.co_filename).relative_to(PACKAGE).with_suffix("").as_posix()
            entered[f"{file}.{frame.f_code.co_name}"] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        walk()
    finally:
        sys.setprofile(before)
    return entered
