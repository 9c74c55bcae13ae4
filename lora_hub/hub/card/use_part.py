"""What a card tells of how the adapter is used: where it works, and for each place what is pasted there."""

from collections.abc import Iterator

from lora_hub.core.messages import _, _n
from lora_hub.hub import snippet
from lora_hub.hub.card import engines
from lora_hub.hub.card.card_metadata import Facts, short_name
from lora_hub.hub.card.engines import Pasted
from lora_hub.hub.card.markdown import escape, fence
from lora_hub.hub.card.words import Words

# Longer code is not for pasting: a task of one's own may have a prompt of any length.
LONGEST_CODE = 12_000
MOST_LABELS = 100
WORKS = {
    "yes": _("yes"),
    "if": _("on a condition"),
    "no": _("no"),
    "unknown": _("nobody here knows"),
}


def works_in(facts: Facts, tell: Words) -> str:
    """The table of places; empty where nobody looked."""
    if not facts.works_in:
        return ""
    lines = [f"| {tell(_('works in'))} | | {tell(_('why'))} |", "|---|---|---|"]
    for mark in facts.works_in:
        why = escape(tell(mark.why), 500) if mark.why else ""
        lines.append(f"| {escape(tell(mark.title), 60)} | {tell(WORKS[mark.works])} | {why} |")
    return "\n".join(lines)


def labels(facts: Facts, tell: Words) -> str:
    named = facts.spec.task.labels
    if not named:
        return ""
    shown = ", ".join(escape(label, 60) for label in named[:MOST_LABELS])
    others = len(named) - MOST_LABELS
    more = " " + tell(_n("and {count:,} other", "and {count:,} others", count=others)) if others > 0 else ""
    return f"{tell(_('It answers with one of:'))} {shown}{more}."


def usage(facts: Facts, tell: Words) -> str:
    """The places, and the code for each that the adapter works in."""
    refused = {mark.place for mark in facts.works_in if mark.works == "no"}
    parts = [works_in(facts, tell), *_peft(facts)]
    for place, title, make in (
        ("serve", "An endpoint, with LoRA Hub", engines.serve),
        ("vllm", "vLLM", engines.vllm),
        ("gguf-adapter", "llama.cpp", engines.llama_cpp),
        ("app", "The app, from a program", engines.app),
    ):
        if place not in refused:
            parts += [f"### {title}", *_pasted(make(facts))]
    return "\n\n".join(filter(None, [*parts, labels(facts, tell)]))


def _peft(facts: Facts) -> Iterator[str]:
    spec = facts.spec
    code = snippet.write(
        spec.task,
        repo_id=facts.repo_id,
        base=facts.base_repo or short_name(spec.base),
        base_revision=facts.base_revision,
        chat_template=spec.base.has_chat_template,
        **facts.record.get("asking", {}),
    )
    yield "### Python, with PEFT"
    yield "`pip install torch transformers peft`"
    if not facts.base_repo:
        yield "Set `BASE` to the folder that holds the base."
    yield _code(code)


def _pasted(pasted: Pasted) -> Iterator[str]:
    yield fence(pasted.shell, "sh")
    yield f"`pip install {pasted.needs}`"
    yield _code(pasted.code)


def _code(code: str) -> str:
    if len(code) > LONGEST_CODE:
        return "The task's prompt is too long for this page; `lora_hub.json` has it."
    return fence(code, "python")
