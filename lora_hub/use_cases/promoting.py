"""Which version of an adapter is in production: looking, promoting another one, rolling back. The Hub is asked with the
person's own token and decides whether they may write to the repo."""

import functools
from pathlib import Path
from typing import Any

from lora_hub import hub
from lora_hub.compare import Comparer, promoting
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _
from lora_hub.people import Person, policy
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.watching import may_see


@use_case(Action.BROWSE)
def look_at_production(person: Person, repo_id: str) -> hub.Production:
    """As `hub.look_at_production`."""
    return hub.look_at_production(repo_id)


@use_case(Action.PUBLISH, counted=True)
def promote(
    person: Person, comparer: Comparer, repo_id: str, version: str, *, test: Path | None = None, **named: Any
) -> promoting.Outcome:
    """As `promoting.promote`, with what the organization lets a version forget. test: a file of this machine, from the
    shell. The held-out rows are those of a run that this person may see."""
    _check_local(person, test)
    return promoting.promote(
        comparer.bases,
        repo_id,
        version,
        test=test,
        limit=policy.read().forgotten_points,
        **_of(person),
        **named,
    )


@use_case(Action.PUBLISH, counted=True)
def check_promotion(
    person: Person, comparer: Comparer, repo_id: str, *, test: Path | None = None, **named: Any
) -> promoting.Checked:
    """As `promoting.check_promotion`. test: as in `promote`."""
    _check_local(person, test)
    return promoting.check_promotion(comparer.bases, repo_id, test=test, **_of(person), **named)


@use_case(Action.PUBLISH, counted=True)
def roll_back(person: Person, repo_id: str) -> hub.Promotion:
    """As `promoting.roll_back`."""
    return promoting.roll_back(repo_id)


def _check_local(person: Person, test: Path | None) -> None:
    if test is not None and not person.is_local:
        raise LoraHubError(_("A test file is a path of the machine it is asked on."), _("Use the shell."))


def _of(person: Person) -> dict[str, Any]:
    """For whom answers are kept, and which runs' rows they may be measured on."""
    return {"owner": "" if person.is_local else person.id, "sees": functools.partial(may_see, person)}
