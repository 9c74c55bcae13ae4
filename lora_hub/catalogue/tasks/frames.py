"""The frame of a prompt: the fixed text around a row's own words (the line of the labels, the names of the inputs), in
the language of the instruction.

    default_template(["text"], True, "fa")     the template of a task that defines none
    translated(template)                       an English template with our frame in Persian

A task's template is frozen with its runs and adapters, so an adapter is always prompted with the frame it was trained
on.
"""

import re
from collections.abc import Sequence

FIELD = re.compile(r"\{(\w+)\}")  # a template's placeholder; any other brace is literal
LABELS_LINE = "Answer with one of: {labels}."
LABELS_LINE_FA = "با یکی از این‌ها پاسخ بده: {labels}."
# An input's name in the frame; names not listed are the same in both languages.
NAMES_FA = {
    "Text": "متن",
    "Message": "پیام",
    "Context": "متن زمینه",
    "Question": "پرسش",
    "Input": "ورودی",
    "Schema": "ساختار پایگاه داده",
    "Source": "متن",
    "Document": "متن",
    "Sentence": "جمله",
    "Review": "نظر",
    "Title": "عنوان",
    "Comment": "نظر",
    "Instruction": "دستور",
}
_NAMED = re.compile(r"([^:{}]+): (\{\w+\})")


def default_template(inputs: Sequence[str], has_labels: bool, language: str) -> str:
    """The template of a task that defines none: instruction, labels, then each input after its name."""
    head = ["{instruction}"] if "instruction" not in inputs else []
    head += [LABELS_LINE] if has_labels and "labels" not in inputs else []
    names = [f"{role.replace('_', ' ').capitalize()}: {{{role}}}" for role in inputs]
    template = "\n".join(head + ([""] if head else []) + names)
    return translated(template) if language == "fa" else template


def translated(template: str) -> str:
    """The template with the Persian frame; lines that are not from our frame stay."""
    return "\n".join(map(_line, template.split("\n")))


def _line(line: str) -> str:
    if line == LABELS_LINE:
        return LABELS_LINE_FA
    found = _NAMED.fullmatch(line)
    return f"{NAMES_FA.get(found[1], found[1])}: {found[2]}" if found else line
