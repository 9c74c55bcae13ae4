"""What stands around a row's own words in a prompt, in the language of the instruction: the line of the labels, the
inputs' names.

    default_template(["text"], True, "fa")     a task's template where it gives none
    translated(template)                       an English template whose frame is ours, with the Persian one

A task's template is frozen with its runs and adapters, so one that was trained in another frame is asked in that one
for ever.
"""

import re
from collections.abc import Sequence

FIELD = re.compile(r"\{(\w+)\}")  # of a template; every other brace is a brace
LABELS_LINE = "Answer with one of: {labels}."
LABELS_LINE_FA = "با یکی از این‌ها پاسخ بده: {labels}."
# An input's name in the frame; one that is not here is called the same in both.
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
    """The template of a task that gives none: instruction, labels, each input behind its name."""
    head = ["{instruction}"] if "instruction" not in inputs else []
    head += [LABELS_LINE] if has_labels and "labels" not in inputs else []
    names = [f"{role.replace('_', ' ').capitalize()}: {{{role}}}" for role in inputs]
    template = "\n".join(head + ([""] if head else []) + names)
    return translated(template) if language == "fa" else template


def translated(template: str) -> str:
    """The template with the Persian frame; lines that are not of our frame stay as they are."""
    return "\n".join(map(_line, template.split("\n")))


def _line(line: str) -> str:
    if line == LABELS_LINE:
        return LABELS_LINE_FA
    found = _NAMED.fullmatch(line)
    return f"{NAMES_FA.get(found[1], found[1])}: {found[2]}" if found else line
