"""A published adapter's training once more: its record, and the data that it was made from -> a run to start.

    again = plan_again(record, Path("spam.csv"), base)
    again.plan.spec              the record's settings, on this file
    again.differences            what of the data is another; empty where it is the same file

The base is held against the record by the hash of its weights, the file by its fingerprint.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.core import store
from lora_hub.core.errors import AdapterError, BaseError, DataError, damage_of
from lora_hub.core.messages import Message, _, several
from lora_hub.core.schema import BaseModel, DataPart, DatasetInfo, TrainSpec
from lora_hub.core.spec_fields import FIELDS, value_of
from lora_hub.runs.planning import Plan, plan_run
from lora_hub.runs.settings_file import reading_of


@dataclass(frozen=True)
class Again:
    """plan: of the run. recorded: the spec that the record tells. differences: in the data."""

    plan: Plan
    recorded: TrainSpec
    differences: tuple[Message, ...] = ()


def recorded_spec(record: dict[str, Any] | None, name: str) -> TrainSpec:
    """The spec of an adapter's record, which anybody may have written. Raises AdapterError where there is none that can
    be trained again."""
    from lora_hub import hub

    if record is None:
        raise AdapterError(
            _("{name} has no record of its training: it was made elsewhere."),
            _("Choose an adapter that LoRA Hub published."),
            name=name,
        )
    if record.get("composition"):
        raise AdapterError(
            _("{name} was not trained: it is a sum of other adapters."),
            _("Its card has the commands that find its weights and compute its figures again."),
            name=name,
        )
    try:
        hub.parts_of(record)
        return hub.spec_of(record)
    except (ValueError, KeyError, TypeError) as error:
        raise AdapterError(
            _("The record of {name} is damaged: {reason}."),
            _("Choose another adapter."),
            name=name,
            reason=damage_of(error) if isinstance(error, ValueError) else str(error)[:100],
        ) from error


def settings_of(spec: TrainSpec) -> dict[str, str]:
    """Every setting of a spec, as `recipe.make_spec` takes them."""
    values = {field.key: value_of(spec, field.key) for field in FIELDS}
    return {key: ",".join(value) if isinstance(value, tuple) else str(value) for key, value in values.items()}


def plan_again(
    record: dict[str, Any] | None,
    file: Path,
    base: BaseModel,
    *,
    name: str,
    test_file: Path | None = None,
    other_data: bool = False,
    parts: Sequence[DataPart] = (),
    inspector: Any = None,
) -> Again:
    """Plans the run. base: the one that the record names. name: the adapter's, for what is said. other_data: go on
    where the file is another. parts: the files that other data was put together from; the record's own data has the
    record's. Raises AdapterError (no record to train from), BaseError (other weights), DataError (another file, or one
    that cannot be trained on)."""
    recorded = recorded_spec(record, name)
    check_same_base(recorded.base, base, name)
    info = recorded.dataset
    kept = store.add_dataset(file)
    differences = data_differences(recorded, kept, test_file, name)
    if differences and not other_data:
        raise DataError(
            _("It is not the data that {name} was trained on: {differences}."),
            _("Give the same data. Without --check, --other-data trains on this one nevertheless."),
            name=name,
            differences=several(differences, ";"),
        )
    plan = plan_run(
        kept,
        recorded.task,
        base,
        mapping={**dict.fromkeys(recorded.task.optional_inputs, ""), **recorded.mapping},
        mends=info.mends,
        effort=recorded.effort,
        overrides=settings_of(recorded),
        test_file=test_file,
        dataset_name=kept.name,
        parts=parts if differences else info.parts,
        reading=reading_of(info),
        inspector=inspector,
    )
    # All of the record's settings, those that no form has, too; the labels as they were, in their order.
    own = {"dataset", "test_dataset", "test_mapping", "base", "mapping"}
    kept_fields = {key: getattr(plan.spec, key) for key in own}
    spec = recorded.model_copy(
        update={**kept_fields, "publish_to": "", "publish_private": False, "share_rows": False, "minimum": {}}
    )
    return Again(Plan(**{**vars(plan), "spec": spec}), recorded, tuple(differences))


def check_same_base(recorded: BaseModel, base: BaseModel, name: str) -> None:
    """Raises BaseError where a base has other weights than the record tells; one without their hash is believed."""
    if recorded.fingerprint and base.fingerprint and recorded.fingerprint != base.fingerprint:
        raise BaseError(
            _("{base} is not the base that {name} was trained on: its weights are {here}, not {there}."),
            _("Name the right one with --base."),
            base=base.id,
            name=name,
            here=base.fingerprint[:16],
            there=recorded.fingerprint[:16],
        )


def data_differences(recorded: TrainSpec, file: Path, test_file: Path | None, name: str) -> list[Message]:
    """In what the files are others than those of a record, by the hashes of their bytes; [] where they are the same.
    name: of the adapter. Raises DataError where a test file is missing, or there was none."""
    found = [*_differences(recorded.dataset, store.add_dataset(file))]
    if recorded.test_dataset is not None:
        if test_file is None:
            raise DataError(
                _("{name} was scored on a test file, {file!r}."),
                _("Give it with --test."),
                name=name,
                file=recorded.test_dataset.name[:200],
            )
        found += _differences(recorded.test_dataset, store.add_dataset(test_file))
    elif test_file is not None:
        raise DataError(_("{name} was scored on a part of its own file."), _("Leave --test out."), name=name)
    return found


def _differences(info: DatasetInfo, file: Path) -> Iterator[Message]:
    """In what a file is another than the one of a record: by the hash of its bytes."""
    found = store.dataset_fingerprint(file)
    if found != info.fingerprint and info.parts:  # what they were put together to is no file that a person has
        yield _(
            "{file!r} has the fingerprint {found}, and the record says {told}, put together from {files!r}",
            file=file.name,
            found=found,
            told=info.fingerprint[:64],
            files=" ".join(f"{part.name[:200]}:{part.weight:g}" for part in info.parts),
        )
    elif found != info.fingerprint:
        yield _(
            "{file!r} has the fingerprint {found}, and the record says {told} ({name!r})",
            file=file.name,
            found=found,
            told=info.fingerprint[:64],
            name=info.name[:200],
        )
