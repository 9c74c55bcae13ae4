"""Pre-flight of conversations against a base's own chat template: what it refuses, and what it has no place for."""

from collections.abc import Callable, Sequence
from typing import Any

from lora_hub.core.schema import Task
from lora_hub.data.chat_template import Traits, traits_of, without_thoughts
from lora_hub.data.check_words import counted, number_fa
from lora_hub.data.findings import Finding, finding
from lora_hub.data.prepare import Example, find_refused

MOST = 20_000  # examples that are rendered


def find_template(tokenizer: Any, task: Task, examples: Sequence[Example]) -> list[Finding]:
    """`examples`: the rows' as `prepare.build_examples` gives them; the first `MOST` are looked at."""
    examples = examples[:MOST]
    traits = traits_of(tokenizer)
    found = [_refused(tokenizer, task, examples)] if task.is_chat and tokenizer.chat_template else []
    found += [_no_tools(traits, examples), _calls_as_text(traits, examples), _no_system(traits, examples), _thoughts(traits, examples)]
    return [one for one in found if one is not None] + _closed(traits)


def _refused(tokenizer: Any, task: Task, examples: Sequence[Example]) -> Finding | None:
    rows, reason = find_refused(tokenizer, task, examples)
    if reason is None:
        return None
    listed = ", ".join(map(str, rows[:10])) + (" ..." if len(rows) > 10 else "")
    why, why_fa = reason.message.partition(": ")[2] or reason.message, reason.in_language("fa")[0]
    return finding(
        "refused-chats", "error",
        f"{counted(len(rows), 'conversation')} {'is' if len(rows) == 1 else 'are'} refused by the base's chat template (row{'s' if len(rows) > 1 else ''} {listed}): {why.rstrip('.')}.",
        f"قالب گفت‌وگوی مدل پایه {number_fa(len(rows))} گفت‌وگو را نمی‌پذیرد (سطر {listed}): {why_fa.rstrip('.')}.",
        hint="Leave these rows out, or choose a base whose template takes them.",
        hint_fa="این سطرها را کنار بگذارید، یا مدل پایه‌ای انتخاب کنید که قالبش آن‌ها را بپذیرد.", rows=rows,
    )  # fmt: skip


def _no_tools(traits: Traits, examples: Sequence[Example]) -> Finding | None:
    rows = [] if traits.tools else _rows(examples, lambda example: bool(example.inputs.get("tools")))
    return None if not rows else finding(
        "no-place-for-tools", "warning",
        f"{counted(len(rows), 'conversation')} define{'s' if len(rows) == 1 else ''} tools, which the base's chat template has no place for: the model does not see the definitions.",
        f"{number_fa(len(rows))} گفت‌وگو ابزار تعریف می‌کند و قالب گفت‌وگوی مدل پایه جایی برای آن ندارد: مدل تعریف‌ها را نمی‌بیند.",
        hint="Choose a base whose template takes tools (such as Qwen2.5 or Llama 3.1), or write the definitions into the system text.",
        hint_fa="مدل پایه‌ای انتخاب کنید که قالبش ابزار می‌پذیرد (مانند Qwen2.5 یا Llama 3.1)، یا تعریف‌ها را در متن سیستم بنویسید.",
        rows=rows,
    )  # fmt: skip


def _calls_as_text(traits: Traits, examples: Sequence[Example]) -> Finding | None:
    rows = [] if traits.calls else _rows(examples, lambda example: example.turn is not None)
    return None if not rows else finding(
        "calls-as-text", "info",
        f"The tool calls of {counted(len(rows), 'conversation')} are learnt as JSON text, a line each: the base's chat template has no form for them.",
        f"فراخوانی‌های ابزار در {number_fa(len(rows))} گفت‌وگو به شکل متن JSON یاد گرفته می‌شود: قالب گفت‌وگوی مدل پایه شکلی برای آن ندارد.",
        rows=rows,
    )  # fmt: skip


def _no_system(traits: Traits, examples: Sequence[Example]) -> Finding | None:
    def has_system(example: Example) -> bool:
        return bool(example.inputs.get("system")) or any(message["role"] == "system" for message in example.inputs.get("messages", ()))

    rows = [] if traits.system else _rows(examples, has_system)
    return None if not rows else finding(
        "no-system-turn", "info",
        f"The base's chat template has no system turn: the system text of {counted(len(rows), 'row')} is put before the first question, in training and in asking.",
        f"قالب گفت‌وگوی مدل پایه نوبت سیستم ندارد: متن سیستم در {number_fa(len(rows))} سطر، هم در آموزش و هم هنگام پرسیدن، پیش از نخستین پرسش می‌آید.",
        rows=rows,
    )  # fmt: skip


def _thoughts(traits: Traits, examples: Sequence[Example]) -> Finding | None:
    """Thoughts written into the answer itself (<think>...</think>), where the template has closed its own place for them."""
    rows = _rows(examples, lambda example: without_thoughts(example.answer, traits) != example.answer)
    return None if not rows else finding(
        "thoughts-in-answers", "warning", f"In {counted(len(rows), 'row')} the answer begins with thoughts (<think>), which are not learnt on this base.",
        f"در {number_fa(len(rows))} سطر پاسخ با متن استدلال («<think>») شروع می‌شود که روی این مدل پایه یاد گرفته نمی‌شود.",
        hint="Its template has its own place for thoughts, which is closed before the answer. A base without one learns them as text.",
        hint_fa="قالب آن برای استدلال جای خود را دارد که پیش از پاسخ بسته می‌شود. مدل پایه‌ای که چنین جایی ندارد آن‌ها را همچون متن یاد می‌گیرد.",
        rows=rows,
    )  # fmt: skip


def _closed(traits: Traits) -> list[Finding]:
    if not (traits.thinks and traits.opening):
        return []
    return [finding(
        "thinking-closed", "info",
        "The base's chat template opens a block for thoughts before each answer. It is closed again, empty, in training and in asking.",
        "قالب گفت‌وگوی مدل پایه پیش از هر پاسخ بخشی برای استدلال باز می‌کند. این بخش، هم در آموزش و هم هنگام پرسیدن، خالی بسته می‌شود.",
    )]  # fmt: skip


def _rows(examples: Sequence[Example], is_so: Callable[[Example], bool]) -> list[int]:
    return list(dict.fromkeys(example.row for example in examples if is_so(example)))
