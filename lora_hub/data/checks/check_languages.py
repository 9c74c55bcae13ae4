"""Checks translation pairs: a text in the wrong language, a pair in the wrong direction.

Languages in different scripts are told apart by their letters, in every row. Languages that share a script are told
apart by their commonest words, in the first rows only, and only if the words leave no doubt.
"""

import polars

from lora_hub.core.messages import NOTHING, Message, _, _n, joined
from lora_hub.core.schema import Task
from lora_hub.data.checks.rows import Check
from lora_hub.data.columns.column_facts import SCRIPTS, script_of
from lora_hub.data.tables.check_words import language, script
from lora_hub.data.tables.findings import Finding, finding

MOST = 20_000  # pairs whose words are checked
# Common words of each language. Words that two languages share do not help to tell them apart.
COMMON = {
    "English": "the and of is are with that this it you for his her they from which there have he she man woman people",
    "German": "der die das und ist ein eine einem einen mit auf von nicht ich zu für sind im dem den auch wird sich",
    "French": "le les des est une dans pour et qui que avec sur pas ne ce cette il elle nous vous je du au",
    "Spanish": "el los las una y que es por con para su del al está lo pero más yo muy",
    "Italian": "il che di è una gli per non sono con della nel ho ma anche questo si",
    "Portuguese": "o os as um uma não em do da é para com que no na ele ela eu muito você",
    "Dutch": "het een van ik niet op zijn voor dat met je hij zij naar wordt aan deze",
    "Turkish": "ve bir bu için ne çok ben sen değil daha olarak var gibi kadar ama",
    "Persian": "از این است را با برای که آن به می‌شود بود کرد شد دارد هم من تو او ما یک",
    "Arabic": "في من على إلى أن هذا هذه التي الذي عن مع كان لا ما هو هي لقد كل",
    "Russian": "и в не на я что он с это как но она мы по из у за",
    "Ukrainian": "і в не на я що він з це як але вона ми по та у за",
}


def check_languages(frame: polars.DataFrame, task: Task) -> list[Finding]:
    """`frame`: the rows that can be trained on. Returns nothing for tasks other than translation."""
    if task.id != "translation" or not {"source", "answer"} <= set(frame.columns):
        return []
    sample = frame.head(2_000)
    source, answer = (script_of(" ".join(sample[role].to_list())[:200_000]) for role in ("source", "answer"))
    if not source or not answer:
        return []
    if source != answer:
        own, other = (SCRIPTS[name].pattern for name in (source, answer))
        # Count letters only in texts that contain the other script.
        mixed = frame.filter(polars.col("source").str.contains(other) | polars.col("answer").str.contains(own))
        strange = _letters("source", own, other), _letters("answer", other, own)
        return _told(
            mixed, strange, _("from {source} to {answer} script", source=script(source), answer=script(answer)), NOTHING
        )
    return _by_words(frame)


def _letters(role: str, own: str, other: str) -> polars.Expr:
    return polars.col(role).str.count_matches(other) > 2 * polars.col(role).str.count_matches(own) + 2


def _by_words(frame: polars.DataFrame) -> list[Finding]:
    looked = frame.head(MOST).select("row", *[polars.col(role).str.to_lowercase() for role in ("source", "answer")])
    source, answer = (language_of_words(looked[role].head(1_000)) for role in ("source", "answer"))
    if not source or not answer or source == answer:
        return []

    def strange(role: str, own: str, other: str) -> polars.Expr:
        text = polars.col(role).str
        return (text.count_matches(_pattern(other, own)) >= 2) & ~text.contains(_pattern(own, other))

    part = _("The first {most:,} were looked at.", most=MOST) if frame.height > MOST else NOTHING
    from_to = _("from {source} to {answer}", source=language(source), answer=language(answer))
    return _told(looked, (strange("source", source, answer), strange("answer", answer, source)), from_to, part)


def _pattern(language: str, other: str) -> str:
    """The language's common words, as whole words, without those that the other language shares."""
    words = set(COMMON[language].split()) - set(COMMON[other].split())
    return rf"\b(?:{'|'.join(sorted(words))})\b"


def language_of_words(texts: polars.Series) -> str:
    """The language whose common words are, by a wide margin, in most of these texts; else ""."""
    words = texts.str.extract_all(r"\w+")
    hits = polars.DataFrame(
        {
            language: words.list.set_intersection(polars.Series([common.split()])).list.len()
            for language, common in COMMON.items()
        }
    )
    # Languages that share words (que, il, is) are told apart by which one a text has most words of.
    most = hits.select(polars.max_horizontal(polars.all())).to_series()
    alone = (
        hits.select(
            polars.sum_horizontal([(polars.col(name) == most).cast(polars.Int64) for name in hits.columns])
        ).to_series()
        == 1
    )
    for votes, lead in (
        ({name: int((hits[name] > 0).sum()) for name in hits.columns}, 1.5),
        ({name: int(((hits[name] == most) & alone & (most > 0)).sum()) for name in hits.columns}, 4),
    ):
        ranked = sorted(votes, key=votes.get, reverse=True)
        first, second = votes[ranked[0]], votes[ranked[1]]
        if first > 0.5 * texts.len() and first > lead * second:
            return ranked[0]
    return ""


def _told(
    frame: polars.DataFrame, strange: tuple[polars.Expr, polars.Expr], from_to: Message, part: Message
) -> list[Finding]:
    seen = frame.select("row", source=strange[0], answer=strange[1])
    swapped = seen.filter(polars.col("source") & polars.col("answer"))["row"]
    wrong = seen.filter(polars.col("source") != polars.col("answer"))["row"]
    told = []
    if swapped.len():
        said = _n(
            "{count:,} pair is the wrong way round: not {from_to} as the others are.",
            "{count:,} pairs are the wrong way round: not {from_to} as the others are.",
            count=swapped.len(),
            from_to=from_to,
        )
        told.append(
            finding(
                "swapped-pairs",
                "warning",
                joined(said, part),
                hint=_("Swap source and translation in these rows."),
                rows=swapped,
            )
        )
    if wrong.len():
        said = _n(
            "{count:,} pair is not {from_to} as the others are: both texts are in the same one.",
            "{count:,} pairs are not {from_to} as the others are: both texts are in the same one.",
            count=wrong.len(),
            from_to=from_to,
        )
        told.append(
            finding(
                "wrong-language",
                "warning",
                joined(said, part),
                hint=_("Probably not translated: mend or remove these rows."),
                rows=wrong,
            )
        )
    return told


CHECKS = (Check(50, "filled", lambda rows: check_languages(rows.filled, rows.task)),)
