"""A file looked at as a person would before training on it: what it holds, which column is what, what is wrong with it, and
the first rows exactly as the model will see them.

    inspect_file(Path("spam.csv"), get_task("spam")).to_json()
"""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lora_hub.data import checks, columns
from lora_hub.data.read import Table, read_table
from lora_hub.errors import DataError
from lora_hub.schema import DatasetInfo, Problem, Task

PREVIEW_ROWS = 5
PREVIEW_CHARACTERS = 4_000


@dataclass
class Inspection:
    """`preview`: the first rows as {"prompt", "completion"}. `reasons`: role -> why that column was taken."""

    info: DatasetInfo
    table: Table
    task: Task
    mapping: dict[str, str]
    reasons: dict[str, str]
    problems: list[Problem] = field(default_factory=list)
    preview: list[dict[str, str]] = field(default_factory=list)

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.info.name, "fingerprint": self.info.fingerprint, "task": self.task.id, "rows": self.info.rows,
            "columns": list(self.info.columns), "encoding": self.info.encoding, "delimiter": self.info.delimiter,
            "format": self.info.format, "mapping": self.mapping, "reasons": self.reasons,
            "problems": [problem.model_dump(mode="json") for problem in self.problems], "preview": self.preview,
        }  # fmt: skip


def inspect_file(
    path: Path,
    task: Task | None,
    mapping: dict[str, str] | None = None,
    *,
    encoding: str = "",
    delimiter: str = "",
    sheet: str = "",
    skip_broken: bool = False,
    name: str = "",
) -> Inspection:
    """Reads and checks a file. `task` None: proposed from the columns. `mapping`: roles that the person chose; the others
    are proposed. Raises DataError where the file cannot be read, is not for supervised training, or has no column of a name
    that was chosen. A required role without a column is a Problem, so that the person can choose one."""
    table = read_table(path, encoding=encoding, delimiter=delimiter, sheet=sheet, skip_broken=skip_broken)
    return inspect_table(table, task, mapping, fingerprint=fingerprint(path), name=name or Path(path).name, sheet=sheet)


def inspect_table(
    table: Table, task: Task | None, mapping: dict[str, str] | None = None, *, fingerprint: str, name: str, sheet: str = ""
) -> Inspection:
    """`inspect_file` of a table that was read already: a changed task or mapping need not read the file anew."""
    notes = []
    if task is None:
        from lora_hub.tasks.catalogue import get_task

        task_id, reason = columns.propose_task(table)
        task = get_task(task_id)
        notes.append(Problem(code="task-proposed", severity="info", message=f"The task {task_id} is proposed: {reason}."))
    mapping, reasons = complete_mapping(table, task, mapping or {})
    problems = table.problems + notes + missing_columns(table, task, mapping) + checks.check_table(table, task, mapping)
    info = DatasetInfo(
        fingerprint=fingerprint, name=name, rows=table.rows, columns=tuple(table.columns), format=table.format,
        encoding=table.encoding, delimiter=table.delimiter, sheet=sheet, problems=tuple(problems),
    )  # fmt: skip
    return Inspection(info, table, task, mapping, reasons, problems, preview_rows(table, task, mapping))


def complete_mapping(table: Table, task: Task, chosen: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What the person chose, and proposals for the roles they left open, each with its reason. Raises DataError where the
    person chose a role or a column that there is not."""
    columns.check_mapping(table, task, chosen, complete=False)
    proposal = columns.propose_mapping(table, task)
    taken = set(chosen.values())
    mapping = {role: column for role, column in proposal.mapping.items() if role not in chosen and column not in taken}
    mapping = {**mapping, **chosen}
    roles = [*task.inputs, "answer", *mapping]
    mapping = {role: mapping[role] for role in dict.fromkeys(roles) if role in mapping}
    reasons = {role: proposal.reasons[role] for role in mapping if role not in chosen}
    reasons |= dict.fromkeys(chosen, "chosen by you")
    return mapping, reasons


def missing_columns(table: Table, task: Task, mapping: dict[str, str]) -> list[Problem]:
    """One error where a required role has no column yet."""
    try:
        columns.check_mapping(table, task, mapping)
    except DataError as error:
        return [Problem(code="missing-column", severity="error", message=error.message, hint=error.hint)]
    return []


def preview_rows(table: Table, task: Task, mapping: dict[str, str]) -> list[dict[str, str]]:
    """The first rows with the text put to the model and the part that is trained. Empty where no row can be used."""
    from lora_hub.data import prepare, template

    if missing_columns(table, task, mapping):
        return []
    few = Table(table.frame.head(10 * PREVIEW_ROWS), table.format)
    try:
        examples = prepare.build_examples(few, task, mapping)[:PREVIEW_ROWS]
    except DataError:
        return []  # the checks have told why
    if task.output == "labels" and not task.labels:
        task = task.model_copy(update={"labels": labels_of(table, mapping["answer"])})
    shown = []
    for example in examples:
        if task.is_chat:
            prompt = "\n".join(f"{turn['role']}: {turn['content']}" for turn in example.inputs["messages"])
        else:
            prompt = template.render_prompt(task, example.inputs)
        shown.append({"prompt": _cut(prompt), "completion": _cut(example.answer)})
    return shown


def labels_of(table: Table, column: str) -> tuple[str, ...]:
    """The distinct non-empty answers, sorted, as a run would freeze them."""
    texts = table.texts(column).drop_nulls().str.strip_chars()
    return tuple(sorted(texts.filter(texts != "").unique().to_list()))


def fingerprint(path: Path) -> str:
    """First 16 hex digits of the sha256 of the file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _cut(text: str) -> str:
    return text if len(text) <= PREVIEW_CHARACTERS else text[:PREVIEW_CHARACTERS] + " [...]"
