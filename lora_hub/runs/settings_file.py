"""A run's settings as a pipeline of one task (pipeline_file.py), so that the shell trains the same again.

    python -m lora_hub runs export RUN --what settings > again.yaml; python -m lora_hub pipeline again.yaml

What the recipe derives is written as well: a later version may derive other values.
"""

from typing import Any

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import spec_fields, store
from lora_hub.core.errors import LoraHubError
from lora_hub.core.schema import DataPart, DatasetInfo, Run, TrainSpec
from lora_hub.training import recipe

# Values that are kept as they are; others are written as `--set` takes them.
PLAIN = (bool, int, float, str)


def to_yaml(run: Run, *, shows_places: bool) -> str:
    """The file. shows_places: data is named by its place on this machine, where it still is; else by its name alone,
    to be laid beside the file."""
    import yaml

    missing = [info.name for info in _read_of(run.spec) if find_data(info) is None]
    lines = [f"# Settings of the run {run.id}. Train again: python -m lora_hub pipeline THIS_FILE"]
    lines += [f"# {name!r} is not on this machine any more: lay it beside this file." for name in missing]
    told = yaml.safe_dump(to_pipeline(run.spec, shows_places), allow_unicode=True, sort_keys=False, width=120)
    return "\n".join(lines) + "\n" + told


def to_pipeline(spec: TrainSpec, shows_places: bool) -> dict[str, Any]:
    """As `pipeline_file.make_pipeline` reads it."""
    from lora_hub.data.mending.mend_arguments import mend_argument  # polars

    def place(info: DatasetInfo) -> str:
        found = find_data(info) if shows_places else None
        return str(found) if found else info.name

    entry: dict[str, Any] = {
        "task": spec.task.id if catalogue.has_task(spec.task) else spec.task.model_dump(mode="json"),
        "data": place(spec.dataset),
        # an optional role that was left without a column would be given one again
        "map": {**dict.fromkeys(spec.task.optional_inputs, ""), **spec.mapping},
    }
    if spec.parent:
        noun = spec.parent
        entry["from"] = f"{noun.repo_id}@{noun.version or noun.revision}" if noun.repo_id else noun.run
    if parts := spec.dataset.parts:
        entry["data"] = [
            {
                "file": place(info),
                **({"weight": part.weight} if part.weight != 1 else {}),
                "map": {**dict.fromkeys(spec.task.optional_inputs, ""), **part.mapping},
                **reading_of(part),
            }
            for info, part in zip(_parts_of(spec.dataset), parts, strict=True)
        ]
        del entry["map"]  # each has its own
    if spec.test_dataset:
        entry["test"] = place(spec.test_dataset)
    if spec.name:
        entry["name"] = spec.name
    entry["set"] = {key: _plain(value) for key, value in told_settings(spec).items()}
    if spec.dataset.mends:
        entry["mend"] = [mend_argument(mend) for mend in spec.dataset.mends]
    if not spec.dataset.parts:  # what they were put together to is our own file
        entry |= reading_of(spec.dataset)
    if spec.minimum:
        entry["min"] = dict(spec.minimum)
    if spec.publish_private:
        entry["private"] = True
    base = spec.base.id
    if not shows_places and base.startswith(("/", ".", "~")):  # a folder
        base = base.rstrip("/").rpartition("/")[2]
    return {"base": base, "effort": spec.effort, "tasks": [entry]}


def told_settings(spec: TrainSpec) -> dict[str, Any]:
    """What the recipe derives, and all that is not the default, by key."""
    derived = recipe.derive(spec.task, spec.base, spec.dataset.rows, spec.effort)
    found = {}
    for field in spec_fields.FIELDS:
        value = spec_fields.value_of(spec, field.key)
        if field.key in derived or value != spec_fields.value_of_default(field.key):
            found[field.key] = value
    return found


def changed_settings(spec: TrainSpec) -> dict[str, str]:
    """What this version's recipe would not derive by itself, by key, as the form's fields hold it."""
    try:
        plain = recipe.make_spec(spec.task, spec.base, spec.dataset, spec.mapping, effort=spec.effort)
    except LoraHubError:
        return {key: spec_fields.shown(value) for key, value in told_settings(spec).items()}
    found = {}
    for field in spec_fields.FIELDS:
        value = spec_fields.value_of(spec, field.key)
        if value != spec_fields.value_of(plain, field.key):
            found[field.key] = spec_fields.shown(value)
    return found


def reading_of(info: DatasetInfo | DataPart) -> dict[str, Any]:
    """How a file was read: all that is recorded, because the plain way may have been chosen against another guess."""
    has_sheets = isinstance(info, DataPart) or len(info.sheets) > 1
    told = {"encoding": info.encoding, "delimiter": info.delimiter, "sheet": info.sheet if has_sheets else ""}
    return {key: value for key, value in {**told, "skip_broken": info.skip_broken}.items() if value}


def _parts_of(info: DatasetInfo) -> list[DatasetInfo]:
    """The files that a dataset was put together from, as they lie in the store."""
    return [info.model_copy(update={"fingerprint": part.fingerprint, "name": part.name}) for part in info.parts]


def _read_of(spec: TrainSpec) -> list[DatasetInfo]:
    """The files that the pipeline names."""
    return [*(_parts_of(spec.dataset) or [spec.dataset]), *([spec.test_dataset] if spec.test_dataset else [])]


def find_data(info: DatasetInfo) -> Any:
    """The file's place on this machine; None if it is gone."""
    try:
        return store.dataset_file(info)
    except LoraHubError:
        return None


def _plain(value: Any) -> Any:
    return value if isinstance(value, PLAIN) else ",".join(map(str, value))
