"""Which column is what: roles proposed by names and by contents, each with its reason; a task proposed where none is chosen.

    propose_mapping(table, task).mapping      {"text": "v2", "answer": "v1"}
    propose_task(table)                       ("spam", "the column 'v1' holds ham and spam")
"""

import difflib
from dataclasses import dataclass, field

from lora_hub.core.errors import DataError, names_fa
from lora_hub.core.schema import Task, Text2
from lora_hub.data import column_names as known
from lora_hub.data.check_kinds import refuse_text_without_answer, refuse_what_is_not_for_training
from lora_hub.data.check_words import number_fa
from lora_hub.data.column_facts import ColumnFacts, column_facts
from lora_hub.data.column_names import SCRIPTS_FA, language_of, name_score, plain, squeezed
from lora_hub.data.column_tasks import propose_task
from lora_hub.data.table import Table

__all__ = ["MappingProposal", "check_mapping", "parse_map", "propose_mapping", "propose_task"]

ENOUGH = 0.6  # a column scores this much or it is not proposed
NO_REASON = Text2(en="")


@dataclass
class MappingProposal:
    """mapping: role -> column. reasons: role -> why. missing: required roles that no column fits."""

    mapping: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, Text2] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Others:
    """What is asked of all columns for each of them, found once. places: where each stands, from 0 (first) to 1. longest: characters,
    the largest median. has_text: any holds texts. asks: two columns are named q and a."""

    places: dict[str, float]
    longest: int
    has_text: bool
    asks: bool


def _others(facts: dict[str, ColumnFacts]) -> _Others:
    places = {name: place / max(1, len(facts) - 1) for place, name in enumerate(facts)}
    longest = max((fact.median_length for fact in facts.values()), default=0)
    asks = {"q", "a"} <= {squeezed(name) for name in facts}  # one without the other is any column
    return _Others(places, longest, any(fact.is_text for fact in facts.values()), asks)


def propose_mapping(table: Table, task: Task) -> MappingProposal:
    """The columns for `task`'s inputs and answer. Raises DataError for data that no supervised task can use."""
    refuse_what_is_not_for_training(table)
    facts = column_facts(table)
    proposal = MappingProposal()
    if task.is_chat:
        _propose_messages(facts, proposal)
        return proposal
    refuse_text_without_answer(table)
    if task.id == "translation" and _propose_languages(facts, proposal):
        return proposal
    required = [role for role in (*task.inputs, "answer") if role not in task.optional_inputs]
    others = _others(facts)
    scores = {
        (role, fact.name): _score(role, fact, task, others) for role in (*task.inputs, "answer") for fact in facts.values()
    }
    taken: set[str] = set()
    # Best pairs first, so that a column goes to the role it fits best.
    for (role, column), (score, reason) in sorted(scores.items(), key=lambda item: -item[1][0]):
        least = ENOUGH if role in required else 1.0
        if score >= least and role not in proposal.mapping and column not in taken:
            proposal.mapping[role] = column
            proposal.reasons[role] = reason
            taken.add(column)
    proposal.missing = [role for role in required if role not in proposal.mapping]
    _fill_the_last(facts, task, proposal)
    proposal.mapping = {role: proposal.mapping[role] for role in (*task.inputs, "answer") if role in proposal.mapping}
    return proposal


def _fill_the_last(facts: dict[str, ColumnFacts], task: Task, proposal: MappingProposal) -> None:
    """Where one required role and one plausible column are left, they belong together."""
    left = [fact for fact in facts.values() if fact.name not in proposal.mapping.values() and fact.is_plausible]
    if len(proposal.missing) == 1 and len(left) == 1:
        role = proposal.missing[0]
        wants_labels = role == "answer" and task.output == "labels"
        if role in ("context", "schema") or (left[0].is_number and role != "answer") or (wants_labels and not left[0].is_labels):
            return
        proposal.mapping[role] = left[0].name
        proposal.reasons[role] = Text2(en=f"{left[0].name!r} is the only column left", fa=f"«{left[0].name}» تنها ستونِ مانده است")
        proposal.missing = []


def _score(role: str, fact: ColumnFacts, task: Task, others: _Others) -> tuple[float, Text2]:
    """How well a column fits a role (from 0; a good name alone is worth 1 to 2), and why."""
    if fact.is_chat or fact.filled == 0:
        return 0.0, NO_REASON
    names = _names_for(role, task)
    if fact.is_nested:
        return _nested_score(role, fact, task, name_score(fact.name, names))
    if others.asks:
        names = [*names, "a" if role == "answer" else "q" if role in ("question", "instruction") else ""]
    by_name = name_score(fact.name, names)
    if (fact.is_bookkeeping or plain(fact.name) in known.SYSTEM_NAMES) and by_name < 1:
        return 0.0, NO_REASON
    if role == "answer":
        by_content, why = _as_labels(fact) if task.output == "labels" else _as_answer(fact, task, by_name, others)
    else:
        by_content, why = _as_input(role, fact, task, by_name, others)
    emptiness = 0 if role in task.optional_inputs else 1 - fact.filled_share
    score = by_name + by_content - 0.6 * emptiness
    if by_name:
        named = Text2(en=f"{fact.name!r} is a usual name for it", fa=f"«{fact.name}» نامی رایج برای آن است")
        return score, Text2(en=f"{named.en}, and {why.en}", fa=f"{named.fa} و {why.fa}") if why.en else named
    if why.en:
        return score, Text2(en=f"{fact.name!r} was taken because {why.en}", fa=f"«{fact.name}» گرفته شد چون {why.fa}")
    return 0.0, NO_REASON


def _nested_score(role: str, fact: ColumnFacts, task: Task, by_name: float) -> tuple[float, Text2]:
    """Lists of labels are labels; other lists and objects go where their name says, behind a text of such a name."""
    if role == "answer" and task.output == "labels":
        by_content, why = _as_labels(fact) if fact.is_list else (0.0, NO_REASON)
        if fact.is_list:
            return (by_name + by_content, why) if fact.is_labels else (0.0, NO_REASON)
        # Labels of words, perhaps: taken, so that the checks say what it holds.
        return (ENOUGH, Text2(en=f"{fact.name!r} is a usual name for it", fa=f"«{fact.name}» نامی رایج برای آن است")) if by_name >= 1 else (0.0, NO_REASON)
    if by_name < 1 or task.output == "labels":
        return 0.0, NO_REASON
    reason = Text2(
        en=f"{fact.name!r} is a usual name for it; its lists or objects are put as JSON text",
        fa=f"«{fact.name}» نامی رایج برای آن است؛ فهرست‌ها یا شیءهایش به شکل متن JSON به کار می‌رود",
    )
    return by_name - 0.3, reason


def _as_labels(fact: ColumnFacts) -> tuple[float, Text2]:
    if fact.is_labels:
        shown = fact.examples[:3]
        why = Text2(
            en=f"it holds {fact.distinct} different short value{'' if fact.distinct == 1 else 's'} ({', '.join(shown)})",
            fa=f"{number_fa(fact.distinct)} مقدارِ کوتاهِ متفاوت دارد ({'، '.join(shown)})",
        )
        if fact.distinct == 1:
            return 0.1, why
        # Of two such columns the one with fewer values is likelier a class than a name.
        return 0.9 - 0.1 * min(1.0, fact.distinct / 50), why
    return (-0.9 if fact.distinct > 0.5 * fact.filled else 0.0), NO_REASON


def _as_answer(fact: ColumnFacts, task: Task, by_name: float, others: _Others) -> tuple[float, Text2]:
    if fact.sql > 0.8:
        return (1.5 if task.id == "text-to-sql" else 0.3), Text2(en="it holds SQL queries", fa="پرس‌وجوهای SQL در آن است")
    if fact.is_text:
        # Answers stand behind what they answer, and are no questions themselves.
        place = others.places[fact.name]
        return 0.3 + 0.1 * place - 0.3 * fact.questions, Text2(en="it holds texts", fa="متن در آن است")
    if fact.is_number and by_name < 1:
        return -0.5, NO_REASON
    return 0.0, NO_REASON


def _as_input(role: str, fact: ColumnFacts, task: Task, by_name: float, others: _Others) -> tuple[float, Text2]:
    if role == "schema":
        return (1.2, Text2(en="it holds the making of tables", fa="دستورِ ساختِ جدول در آن است")) if fact.tables > 0.8 else (0.0, NO_REASON)
    if fact.tables > 0.8 or (fact.sql > 0.8 and by_name < 1):
        return -0.8, NO_REASON
    if fact.is_labels and fact.distinct <= 20 and by_name < 1 and others.has_text:
        return -0.8, NO_REASON
    if not fact.is_text:
        return 0.0, NO_REASON
    if role in ("instruction", "question", "source"):
        place = others.places[fact.name]
        if fact.questions > 0.6 and role != "source":
            return 0.8 - 0.1 * place, Text2(en="it holds questions", fa="پرسش در آن است")
        return 0.65 - 0.1 * place, Text2(en="it holds texts", fa="متن در آن است")
    share = fact.median_length / max(1, others.longest)
    if share == 1:
        return 0.7, Text2(en="it holds the longest texts", fa="بلندترین متن‌ها در آن است")
    return 0.35 + 0.35 * share, Text2(en="it holds texts", fa="متن در آن است")


def _names_for(role: str, task: Task) -> list[str]:
    if role == "answer":
        own = [squeezed(task.answer.en), squeezed(task.answer.fa)] if task.answer.en else []
        names = known.ANSWERS["labels"] if task.output == "labels" else known.ANSWERS.get(task.id, known.ANSWER)
        if task.output == "labels":
            own = [task.id, *own]
        return [*own, *names]
    if role == "text" and task.id == "grammar":
        return known.GRAMMAR_TEXT
    if role == "text" and task.id == "summarization":
        return [*known.SUMMARY_TEXT, *known.TEXT]
    return [role, *known.SYNONYMS.get(role, [])]


def _propose_messages(facts: dict[str, ColumnFacts], proposal: MappingProposal) -> None:
    names = known.SYNONYMS["messages"]
    chats = [fact for fact in facts.values() if fact.is_chat] or [fact for fact in facts.values() if fact.is_marked]
    chats.sort(key=lambda fact: -name_score(fact.name, names))
    if not chats:
        proposal.missing = ["messages"]
        return
    proposal.mapping["messages"] = chats[0].name
    proposal.reasons["messages"] = Text2(
        en=f"{chats[0].name!r} holds conversations: turns with a role and a text",
        fa=f"«{chats[0].name}» گفت‌وگو دارد: نوبت‌هایی با نقش و متن",
    )


def _propose_languages(facts: dict[str, ColumnFacts], proposal: MappingProposal) -> bool:
    """Two columns of texts in two languages, told apart by name or script. English, else the first, is the source. False
    where the columns' names say themselves what is the source and what the translation."""
    texts = [fact for fact in facts.values() if fact.is_plausible and not fact.is_labels and not fact.is_number]
    sources = {fact.name for fact in texts if name_score(fact.name, known.SYNONYMS["source"]) >= 1}
    targets = {fact.name for fact in texts if name_score(fact.name, known.ANSWERS["translation"]) >= 1}
    if sources and targets - sources:
        return False
    named = {fact.name: language_of(fact.name) for fact in texts if language_of(fact.name)}
    if len(named) >= 2:
        source = next((name for name, language in named.items() if language == "en"), next(iter(named)))
        target = next(name for name in named if name != source)
        reasons = (
            Text2(en=f"{source!r} is named after a language", fa=f"«{source}» نام یک زبان را دارد"),
            Text2(en=f"{target!r} is named after the other language", fa=f"«{target}» نام زبان دیگر را دارد"),
        )
    else:
        several = [fact for fact in texts if fact.distinct > 0.3 * fact.filled]
        latin = [fact for fact in several if fact.script == "latin"]
        other = [fact for fact in several if fact.script not in ("latin", "")]
        if not latin or not other:
            return False
        source, target, script = latin[0].name, other[0].name, other[0].script
        reasons = (
            Text2(en=f"{source!r} is written in Latin script", fa=f"«{source}» به خط لاتین نوشته شده است"),
            Text2(en=f"{target!r} is written in {script.capitalize()} script", fa=f"«{target}» به خط {SCRIPTS_FA[script]} نوشته شده است"),
        )
    proposal.mapping = {"source": source, "answer": target}
    proposal.reasons = {"source": reasons[0], "answer": reasons[1]}
    return True


def parse_map(text: str) -> dict[str, str]:
    """"text=v2,answer=v1" as a mapping. A comma inside a column's name is written \\,; `context=` leaves that role without a
    column. Raises DataError."""
    mapping: dict[str, str] = {}
    for part in text.replace("\\,", "\x00").split(","):
        part = part.replace("\x00", ",")
        if not part.strip():
            continue
        role, equals, column = part.partition("=")
        if not equals or not role.strip():
            raise DataError(
                f"{part.strip()!r} is not ROLE=COLUMN.", "Write for instance --map text=v2,answer=v1.",
                message_fa=f"«{part.strip()}» به شکل ROLE=COLUMN نیست.", hint_fa="برای نمونه بنویسید: --map text=v2,answer=v1",
            )  # fmt: skip
        if role.strip() in mapping:
            raise DataError(
                f"The role {role.strip()!r} is mapped twice.", "Give one column for each role.",
                message_fa=f"برای نقش «{role.strip()}» دو بار ستون داده شده است.", hint_fa="برای هر نقش یک ستون بدهید.",
            )  # fmt: skip
        mapping[role.strip()] = column.strip()
    if not mapping:
        raise DataError(
            "The mapping is empty.", "Write for instance --map text=v2,answer=v1.",
            message_fa="برای هیچ نقشی ستونی داده نشده است.", hint_fa="برای نمونه بنویسید: --map text=v2,answer=v1",
        )  # fmt: skip
    return mapping


def check_mapping(table: Table, task: Task, mapping: dict[str, str], *, complete: bool = True) -> None:
    """Raises DataError naming the role or column that is wrong and the columns there are. `complete`: every required role
    has to have a column."""
    has = f"The file has: {', '.join(table.columns[:20])}{' ...' if len(table.columns) > 20 else ''}."
    has_fa = f"ستون‌های پرونده: {names_fa(table.columns)}."
    roles = list(task.inputs) if task.is_chat else [*task.inputs, "answer"]
    for role, column in mapping.items():
        if role not in roles:
            raise DataError(
                f"The task {task.id} has no role {role!r}.", f"Its roles are: {', '.join(roles)}.",
                message_fa=f"کارِ «{task.id}» نقشی به نام «{role}» ندارد.", hint_fa=f"نقش‌های آن: {names_fa(roles)}.",
            )  # fmt: skip
        if column not in table.columns:
            near = difflib.get_close_matches(column, table.columns, n=2, cutoff=0.5)
            meant_fa = f" شاید {names_fa(near, between=' یا ')} را می‌خواستید." if near else ""
            meant = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise DataError(
                f"There is no column {column!r} for {role}.", f"{has}{meant}",
                message_fa=f"ستونی به نام «{column}» برای «{role}» نیست.", hint_fa=f"{has_fa}{meant_fa}",
            )  # fmt: skip
    missing = [role for role in roles if role not in mapping and role not in task.optional_inputs]
    if missing and complete:
        raise DataError(
            f"No column was found for {' and '.join(missing)}, which the task {task.id} needs.",
            f"{has} Choose with --map {missing[0]}=COLUMN or in the page.",
            message_fa=f"برای {names_fa(missing, between=' و ')}، که کارِ «{task.id}» لازم دارد، ستونی پیدا نشد.",
            hint_fa=f"{has_fa} بالای جدول بگویید «{missing[0]}» کدام ستون است.",
        )  # fmt: skip
    columns = list(mapping.values())
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice:
        raise DataError(
            f"The column {twice!r} is used for two roles.", f"{has} Choose another for one of them.",
            message_fa=f"ستون «{twice}» برای دو نقش به کار رفته است.", hint_fa=f"{has_fa} برای یکی از آن دو، ستون دیگری برگزینید.",
        )  # fmt: skip
