"""A kept comparison as JSON for programs and as Markdown for people.

What the models and people wrote stands in code blocks that nothing in it can end, and names stand escaped: a reader of
the Markdown runs, opens and loads nothing of it.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any

from lora_hub import hub
from lora_hub.core.messages import _
from lora_hub.core.schema import BASE, BASE_EXAMPLES, Comparison, PaneAnswer

# Marks of direction, which show a text in another order than it has, and what a terminal obeys.
_MARKS = re.compile("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f\x7f-\x9f]")
BASES = {BASE: _("Base, no adapter"), BASE_EXAMPLES: _("Base with examples in its prompt")}


def comparison_json(one: Comparison) -> dict[str, Any]:
    """The question, and each answer as `PaneAnswer.to_json`, in the order in which the page showed them."""
    return {
        "id": one.id,
        "at": datetime.fromtimestamp(one.at, UTC).isoformat(timespec="seconds"),
        "owner": one.owner,
        "visibility": one.visibility,
        "task": one.task,
        "blind": one.is_blind,
        "question": one.question.model_dump(mode="json", exclude_defaults=True),
        "answers": [{"model": one.model_of(answer), **answer.to_json()} for answer in one.placed],
    }


def comparison_markdown(one: Comparison, language: str) -> str:
    """language: of the headings."""

    def told(message: Any) -> str:
        return message.in_language(language)

    question = one.question
    parts = [f"# {told(_('Comparison'))} {one.id}", _facts(one)]
    if question.system.strip():
        parts += [f"## {told(_('System prompt'))}", _block(question.system)]
    parts.append(f"## {told(_('Question'))}")
    if question.inputs:
        for role, value in question.inputs.items():
            parts += [f"**{hub.escape_markdown(role)}**", _block(str(value))]
    else:
        parts.append(_block(question.prompt))
    if question.reference:
        parts += [f"## {told(_('Right answer'))}", _block(question.reference)]
    parts.append(f"## {told(_('Answers'))}")
    for answer in one.placed:
        name = told(BASES[answer.name]) if answer.name in BASES else hub.escape_markdown(answer.name)
        parts += [
            f"### {name}",
            *([_of(answer, language)] if _of(answer, language) else []),
            *([hub.escape_markdown(told(answer.note), 2000)] if answer.note else []),
            *(_block(drawn.text) for drawn in answer.answers),
        ]
    return "\n\n".join(parts) + "\n"


def _block(text: str) -> str:
    return hub.fence(_MARKS.sub("", text), "text")


def _facts(one: Comparison) -> str:
    at = datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    named = [hub.escape_markdown(part) for part in (one.owner, one.task, *_bases_of(one)) if part]
    settings = one.question.model_dump(
        mode="json", include={"temperature", "top_p", "seed", "samples", "strengths"}, exclude_defaults=True
    )
    set_so = [hub.escape_markdown(json.dumps(settings, ensure_ascii=False), 2000)] if settings else []
    return " · ".join([at, *named, *set_so])


def _bases_of(one: Comparison) -> list[str]:
    return list(dict.fromkeys(answer.base for answer in one.answers if answer.base))


def _of(answer: PaneAnswer, language: str) -> str:
    commit = f"`{answer.revision[:12]}`" if answer.revision.isalnum() else ""
    asked = answer.answer
    tokens = _("tokens: {count}, {seconds:.2f} s", count=asked.tokens, seconds=float(asked.seconds))
    told = tokens.in_language(language) if asked.tokens else ""
    return " · ".join(part for part in (commit, told) if part)
