"""The panes of Compare: the base, or an adapter from the Hub, a run or a folder, with everything that its answers need.

resolve_adapter("spam-built-in@v1")        a repo id, a run's id or a PEFT folder -> Pane
find_here("spam-built-in-1")               the same for a run or a folder on this machine, without a request to a Hub
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lora_hub import hub
from lora_hub.answering import adapter_base
from lora_hub.catalogue import bases
from lora_hub.core import store
from lora_hub.core.disk import expand
from lora_hub.core.errors import AdapterError
from lora_hub.core.messages import Message, _, several
from lora_hub.core.schema import BASE, BASE_EXAMPLES, BaseModel, Calibration, Mend, Question, RunState, Task
from lora_hub.hub import adapter_config
from lora_hub.runs import refresh_run, run_rows, run_states


@dataclass(frozen=True)
class Pane:
    """One model that answers. name: as the user gave it. version: the tag by which its commit was named. strength: 1:
    as it was trained, 0: the base. run: that it says it was trained in. folder: PEFT's files, None for the base. task:
    None if the adapter was made elsewhere. mends: applied to its training data (labels renamed, for instance), and so
    to a file that it is scored on. calibrations: the exam's corrections of label likelihoods, by model. shown: the
    examples that the exam gave the base, if the run is here; missing: why they can no longer be read, in words. note:
    why it is asked, where the router chose it. trained_on: fingerprints of the files that it says it was trained on;
    trained_before: of those that adapters which it goes on from were trained on."""

    name: str
    base: BaseModel
    revision: str = ""
    version: str = ""
    strength: float = 1.0
    run: str = ""
    task: Task | None = None
    folder: Path | None = None
    mends: tuple[Mend, ...] = ()
    calibrations: dict[str, Calibration] = field(default_factory=dict)
    shown: tuple[tuple[dict[str, Any], str], ...] = ()
    missing: Message | None = None
    note: Message | None = None
    trained_on: tuple[str, ...] = ()
    trained_before: tuple[str, ...] = ()

    @property
    def calibration(self) -> Calibration | None:
        """The correction of this pane's label likelihoods."""
        return self.calibrations.get(self.name) if self.folder is None else None


def resolve_adapter(name: str, base: str = "") -> Pane:
    """The pane of one name. base: overrides the adapter's own base. Raises AdapterError if nothing has this name."""
    here = find_here(name, base)
    if here is not None:
        return here
    repo = hub.owned(name)
    try:
        return pane_of_repo(repo, base)
    except AdapterError as error:
        near = [run_id for run_id in store.list_run_ids() if run_id.startswith(name)]
        if not near:
            raise
        raise AdapterError(error.said, _("Did you mean the run {near}?"), near=several(near[:2], "or")) from error


def pane_of_repo(repo: str, base: str = "") -> Pane:
    """The pane of owner/name or owner/name@revision on the Hub, whatever lies on this machine under that name. base: as
    in `resolve_adapter`. Raises AdapterError, HubError."""
    fetched, ref = hub.fetch_adapter(repo)
    asked = repo.partition("@")[2]
    version = asked if asked and not ref.revision.startswith(asked) else ""
    return replace(pane_of_folder(repo, fetched, base, fetched=True), revision=ref.revision, version=version)


def find_here(name: str, base: str = "") -> Pane | None:
    """`resolve_adapter` for a folder or a run on this machine; None for any other name, which may be a repo on a
    Hub."""
    folder = expand(name)
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
        version=next(iter(run.adapter.versions), "") if run.adapter else "",
        shown=tuple((one["inputs"], one["answer"]) for one in examples.rows),
        missing=examples.missing,
    )


def with_examples_of(pane: Pane, run_id: str) -> Pane:
    """The pane with the examples that this run's exam showed to the base, where its folder is here."""
    found = run_rows.read_examples(store.run_folder(run_id), expected=None)
    return replace(pane, shown=tuple((one["inputs"], one["answer"]) for one in found.rows), missing=found.missing)


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
        told = hub.parts_of(record, is_own=known is not None)
    except ValueError as error:  # it may be written by anybody
        raise hub.damaged_record(name, error) from error
    found = adapter_base.base_of_record(name, told.base, given=base, known=known)
    run = record.get("run")
    return Pane(
        name,
        found,
        run=run if isinstance(run, str) else "",
        task=told.task,
        folder=folder,
        mends=told.mends,
        calibrations=told.calibrations,
        trained_on=hub.files_of(record),
        trained_before=hub.files_before(record),
    )


def base_pane(first: Pane, name: str = BASE) -> Pane:
    """The base itself, with the first adapter's template, and calibrated as in that adapter's exam. name: BASE, or
    BASE_EXAMPLES for the pane that is shown examples."""
    return Pane(name, first.base, first.base.revision, task=first.task, calibrations=first.calibrations)


def panes_of(question: Question, adapters: Sequence[Pane]) -> list[Pane]:
    """All that answer a question, in the order of `question.pane_names`; adapters as strongly as it says. A pane of the
    base itself may stand among the adapters, for one that was looked for and not found."""
    itself = next((one for one in adapters if one.folder is None), None)
    adapters = [one for one in adapters if one.folder is not None]
    first = adapters[0] if adapters else itself
    bases_asked = []
    if question.base or itself is not None:
        bases_asked.append(replace(base_pane(first), note=itself.note if itself is not None else None))
    if question.examples:
        bases_asked.append(replace(base_pane(first, BASE_EXAMPLES), shown=first.shown, missing=first.missing))
    return [*bases_asked, *(replace(one, strength=question.strength_of(one.name)) for one in adapters)]


def check_one_base(panes: Sequence[Pane]) -> None:
    """Raises AdapterError where they do not share one base."""
    for pane in panes[1:]:
        if base_key(pane.base) != base_key(panes[0].base):
            raise AdapterError(
                _("{name} was made for {base}, {other} for {other_base}."),
                _("Compare adapters of one base."),
                name=panes[0].name,
                base=panes[0].base.id,
                other=pane.name,
                other_base=pane.base.id,
            )


def base_key(base: BaseModel) -> str:
    """The identity of a base: for a folder the fingerprint of its weights, computed here from its files; for a Hub base
    its id and revision, whatever an adapter claims about it."""
    if bases.folder_of(base) is not None:
        return f"weights {base.fingerprint}" if base.fingerprint else f"folder {base.folder}"
    return f"hub {base.id}@{base.revision}"


def slot_name(pane: Pane) -> str:
    """A pane's name in the stack: its folder, and when its weights were written. Two revisions, or a folder that was
    trained again, are two adapters, and so is one that is asked more or less strongly. At no strength at all it is the
    base."""
    if pane.folder is None or pane.strength == 0:
        return BASE
    name = f"{pane.folder.resolve()}@{(pane.folder / adapter_config.WEIGHTS_FILE).stat().st_mtime_ns}"
    return name if pane.strength == 1 else f"{name}*{pane.strength!r}"
