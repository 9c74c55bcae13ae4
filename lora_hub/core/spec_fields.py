"""The settings of a training that a person may change: what each is called, what it means, and where it stands in a `TrainSpec`."""

from dataclasses import dataclass
from typing import Any, Literal

from lora_hub.core.schema import LoraSpec, Task, Text2, TrainSpec


@dataclass(frozen=True)
class Field:
    """A field of the form under *Advanced*, and a key of `--set`. `key`: dotted path into TrainSpec."""

    key: str
    kind: Literal["int", "float", "choice", "text", "bool"]
    title: Text2
    help: Text2
    choices: tuple[str, ...] = ()


FIELDS: tuple[Field, ...] = (
    Field("lora.r", "int", Text2(en="Rank (r)", fa="رتبه (r)"), Text2(en="Size of the adapter: rank of its matrices.", fa="اندازهٔ آداپتور: رتبهٔ ماتریس‌های آن.")),
    Field("lora.alpha", "float", Text2(en="Alpha", fa="آلفا"), Text2(en="The adapter's output is scaled by alpha / r.", fa="خروجی آداپتور در alpha / r ضرب می‌شود.")),
    Field("lora.dropout", "float", Text2(en="Dropout", fa="دراپ‌اوت"), Text2(en="Share of the adapter's inputs dropped while training.", fa="سهمی از ورودی آداپتور که هنگام آموزش کنار گذاشته می‌شود.")),
    Field("lora.targets", "text", Text2(en="Target layers", fa="لایه‌های هدف"), Text2(en="all-linear, or module names with commas between.", fa="all-linear یا نام لایه‌ها با ویرگول.")),
    Field("lora.rslora", "bool", Text2(en="rsLoRA scaling", fa="مقیاس rsLoRA"), Text2(en="Scale by alpha / sqrt(r), for high ranks.", fa="مقیاس alpha / sqrt(r) برای رتبه‌های بالا.")),
    Field("lr", "float", Text2(en="Learning rate", fa="نرخ یادگیری"), Text2(en="Peak learning rate of AdamW.", fa="بیشینهٔ نرخ یادگیری AdamW.")),
    Field("schedule", "choice", Text2(en="Schedule", fa="زمان‌بندی"), Text2(en="How the learning rate falls after the warm-up.", fa="کاهش نرخ یادگیری پس از گرم شدن."), ("linear", "cosine", "constant")),
    Field("warmup", "float", Text2(en="Warm-up", fa="گرم کردن"), Text2(en="Share of the steps in which the rate rises.", fa="سهمی از گام‌ها که نرخ در آن بالا می‌رود.")),
    Field("weight_decay", "float", Text2(en="Weight decay", fa="کاهش وزن"), Text2(en="AdamW's weight decay.", fa="کاهش وزن AdamW.")),
    Field("epochs", "float", Text2(en="Epochs", fa="دورها"), Text2(en="Passes over the training rows.", fa="تعداد گذر از داده‌های آموزش.")),
    Field("steps", "int", Text2(en="Steps", fa="گام‌ها"), Text2(en="Exact number of steps; 0: the epochs decide.", fa="تعداد دقیق گام‌ها؛ ۰ یعنی بر پایهٔ دورها.")),
    Field("batch", "int", Text2(en="Batch", fa="دسته"), Text2(en="Rows a step.", fa="سطر در هر گام.")),
    Field("micro_batch", "int", Text2(en="Micro-batch", fa="ریزدسته"), Text2(en="At most so many rows in memory at once; 0: the whole batch.", fa="حداکثر سطرهای هم‌زمان در حافظه؛ ۰ یعنی همهٔ بچ.")),
    Field("max_length", "int", Text2(en="Longest row", fa="بلندترین سطر"), Text2(en="Tokens; longer rows are left out and named.", fa="بر حسب توکن؛ سطرهای بلندتر کنار می‌روند و نام برده می‌شوند.")),
    Field("packing", "choice", Text2(en="Packing", fa="بسته‌بندی"), Text2(en="Several short rows in one sequence.", fa="چند سطر کوتاه در یک دنباله."), ("auto", "on", "off")),
    Field("precision", "choice", Text2(en="Precision", fa="دقت عددی"), Text2(en="auto: fp32 on a CPU, bf16 or fp16 on a GPU.", fa="خودکار: fp32 روی CPU و bf16 یا fp16 روی GPU."), ("auto", "fp32", "bf16", "fp16")),
    Field("quantization", "choice", Text2(en="Quantization", fa="کوانتیزه کردن"), Text2(en="nf4 (QLoRA) holds the base in 4 bits.", fa="nf4 (QLoRA) پایه را چهاربیتی نگه می‌دارد."), ("none", "nf4")),
    Field("gradient_checkpointing", "choice", Text2(en="Gradient checkpointing", fa="نقطهٔ وارسی گرادیان"), Text2(en="Less memory, more time; auto: only where memory needs it.", fa="حافظهٔ کمتر، زمان بیشتر؛ خودکار: فقط اگر لازم باشد."), ("auto", "on", "off")),
    Field("held_out", "float", Text2(en="Held-out share", fa="سهم کنار گذاشته"), Text2(en="Share of the rows never trained on.", fa="سهمی از سطرها که هرگز آموزش داده نمی‌شود.")),
    Field("max_held_out", "int", Text2(en="Most rows scored", fa="بیشینهٔ سطرهای آزمون"), Text2(en="At most so many held-out rows are scored.", fa="حداکثر سطرهایی که نمره می‌گیرند.")),
    Field("evaluations", "int", Text2(en="Evaluations", fa="ارزیابی‌ها"), Text2(en="How often the validation loss is measured.", fa="تعداد دفعات سنجش زیان اعتبارسنجی.")),
    Field("patience", "int", Text2(en="Patience", fa="شکیبایی"), Text2(en="Evaluations without progress before it stops; 0: never.", fa="ارزیابی‌های بی‌بهبود پیش از توقف؛ ۰ یعنی هرگز.")),
    Field(
        "task.prompt_language", "choice", Text2(en="Instruction language", fa="زبان دستور"),
        Text2(en="In which language the task is put to the model.", fa="زبانی که وظیفه با آن به مدل گفته می‌شود."), ("en", "fa"),
    ),
    Field("seed", "int", Text2(en="Seed", fa="بذر"), Text2(en="Fixes the split, the order and the start.", fa="تقسیم، ترتیب و آغاز را ثابت می‌کند.")),
)

# Names that people know from TrainingArguments and LoraConfig.
SYNONYMS = {
    "learning_rate": "lr", "num_train_epochs": "epochs", "num_epochs": "epochs", "max_steps": "steps", "per_device_train_batch_size": "micro_batch",
    "batch_size": "batch", "max_seq_length": "max_length", "lora_alpha": "lora.alpha", "lora_dropout": "lora.dropout", "rank": "lora.r",
    "lora_r": "lora.r", "target_modules": "lora.targets", "use_rslora": "lora.rslora", "lr_scheduler_type": "schedule", "warmup_ratio": "warmup",
    "instruction_language": "task.prompt_language", "language": "task.prompt_language",
}  # fmt: skip


def value_of(spec: TrainSpec, key: str) -> Any:
    """The spec's value of a field's key."""
    head, _, tail = key.partition(".")
    return getattr(getattr(spec, head), tail) if tail else getattr(spec, head)


def value_of_default(key: str) -> Any:
    head, _, tail = key.partition(".")
    of = {"lora": LoraSpec, "task": Task}[head] if tail else TrainSpec
    return of.model_fields[tail or head].default


def shown(value: Any) -> str:
    """A setting's value as people read it: 0.0043, "q_proj, v_proj"."""
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
