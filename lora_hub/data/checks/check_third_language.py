"""Checks translation pairs: a column named after one language that holds another, and texts in a third language.

Reports only certain cases. Persian, Arabic and Urdu are told apart by letters that the others do not have and by common
words; languages of one alphabet by their commonest words.
"""

import polars

from lora_hub.core.messages import Message, _, _n, several
from lora_hub.core.schema import Task
from lora_hub.data.checks.check_languages import COMMON, MOST
from lora_hub.data.checks.row_language import language_of_texts
from lora_hub.data.checks.rows import Check
from lora_hub.data.columns.column_facts import script_of
from lora_hub.data.columns.column_names import language_of
from lora_hub.data.tables.check_words import language
from lora_hub.data.tables.findings import Finding, finding

LOOKED_AT = 1_000
DECLARED = {
    "en": "English",
    "fa": "Persian",
    "de": "German",
    "fr": "French",
    "ar": "Arabic",
    "es": "Spanish",
    "tr": "Turkish",
    "ru": "Russian",
    "it": "Italian",
    "pt": "Portuguese",
    "nl": "Dutch",
    "ur": "Urdu",
}
SCRIPTS = {
    "Persian": "persian",
    "Arabic": "persian",
    "Urdu": "persian",
    "Russian": "cyrillic",
    "Ukrainian": "cyrillic",
}  # the others are Latin
# Letters of one language in the Arabic script that the others do not use. Persian's yeh and keheh also occur in many
# Arabic texts.
OWN = {"Persian": r"[پچژگ]|می‌", "Arabic": r"[ةأإى]|\b(?:ال|وال|بال|لل)\w{2}", "Urdu": r"[ٹڈڑےںۓہھ]"}
SURE = 3  # words or letters of a language in one text
ROLES = ("source", "answer")


def check_third_language(frame: polars.DataFrame, task: Task, mapping: dict[str, str]) -> list[Finding]:
    """`frame`: the rows that can be trained on. Returns nothing for tasks other than translation."""
    if task.id != "translation" or not {"source", "answer"} <= set(frame.columns):
        return []
    sample = frame.gather_every(max(1, frame.height // LOOKED_AT)).head(LOOKED_AT)
    held = {role: language_of_texts(sample[role]) for role in ROLES}
    return [found for found in (_misnamed(sample, mapping, held), _strangers(frame, held)) if found]


def _misnamed(sample: polars.DataFrame, mapping: dict[str, str], held: dict[str, str]) -> Finding | None:
    """Columns named after a language (`en`, `fa`) whose texts are in another."""
    told = []
    for role in ROLES:
        named, found = DECLARED.get(language_of(mapping.get(role, ""))), held[role]
        if named and found and named != found and _is_sure(sample[role], found, named):
            told.append(
                _(
                    "{column!r} is named after {named}, and its texts are in {found}",
                    column=mapping[role],
                    named=language(named),
                    found=language(found),
                )
            )
    if not told:
        return None
    hint = _("The adapter learns what stands there. See whether these are the right columns and the right file.")
    return finding("misnamed-language", "warning", _("{findings}.", findings=several(told, ";")), hint=hint)


def _is_sure(texts: polars.Series, found: str, named: str) -> bool:
    """Whether most texts of a sample contain what only their language uses, and few contain what only the other uses.
    Different scripts are always certain."""
    if script_of(" ".join(texts.to_list())[:200_000]) != SCRIPTS.get(named, "latin"):
        return True
    if found not in OWN or named not in OWN:
        return True  # told apart by their words, in most texts and by a wide margin
    own, other = (float(texts.str.contains(OWN[one]).mean() or 0) for one in (found, named))
    return own > 0.5 and (other < 0.5 * own or found == "Urdu")  # Urdu has all of Persian's letters


def _strangers(frame: polars.DataFrame, held: dict[str, str]) -> Finding | None:
    """Texts in a third language with the same alphabet as the others of their column."""
    looked = frame.head(MOST).select("row", *[polars.col(role).str.to_lowercase() for role in ROLES])
    kinds: dict[tuple[str, str], polars.Series] = {}
    for role, usual in held.items():
        pair = next(held[other] for other in ROLES if other != role)
        for third in (*COMMON, "Urdu") if usual else ():
            # A text in the pair's other language is untranslated; another check reports that.
            if third in (usual, pair) or SCRIPTS.get(third, "latin") != SCRIPTS.get(usual, "latin"):
                continue
            hits = looked.filter(_is_in(role, third, usual))["row"]
            if hits.len():
                kinds[role, third] = hits
    if not kinds:
        return None
    rows = polars.concat(list(kinds.values())).unique().sort()
    shown = [_in_third(role, hits.len(), third, held[role]) for (role, third), hits in kinds.items()]
    said = _n(
        "{count:,} pair has a text in a third language: {texts}.",
        "{count:,} pairs have a text in a third language: {texts}.",
        count=rows.len(),
        texts=several(shown, ";", most=4),
    )
    return finding("third-language", "warning", said, hint=_("Mend or remove these rows."), rows=rows)


def _in_third(role: str, count: int, third: str, usual: str) -> Message:
    named = {"count": count, "third": language(third), "usual": language(usual)}
    if role == "source":
        return _n(
            "{count:,} source in {third} where the others are in {usual}",
            "{count:,} sources in {third} where the others are in {usual}",
            **named,
        )
    return _n(
        "{count:,} translation in {third} where the others are in {usual}",
        "{count:,} translations in {third} where the others are in {usual}",
        **named,
    )


def _is_in(role: str, third: str, usual: str) -> polars.Expr:
    """Boolean: texts that are in `third` and certainly not in `usual`."""
    text = polars.col(role).str
    words, usual_words = text.count_matches(_words(third, usual)), text.count_matches(_words(usual, third))
    if third not in OWN or usual not in OWN:
        return (words >= SURE) & (words >= 4 * usual_words)  # "du" is German and French
    marks, usual_marks = text.count_matches(OWN[third]), text.count_matches(OWN[usual])
    if third == "Urdu":  # which has Persian's letters and a word here and there
        return marks >= SURE
    return (words >= 1) & (words + marks >= SURE) & (usual_marks == 0) & (usual_words == 0)


def _words(language: str, other: str) -> str:
    """The language's common words, as whole words, without those that the other shares; a pattern that matches nothing
    if it has no list."""
    words = set(COMMON.get(language, "").split()) - set(COMMON.get(other, "").split())
    return rf"\b(?:{'|'.join(sorted(words))})\b" if words else r"\z\A."


CHECKS = (Check(60, "filled", lambda rows: check_third_language(rows.filled, rows.task, rows.mapping)),)
