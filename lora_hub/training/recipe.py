"""The one dial and what it derives: (task, base, data, effort) -> TrainSpec.

Evidence: J. Schulman and Thinking Machines Lab, "LoRA Without Regret" (2025). LoRA on all linear layers with a learning
rate about ten times that of full fine-tuning learns as well as full fine-tuning on datasets of this size; the best rate
hardly depends on the rank when alpha / r scales the update (alpha = 32 there and here); LoRA pays more than full
fine-tuning for large batches, so batches stay at 32 or below. The rate for a base's width is theirs too (bases.default_lr).

Every derived value is shown with its reason (`explain`) and can be overridden by its key (`make_spec(overrides=...)`).
"""

import difflib
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import SpecError, names_fa, refused_fa
from lora_hub.core.schema import BaseModel, DatasetInfo, Task, Text2, TrainSpec
from lora_hub.core.spec_fields import FIELDS, SYNONYMS, value_of, value_of_default
from lora_hub.data.prepare import held_out_share

# estimates are asked for where specs are made
from lora_hub.training.estimate import CostEstimate as CostEstimate
from lora_hub.training.estimate import Estimate as Estimate
from lora_hub.training.estimate import estimate as estimate
from lora_hub.training.estimate import estimate_costs as estimate_costs

EFFORTS = ("quick", "balanced", "thorough")
# Bases below this size know little, so that they have to see a dataset more often, and can: a step costs milliseconds.
SMALL_BASE = 20_000_000


@dataclass(frozen=True)
class Derived:
    """A derived value and why."""

    value: Any
    why: Text2


EFFORTS_FA = {"quick": "سریع", "balanced": "متعادل", "thorough": "کامل"}
DEFAULT = Text2(en="default", fa="پیش‌فرض")
SET_BY_YOU = Text2(en="set by you", fa="به خواست شما")


def derive(task: Task, base: BaseModel, rows: int, effort: str, language: str = "") -> dict[str, Derived]:
    """Every value the dial decides, by key, with its reason. rows: rows of the dataset; language: what they are in ("fa"), "" where
    that is not known."""
    level = EFFORTS.index(effort)
    small = 0 < base.parameters < SMALL_BASE
    rank = (8, 16, 32)[level]
    seen, most = ((2000, 4000, 16000), (4, 8, 20)) if small else ((1000, 3000, 9000), (1, 3, 5))
    epochs = max(1, min(most[level], round(seen[level] / max(1, rows), 1)))
    batch = 8 if rows < 200 else 16 if rows < 20_000 else 32
    micro = 0 if base.parameters < 1e9 else 4 if base.parameters < 3.5e9 else 2
    length = min(base.context, (512, 1024, 2048)[level])
    scored = (200, 500, 1000)[level] if task.output == "labels" else (60, 120, 300)[level]
    fa = f"تلاش {EFFORTS_FA[effort]}"
    looked = (4, 6, 10)[level]
    at_once = ("the whole batch at once", "همهٔ دسته یک‌جا")
    if micro:
        at_once = (f"{micro} rows at once for a base of this size", f"برای مدل پایه‌ای به این بزرگی، {micro} سطر یک‌جا")
    scoring = ("answers are written out to be scored", "پاسخ‌ها برای نمره گرفتن نوشته می‌شوند")
    if task.output == "labels":
        scoring = ("labels are quick to score", "نمره دادن به برچسب‌ها زمان کمی می‌برد")
    wide = base.hidden_size or "?"
    whys = {
        "lora.r": (rank, f"{effort}: rank {rank}", f"{fa}: رتبهٔ {rank}"),
        "lora.alpha": (32.0, "alpha 32 as in LoRA Without Regret, whatever the rank", "آلفای 32، همان‌گونه که LoRA Without Regret می‌گوید، با هر رتبه‌ای"),
        "lr": (
            base.default_lr, f"ten times full fine-tuning's, for a base {wide} wide",
            f"ده برابر نرخِ آموزش کامل، برای مدل پایه‌ای با پهنای {wide}",
        ),
        "epochs": (
            epochs, f"{effort}: about {seen[level]} rows seen, at most {most[level]} passes",
            f"{fa}: دیدن نزدیک {seen[level]} سطر، حداکثر {most[level]} گذر",
        ),
        "batch": (batch, "small batches suit LoRA", "دسته‌های کوچک برای LoRA بهترند"),
        "micro_batch": (micro, *at_once),
        "max_length": (
            length, f"{effort}, within the base's context of {base.context} tokens", f"{fa}، در زمینهٔ {base.context} توکنیِ مدل پایه",
        ),
        "held_out": (
            held_out_share(rows), "a fifth of a small dataset, a tenth of a larger one",
            "یک‌پنجمِ مجموعه‌دادهٔ کوچک، یک‌دهمِ بزرگ‌تر",
        ),
        "max_held_out": (scored, *scoring),
        "evaluations": (looked, f"{effort}: looked at {looked} times", f"{fa}: {looked} بار سنجیده می‌شود"),
        "task.prompt_language": (
            ("fa", "the rows are in Persian", "سطرها فارسی است") if language == "fa" and task.instruction.fa
            else ("en", "Persian where the rows are", "اگر سطرها فارسی باشد، فارسی")
        ),
        "patience": ((2, 2, 3)[level], "stops when the validation loss no longer falls", "وقتی زیان اعتبارسنجی دیگر کم نشود متوقف می‌شود"),
    }  # fmt: skip
    return {key: Derived(value, Text2(en=en, fa=fa)) for key, (value, en, fa) in whys.items()}


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
    """The spec of a run. `overrides`: {key: value} with keys of `FIELDS`, their last part, or a synonym; values may be text.

    Raises SpecError for an unknown effort, an unknown key or a value out of range.
    """
    if effort not in EFFORTS:
        raise SpecError(
            f"There is no effort {effort!r}.", f"Choose one of: {', '.join(EFFORTS)}.",
            message_fa=f"سطح تلاشی به نام «{effort}» نیست.", hint_fa=f"یکی از این‌ها را برگزینید: {names_fa(EFFORTS)}.",
        )  # fmt: skip
    values: dict[str, Any] = {key: derived.value for key, derived in derive(task, base, dataset.rows, effort).items()}
    values.pop("task.prompt_language")  # the task has it already: from its own file, or from its rows
    task = with_language(task, overrides or {})
    for key, value in (overrides or {}).items():
        values[find_key(key)] = _parse(find_key(key), value)
    values.pop("task.prompt_language", None)
    lora = {key.removeprefix("lora."): values.pop(key) for key in list(values) if key.startswith("lora.")}
    try:
        return TrainSpec(
            task=task, base=base, dataset=dataset, mapping=mapping, test_dataset=test_dataset, test_mapping=test_mapping or {},
            name=name, effort=effort, share_rows=share_rows, publish_to=publish_to, publish_private=publish_private,
            minimum=minimum or {}, lora=lora, **values,
        )  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        value = first.get("input")
        raise SpecError(
            f"{key} = {value!r} will not do: {first['msg'].lower()}.", "Give another value.",
            message_fa=f"مقدار «{value}» برای تنظیم «{key}» پذیرفته نیست: {refused_fa(first)}.", hint_fa="مقدار دیگری بدهید.",
        ) from error  # fmt: skip


def with_language(task: Task, overrides: dict[str, Any]) -> Task:
    """The task with the instruction's language that a person chose; as it is where none was. Raises SpecError for one there is not."""
    chosen = next((value for key, value in overrides.items() if find_key(key) == "task.prompt_language"), None)
    if chosen is None:
        return task
    known = next(field.choices for field in FIELDS if field.key == "task.prompt_language")
    if str(chosen).strip() not in known:
        raise SpecError(
            f"There is no instruction in the language {chosen!r}.", f"Choose one of: {', '.join(known)}; or write a task of your own.",
            message_fa=f"دستوری به زبان «{chosen}» نیست.", hint_fa=f"یکی از این‌ها را انتخاب کنید: {names_fa(known)}؛ یا وظیفه‌ای از خودتان بنویسید.",
        )  # fmt: skip
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
    near = difflib.get_close_matches(key, list(dict.fromkeys([*keys, *(known.rpartition(".")[2] for known in keys), *SYNONYMS])), n=2)
    raise SpecError(
        f"There is no setting {key!r}.", f"Did you mean {' or '.join(near)}?" if near else f"Settings: {', '.join(keys)}.",
        message_fa=f"تنظیمی به نام «{key}» نیست.",
        hint_fa=f"شاید {names_fa(near, between=' یا ')} را می‌خواستید." if near else f"تنظیم‌ها: {names_fa(keys, 99)}.",
    )  # fmt: skip


def explain(spec: TrainSpec, language: str = "en") -> list[tuple[str, Any, str]]:
    """(key, value, why) of every field of the form; a value other than the derived one was set by the person. `language`
    ("en" or "fa") is that of the reasons."""
    derived = derive(spec.task, spec.base, spec.dataset.rows, spec.effort, spec.dataset.language)
    rows = []
    for field in FIELDS:
        value = value_of(spec, field.key)
        default = derived[field.key].value if field.key in derived else value_of_default(field.key)
        reason = derived[field.key].why if field.key in derived else DEFAULT
        said = (reason if value == default else SET_BY_YOU).in_language(language)
        more = uneven_batch(spec) if field.key == "micro_batch" else None
        rows.append((field.key, value, f"{said}; {more.in_language(language)}" if more else said))
    return rows


def uneven_batch(spec: TrainSpec) -> Text2 | None:
    """What to say where `micro_batch` rows do not make up a step of `batch` rows; None where they do."""
    if spec.rows_at_once == min(spec.micro_batch or spec.batch, spec.batch):
        return None
    return Text2(
        en=f"{spec.rows_at_once} at once, so that a step is {spec.batch} rows",
        fa=f"هر بار {spec.rows_at_once} سطر، تا هر گام درست {spec.batch} سطر باشد",
    )


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
        raise SpecError(
            f"{key} = {value!r} is not a number.", "Give a number, such as 16 or 2e-4.",
            message_fa=f"مقدار «{value}» برای تنظیم «{key}» عدد نیست.", hint_fa="عددی بدهید، مانند 16 یا 2e-4.",
        ) from error  # fmt: skip
    if kind == "bool":
        if text.lower() not in ("true", "false", "1", "0", "yes", "no", "on", "off"):
            raise SpecError(
                f"{key} = {value!r} is neither true nor false.", "Give true or false.",
                message_fa=f"مقدار «{value}» برای تنظیم «{key}» نه true است و نه false.", hint_fa="مقدار true یا false بدهید.",
            )  # fmt: skip
        return text.lower() in ("true", "1", "yes", "on")
    if key == "lora.targets" and text != "all-linear":
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
