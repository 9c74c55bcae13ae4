"""The panes of Compare: the base, or an adapter from the Hub, a run or a folder, with everything that its answers need.

resolve_adapter("spam-built-in@v1")        a repo id, a run's id or a PEFT folder -> Pane
find_here("spam-built-in-1")               the same for a run or a folder on this machine, without a request to a Hub
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lora_hub import hub
from lora_hub.answering import adapter_base
from lora_hub.catalogue import bases
from lora_hub.core import settings, store
from lora_hub.core.errors import AdapterError, damage_of
from lora_hub.core.messages import Message, _, several
from lora_hub.core.schema import BASE, BaseModel, Calibration, Mend, RunState, Task
from lora_hub.hub import adapter_config
from lora_hub.runs import refresh_run, run_rows, run_states


@dataclass(frozen=True)
class Pane:
    """One model that answers. name: as the user gave it. folder: PEFT's files, None for the base. task: None if the
    adapter was made elsewhere. mends: applied to its training data (labels renamed, for instance), and so to a file
    that it is scored on. calibrations: the exam's corrections of label likelihoods, by model. shown: the examples that
    the exam gave the base, if the run is here; missing: why they can no longer be read, in words."""

    name: str
    base: BaseModel
    revision: str = ""
    task: Task | None = None
    folder: Path | None = None
    mends: tuple[Mend, ...] = ()
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    shown: tuple[tuple[dict[str, Any], str], ...] = ()
    missing: Message | None = None

    @property
    def calibration(self) -> Calibration | None:
        """The correction of this pane's label likelihoods."""
        return self.calibrations.get(self.name) if self.folder is None else None


def resolve_adapter(name: str, base: str = "") -> Pane:
    """The pane of one name. base: overrides the adapter's own base. Raises AdapterError if nothing has this name."""
    here = find_here(name, base)
    if here is not None:
        return here
    repo = name if "/" in name.partition("@")[0] else f"{settings.organization()}/{name}"
    try:
        fetched, ref = hub.fetch_adapter(repo)
    except AdapterError as error:
        near = [run_id for run_id in store.list_run_ids() if run_id.startswith(name)]
        if not near:
            raise
        raise AdapterError(error.said, _("Did you mean the run {near}?"), near=several(near[:2], "or")) from error
    return replace(pane_of_folder(repo, fetched, base, fetched=True), revision=ref.revision)


def find_here(name: str, base: str = "") -> Pane | None:
    """`resolve_adapter` for a folder or a run on this machine; None for any other name, which may be a repo on a
    Hub."""
    folder = Path(name).expanduser()
    if (folder / adapter_config.CONFIG_FILE).is_file():
        return pane_of_folder(name, folder, base)
    if name in store.list_run_ids():
        return _pane_of_run(name, base)
    if folder.is_dir():
        inside = sorted(file.parent.name for file in folder.glob(f"*/{adapter_config.CONFIG_FILE}"))
        raise AdapterError(
            _("{name} holds no adapter_config.json."),
            _("Name one of the folders in it: {inside}.", inside=several(inside, most=5))
            if inside
            else _("Give a folder that PEFT's save_pretrained wrote."),
            name=name,
        )
    return None


def _pane_of_run(name: str, base: str) -> Pane:
    run = refresh_run(name)
    if not run.adapter_folder:
        if run.state.is_final:
            message, hint = _("The run {name} has no adapter: it is {state}."), _("Resume it.")
        else:
            message, hint = _("The run {name} has no adapter yet: it is {state}."), _("Wait until it has succeeded.")
        raise AdapterError(message, hint, name=name, state=run_states.word(run.state))
    folder = store.run_folder(name)
    record = hub.read_adapter_record(folder / run.adapter_folder)
    known = run.spec.base if run.state is not RunState.DAMAGED else None  # a damaged run's spec cannot be read
    found = _pane_of_record(name, folder / run.adapter_folder, record, base, known=known)
    examples = run_rows.read_examples(folder, expected=(record or {}).get("examples_shown"))
    return replace(
        found,
        revision=run.adapter.revision if run.adapter else "",
        shown=tuple((one["inputs"], one["answer"]) for one in examples.rows),
        missing=examples.missing,
    )


def pane_of_folder(name: str, folder: Path, base: str = "", *, fetched: bool = False) -> Pane:
    """The pane of a PEFT folder, with the record beside the weights if there is one. base: as in `resolve_adapter`.
    fetched: it came from a Hub. Raises AdapterError."""
    return _pane_of_record(name, folder, hub.read_adapter_record(folder), base, fetched=fetched)


def _pane_of_record(
    name: str,
    folder: Path,
    record: dict[str, Any] | None,
    base: str,
    *,
    fetched: bool = False,
    known: BaseModel | None = None,
) -> Pane:
    """record: None if the adapter was made elsewhere. known: as in `base_of_record`."""
    adapter_config.weights_file(folder, _("The adapter {name}", name=name))
    if record is None:
        config = adapter_config.read_config(folder)
        found = adapter_base.base_of_adapter(name, config, folder, given=base, fetched=fetched)
        return Pane(name, found, folder=folder)
    try:
        told = hub.parts_of(record)
    except ValueError as error:  # it may be written by anybody
        raise AdapterError(
            _("The {file} of {repo} is damaged: {reason}."),
            _("Publish the adapter again from its run."),
            file=adapter_config.RECORD_FILE,
            repo=name,
            reason=damage_of(error),
        ) from error
    found = adapter_base.base_of_record(name, told.base, given=base, known=known)
    return Pane(name, found, task=told.task, folder=folder, mends=told.mends, calibrations=told.calibrations)


def base_pane(first: Pane) -> Pane:
    """The base itself, with the first adapter's template, and calibrated as in that adapter's exam."""
    return Pane(BASE, first.base, first.base.revision, first.task, calibrations=first.calibrations)


def base_key(base: BaseModel) -> str:
    """The identity of a base: for a folder the fingerprint of its weights, computed here from its files; for a Hub base
    its id and revision, whatever an adapter claims about it."""
    if bases.folder_of(base) is not None:
        return f"weights {base.fingerprint}" if base.fingerprint else f"folder {base.folder}"
    return f"hub {base.id}@{base.revision}"


def slot_name(pane: Pane) -> str:
    """A pane's name in the stack: its folder, and when its weights were written. Two revisions, or a folder that was
    trained again, are two adapters."""
    if pane.folder is None:
        return BASE
    return f"{pane.folder.resolve()}@{(pane.folder / adapter_config.WEIGHTS_FILE).stat().st_mtime_ns}"
