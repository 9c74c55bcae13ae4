"""Decides which mends a finding offers, the safest first."""

from lora_hub.core.schema import Mend, Task
from lora_hub.data.checks.check_label_names import suggest_names
from lora_hub.data.checks.check_labels import label_counts
from lora_hub.data.checks.check_rows import LONG
from lora_hub.data.checks.label_meanings import are_versions, numbers_beside_names, same_meanings, same_numbers
from lora_hub.data.mending.mends import DROPPED
from lora_hub.data.tables.findings import Finding
from lora_hub.data.tables.label_forms import combinations, near_groups, one_line
from lora_hub.data.tables.overflow import overflow_columns
from lora_hub.data.tables.table import Table


def offer_mends(finding: Finding, table: Table, task: Task, mapping: dict[str, str]) -> tuple[Mend, ...]:
    """The mends for a finding, the one that keeps most first; empty if a person must decide otherwise."""
    code, offered = finding.problem.code, []
    if code in _OF_LABELS:
        if mapping.get("answer") in table.columns:
            offered += _offer_renaming(code, table, task, mapping["answer"])
    elif code in ("refused-chats", "unlearnt-rows"):
        offered.append(Mend(kind="leave-out", values={"rows": ",".join(map(str, finding.rows.to_list()))}))
    elif code == "overflow":
        named, _pieces = overflow_columns(table)
        offered.append(Mend(kind="join-overflow", values={"into": named}))
    return (*offered, *usual_mends(code, task))


def usual_mends(code: str, task: Task) -> tuple[Mend, ...]:
    """Of the mends for a finding those that are the same whatever the data holds."""
    offered = []
    if code == "conflicting-answers" and task.output != "labels":  # a text may be answered in several ways
        return ()
    if code == "conflicting-answers":
        offered.append(Mend(kind="keep-commonest"))
    elif code in ("secrets", "personal-data"):
        offered.append(Mend(kind="mask"))
    elif code == "html" and not task.is_chat:
        offered.append(Mend(kind="plain-text"))
    elif code == "damaged-letters" and not task.is_chat:
        offered.append(Mend(kind="mend-letters"))
    elif code == "swapped-pairs":
        offered.append(Mend(kind="swap"))
    elif code == "long-texts" and not task.is_chat:
        offered.append(Mend(kind="shorten", values={"characters": str(LONG)}))
    if code in DROPPED:
        offered.append(Mend(kind="drop", values={"code": code}))
    return tuple(offered)


# Findings about labels that renaming them can fix.
_OF_LABELS = (
    "near-duplicate-labels",
    "same-meaning-labels",
    "same-number-labels",
    "mixed-labels",
    "numeric-labels",
    "labels-of-several-lines",
)


def _offer_renaming(code: str, table: Table, task: Task, column: str) -> list[Mend]:
    counts = label_counts(table.texts(column).fill_null("").str.strip_chars().alias("answer").to_frame())
    if code == "near-duplicate-labels":
        return [_joined(near_groups(counts))]
    if code == "same-meaning-labels":
        return [_joined(same_meanings(counts))]
    if code == "same-number-labels":
        # Versions cannot be assumed to be the same.
        groups = [(usual, others) for usual, others in same_numbers(counts) if not are_versions([usual, *others])]
        return [_joined(groups)] if groups else []
    if code == "labels-of-several-lines":
        made = combinations(counts)
        return [
            Mend(
                kind="relabel",
                values={label: one_line(label) for label in counts if one_line(label) != label and label not in made},
            )
        ]
    names = (
        numbers_beside_names(counts, task.id)[0]
        if code == "mixed-labels"
        else suggest_names(sorted(counts), column, task.id)
    )
    return [Mend(kind="relabel", values=names)] if names else []


def _joined(groups: list[tuple[str, list[str]]]) -> Mend:
    return Mend(kind="relabel", values={other: usual for usual, others in groups for other in others})
