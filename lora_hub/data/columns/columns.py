"""Decides which column is which: proposes a column for each role by names and contents, with reasons, and a task if
none is chosen.

propose_mapping(table, task).mapping      {"text": "v2", "answer": "v1"}
propose_task(table)                       ("spam", "the column 'v1' holds ham and spam")
"""

import difflib
from dataclasses import dataclass, field

from lora_hub.core.errors import DataError
from lora_hub.core.messages import NOTHING, Message, _, _n, joined, several
from lora_hub.core.schema import Task
from lora_hub.data.columns import column_names as known
from lora_hub.data.columns.check_kinds import refuse_text_without_answer, refuse_what_is_not_for_training
from lora_hub.data.columns.column_facts import ColumnFacts, column_facts
from lora_hub.data.columns.column_names import language_of, name_score, plain, squeezed
from lora_hub.data.columns.column_tasks import propose_task
from lora_hub.data.tables.check_words import script
from lora_hub.data.tables.table import Table

__all__ = ["MappingProposal", "check_mapping", "parse_map", "propose_mapping", "propose_task"]

ENOUGH = 0.6  # the lowest score of a proposed column
NO_REASON = NOTHING


@dataclass
class MappingProposal:
    """mapping: role -> column. reasons: role -> why. missing: required roles that no column fits."""

    mapping: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, Message] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Others:
    """Facts about all columns that scoring each column needs, computed once. places: the position of each, from 0
    (first) to 1. longest: characters, the largest median. has_text: any column holds texts. asks: two columns are named
    q and a."""

    places: dict[str, float]
    longest: int
    has_text: bool
    asks: bool


def _others(facts: dict[str, ColumnFacts]) -> _Others:
    places = {name: place / max(1, len(facts) - 1) for place, name in enumerate(facts)}
    longest = max((fact.median_length for fact in facts.values()), default=0)
    asks = {"q", "a"} <= {squeezed(name) for name in facts}  # one without the other means nothing
    return _Others(places, longest, any(fact.is_text for fact in facts.values()), asks)


def propose_mapping(table: Table, task: Task) -> MappingProposal:
    """The proposed columns for `task`'s inputs and answer. Raises DataError for data that no supervised task can
    use."""
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
        (role, fact.name): _score(role, fact, task, others)
        for role in (*task.inputs, "answer")
        for fact in facts.values()
    }
    taken: set[str] = set()
    # Best pairs first, so that each column gets the role it fits best.
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
    """If one required role and one plausible column are left, they belong together."""
    left = [fact for fact in facts.values() if fact.name not in proposal.mapping.values() and fact.is_plausible]
    if len(proposal.missing) == 1 and len(left) == 1:
        role = proposal.missing[0]
        wants_labels = role == "answer" and task.output == "labels"
        if (
            role in ("context", "schema")
            or (left[0].is_number and role != "answer")
            or (wants_labels and not left[0].is_labels)
        ):
            return
        proposal.mapping[role] = left[0].name
        proposal.reasons[role] = _("{name!r} is the only column left", name=left[0].name)
        proposal.missing = []


def _score(role: str, fact: ColumnFacts, task: Task, others: _Others) -> tuple[float, Message]:
    """How well a column fits a role (from 0; a good name alone scores 1 to 2), and why."""
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
        named = _("{name!r} is a usual name for it", name=fact.name)
        return score, _("{named}, and {why}", named=named, why=why) if why else named
    if why:
        return score, _("{name!r} was taken because {why}", name=fact.name, why=why)
    return 0.0, NO_REASON


def _nested_score(role: str, fact: ColumnFacts, task: Task, by_name: float) -> tuple[float, Message]:
    """Lists of labels are labels. Other lists and objects fit the role their name suggests, but a text column with such
    a name comes first."""
    if role == "answer" and task.output == "labels":
        by_content, why = _as_labels(fact) if fact.is_list else (0.0, NO_REASON)
        if fact.is_list:
            return (by_name + by_content, why) if fact.is_labels else (0.0, NO_REASON)
        # Perhaps labels of words: proposed, so that the checks report what it holds.
        return (ENOUGH, _("{name!r} is a usual name for it", name=fact.name)) if by_name >= 1 else (0.0, NO_REASON)
    if by_name < 1 or task.output == "labels":
        return 0.0, NO_REASON
    reason = _("{name!r} is a usual name for it; its lists or objects are put as JSON text", name=fact.name)
    return by_name - 0.3, reason


def _as_labels(fact: ColumnFacts) -> tuple[float, Message]:
    if fact.is_labels:
        why = _n(
            "it holds {count:,} short value ({values})",
            "it holds {count:,} different short values ({values})",
            count=fact.distinct,
            values=several(fact.examples[:3]),
        )
        if fact.distinct == 1:
            return 0.1, why
        # Of two such columns, the one with fewer values is more likely a class than a name.
        return 0.9 - 0.1 * min(1.0, fact.distinct / 50), why
    return (-0.9 if fact.distinct > 0.5 * fact.filled else 0.0), NO_REASON


def _as_answer(fact: ColumnFacts, task: Task, by_name: float, others: _Others) -> tuple[float, Message]:
    if fact.sql > 0.8:
        return (1.5 if task.id == "text-to-sql" else 0.3), _("it holds SQL queries")
    if fact.is_text:
        # Answers come after their questions, and are not questions themselves.
        place = others.places[fact.name]
        return 0.3 + 0.1 * place - 0.3 * fact.questions, _("it holds texts")
    if fact.is_number and by_name < 1:
        return -0.5, NO_REASON
    return 0.0, NO_REASON


def _as_input(role: str, fact: ColumnFacts, task: Task, by_name: float, others: _Others) -> tuple[float, Message]:
    if role == "schema":
        return (1.2, _("it holds the making of tables")) if fact.tables > 0.8 else (0.0, NO_REASON)
    if fact.tables > 0.8 or (fact.sql > 0.8 and by_name < 1):
        return -0.8, NO_REASON
    if fact.is_labels and fact.distinct <= 20 and by_name < 1 and others.has_text:
        return -0.8, NO_REASON
    if not fact.is_text:
        return 0.0, NO_REASON
    if role in ("instruction", "question", "source"):
        place = others.places[fact.name]
        if fact.questions > 0.6 and role != "source":
            return 0.8 - 0.1 * place, _("it holds questions")
        return 0.65 - 0.1 * place, _("it holds texts")
    share = fact.median_length / max(1, others.longest)
    if share == 1:
        return 0.7, _("it holds the longest texts")
    return 0.35 + 0.35 * share, _("it holds texts")


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
    proposal.reasons["messages"] = _("{name!r} holds conversations: turns with a role and a text", name=chats[0].name)


def _propose_languages(facts: dict[str, ColumnFacts], proposal: MappingProposal) -> bool:
    """Two columns of texts in two languages, told apart by name or script. The source is English, else the first. False
    if the columns' names already say which is the source and which the translation."""
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
            _("{source!r} is named after a language", source=source),
            _("{target!r} is named after the other language", target=target),
        )
    else:
        varied = [fact for fact in texts if fact.distinct > 0.3 * fact.filled]
        latin = [fact for fact in varied if fact.script == "latin"]
        other = [fact for fact in varied if fact.script not in ("latin", "")]
        if not latin or not other:
            return False
        source, target = latin[0].name, other[0].name
        reasons = (
            _("{source!r} is written in Latin script", source=source),
            _("{target!r} is written in {script} script", target=target, script=script(other[0].script)),
        )
    proposal.mapping = {"source": source, "answer": target}
    proposal.reasons = {"source": reasons[0], "answer": reasons[1]}
    return True


def parse_map(text: str) -> dict[str, str]:
    """The mapping from "text=v2,answer=v1". Write a comma inside a column's name as \\,; `context=` leaves that role
    without a column. Raises DataError."""
    mapping: dict[str, str] = {}
    for part in text.replace("\\,", "\x00").split(","):
        part = part.replace("\x00", ",")
        if not part.strip():
            continue
        role, equals, column = part.partition("=")
        if not equals or not role.strip():
            raise DataError(
                _("{part!r} is not ROLE=COLUMN."),
                _("Write for instance --map text=v2,answer=v1."),
                part=part.strip(),
            )
        if role.strip() in mapping:
            raise DataError(
                _("The role {role!r} is mapped twice."),
                _("Give one column for each role."),
                role=role.strip(),
            )
        mapping[role.strip()] = column.strip()
    if not mapping:
        raise DataError(_("The mapping is empty."), _("Write for instance --map text=v2,answer=v1."))
    return mapping


def roles_of(task: Task) -> list[str]:
    """The roles a column can have."""
    return list(task.inputs) if task.is_chat else [*task.inputs, "answer"]


def check_roles(task: Task, mapping: dict[str, str]) -> None:
    """Raises DataError for a role that the task does not have, naming the roles it has."""
    roles = roles_of(task)
    for role in mapping:
        if role not in roles:
            raise DataError(
                _("The task {task} has no role {role!r}."),
                _("Its roles are: {roles}."),
                task=task.id,
                role=role,
                roles=several(roles),
            )


def check_mapping(table: Table, task: Task, mapping: dict[str, str], *, complete: bool = True) -> None:
    """Raises DataError naming the wrong role or column and the columns that exist. `complete`: every required role
    needs a column."""
    has = _("The file has: {columns}.", columns=several(table.columns))
    roles = roles_of(task)
    check_roles(task, mapping)
    for role, column in mapping.items():
        if column not in table.columns:
            near = difflib.get_close_matches(column, table.columns, n=2, cutoff=0.5)
            meant = _("Did you mean {near}?", near=several(near, "or", quoted=True)) if near else NOTHING
            raise DataError(
                _("There is no column {column!r} for {role}."), joined(has, meant), column=column, role=role
            )
    missing = [role for role in roles if role not in mapping and role not in task.optional_inputs]
    if missing and complete:
        raise DataError(
            _("No column was found for {missing}, which the task {task} needs."),
            joined(has, _("Choose with --map {role}=COLUMN or in the page.", role=missing[0])),
            missing=several(missing, "and"),
            task=task.id,
        )
    columns = list(mapping.values())
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice:
        raise DataError(
            _("The column {column!r} is used for two roles."),
            joined(has, _("Choose another for one of them.")),
            column=twice,
        )
