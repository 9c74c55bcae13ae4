"""One line of log for each use case: who, what, on which thing, how it ended, and how long it took.

    will publish_run spam-20261129-101500-ab12: done, 3.21 s
    eve  delete_run spam-20261129-101500-ab12: AccessError, 0.01 s

Names of things are logged, and nothing that is in them: no row, no prompt, no answer, no token. Of an error only its
kind is logged, because its message may quote any of these.
"""

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lora_hub.core.schema import Run, TrainSpec
from lora_hub.people import Person

logger = logging.getLogger("lora_hub.use_cases")
# Arguments that name a thing.
NAMED = (
    "run_id",
    "repo_id",
    "version",
    "revision",
    "owner",
    "visibility",
    "org",
    "name",
    "adapters",
    "specs",
    "spec",
    "flavor",
)
# What names look like. Anything else, and anything with a token in it, somebody has pasted into a field of names.
NAME = re.compile(r"(?!.*hf_\w)[\w.@/:-]{1,160}")
MOST_THINGS = 8


@contextmanager
def noted(person: Person, action: str, arguments: dict[str, Any], *, is_told: bool) -> Iterator[list[Any]]:
    """Logs what happens inside the block, at level info if `is_told`, else at level debug. Yields a list that results
    may be added to, since a run has its name only when it is made."""
    began, results, outcome = time.perf_counter(), [], "done"
    try:
        yield results
    except GeneratorExit:  # nobody wants the rest of the answer
        outcome = "stopped"
        raise
    except BaseException as error:
        outcome = type(error).__name__
        raise
    finally:
        level = logging.INFO if is_told else logging.DEBUG
        if logger.isEnabledFor(level):
            things = " ".join(_things([*(arguments.get(name) for name in NAMED), *results]))
            who = _name(person.id or "stranger")
            logger.log(level, "%s %s %s: %s, %.2f s", who, action, things or "-", outcome, time.perf_counter() - began)


def _things(values: list[Any]) -> list[str]:
    found: list[str] = []
    for value in values:
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, Run):
                found.append(one.id)
            elif isinstance(one, TrainSpec):
                found.append(_name(one.task.id))
            elif isinstance(one, str) and one:
                found.append(_name(one))
    return list(dict.fromkeys(found))[:MOST_THINGS]


def _name(text: str) -> str:
    return text if NAME.fullmatch(text) else "?"
