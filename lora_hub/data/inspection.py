"""Inspects a file before training: what it holds, which column is which, what is wrong with it and how to fix it, and
the first rows exactly as the model will see them.

    inspect_table(read_table(path), get_task("spam"), fingerprint=..., name="spam.csv").to_json()

`inspector` inspects files and caches the results; `base_fit` adds what depends on the base.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lora_hub.core.messages import Message, _
from lora_hub.core.schema import DatasetInfo, Lengths, Mend, Problem, Task
from lora_hub.data.checks import checks
from lora_hub.data.checks.check_blanks import find_blanks
from lora_hub.data.checks.check_held_out import check_held_out, find_test_columns
from lora_hub.data.checks.check_pairs import find_pairs
from lora_hub.data.checks.check_row_marks import find_row_marks
from lora_hub.data.checks.check_task import find_doubt
from lora_hub.data.checks.check_unused import find_unused, names_unused
from lora_hub.data.checks.row_language import CODES, find_language, language_of_rows, settle_language
from lora_hub.data.columns import columns
from lora_hub.data.columns.split_columns import find_split
from lora_hub.data.mending.check_mends import find_idle
from lora_hub.data.mending.mends import Done, apply_mends, with_filled_columns
from lora_hub.data.mending.offers import offer_mends
from lora_hub.data.planned_rows import PlannedRows
from lora_hub.data.preview import missing_columns, preview_rows
from lora_hub.data.tables.findings import Finding, worst_first
from lora_hub.data.tables.nested_cells import find_nested
from lora_hub.data.tables.overflow import find_overflow
from lora_hub.data.tables.table import Table

CHOSEN = _("chosen by you")


@dataclass
class Inspection:
    """`table`: after the mends. `task`: in the rows' language, unless a person chose one. `preview`: the first rows as
    {"prompt", "completion"}. `planned`: the rows as they would be trained. `reasons`: role -> why that column was
    chosen. `findings`: the problems with all their rows. `done`: what each mend did. `tokens_row`: mean tokens of a row
    for the base whose lengths were measured; 0 if unknown."""

    info: DatasetInfo
    table: Table
    task: Task
    mapping: dict[str, str]
    reasons: dict[str, Message]
    planned: PlannedRows
    findings: list[Finding] = field(default_factory=list)
    preview: list[dict[str, str]] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    tokens_row: float = 0.0

    @property
    def problems(self) -> list[Problem]:
        return [found.problem for found in self.findings]

    @property
    def lengths(self) -> Lengths | None:
        return self.info.lengths

    def rows_of(self, code: str, limit: int = 50) -> list[tuple[int, dict[str, str]]]:
        """The first `limit` rows of a problem: (row number, {role: text}). Empty if there is no such problem."""
        rows = next((found.rows for found in self.findings if found.problem.code == code), None)
        return [] if rows is None else self.texts_of(rows.head(limit).to_list())

    def texts_of(self, rows: Sequence[int]) -> list[tuple[int, dict[str, str]]]:
        """(row number, {role: text}) for these row numbers, if they exist."""
        if not len(rows):
            return []
        numbers = self.table.numbers()
        places = numbers.is_in(list(rows)).arg_true()
        texts = {role: self.table.texts(column).gather(places).to_list() for role, column in self.mapping.items()}
        return [
            (number, {role: texts[role][place] or "" for role in texts})
            for place, number in enumerate(numbers.gather(places).to_list())
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.info.name,
            "fingerprint": self.info.fingerprint,
            "task": self.task.id,
            "rows": self.info.rows,
            "columns": list(self.info.columns),
            "encoding": self.info.encoding,
            "delimiter": self.info.delimiter,
            "format": self.info.format,
            "sheet": self.info.sheet,
            "sheets": list(self.info.sheets),
            "test_rows": self.table.test.rows if self.table.test is not None else 0,
            "mapping": self.mapping,
            "unused": names_unused(self.table, self.mapping),
            "reasons": {role: reason.en for role, reason in self.reasons.items()},
            "mends": [done.to_json() for done in self.done],
            "problems": [problem.to_json() for problem in self.problems],
            "lengths": self.lengths.model_dump(mode="json") if self.lengths else None,
            "preview": self.preview,
        }


def inspect_table(
    table: Table,
    task: Task | None,
    mapping: dict[str, str] | None = None,
    *,
    mends: Sequence[Mend] = (),
    fingerprint: str,
    name: str,
    skip_broken: bool = False,
    owner: str = "",
) -> Inspection:
    """`inspector.inspect_file` for a table that was already read, without lengths. owner: whose file it is, if people
    sign in."""
    notes = []
    filled = with_filled_columns(table, mends)
    if task is None:
        from lora_hub.catalogue.tasks.catalogue import get_task

        task_id, reason = columns.propose_task(filled)
        task = get_task(task_id)
        said = _("The task {task} is proposed: {reason}.", task=task.title, reason=reason)
        notes.append(Finding(Problem(code="task-proposed", severity="info", said=said)))
    chosen = mapping or {}
    mapping, reasons = complete_mapping(filled, task, chosen)
    notes += [*find_test_columns(table, mapping)]
    table = table.fitted(mapping)
    language, asked = language_of_rows(filled, task, mapping), task
    task = settle_language(task, table, mapping, language)
    mended, done = apply_mends(table, task, mapping, mends)
    said = [Finding(problem) for problem in table.problems]
    found = [
        *said,
        *find_split(mended),
        *find_overflow(mended),
        *find_blanks(mended, task, mapping),
        *notes,
        *missing_columns(table, task, mapping, chosen),
        *checks.find(mended, task, mapping),
    ]
    found += [
        *find_doubt(mended, task, mapping),
        *find_pairs(mended, task, mapping),
        *find_language(asked, task, language),
    ]
    found += [
        *find_nested(_same_rows(table, mended), task, mapping),
        *find_unused(table, mapping),
        *find_row_marks(mended, task, mapping),
        *find_idle(done),
    ]
    if mended.test is not None:
        found += checks.find_overlap(task, mended, mapping, mended.test, mapping)
        found += checks.find_unseen(task, mended, mapping, mended.test, mapping)
    found += check_held_out(_scored_rows(mended))
    found = [with_mends(one, mended, task, mapping) for one in found]
    found = worst_first(found)
    info = DatasetInfo(
        fingerprint=fingerprint,
        owner=owner,
        name=name,
        rows=mended.rows,
        columns=tuple(table.columns),
        format=table.format,
        encoding=table.encoding,
        delimiter=table.delimiter,
        sheet=table.sheet,
        sheets=tuple(table.sheets),
        skip_broken=skip_broken,
        mends=tuple(mends),
        problems=tuple(one.problem for one in found),
        language=CODES.get(language, ""),
    )
    planned = PlannedRows(mended, task, mapping)
    return Inspection(info, mended, task, mapping, reasons, planned, found, preview_rows(planned), done)


def _same_rows(table: Table, mended: Table) -> Table:
    """The rows left after the mends, as they were read."""
    if mended.row_numbers is None:
        return table
    numbers = table.numbers()
    keep = numbers.is_in(mended.row_numbers.implode())
    return replace(table, frame=table.frame.filter(keep), row_numbers=numbers.filter(keep))


def _scored_rows(table: Table) -> int:
    """About how many rows would be scored with the default held-out share; a plan computes it exactly."""
    from lora_hub.data.prompts import split

    return (
        table.test.rows
        if table.test is not None
        else split.held_out_sizes(table.rows, split.held_out_share(table.rows), table.rows)[0]
    )


def with_mends(found: Finding, table: Table, task: Task, mapping: dict[str, str]) -> Finding:
    offered = offer_mends(found, table, task, mapping)
    return Finding(found.problem.model_copy(update={"mends": offered}), found.rows) if offered else found


def complete_mapping(table: Table, task: Task, chosen: dict[str, str]) -> tuple[dict[str, str], dict[str, Message]]:
    """A person's choices, plus proposals for the roles they left open, each with its reason. Raises DataError if they
    chose a role or column that does not exist."""
    columns.check_mapping(table, task, {role: column for role, column in chosen.items() if column}, complete=False)
    proposal = columns.propose_mapping(table, task)
    taken = set(chosen.values())
    mapping = {role: column for role, column in proposal.mapping.items() if role not in chosen and column not in taken}
    mapping |= {role: column for role, column in chosen.items() if column}
    roles = [*task.inputs, "answer", *mapping]
    mapping = {role: mapping[role] for role in dict.fromkeys(roles) if role in mapping}
    reasons = {role: proposal.reasons[role] for role in mapping if role not in chosen}
    reasons |= dict.fromkeys(chosen, CHOSEN)
    return mapping, reasons
