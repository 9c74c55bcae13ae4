"""What several commands of the shell share: options, and functions that resolve them."""

import argparse
import contextlib
import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.cli.screen import Screen
from lora_hub.core import settings
from lora_hub.core.errors import DataError, LoraHubError, SpecError
from lora_hub.core.messages import NOTHING, Message, _, several
from lora_hub.core.schema import EFFORTS, DataPart
from lora_hub.people import LOCAL

PRIVATE = _("only the organization's members see what is published (default: as the organization has it)")


@contextlib.contextmanager
def connected_hub(screen: Screen) -> Any:
    """Connects to the Hub in use and prints notes about the choice."""
    from lora_hub.hub import endpoint

    with endpoint.connected() as connection:
        for note in connection.notes:
            screen.say(_("note: {said}", said=note))
        yield connection


@dataclass(frozen=True)
class NamedData:
    """What is trained on. file: kept, if it was put together from several. name: as it is told. parts: those several.
    mapping, reading: as a person gave them for this file."""

    file: Path
    name: str
    parts: tuple[DataPart, ...]
    mapping: dict[str, str] | None
    reading: dict[str, Any]


@contextlib.contextmanager
def named_data(
    names: list[str], task: Any, mapping: dict[str, str] | None, reading: dict[str, Any], screen: Screen, inspector: Any
) -> Any:
    """The data of one file or dataset of the Hub, or of several together, each FILE or FILE:WEIGHT. task: needed where
    there are several. Raises DataError, SpecError."""
    from lora_hub import use_cases
    from lora_hub.data.combining import OneFile, roles_of, split_weight
    from lora_hub.hub import is_dataset_id

    given = [split_weight(name) for name in names]
    needs_hub = any(is_dataset_id(name) for name, _weight in given)
    with connected_hub(screen) if needs_hub else contextlib.nullcontext():
        files = [OneFile(fetch_named(name, screen), weight) for name, weight in given]
        if len(files) == 1 and files[0].weight == 1:
            yield NamedData(files[0].file, files[0].file.name, (), mapping, reading)
            return
        if task is None:
            raise SpecError(
                _("Which columns of several files belong together depends on the task."), _("Name it: --task.")
            )
        file, parts = use_cases.combine_datasets(LOCAL, inspector, files, task, mapping, **reading)
        yield NamedData(file, file.name, parts, roles_of(parts), {})


def fetch_named(name: str, screen: Screen) -> Path:
    """The same, if the Hub is already connected."""
    from lora_hub import use_cases
    from lora_hub.hub import is_dataset_id

    return use_cases.fetch_dataset(LOCAL, name, progress=screen.say) if is_dataset_id(name) else Path(name)


def named_base(name: str, screen: Screen) -> Any:
    """The base of that name. A GGUF file that has not been read in is read in. Raises BaseError."""
    from lora_hub import use_cases
    from lora_hub.catalogue import bases

    try:
        return bases.get_base(name)
    except bases.NotHereYet as error:
        if not isinstance(error.wanted, Path):
            raise
        return use_cases.add_base(LOCAL, name, screen.say)


def read_mends(options: argparse.Namespace, inspector: Any, data: NamedData, task: Any, base: Any = None) -> Any:
    from lora_hub.data.mending.mend_arguments import parse_mends

    test = getattr(options, "test", None)
    return parse_mends(options.mend, inspector, data.file, task, data.mapping, base, test, **data.reading)


def read_task(name: str) -> Any:
    from lora_hub.catalogue.tasks import catalogue

    return catalogue.get_task(name)


def check_task_id(task: str, known: set[str]) -> None:
    """Raises SpecError, with the nearest names, if neither the catalogue nor an adapter (custom tasks) has a task of
    this id. known: the tasks of the existing adapters. "": any task."""
    if not task or task in known:
        return
    try:
        read_task(task)
    except SpecError as error:
        near = difflib.get_close_matches(task, sorted(known - {""}), n=2, cutoff=0.5)
        raise (SpecError(error.said, _("Did you mean {near}?", near=several(near, "or"))) if near else error) from error


def read_org(name: str, otherwise: str = "") -> str:
    """The organization: --org, else a pipeline's file, else the environment. Raises SpecError if it is not a valid
    name."""
    if name:
        return settings.check_namespace(name, "--org")
    return settings.check_namespace(otherwise, "org") if otherwise else settings.organization()


def read_mapping(text: str, task: Any = None) -> dict[str, str] | None:
    """The mapping given by --map. task: whose roles it names, if known. Raises SpecError."""
    if not text:
        return None
    from lora_hub.data.columns import columns

    try:
        mapping = columns.parse_map(text)
        if task is not None:
            columns.check_roles(task, mapping)
        return mapping
    except DataError as error:  # the option is wrong, not the data
        raise SpecError(error.said, error.advice) from error


def read_pairs(items: list[str], usage: str) -> dict[str, str]:
    found = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise SpecError(_("{item!r} is not of the form KEY=VALUE."), _("Use {usage}."), item=item, usage=usage)
        found[key.strip()] = value
    return found


def read_numbers(items: list[str], usage: str) -> dict[str, float]:
    """KEY=NUMBER pairs. A key may have an = of its own. Raises SpecError."""
    found = {}
    for item in items:
        key, _equals, value = item.rpartition("=")
        try:
            found[key.strip()] = float(value)
        except ValueError as error:
            raise SpecError(
                _("{item!r} is not of the form KEY=NUMBER."), _("Use {usage}."), item=item, usage=usage
            ) from error
    return found


def read_reading(options: argparse.Namespace) -> dict[str, Any]:
    return {
        key: getattr(options, key)
        for key in ("encoding", "delimiter", "sheet", "skip_broken")
        if getattr(options, key, None)
    }


def add_settings(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument("--effort", choices=EFFORTS, default="balanced")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help=say(_("override a derived setting; may be repeated")),
    )


def add_reading(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument("--map", default="", metavar="ROLE=COLUMN,...", help=say(_("which column is what")))
    command.add_argument("--encoding", default="", help=say(_("of the file, where the guess is wrong")))
    command.add_argument("--delimiter", default="", help=say(_("of the file, where the guess is wrong")))
    command.add_argument("--sheet", default="", help=say(_("of a workbook with several, or a file of an archive")))
    command.add_argument("--skip-broken", action="store_true", help=say(_("go on without broken lines")))
    command.add_argument(
        "--mend",
        action="append",
        default=[],
        metavar="CODE[.KIND]",
        help=say(
            _("do what a problem offers, such as duplicates, or relabel:0=no,1=yes, or a mend as JSON; may be repeated")
        ),
    )


def _minutes(text: str) -> float:
    """A time of at least a minute, and at most a week. argparse turns a ValueError into a message."""
    minutes = float(text)
    if not 1 <= minutes <= 7 * 24 * 60:
        raise ValueError(text)
    return minutes


_minutes.__name__ = "number of minutes"


def seconds(text: str) -> float:
    """A time above 0. argparse turns a ValueError into a message."""
    found = float(text)
    if not 0 < found < float("inf"):
        raise ValueError(text)
    return found


seconds.__name__ = "number of seconds"


def add_hardware(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument(
        "--hardware",
        default="",
        metavar="FLAVOR",
        help=say(_("train as a job of the Hub on this hardware, such as t4-small (default: on this machine)")),
    )
    command.add_argument(
        "--hardware-minutes",
        type=_minutes,
        default=0.0,
        metavar="MINUTES",
        help=say(_("of --hardware: end the job after so long (default: three times the estimate)")),
    )


def add_minimum(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument(
        "--min",
        action="append",
        default=[],
        metavar="METRIC=VALUE",
        help=say(
            _(
                "exit with 4, and publish nothing, where the adapter's score is below; METRIC.low: the lower end of "
                "its interval; may be repeated"
            )
        ),
    )


def check_minimum(
    minimum: dict[str, float], metrics: dict[str, Any], also: dict[str, Any], who: str = "adapter"
) -> None:
    """Raises BelowMinimum if the scores in `metrics[who]` are below `minimum`. also: further JSON keys beside the
    error."""
    from lora_hub.evaluation.minimum import below_minimum

    if below := below_minimum(metrics.get(who, {}), minimum):
        said = _("The adapter is not good enough: {below}.", below=below)
        if who != "adapter":
            said = _("{name} is not good enough: {below}.", name=who, below=below)
        raise BelowMinimum(said, also=also, below=below)


class Unfinished(LoraHubError):
    """The command did not fully succeed. also: further JSON keys beside the error. status: the exit status."""

    status = 1

    def __init__(self, message: Message, hint: Message = NOTHING, *, also: dict[str, Any], status: int = 0) -> None:
        super().__init__(message, hint)
        self.also = also
        self.status = status or self.status


class Partly(Unfinished):
    """Part of it succeeded."""

    status = 3


class BelowMinimum(Unfinished):
    """Everything succeeded, but a score is below --min. below: which, and by how much, without a full stop."""

    status = 4

    def __init__(self, message: Message, *, also: dict[str, Any], below: Message) -> None:
        super().__init__(message, also=also)
        self.below = below
