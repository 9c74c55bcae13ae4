"""Kept comparisons on disk: one file each, in a folder of its owner.

    $LORA_HUB_HOME/comparisons/<id>.json, and people/<owner>/comparisons/<id>.json of those who sign in

    one = new_comparison("ada", question, answers); keep_comparison(one)
    list_kept("ada"); find_comparison(one.id)

Who may see them is decided above. A file that is damaged, too large or somebody else's work is left out and stays.
"""

import logging
import re
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from lora_hub.core import settings, store
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.core.schema import COMPARISON_ID, Answer, Comparison, PaneAnswer, Question
from lora_hub.people import LOCAL

logger = logging.getLogger("lora_hub.compare")
# Of one person; the oldest go first.
MOST_KEPT = 500
MOST_BYTES = 1024 * 1024
_ID = re.compile(COMPARISON_ID)


def folder_of(owner: str) -> Path:
    """The folder of a person's comparisons. Raises DataError if it can be nobody's name."""
    return settings.comparisons_dir("" if owner == LOCAL.id else store.check_owner_name(owner))


def new_comparison(
    owner: str, question: Question, answers: Sequence[PaneAnswer], order: Sequence[int] = ()
) -> Comparison:
    """A comparison that is not stored yet. order: for a blind comparison the pane at each place of the page."""
    first = next((one.task for one in answers if one.task is not None), None)
    return Comparison(
        id=secrets.token_hex(8),
        owner=owner,
        at=time.time(),
        question=question,
        task=first.id if first is not None else "",
        answers=tuple(
            one.model_copy(
                update={"task": None, "answer": _without_ids(one.answer), "more": (*map(_without_ids, one.more),)}
            )
            for one in answers
        ),
        order=tuple(order),
    )


def _without_ids(answer: Answer) -> Answer:
    return answer.model_copy(update={"ids": ()})


def keep_comparison(one: Comparison) -> None:
    """Stores a new comparison, and removes the oldest beyond 500 of its owner. Raises DataError if it is too large."""
    if len(one.model_dump_json().encode()) > MOST_BYTES:
        raise DataError(
            _("This comparison is larger than {most} MB and was not kept.", most=MOST_BYTES // 1024**2),
            _("Ask a shorter question, or for shorter answers."),
        )
    write_comparison(one)
    files = sorted(_files_of(one.owner), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in files[MOST_KEPT:]:
        old.unlink(missing_ok=True)


def write_comparison(one: Comparison) -> None:
    """Stores a comparison, in one step."""
    store.write_json(_file_of(one.owner, one.id), one.model_dump(mode="json", exclude_defaults=True))


def list_kept(owner: str) -> list[Comparison]:
    """A person's comparisons, newest first."""
    found = [one for file in _files_of(owner) if (one := _read(file, owner)) is not None]
    return sorted(found, key=lambda one: one.at, reverse=True)


def find_comparison(comparison_id: str, owner: str = "") -> Comparison | None:
    """The comparison with this id: of one owner, or of anybody. None if there is none."""
    if not _ID.fullmatch(comparison_id):
        return None
    people = (folder.parent.name for folder in settings.people_dir().glob("*/comparisons"))
    owners = [owner] if owner else [LOCAL.id, *people]
    for name in owners:
        if (one := _read(_file_of(name, comparison_id), name)) is not None:
            return one
    return None


def remove_comparison(one: Comparison) -> None:
    """Removes it; votes on it stay in their owner's list."""
    file = _file_of(one.owner, one.id)
    with store.disk_errors(file):
        file.unlink(missing_ok=True)


def _file_of(owner: str, comparison_id: str) -> Path:
    return folder_of(owner) / f"{comparison_id}.json"


def _files_of(owner: str) -> list[Path]:
    return [file for file in folder_of(owner).glob("*.json") if _ID.fullmatch(file.stem)]


def _read(file: Path, owner: str) -> Comparison | None:
    """None if there is no such file, or if it is none of ours: damaged, too large, or naming another owner."""
    try:
        with file.open("rb") as opened:
            text = opened.read(2 * MOST_BYTES + 1)
        one = Comparison.model_validate_json(text)
    except FileNotFoundError:
        return None
    except (OSError, ValidationError, RecursionError) as error:
        logger.warning("%s is no comparison: %s", file.name, type(error).__name__)
        return None
    return one if (one.owner, one.id) == (owner, file.stem) else None
