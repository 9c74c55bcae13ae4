"""A model that is listed, and what there is to say of a name.

shelved_of(ref, "lora-hub")                  Shelved("spam", "lora-hub/spam", ...)
fetched("spam@v2", "lora-hub/spam@v2")       its pane; NoModel where there is none
"""

import re
from dataclasses import dataclass
from datetime import datetime

from lora_hub.compare import Pane, pane_of_repo
from lora_hub.core.errors import AdapterError, HubUnreachableError
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import AdapterRef

LONGEST_NAME = 200
_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?(@[\w.-]+(/[\w.-]+)*)?", re.ASCII)


class NoModel(AdapterError):
    """There is no model of this name, or it cannot be had."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """A model that is listed. name: by which it is asked. repo: its repository; empty for what lies on this machine.
    revision: its newest commit. created: UTC seconds. task: its task's id."""

    name: str
    repo: str = ""
    revision: str = ""
    created: int = 0
    task: str = ""


def check_name(name: str) -> None:
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise no_model(name)


def no_model(name: str, why: Message | None = None) -> NoModel:
    return NoModel(
        why or _("There is no model {name!r} here."), _("GET /v1/models lists what there is."), name=name[:LONGEST_NAME]
    )


def fetched(name: str, repo: str, base: str = "") -> Pane:
    """The pane of a repo, brought here. Raises NoModel, HubError."""
    try:
        return pane_of_repo(repo, base)
    except HubUnreachableError:
        raise
    except AdapterError as error:
        raise NoModel(error.said, error.advice) from error


def shelved_of(ref: AdapterRef, org: str) -> Shelved:
    owner, _slash, short = ref.repo_id.partition("/")
    try:
        created = int(datetime.fromisoformat(ref.updated.replace("Z", "+00:00")).timestamp()) if ref.updated else 0
    except ValueError:
        created = 0
    return Shelved(short if owner == org else ref.repo_id, ref.repo_id, ref.revision, created, ref.task)
