"""What the organization allows in its app: a file in our folder that its admins change on the page or by hand.

    $LORA_HUB_HOME/organization.json      {"strangers": "compare", "hours": 2}; missing keys have their defaults

It applies where people sign in. Otherwise only the machine sets limits.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from lora_hub.core import settings, store
from lora_hub.core.errors import SpecError, refused
from lora_hub.core.messages import _
from lora_hub.core.schema import Noun, Setting
from lora_hub.core.spec_fields import fields_of

FILE = "organization.json"
FILE_BYTES = 64 * 1024


class Policy(Noun):
    """Rights and limits. Every limit is per person, except those that say "in all"."""

    strangers: Annotated[
        Literal["nothing", "compare"],
        Setting(
            _("Strangers may"),
            _("People who are not members, signed in or not: they see nothing, or browse and compare."),
        ),
    ] = "nothing"
    publish_as: Annotated[
        Literal["person", "service"],
        Setting(
            _("Published by"),
            _("Each person with their own account, or all with the Space's own token (LORA_HUB_SERVICE_TOKEN)."),
        ),
    ] = "person"
    bases: Annotated[
        Literal["catalogue", "any"],
        Setting(_("Bases"), _("Only those of the list, or any of the Hub (its files are then read here).")),
    ] = "catalogue"
    waiting_runs: Annotated[
        int,
        Field(ge=1, le=1000),
        Setting(_("Runs at a time"), _("Waiting and training together. A test counts as a run.")),
    ] = 4
    all_runs: Annotated[
        int,
        Field(ge=1, le=10_000),
        Setting(_("Runs at a time, in all"), _("Waiting and training together. A test counts as a run.")),
    ] = 40
    minutes_a_day: Annotated[
        int, Field(ge=1, le=14_400), Setting(_("Training a day (minutes)"), _("Of the last 24 hours."))
    ] = 240
    all_minutes_a_day: Annotated[
        int, Field(ge=1, le=1_440_000), Setting(_("Training a day, in all (minutes)"), _("Of the last 24 hours."))
    ] = 1440
    hours: Annotated[
        float, Field(gt=0, le=240), Setting(_("Longest run (hours)"), _("It is ended then; its checkpoints stay."))
    ] = 4.0
    steps: Annotated[int, Field(ge=1, le=1_000_000), Setting(_("Steps of a run"), _("At most."))] = 20_000
    rows: Annotated[int, Field(ge=10, le=10_000_000), Setting(_("Rows of a dataset"), _("At most."))] = 200_000
    upload_mb: Annotated[
        float,
        Field(gt=0, le=100_000),
        Setting(_("Largest file (MB)"), _("And never more than LORA_HUB_MAX_UPLOAD_MB.")),
    ] = 100.0
    disk_mb: Annotated[float, Field(gt=0, le=1e7), Setting(_("Disk (MB)"), _("Of files and runs together."))] = 2000.0
    all_disk_mb: Annotated[
        float, Field(gt=0, le=1e8), Setting(_("Disk, in all (MB)"), _("Of everybody's files and runs."))
    ] = 40_000.0
    upload_days: Annotated[
        float,
        Field(gt=0, le=3650),
        Setting(_("Unused files are kept (days)"), _("A file that no run uses is removed then.")),
    ] = 7.0
    panes: Annotated[
        int,
        Field(ge=1, le=64),
        Setting(
            _("Answers to one question"),
            _("The base's among them; a model that answers several times counts as often."),
        ),
    ] = 16  # all ten panes of a comparison, or base and adapter with eight answers each
    answer_tokens: Annotated[
        int, Field(ge=1, le=100_000), Setting(_("Tokens of an answer"), _("At most, of each model."))
    ] = 512
    prompt_characters: Annotated[
        int, Field(ge=100, le=10_000_000), Setting(_("Characters of a question"), _("At most."))
    ] = 20_000
    forgotten_points: Annotated[
        float,
        Field(ge=0, le=100),
        Setting(
            _("A version in production may have forgotten (points)"),
            _("Of the general questions, against its base; it is refused only where it surely lost more."),
        ),
    ] = 5.0
    requests_a_minute: Annotated[
        int,
        Field(ge=1, le=100_000),
        Setting(
            _("Requests a minute"), _("Questions, reading files, searches and starts count. Watching a run does not.")
        ),
    ] = 120


def read() -> Policy:
    """What the organization allows. Raises SpecError if the file has an invalid value."""
    path = settings.home() / FILE
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES + 1)
    except FileNotFoundError:
        return Policy()
    except OSError as error:
        raise SpecError(
            _("{file} cannot be read: {reason}."),
            _("Give this app the right to read it."),
            file=FILE,
            reason=error.strerror,
        ) from error
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecError(_("{file} is no JSON."), _("Put it right, or remove it."), file=FILE) from error
    return make(data)


def make(data: Any) -> Policy:
    """A policy from a dict. Raises SpecError that names the key and the invalid value."""
    if not isinstance(data, dict):
        raise SpecError(_("{file} is no JSON object."), _("Put it right, or remove it."), file=FILE)
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        titles = {field.key: field.title for field in fields_of(Policy)}
        raise SpecError(
            _("{title} ({key}) is {value!r}; {why}."),
            _("Set it to one that is allowed."),
            title=titles.get(key, FILE),
            key=key,
            value=str(first.get("input"))[:60],
            why=refused(first) if first["type"] != "extra_forbidden" else _("there is no such limit"),
        ) from error


def write(policy: Policy) -> None:
    """Stores the values that differ from the defaults."""
    store.write_json(settings.home() / FILE, policy.model_dump(mode="json", exclude_defaults=True))
