"""Proposes a task of the catalogue for a table, by the names and contents of its columns.

propose_task(table)      ("spam", "the column 'v1' holds 2 different labels (ham, spam)", as a message)
"""

from lora_hub.core.messages import Message, _, _n, several
from lora_hub.core.schema import Text2
from lora_hub.data.columns import column_names as known
from lora_hub.data.columns.check_kinds import (
    refuse_text_with_bookkeeping,
    refuse_text_without_answer,
    refuse_what_is_not_for_training,
)
from lora_hub.data.columns.column_facts import ColumnFacts, column_facts
from lora_hub.data.columns.column_names import language_of, name_score, plain, squeezed, words_of
from lora_hub.data.tables.check_words import script
from lora_hub.data.tables.label_kinds import MOST_SPAM, kind_of
from lora_hub.data.tables.table import Table

CONTEXTS = (
    "context contexts passage paragraph document article text story background evidence متن زمینه بافت پاراگراف سند"
).split()
QUESTIONS = "question query q پرسش سوال سؤال frage pregunta".split()
SUMMARIES = "summary summaries highlights abstract tldr خلاصه چکیده zusammenfassung résumé resumen".split()
WRONG = "incorrect wrong ungrammatical original source input text sentence نادرست غلط متن".split()
RIGHT = "corrected correction right correct fixed اصلاح اصلاح‌شده درست".split()
TRANSLATIONS = "translation translated ترجمه übersetzung traduction traducción".split()
RATINGS = "star stars rating ratings rate score overall sentiment polarity sterne امتیاز احساس ستاره".split()
POLES = "positive negative pos neg مثبت منفی positiv negativ positif négatif positivo negativo".split()
# The usual numbers of sentiment classes; four classes, and numbers from 1 to 4, are as often topics.
SENTIMENT_NUMBERS = (
    {"0", "1"},
    {"-1", "1"},
    {"1", "2"},
    {"0", "4"},
    {"-1", "0", "1"},
    {"0", "1", "2"},
    {"1", "2", "3"},
    {"0", "1", "2", "3", "4"},
    {"1", "2", "3", "4", "5"},
)


NO_COLUMN = _("no column says which task it is for")


def is_guess(why: Message) -> bool:
    """Whether a proposal only means that no other task fits."""
    return why == NO_COLUMN


def title_of(task_id: str) -> Text2:
    from lora_hub.catalogue.tasks.catalogue import get_task

    return get_task(task_id).title


def propose_task(table: Table) -> tuple[str, Message]:
    """(catalogue id, reason). Raises DataError for preference pairs and for text without an answer."""
    refuse_what_is_not_for_training(table)
    facts = list(column_facts(table).values())
    chat = next((fact for fact in facts if fact.is_chat), None)
    if chat is None:
        # Dialogues in plain text are as often the input of a summary or a label. They count as conversations only if no
        # other column is beside them.
        alone = [fact for fact in facts if not any(other.is_plausible for other in facts if other is not fact)]
        chat = next((fact for fact in alone if fact.is_marked), None)
    if chat:
        return "chat", _("the column {name!r} holds conversations", name=chat.name)
    refuse_text_without_answer(table)
    refuse_text_with_bookkeeping(table)
    facts = [fact for fact in facts if plain(fact.name) not in known.SYSTEM_NAMES]
    texts = [fact for fact in facts if fact.is_text]
    labels = [
        fact
        for fact in facts
        if fact.is_labels
        and fact.filled_share > 0.3
        and not (fact.is_bookkeeping and name_score(fact.name, known.LABEL) < 1)
        and (fact.distinct > 1 or name_score(fact.name, known.LABEL) >= 1)
    ]
    for rule in (
        _sql,
        _questions,
        _instructions,
        _ratings,
        _summaries,
        _corrections,
        _languages,
        _classes,
        _scripts,
        _prompts,
    ):
        found = rule(facts, texts, labels)
        if found:
            return found
    if labels and (texts or len(facts) == 2):
        return labels_task(_best_labels(labels), texts)
    if len(texts) >= 2:
        return "instruction", _("there are texts in two columns")
    return "instruction", NO_COLUMN


def _named(facts: list[ColumnFacts], names: list[str]) -> ColumnFacts | None:
    """The column with one of these names, else one that contains it as a word."""
    wanted = {squeezed(name) for name in names}
    usable = [fact for fact in facts if fact.filled and not fact.is_nested]
    whole = next((fact for fact in usable if squeezed(fact.name) in wanted), None)
    return whole or next((fact for fact in usable if words_of(fact.name) & wanted), None)


def _sql(facts: list[ColumnFacts], texts: list[ColumnFacts], labels: list[ColumnFacts]) -> tuple[str, Message] | None:
    found = next((fact for fact in facts if fact.sql > 0.8), None) or next(
        (fact for fact in facts if squeezed(fact.name) in ("sql", "sqlquery") and fact.filled), None
    )
    if found is None:
        return None
    return "text-to-sql", _("the column {name!r} holds SQL", name=found.name)


def _questions(
    facts: list[ColumnFacts], texts: list[ColumnFacts], labels: list[ColumnFacts]
) -> tuple[str, Message] | None:
    asked = _named(facts, QUESTIONS)
    answers = [
        *known.ANSWERS["question-answering"],
        *(["a"] if asked is not None and squeezed(asked.name) == "q" else []),
    ]
    answer = _named([fact for fact in facts if fact is not asked], answers)
    passage = _named([fact for fact in texts if fact not in (asked, answer)], CONTEXTS)
    if asked is None or answer is None or passage is None or asked.is_labels or answer is passage:
        return None
    return "question-answering", _(
        "there are questions, passages and answers ({question!r}, {passage!r}, {answer!r})",
        question=asked.name,
        passage=passage.name,
        answer=answer.name,
    )


def _instructions(
    facts: list[ColumnFacts], texts: list[ColumnFacts], labels: list[ColumnFacts]
) -> tuple[str, Message] | None:
    asked = next(
        (fact for fact in facts if squeezed(fact.name) in ("instruction", "instructions", "دستور", "دستورالعمل")), None
    )
    answer = next(
        (fact for fact in facts if fact is not asked and name_score(fact.name, known.ANSWERS["instruction"]) >= 1), None
    )
    if asked is None or answer is None:
        return None
    return "instruction", _("there are instructions and outputs")


def _ratings(
    facts: list[ColumnFacts], texts: list[ColumnFacts], labels: list[ColumnFacts]
) -> tuple[str, Message] | None:
    """Reviews with stars; their headlines are often called summary."""
    rated = next((fact for fact in labels if fact.distinct > 1 and words_of(fact.name) & set(RATINGS)), None)
    return labels_task(rated, texts) if rated is not None and texts else None


def _summaries(
    facts: list[ColumnFacts], texts: list[ColumnFacts], labels: list[ColumnFacts]
) -> tuple[str, Message] | None:
    short = _named(texts, SUMMARIES)
    if short is None or not any(fact is not short and fact.median_length > 1.2 * short.median_length for fact in texts):
        return None
    return "summarization", _("the column {name!r} holds summaries", name=short.name)


def _corrections(
    facts: list[ColumnFacts], texts: list[ColumnFacts], labels: list[ColumnFacts]
) -> tuple[str, Message] | None:
    mended = _named(texts, RIGHT)
    if mended is None or _named([fact for fact in texts if fact is not mended], WRONG) is None:
        return None
    return "grammar", _("the column {name!r} holds corrected texts", name=mended.name)


def _languages(
    facts: list[ColumnFacts], texts: list[ColumnFacts], labels: list[ColumnFacts]
) -> tuple[str, Message] | None:
    plausible = [fact for fact in facts if fact.is_plausible and not fact.is_number]
    languages = sorted({language_of(fact.name) for fact in plausible} - {""})
    if len(languages) >= 2:
        return "translation", _("there are columns in {languages}", languages=several(languages, "and"))
    translated = next((fact for fact in texts if plain(fact.name) in TRANSLATIONS), None)
    names = {squeezed(fact.name) for fact in texts}
    if translated is not None and len(texts) > 1:
        return "translation", _("the column {name!r} holds translations", name=translated.name)
    if {"src", "tgt"} <= names or {"srctext", "tgttext"} <= names:
        return "translation", _("there are columns named src and tgt")
    return None


def _classes(
    facts: list[ColumnFacts], texts: list[ColumnFacts], labels: list[ColumnFacts]
) -> tuple[str, Message] | None:
    if not labels or not (texts or len(facts) == 2):
        return None
    best = _best_labels(labels)
    return labels_task(best, texts) if name_score(best.name, known.LABEL) or len(_scripts_of(facts)) < 2 else None


def _best_labels(labels: list[ColumnFacts]) -> ColumnFacts:
    return max(labels, key=lambda fact: (name_score(fact.name, known.LABEL), fact.distinct > 1, -fact.distinct))


def _scripts_of(facts: list[ColumnFacts]) -> list[str]:
    varied = [fact for fact in facts if fact.is_plausible and not fact.is_labels and fact.distinct > 0.3 * fact.filled]
    return sorted({fact.script for fact in varied} - {""})


def _scripts(
    facts: list[ColumnFacts], texts: list[ColumnFacts], labels: list[ColumnFacts]
) -> tuple[str, Message] | None:
    scripts = _scripts_of(facts)
    if len(scripts) < 2:
        return None
    return "translation", _("there are columns in {scripts} script", scripts=several(map(script, scripts), "and"))


def _prompts(
    facts: list[ColumnFacts], texts: list[ColumnFacts], labels: list[ColumnFacts]
) -> tuple[str, Message] | None:
    asked = next(
        (fact for fact in texts if fact.questions > 0.6 or name_score(fact.name, known.SYNONYMS["instruction"]) >= 1),
        None,
    )
    if asked is None or len(texts) < 2:
        return None
    return "instruction", _("there is a column of questions or prompts and one of answers")


def labels_task(fact: ColumnFacts, texts: list[ColumnFacts]) -> tuple[str, Message]:
    values = {value.strip().lower() for value in fact.examples}
    why = _n(
        "the column {column!r} holds {count:,} different label ({labels})",
        "the column {column!r} holds {count:,} different labels ({labels})",
        column=fact.name,
        count=fact.distinct,
        labels=several(fact.examples[:4]),
    )
    name = plain(fact.name)
    words = words_of(fact.name)
    if {"spam", "ham", "هرزنامه", "اسپم"} & values or any(word in name for word in ("spam", "هرزنامه", "اسپم")):
        return "spam", why
    if any(word in name for word in ("sentiment", "polarity", "emotion", "احساس", "قطبیت")) or any(
        value.removeprefix("very ").removeprefix("بسیار ").removeprefix("خیلی ") in POLES for value in values
    ):
        return "sentiment", why
    # Uses the same words as the check that questions a task, so that a proposed task is not questioned at once.
    kind = "" if fact.is_number else kind_of(fact.examples, name)
    if kind == "sentiment" or kind == "spam" and fact.distinct <= MOST_SPAM:
        return kind, why
    if "intent" in name or "قصد" in name or fact.distinct > 30:
        return "intent", why
    if fact.is_number and len([text for text in texts if not text.is_labels]) < 3:
        pairs = {squeezed(text.name).rstrip("12ab") for text in texts}
        paired = len(texts) == 2 and (len(pairs) == 1 or pairs == {"premise", "hypothesis"})
        if words & set(RATINGS) or (
            not paired and (values in SENTIMENT_NUMBERS or any(value.startswith("-") for value in values))
        ):
            return "sentiment", why
    return ("sentiment" if fact.is_number and words & set(RATINGS) else "topic"), why
