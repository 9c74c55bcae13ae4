"""The language of the rows, and the prompt language that follows from it.

    language_of_texts(polars.Series(["سلام دوست من"]))   "Persian"
    settle_language(task, table, mapping)                the task with the instruction in the rows' language, if it
                                                         has one
    find_language(task, table, mapping)                  the finding about it

A language that a person chose is kept: a task whose file (or form, or `--set prompt_language=en`) names it is
unchanged.

Why not py3langid: it needs more than a second before its first text and 0.2 ms for each, longer than everything else
done with a small file. It also answers for "1 2" and "good bad", and it takes Persian typed on an Arabic keyboard for
Arabic.
"""

import re

import polars

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.messages import _
from lora_hub.core.schema import Task
from lora_hub.data.checks.check_languages import language_of_words
from lora_hub.data.columns.column_facts import script_of
from lora_hub.data.tables import check_words
from lora_hub.data.tables.findings import Finding, finding
from lora_hub.data.tables.table import Table

LOOKED_AT = 1_000  # rows, spread over the table
CODES = {"English": "en", "Persian": "fa"}
# Letters that tell languages of one script apart in texts too short for common words. Persian's keheh and yeh (U+06A9,
# U+06CC) are on every Persian keyboard and on no Arabic one. Urdu, Kurdish and Pashto have both too, so their
# additional letters are checked first.
_LETTERS = {
    "Urdu": re.compile("[ٹڈڑےںۓ]"),
    "Kurdish": re.compile("[ێۆڕڵە]"),
    "Pashto": re.compile("[ټډړښځڅ]"),
    "Persian": re.compile("[پچژگکی]"),
    "Arabic": re.compile("[ةىأإ]|\\bال"),
}


def language_of_texts(texts: polars.Series) -> str:
    """The name of the language of most of these texts; "" if unclear. Persian's letters tell it apart from Arabic,
    Urdu, Kurdish and Pashto, which share its script."""
    texts = texts.drop_nulls().str.slice(0, 500)
    texts = texts.filter(texts.str.strip_chars() != "")
    if not texts.len():
        return ""
    together = " ".join(texts.to_list())
    if script_of(together) != "persian":
        return language_of_words(texts.str.to_lowercase())
    counts = {language: len(letters.findall(together)) for language, letters in _LETTERS.items()}
    for language in ("Urdu", "Kurdish", "Pashto"):
        if counts[language] > 0.01 * len(together):
            return language
    by_words = language_of_words(texts.str.replace_all("ي", "ی").str.replace_all("ك", "ک"))
    if by_words in ("Persian", "Arabic"):
        return by_words
    return (
        "Persian"
        if counts["Persian"] > 2 * counts["Arabic"]
        else "Arabic"
        if counts["Arabic"] > 2 * counts["Persian"]
        else ""
    )


def language_of_rows(table: Table, task: Task, mapping: dict[str, str]) -> str:
    """The language of the inputs; "" for a chat, which has no frame around its words."""
    columns = [mapping[role] for role in task.inputs if mapping.get(role) in table.columns]
    if task.is_chat or not columns:
        return ""
    step = max(1, table.rows // LOOKED_AT)
    sample = Table(table.frame.select(list(dict.fromkeys(columns))).gather_every(step).head(LOOKED_AT), table.format)
    return language_of_texts(polars.concat([sample.texts(column).alias("text") for column in dict.fromkeys(columns)]))


def settle_language(task: Task, table: Table, mapping: dict[str, str], language: str | None = None) -> Task:
    """`language`: of the rows, if known."""
    if task.is_chat or "prompt_language" in task.model_fields_set or not task.instruction.fa:
        return task
    language = language_of_rows(table, task, mapping) if language is None else language
    return catalogue.in_language(task, "fa") if CODES.get(language) == "fa" else task


def find_language(asked: Task, settled: Task, language: str) -> list[Finding]:
    """`asked`: the task as given; `settled`: the task in its prompt language; `language`: of the rows."""
    if (
        not language
        or settled.is_chat
        or "instruction" in settled.inputs
        or "prompt_language" in asked.model_fields_set
    ):
        return []
    if settled.prompt_language == "fa":
        return [
            finding(
                "instruction-language",
                "info",
                _("The rows are in Persian, and so is the instruction that they are put with."),
                hint=_("Choose another under “Advanced”, or with --set prompt_language=en."),
            )
        ]
    if language == "English":
        return []
    named = check_words.language(language)
    said = _("The rows are in {language}, the instruction that they are put with is in English.", language=named)
    return [
        finding(
            "instruction-language",
            "info",
            said,
            hint=_("A task of your own can have its instruction in {language}.", language=named),
        )
    ]
