"""Which column is what: roles proposed by names and by contents, each with its reason; a task proposed where none is chosen.

    propose_mapping(table, task).mapping      {"text": "v2", "answer": "v1"}
    propose_task(table)                       ("spam", "the column 'v1' holds ham and spam")
"""

import difflib
from dataclasses import dataclass, field

from lora_hub.data import column_names as known
from lora_hub.data.column_facts import ColumnFacts, column_facts
from lora_hub.data.column_names import language_of, plain, squeezed
from lora_hub.data.convert import refuse_text_without_answer, refuse_what_is_not_for_training
from lora_hub.data.table import Table
from lora_hub.errors import DataError
from lora_hub.schema import Task

ENOUGH = 0.6  # a column scores this much or it is not proposed


@dataclass
class MappingProposal:
    """mapping: role -> column. reasons: role -> why. missing: required roles that no column fits."""

    mapping: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


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
    scores = {
        (role, fact.name): _score(role, fact, task, facts) for role in (*task.inputs, "answer") for fact in facts.values()
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
        proposal.reasons[role] = f"{left[0].name!r} is the only column left"
        proposal.missing = []


def _score(role: str, fact: ColumnFacts, task: Task, facts: dict[str, ColumnFacts]) -> tuple[float, str]:
    """How well a column fits a role (from 0; a good name alone is worth 1 to 2), and why."""
    if fact.is_nested or fact.filled == 0:
        return 0.0, ""
    names = _names_for(role, task)
    by_name = _name_score(fact.name, names)
    labels_wanted = role == "answer" and task.output == "labels"
    by_content, why = 0.0, ""
    if labels_wanted:
        if fact.is_labels:
            by_content, why = 0.8, f"it holds {fact.distinct} different short values ({', '.join(fact.examples[:3])})"
        elif fact.distinct > 0.5 * fact.filled:
            by_content = -0.9
    elif role == "answer":
        if fact.is_text:
            by_content, why = 0.3, "it holds texts"
        elif fact.is_number and by_name < 1:
            by_content = -0.5
    elif fact.is_labels and fact.distinct <= 20 and by_name < 1 and any(other.is_text for other in facts.values()):
        by_content = -0.8
    elif fact.is_text:
        longest = max(other.median_length for other in facts.values())
        share = fact.median_length / max(1, longest)
        by_content, why = 0.35 + 0.35 * share, f"it holds the {'longest ' if share == 1 else ''}texts"
    if fact.is_bookkeeping and by_name < 1:
        return 0.0, ""
    emptiness = 0 if role in task.optional_inputs else 1 - fact.filled_share
    score = by_name + by_content - 0.6 * emptiness
    if by_name:
        reason = f"{fact.name!r} is a usual name for it" + (f", and {why}" if why else "")
    else:
        reason = f"{fact.name!r} was taken because {why}" if why else ""
    return (score, reason) if reason else (0.0, "")


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


def _name_score(column: str, names: list[str]) -> float:
    """2 for the first name of the list down to 1 for the last; less where a name is only a part of the column's."""
    column = squeezed(column)
    squeezed_names = [squeezed(name) for name in names]
    if column in squeezed_names:
        return 2 - squeezed_names.index(column) / len(names)
    bare = column.rstrip("0123456789")
    if bare in squeezed_names:
        return 0.9 - 0.1 * squeezed_names.index(bare) / len(names)
    words = {word for word in plain(column).split("_") if len(word) > 3}
    return 0.5 if words & set(names) else 0.0


def _propose_messages(facts: dict[str, ColumnFacts], proposal: MappingProposal) -> None:
    names = known.SYNONYMS["messages"]
    chats = [fact for fact in facts.values() if fact.is_chat]
    chats.sort(key=lambda fact: -_name_score(fact.name, names))
    if not chats:
        proposal.missing = ["messages"]
        return
    proposal.mapping["messages"] = chats[0].name
    proposal.reasons["messages"] = f"{chats[0].name!r} holds conversations: turns with a role and a text"


def _propose_languages(facts: dict[str, ColumnFacts], proposal: MappingProposal) -> bool:
    """Two columns of texts in two languages, told apart by name or script. English, else the first, is the source."""
    named = {fact.name: language_of(fact.name) for fact in facts.values() if language_of(fact.name) and fact.is_plausible}
    names = [plain(fact.name) for fact in facts.values()]
    if {"source", "target"} <= set(names) or {"src", "tgt"} <= set(names):
        return False
    if len(named) >= 2:
        source = next((name for name, language in named.items() if language == "en"), next(iter(named)))
        target = next(name for name in named if name != source)
        proposal.reasons["source"] = f"{source!r} is named after a language"
        proposal.reasons["answer"] = f"{target!r} is named after the other language"
    else:
        texts = [fact for fact in facts.values() if fact.is_plausible and not fact.is_labels and fact.distinct > 0.3 * fact.filled]
        latin = [fact for fact in texts if fact.script == "latin"]
        other = [fact for fact in texts if fact.script not in ("latin", "")]
        if not latin or not other:
            return False
        source, target = latin[0].name, other[0].name
        proposal.reasons["source"] = f"{source!r} is written in Latin script"
        proposal.reasons["answer"] = f"{target!r} is written in {other[0].script.capitalize()} script"
    proposal.mapping = {"source": source, "answer": target}
    return True


def propose_task(table: Table) -> tuple[str, str]:
    """(catalogue id, reason). Raises DataError for preference pairs and for text without an answer."""
    refuse_what_is_not_for_training(table)
    facts = column_facts(table)
    names = {plain(fact.name): fact for fact in facts.values()}
    chat = next((fact for fact in facts.values() if fact.is_chat), None)
    if chat:
        return "chat", f"the column {chat.name!r} holds conversations"
    refuse_text_without_answer(table)
    if "sql" in names or "sql_query" in names:
        return "text-to-sql", "there is a column of SQL"
    if "question" in names and {"context", "passage"} & set(names) and {"answer", "answers"} & set(names):
        return "question-answering", "there are questions, passages and answers"
    if "instruction" in names and {"output", "response"} & set(names):
        return "instruction", "there are instructions and outputs"
    if any(name in names for name in ("summary", "highlights", "tldr", "خلاصه", "چکیده")):
        return "summarization", "there is a column of summaries"
    if any(name in names for name in ("corrected", "correction", "corrected_text", "اصلاح‌شده")):
        return "grammar", "there is a column of corrected texts"
    languages = {language_of(fact.name) for fact in facts.values() if fact.is_plausible} - {""}
    scripts = {fact.script for fact in facts.values()
               if fact.is_plausible and not fact.is_labels and fact.distinct > 0.3 * fact.filled} - {""}  # fmt: skip
    texts = [fact for fact in facts.values() if fact.is_text]
    labels = [fact for fact in facts.values() if fact.is_labels]
    if len(languages) >= 2 or "translation" in names:
        return "translation", f"there are columns in {' and '.join(sorted(languages))}"
    best = max(labels, key=lambda fact: (_name_score(fact.name, known.LABEL), -fact.distinct), default=None)
    if best is not None and (texts or len(facts) == 2) and (_name_score(best.name, known.LABEL) or len(scripts) < 2):
        return _labels_task(best)
    if len(scripts) >= 2:
        return "translation", f"there are columns in {' and '.join(sorted(scripts))} script"
    if {"question", "prompt", "input", "instruction", "پرسش", "سوال"} & set(names):
        return "instruction", "there is a column of questions or prompts and one of answers"
    if best is not None:
        return _labels_task(best)
    return "instruction", "there are texts in two columns"


def _labels_task(fact: ColumnFacts) -> tuple[str, str]:
    values = {value.strip().lower() for value in fact.examples}
    shown = ", ".join(fact.examples[:4])
    why = f"the column {fact.name!r} holds {fact.distinct} different labels ({shown})"
    name = plain(fact.name)
    if {"spam", "ham"} & values or "spam" in name or {"هرزنامه", "اسپم"} & values:
        return "spam", why
    if any(word in name for word in ("sentiment", "polarity", "emotion", "احساس", "قطبیت")) or any(
        value.replace("very ", "") in ("positive", "negative", "pos", "neg", "مثبت", "منفی") for value in values
    ):
        return "sentiment", why
    if "intent" in name or "قصد" in name or fact.distinct > 30:
        return "intent", why
    if values <= {"-3", "-2", "-1", "0", "1", "2", "3", "4", "5"}:
        return "sentiment", why
    return "topic", why


def parse_map(text: str) -> dict[str, str]:
    """"text=v2,answer=v1" as a mapping. A comma inside a column's name is written \\,. Raises DataError."""
    mapping: dict[str, str] = {}
    for part in text.replace("\\,", "\x00").split(","):
        part = part.replace("\x00", ",")
        if not part.strip():
            continue
        role, equals, column = part.partition("=")
        if not equals or not role.strip() or not column.strip():
            raise DataError(f"{part.strip()!r} is not ROLE=COLUMN.", "Write for instance --map text=v2,answer=v1.")
        if role.strip() in mapping:
            raise DataError(f"The role {role.strip()!r} is mapped twice.", "Give one column for each role.")
        mapping[role.strip()] = column.strip()
    if not mapping:
        raise DataError("The mapping is empty.", "Write for instance --map text=v2,answer=v1.")
    return mapping


def check_mapping(table: Table, task: Task, mapping: dict[str, str], *, complete: bool = True) -> None:
    """Raises DataError naming the role or column that is wrong and the columns there are. `complete`: every required role
    has to have a column."""
    has = f"The file has: {', '.join(table.columns[:20])}{' ...' if len(table.columns) > 20 else ''}."
    roles = list(task.inputs) if task.is_chat else [*task.inputs, "answer"]
    for role, column in mapping.items():
        if role not in roles:
            raise DataError(f"The task {task.id} has no role {role!r}.", f"Its roles are: {', '.join(roles)}.")
        if column not in table.columns:
            near = difflib.get_close_matches(column, table.columns, n=2, cutoff=0.5)
            meant = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise DataError(f"There is no column {column!r} for {role}.", f"{has}{meant}")
    missing = [role for role in roles if role not in mapping and role not in task.optional_inputs]
    if missing and complete:
        raise DataError(
            f"No column was found for {' and '.join(missing)}, which the task {task.id} needs.",
            f"{has} Choose with --map {missing[0]}=COLUMN or in the page.",
        )
    columns = list(mapping.values())
    twice = next((column for column in columns if columns.count(column) > 1), None)
    if twice:
        raise DataError(f"The column {twice!r} is used for two roles.", f"{has} Choose another for one of them.")
