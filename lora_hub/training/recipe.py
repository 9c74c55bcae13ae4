"""The one dial and what it derives: (task, base, data, effort) -> TrainSpec.

Evidence: J. Schulman and Thinking Machines Lab, "LoRA Without Regret" (2025). LoRA on all linear layers with a learning
rate about ten times that of full fine-tuning learns as well as full fine-tuning on datasets of this size; the best rate
hardly depends on the rank when alpha / r scales the update (alpha = 32 there and here); LoRA pays more than full
fine-tuning for large batches, so batches stay at 32 or below. The rate for a base's width is theirs too
(base_folder.default_lr).

Every derived value is shown with its reason (`explain`) and can be overridden by its key (`make_spec(overrides=...)`).
"""

import difflib
import math
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import SpecError, refused
from lora_hub.core.messages import Message, _, several
from lora_hub.core.schema import EFFORTS, BaseModel, DatasetInfo, Task, TrainSpec
from lora_hub.core.spec_fields import FIELDS, SYNONYMS, shown, value_of, value_of_default
from lora_hub.data.prompts.split import held_out_share, held_out_sizes

# estimates are asked for where specs are made
from lora_hub.training.estimate import FILLED as FILLED
from lora_hub.training.estimate import CostEstimate as CostEstimate
from lora_hub.training.estimate import answer_seconds as answer_seconds
from lora_hub.training.estimate import estimate as estimate
from lora_hub.training.estimate import estimate_costs as estimate_costs
from lora_hub.training.estimated import Estimate as Estimate
from lora_hub.training.estimated import estimate_together as estimate_together
from lora_hub.training.patience import LEARNT_LOSS as LEARNT_LOSS
from lora_hub.training.patience import can_choose as can_choose
from lora_hub.works_in import marks_of_spec, note

# Bases below this size know little, so that they have to see a dataset more often, and can: a step costs milliseconds.
SMALL_BASE = 20_000_000
# Their learning rate, times the formula's (which was fitted on bases a thousand and more wide), where there is much to
# learn in few steps: more labels than this, or texts in fewer steps than this. On the built-in base (128 wide): 20
# intents, 600 rows, 234 steps, 250 others scored: balanced accuracy 45 at half of the formula's rate, 57 at the
# formula's, 70 at twice, 41 at four times; on rows that chose nothing 59 before and 67 at twice. Questions to SQL, 76
# steps: validation loss 1.35 and 1.25. Not elsewhere: two labels in 234 steps 59 and 57 (SST-2), 86 and 85 (SMS spam),
# in 76 steps 53 and 50, 83 and 84; a translation's validation loss in 234 steps 4.49 and 4.50.
SMALL_BASE_RATE, MANY_LABELS, SHORT = 2, 8, 100
# Steps that other bases take at least, by effort, as far as so many passes make them. SmolLM2-135M had learnt next to
# nothing of six types of question after 10 steps (24 %), and after 56 (86 %) its validation loss still fell. Not more
# passes than that: on the built-in base 24 instead of 8 over 50 rows gave 79 against 75 % in one task, 72 against 84 in
# another.
LEAST_STEPS, MOST_PASSES = (48, 80, 160), (4, 8, 12)


@dataclass(frozen=True)
class Derived:
    """A derived value and why."""

    value: Any
    why: Message


# Inside a reason. English has one name for each in every place, the shell's and the file's.
EFFORT_NAMES = {"quick": _("quick"), "balanced": _("balanced"), "thorough": _("thorough")}
DEFAULT = _("default")
SET_BY_YOU = _("set by you")


def derive(task: Task, base: BaseModel, rows: int, effort: str, language: str = "") -> dict[str, Derived]:
    """Every value the dial decides, by key, with its reason. rows: rows of the dataset; language: what they are in
    ("fa"), "" where that is not known."""
    level = EFFORTS.index(effort)
    small = 0 < base.parameters < SMALL_BASE
    rank = (8, 16, 32)[level]
    seen, most = ((2000, 4000, 16000), (4, 8, 20)) if small else ((1000, 3000, 9000), (1, 3, 5))
    epochs = max(1, min(most[level], round(seen[level] / max(1, rows), 1)))
    batch = 8 if rows < 200 else 16 if rows < 20_000 else 32
    why_epochs = _(
        "{effort}: about {rows:,} rows seen, at most {most} passes",
        effort=EFFORT_NAMES[effort],
        rows=seen[level],
        most=most[level],
    )
    steps_a_pass = max(1, math.ceil(rows * (1 - held_out_share(rows)) / batch))
    if not small and epochs * steps_a_pass < LEAST_STEPS[level]:
        epochs = min(MOST_PASSES[level], math.ceil(10 * LEAST_STEPS[level] / steps_a_pass) / 10)
        why_epochs = _(
            "few rows: as many passes as make {steps} steps, at most {most}",
            steps=LEAST_STEPS[level],
            most=MOST_PASSES[level],
        )
    micro = 0 if base.parameters < 1e9 else 4 if base.parameters < 3.5e9 else 2
    length = min(base.context, (512, 1024, 2048)[level])
    has_labels = task.output == "labels"
    scored = (200, 500, 1000)[level] if has_labels else (60, 120, 300)[level]
    looked, effort_name = (4, 6, 10)[level], EFFORT_NAMES[effort]
    at_once = _("{count} rows at once for a base of this size", count=micro) if micro else _("the whole batch at once")
    scoring = _("labels are quick to score") if has_labels else _("answers are written out to be scored")
    in_persian = language == "fa" and bool(task.instruction.fa)
    rate = base.default_lr
    why_rate = _("ten times full fine-tuning's, for a base {width} wide", width=base.hidden_size or "?")
    few = not has_labels and epochs * steps_a_pass < SHORT
    if small and (len(task.labels) > MANY_LABELS or few):
        rate *= SMALL_BASE_RATE
        why_rate = (
            _("a small base, and fewer than {steps} steps: twice as high as for more", steps=SHORT)
            if few
            else _("a small base has many labels to learn: twice as high as for few")
        )
    return {
        "lora.r": Derived(rank, _("{effort}: rank {rank}", effort=effort_name, rank=rank)),
        "lora.alpha": Derived(32.0, _("alpha 32 as in LoRA Without Regret, whatever the rank")),
        "lr": Derived(rate, why_rate),
        "epochs": Derived(epochs, why_epochs),
        "batch": Derived(batch, _("small batches suit LoRA")),
        "micro_batch": Derived(micro, at_once),
        "max_length": Derived(
            length,
            _("{effort}, within the base's context of {context} tokens", effort=effort_name, context=base.context),
        ),
        **({"even_labels": Derived("auto", _("on if a label is much rarer than the others"))} if has_labels else {}),
        "held_out": Derived(held_out_share(rows), _("a fifth of a small dataset, a tenth of a larger one")),
        "max_held_out": Derived(scored, scoring),
        "evaluations": Derived(looked, _("{effort}: looked at {count} times", effort=effort_name, count=looked)),
        "task.prompt_language": Derived("fa", _("the rows are in Persian"))
        if in_persian
        else Derived("en", _("Persian where the rows are")),
        "patience": Derived((2, 2, 3)[level], _("stops when the validation loss no longer falls"))
        if can_choose(held_out_sizes(rows, held_out_share(rows), scored)[1])
        else Derived(0, _("too few validation rows to say when to stop: the last step is kept")),
    }


def make_spec(
    task: Task,
    base: BaseModel,
    dataset: DatasetInfo,
    mapping: dict[str, str],
    *,
    effort: str = "balanced",
    overrides: dict[str, Any] | None = None,
    test_dataset: DatasetInfo | None = None,
    test_mapping: dict[str, str] | None = None,
    name: str = "",
    share_rows: bool = False,
    publish_to: str = "",
    publish_private: bool = False,
    minimum: dict[str, float] | None = None,
) -> TrainSpec:
    """The spec of a run. `overrides`: {key: value} with keys of `FIELDS`, their last part, or a synonym; values may be
    text.

    Raises SpecError for an unknown effort, an unknown key or a value out of range.
    """
    if effort not in EFFORTS:
        raise SpecError(
            _("There is no effort {effort!r}."),
            _("Choose one of: {choices}."),
            effort=effort,
            choices=several(EFFORTS),
        )
    values: dict[str, Any] = {key: derived.value for key, derived in derive(task, base, dataset.rows, effort).items()}
    values.pop("task.prompt_language")  # the task has it already: from its own file, or from its rows
    task = with_language(task, overrides or {})
    for key, value in (overrides or {}).items():
        values[find_key(key)] = _parse(find_key(key), value)
    values.pop("task.prompt_language", None)
    _check_targets(values.get("lora.targets"), base)
    lora = {key.removeprefix("lora."): values.pop(key) for key in list(values) if key.startswith("lora.")}
    try:
        return TrainSpec(
            task=task,
            base=base,
            dataset=dataset,
            mapping=mapping,
            test_dataset=test_dataset,
            test_mapping=test_mapping or {},
            name=name,
            effort=effort,
            share_rows=share_rows,
            publish_to=publish_to,
            publish_private=publish_private,
            minimum=minimum or {},
            lora=lora,
            **values,
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        # Below the field pydantic names the kinds that it tried, and places in a list.
        key = next((field.key for field in FIELDS if f"{place}.".startswith(f"{field.key}.")), place)
        raise SpecError(
            _("{key} = {value} will not do: {why}."),
            _("Give another value."),
            key=key,
            value=shown(first.get("input")),
            why=refused(first),
        ) from error


def _check_targets(targets: Any, base: BaseModel) -> None:
    """Raises SpecError where modules are named that the base has not. Only a base whose weights lie in a folder here is
    asked: of another one the run finds out, when it has loaded it."""
    if not isinstance(targets, tuple | list):
        return
    layers = bases.layers_of(base)
    # As PEFT matches them; the head of a base that shares it with its embeddings has no weights of its own.
    known = [f".{layer}" for layer in (*layers, "lm_head")]
    strange = [name for name in targets if not any(layer.endswith(f".{name}") for layer in known)]
    if not layers or not strange:
        return
    names = dict.fromkeys(layer.rpartition(".")[2] for layer in layers if "embed" not in layer)
    raise SpecError(
        _("{key} = {value} will not do: {why}."),
        _(
            "{base} has the modules {names}; all-linear takes all that LoRA can adapt.",
            base=base.id,
            names=several(names),
        ),
        key="lora.targets",
        value=", ".join(map(str, targets)),
        why=_("the base has no module {strange}", strange=several(strange, "or", quoted=True)),
    )


def with_language(task: Task, overrides: dict[str, Any]) -> Task:
    """The task with the instruction's language that a person chose; as it is where none was. Raises SpecError for one
    there is not."""
    chosen = next((value for key, value in overrides.items() if find_key(key) == "task.prompt_language"), None)
    if chosen is None:
        return task
    known = next(field.choices for field in FIELDS if field.key == "task.prompt_language")
    if str(chosen).strip() not in known:
        raise SpecError(
            _("There is no instruction in the language {language!r}."),
            _("Choose one of: {choices}; or write a task of your own."),
            language=str(chosen),
            choices=several(known),
        )
    return catalogue.in_language(task, str(chosen).strip())


def find_key(key: str) -> str:
    """The full key for a key, its last part or a synonym. Raises SpecError with near misses for an unknown one."""
    keys = [field.key for field in FIELDS]
    if key in keys:
        return key
    if key in SYNONYMS:
        return SYNONYMS[key]
    tails = [known for known in keys if known.rpartition(".")[2] == key]
    if tails:
        return tails[0]
    near = difflib.get_close_matches(
        key, list(dict.fromkeys([*keys, *(known.rpartition(".")[2] for known in keys), *SYNONYMS])), n=2
    )
    raise SpecError(
        _("There is no setting {key!r}."),
        _("Did you mean {near}?", near=several(near, "or"))
        if near
        else _("Settings: {settings}.", settings=several(keys, most=99)),
        key=key,
    )


def explain(spec: TrainSpec) -> list[tuple[str, Any, Message]]:
    """(key, value, why) of every field of the form; a value other than the derived one was set by the person. Where a
    value decides where the adapter will work, that is said, too."""
    marks = marks_of_spec(spec)
    derived = derive(spec.task, spec.base, spec.dataset.rows, spec.effort, spec.dataset.language)
    rows = []
    for field in FIELDS:
        value = value_of(spec, field.key)
        default = derived[field.key].value if field.key in derived else value_of_default(field.key)
        reason = derived[field.key].why if field.key in derived else DEFAULT
        why = reason if value == default else SET_BY_YOU
        more = uneven_batch(spec) if field.key == "micro_batch" else note(marks, field.key)
        rows.append((field.key, value, _("{why}; {more}", why=why, more=more) if more else why))
    return rows


def uneven_batch(spec: TrainSpec) -> Message | None:
    """What to say where `micro_batch` rows do not make up a step of `batch` rows; None where they do."""
    if spec.rows_at_once == min(spec.micro_batch or spec.batch, spec.batch):
        return None
    return _("{count} at once, so that a step is {batch} rows", count=spec.rows_at_once, batch=spec.batch)


def _parse(key: str, value: Any) -> Any:
    """Text from the command line or a form as the field's kind; other values as they are."""
    if not isinstance(value, str):
        return value
    kind = next(field.kind for field in FIELDS if field.key == key)
    text = value.strip()
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            return float(text)
    except ValueError as error:
        said, hint = _("{key} = {value!r} is not a number."), _("Give a number, such as 16 or 2e-4.")
        if kind == "int":
            said, hint = _("{key} = {value!r} is not a whole number."), _("Give a whole number, such as 16.")
        raise SpecError(said, hint, key=key, value=value) from error
    if kind == "bool":
        if text.lower() not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
            raise SpecError(
                _("{key} = {value!r} is neither true nor false."),
                _("Give true or false."),
                key=key,
                value=value,
            )
        return text.lower() in ("true", "1", "yes", "on")
    if key == "lora.targets" and text != "all-linear":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
