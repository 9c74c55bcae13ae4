"""The adapter that a training goes on from: found by its name, checked, and brought into the run's folder.

    parent = find_parent("spam-built-in@v2")       a repo of the Hub (owner/name@version), or the id of a run
    parent.task, parent.base, parent.lora          what the new run has to take over
    bring(parent.noun, folder)                     its weights, where the run's process finds them

A run goes on with the same task, put in the same words with the same labels, on the same weights of the base, and with
the same rank, alpha and layers: anything else would be another adapter that begins with the wrong numbers.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub import hub
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import settings, store
from lora_hub.core.errors import AdapterError, HubError, SpecError
from lora_hub.core.messages import Message, _, several
from lora_hub.core.schema import (
    MOST_FILES,
    AdapterRef,
    BaseModel,
    DatasetInfo,
    LoraSpec,
    Parent,
    Problem,
    Task,
    TrainSpec,
)
from lora_hub.hub import adapter_config
from lora_hub.runs import run_states
from lora_hub.runs.looking import refresh_run

# What of an adapter's folder the training reads.
FILES = (adapter_config.CONFIG_FILE, adapter_config.WEIGHTS_FILE)


@dataclass(frozen=True)
class ParentAdapter:
    """An adapter to go on from. noun: as the spec names it. folder: PEFT's files. task: in the words, and with the
    labels, that it was trained with. base: as it is here. lora: its shape. title: what it is published as; "" for its
    default name."""

    noun: Parent
    folder: Path
    task: Task
    base: BaseModel
    lora: LoraSpec
    title: str = ""


def find_parent(name: str, *, task: Task | str = "", base: BaseModel | None = None) -> ParentAdapter:
    """The adapter of that name. task (or its id), base: what a person wants to train beside it; "" and None: its own.

    Raises AdapterError where there is none, it cannot be gone on from, or it is of another task or base; HubError where
    the Hub cannot be asked.
    """
    found = _find(name.strip())
    wanted = found.task
    if task and task != found.task.id:
        wanted = catalogue.get_task(task) if isinstance(task, str) else task
        wanted = catalogue.in_language(wanted, found.task.prompt_language)
    check_fits(found, wanted, base or found.base)
    return found


def _find(name: str) -> ParentAdapter:
    known = None
    if name in store.list_run_ids():
        run = refresh_run(name)
        if not run.adapter_folder:
            raise AdapterError(
                _("The run {name} has no adapter to go on from: it is {state}."),
                _("Wait until it has succeeded, or resume it."),
                name=name,
                state=run_states.word(run.state),
            )
        folder, known = store.run_folder(name) / run.adapter_folder, run.spec.base
        noun = Parent(run=name)
        if run.adapter is not None:
            version = next((tag for tag in run.adapter.versions if tag.startswith("v")), "")
            noun = Parent(repo_id=run.adapter.repo_id, revision=run.adapter.revision, version=version, run=name)
    else:
        folder, ref = hub.fetch_adapter(name)
        noun = Parent(repo_id=ref.repo_id, revision=ref.revision, version=_version_of(ref, name.partition("@")[2]))
    return _read(name, folder, noun, known)


def _version_of(ref: AdapterRef, asked: str) -> str:
    """The version that a commit is; "" where it is none, or the Hub is down and the cache answered."""
    if asked and not ref.revision.startswith(asked) and hub.version_number(asked):
        return asked
    try:
        tags = hub.list_versions(ref.repo_id)
    except HubError:
        return ""
    return next((one.tag for one in tags if one.number and one.commit == ref.revision), "")


def bring(parent: Parent, folder: Path) -> None:
    """Puts the adapter's weights into a run's folder, so that the run needs neither Hub nor another run, also when it
    is resumed. Raises like `find_parent`."""
    found = _place_of(parent)
    target = folder / store.PARENT
    with store.disk_errors(target):
        target.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            shutil.copyfile(found / name, target / name)


def _place_of(parent: Parent) -> Path:
    if parent.run and parent.run in store.list_run_ids():
        run = refresh_run(parent.run)
        if run.adapter_folder:
            return store.run_folder(parent.run) / run.adapter_folder
    if not parent.repo_id:
        raise AdapterError(
            _("The run {name} that this one goes on from is not here any more."),
            _("Choose another adapter to go on from."),
            name=parent.run,
        )
    return hub.fetch_adapter(f"{parent.repo_id}@{parent.revision}")[0]


def _read(name: str, folder: Path, noun: Parent, known: BaseModel | None) -> ParentAdapter:
    """known: the base of the adapter's run, where that is here."""
    from lora_hub.answering import adapter_base  # imports torch, as the next does
    from lora_hub.training import going_on

    record = hub.read_adapter_record(folder)
    if record is None:
        raise AdapterError(
            _(
                "{name} was not made with LoRA Hub: how its questions are put is not known, so no training goes on "
                "from it."
            ),
            _("Choose an adapter that was trained here."),
            name=name,
        )
    try:
        told = hub.parts_of(record, is_own=known is not None)
        before = LoraSpec.model_validate(told.spec.get("lora", {}))
    except ValueError as error:  # anybody may have written it
        raise hub.damaged_record(name, error) from error
    run = record.get("run")
    if not noun.run and isinstance(run, str) and len(run) <= 121:
        noun = noun.model_copy(update={"run": run})
    files = dict.fromkeys((*hub.files_of(record), *hub.files_before(record)))
    noun = noun.model_copy(update={"files": tuple(files)[:MOST_FILES]})
    title = told.spec.get("name")
    return ParentAdapter(
        noun,
        folder,
        told.task,
        adapter_base.base_of_record(name, told.base, known=known),
        going_on.shape_of(name, folder, before),
        title if isinstance(title, str) else "",
    )


def check_fits(parent: ParentAdapter, task: Task, base: BaseModel) -> None:
    """Raises AdapterError where a run's base or task is not the parent's. task: with its labels."""
    if _weights(base) != _weights(parent.base):
        raise AdapterError(
            _("{name} was trained on the base {its}, and this run is on {base}."),
            _("Choose the base {its}, or train from the beginning.", its=parent.base.id),
            name=parent.noun.name,
            its=parent.base.id,
            base=base.id,
        )
    if what := _difference(parent.task, task):
        raise AdapterError(
            _("{name} was trained with another task: {what}."),
            _("Train with its own task, {task}, or from the beginning.", task=parent.task.title),
            name=parent.noun.name,
            what=what,
        )


def check_labels(parent: ParentAdapter, task: Task, seen: set[str]) -> None:
    """Raises AdapterError where rows have labels that the parent never heard of. seen: the labels of the rows."""
    strange = sorted(seen - set(parent.task.labels))
    if task.output == "labels" and strange:
        raise AdapterError(
            _("The rows have labels that {name} does not know: {labels}. It knows {known}."),
            _("Rename or leave out these rows, or train from the beginning."),
            name=parent.noun.name,
            labels=several(strange, most=5, quoted=True),
            known=several(parent.task.labels, most=12, quoted=True),
        )


def find_same_rows(parent: ParentAdapter, data: DatasetInfo, has_test: bool = False) -> list[Problem]:
    """A warning where all files of a run's data are among those that the parent, or one before it, was trained on, and
    a note where some of them are; problems, as the checks of the data tell them. has_test: another file is scored."""
    known = [part.name for part in data.parts if part.fingerprint in parent.noun.files]
    if data.fingerprint not in parent.noun.files and len(known) < max(1, len(data.parts)):
        return [_some_known(parent, known)] if known and not has_test else []
    said = _(
        "{name} was trained on these very rows: going on with them teaches little that is new, and rows that are held "
        "out now may be among those it was trained on, so that scores come out too high.",
        name=parent.noun.name,
    )
    hint = _("Go on with rows that it has not seen, or train from the beginning with more effort.")
    return [Problem(code="same-rows", severity="warning", said=said, advice=hint)]


def _some_known(parent: ParentAdapter, files: Sequence[str]) -> Problem:
    said = _(
        "{name} was trained on {files} before: of these rows, some that are held out now may be among those it knows, "
        "so that their scores come out too high.",
        name=parent.noun.name,
        files=several(files, most=5),
    )
    hint = _("Go by the scores of the other files; the run tells them file by file.")
    return Problem(code="same-rows", severity="info", said=said, advice=hint)


def _difference(before: Task, now: Task) -> Message | None:
    """In what two tasks differ, so far as a prompt shows it; None where they don't."""
    if before.id != now.id:
        return _("it is {before}, not {now}", before=before.title, now=now.title)
    if before.template != now.template or before.instruction != now.instruction:
        return _("its questions are put in other words")
    if (before.inputs, before.output) != (now.inputs, now.output):
        return _("it has other inputs or answers")
    if before.prompt_language != now.prompt_language:
        return _("its instruction is in another language")
    return None


def _weights(base: BaseModel) -> Any:
    """What makes two bases one: the hash of the weights, for one of the Hub its id and commit."""
    return base.fingerprint if bases.folder_of(base) is not None and base.fingerprint else (base.id, base.revision)


def go_on(spec: TrainSpec, parent: ParentAdapter, overrides: dict[str, Any]) -> TrainSpec:
    """The spec with the parent's shape and name. overrides: {full key: value} that a person chose. Raises SpecError
    where one of them is another shape."""
    for key in ("r", "alpha", "rslora", "targets"):
        if f"lora.{key}" in overrides and getattr(spec.lora, key) != getattr(parent.lora, key):
            raise SpecError(
                _("{key} = {value} is not what {name} has: {its}."),
                _("Leave it out: the run goes on with the adapter's own shape."),
                key=f"lora.{key}",
                value=str(getattr(spec.lora, key)),
                name=parent.noun.name,
                its=str(getattr(parent.lora, key)),
            )
    dropout = spec.lora.dropout if "lora.dropout" in overrides else parent.lora.dropout
    lora = parent.lora.model_copy(update={"dropout": dropout})
    return spec.model_copy(update={"lora": lora, "parent": parent.noun, "name": spec.name or _own_name(spec, parent)})


def _own_name(spec: TrainSpec, parent: ParentAdapter) -> str:
    """The name that makes the new adapter a version of its parent's repo; "" where the default does, or it has none."""
    owner, _slash, repo = parent.noun.repo_id.partition("/")
    if not repo or owner != (spec.publish_to or settings.organization()):
        return parent.title
    return next((name for name in ("", parent.title) if hub.repo_name(spec, name) == repo), repo)
