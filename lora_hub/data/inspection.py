"""A file looked at as a person would before training on it: what it holds, which column is what, what is wrong with it
and what can be done about that, how long its rows are, and the first rows exactly as the model will see them.

    inspect_file(Path("spam.csv"), get_task("spam")).to_json()

    inspector = Inspector()                                    remembers what it read: a changed form reads nothing anew
    inspector.inspect(path, task, {"text": "v2"}, mends=[Mend(kind="drop", values={"code": "duplicates"})], base=base)
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _, several
from lora_hub.core.schema import BaseModel, DatasetInfo, Lengths, Mend, Problem, Task
from lora_hub.data.checks import checks
from lora_hub.data.checks.check_blanks import find_blanks
from lora_hub.data.checks.check_held_out import check_held_out, find_test_columns
from lora_hub.data.checks.check_pairs import find_pairs
from lora_hub.data.checks.check_row_marks import find_row_marks
from lora_hub.data.checks.check_task import find_doubt
from lora_hub.data.checks.row_language import CODES, find_language, language_of_rows, settle_language
from lora_hub.data.columns import columns
from lora_hub.data.mending.check_mends import find_idle
from lora_hub.data.mending.mends import Done, apply_mends, offer_mends, with_filled_columns
from lora_hub.data.preview import missing_columns, preview_rows, with_labels
from lora_hub.data.read.read import Table, read_table
from lora_hub.data.tables.findings import Finding
from lora_hub.data.tables.nested_cells import find_nested
from lora_hub.data.tables.overflow import find_overflow

SAMPLED_ROWS = 2_000
CHOSEN = _("chosen by you")


@dataclass
class Inspection:
    """`table`: after the mends. `task`: put in the rows' language where nobody chose one. `preview`: the first rows as
    {"prompt", "completion"}. `reasons`: role -> why that column was taken. `findings`: the problems with all their
    rows. `done`: what each mend did. `tokens_row`: mean tokens of a row for the base that the lengths are of; 0 where
    they are not known."""

    info: DatasetInfo
    table: Table
    task: Task
    mapping: dict[str, str]
    reasons: dict[str, Message]
    findings: list[Finding] = field(default_factory=list)
    preview: list[dict[str, str]] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    tokens_row: float = 0.0

    @property
    def problems(self) -> list[Problem]:
        return [found.problem for found in self.findings]

    @property
    def has_errors(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)

    @property
    def lengths(self) -> Lengths | None:
        return self.info.lengths

    def rows_of(self, code: str, limit: int = 50) -> list[tuple[int, dict[str, str]]]:
        """The first `limit` rows of a problem: (row number, {role: text}). Empty where there is no such problem."""
        rows = next((found.rows for found in self.findings if found.problem.code == code), None)
        if rows is None or not rows.len():
            return []
        numbers = self.table.numbers()
        places = numbers.is_in(rows.head(limit).implode()).arg_true()
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


def inspect_file(
    path: Path,
    task: Task | None,
    mapping: dict[str, str] | None = None,
    *,
    mends: Sequence[Mend] = (),
    base: BaseModel | None = None,
    max_length: int = 0,
    name: str = "",
    **reading: Any,
) -> Inspection:
    """Reads and checks a file. `task` None: proposed from the columns. `mapping`: roles that the person chose; the
    others are proposed; a role chosen as "" stays without a column. `reading`: encoding, delimiter, sheet, skip_broken,
    is_test (`read_table`). `base`: whose tokens the lengths are counted in; `max_length`: 0 means the base's context.

    Raises DataError where the file cannot be read, is not for supervised training, or has no column of a name that was
    chosen. A required role without a column is a Problem, so that the person can choose one."""
    return Inspector().inspect(path, task, mapping, mends=mends, base=base, max_length=max_length, name=name, **reading)


class Inspector:
    """Looks at files and remembers the last tables and findings, so that a form's next change costs only what it
    changes.

    Safe to use from several threads; each answer is made once, and who asks for something else does not wait for it.
    `most_bytes`: of remembered tables (the last one aside).
    """

    def __init__(self, most_bytes: int = 512 << 20, most: int = 24) -> None:
        self._most_bytes, self._most = most_bytes, most
        self._answers: OrderedDict[tuple, Any] = OrderedDict()  # key -> Table, Inspection or fingerprint
        self._making: dict[tuple, threading.Lock] = {}
        self._lock = threading.Lock()

    def inspect(
        self,
        path: Path,
        task: Task | None,
        mapping: dict[str, str] | None = None,
        *,
        mends: Sequence[Mend] = (),
        base: BaseModel | None = None,
        max_length: int = 0,
        name: str = "",
        **reading: Any,
    ) -> Inspection:
        """`inspect_file`, from memory where it can. Raises DataError as it does."""
        table = self.read(path, **reading)
        file, task_key = _file(path), f"{task.model_dump_json()} {sorted(task.model_fields_set)}" if task else ""
        name = name or Path(path).name
        key = (
            "inspection",
            file,
            _reading(reading),
            name,
            task_key,
            tuple(sorted((mapping or {}).items())),
            _key(mends),
        )
        seen = self._remember(
            key,
            lambda: inspect_table(
                table,
                task,
                mapping,
                mends=mends,
                fingerprint=self._remember(("fingerprint", file), lambda: fingerprint(path)),
                name=name,
                skip_broken=bool(reading.get("skip_broken")),
            ),
        )
        return seen if base is None else self.with_lengths(seen, base, max_length)

    def with_lengths(self, seen: Inspection, base: BaseModel, max_length: int = 0) -> Inspection:
        """`with_lengths`, from memory where it can: of an inspection that this inspector gave."""
        key = ("lengths", id(seen), base.model_dump_json(), max_length)
        # The inspection is kept beside the answer, so that its id means nothing else meanwhile.
        return self._remember(key, lambda: (with_lengths(seen, base, max_length), seen))[0]

    def read(self, path: Path, **reading: Any) -> Table:
        """The table of a file, from memory where it is unchanged. Raises DataError."""
        if not Path(path).is_file():
            return read_table(path, **reading)  # which tells it in words
        return self._remember(("table", _file(path), _reading(reading)), lambda: read_table(path, **reading))

    def _remember(self, key: tuple, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._answers:  # made while we waited
                    return self._answers[key]
            try:
                answer = make()
            finally:
                with self._lock:
                    self._making.pop(key, None)
            with self._lock:
                self._answers[key] = answer
                while len(self._answers) > 1 and (len(self._answers) > self._most or self._held() > self._most_bytes):
                    self._answers.popitem(last=False)
            return answer

    def _held(self) -> int:
        """Bytes of the tables that are remembered; one that several answers share counts once."""
        frames = {}
        for answer in self._answers.values():
            one = answer[0] if isinstance(answer, tuple) else answer
            table = one.table if isinstance(one, Inspection) else one
            if isinstance(table, Table):
                frames[id(table.frame)] = table.frame
        return sum(frame.estimated_size() for frame in frames.values())


def _file(path: Path) -> tuple:
    """What tells one state of a file from another."""
    status = Path(path).stat()
    return (str(Path(path).resolve()), status.st_size, status.st_mtime_ns)


def inspect_table(
    table: Table,
    task: Task | None,
    mapping: dict[str, str] | None = None,
    *,
    mends: Sequence[Mend] = (),
    fingerprint: str,
    name: str,
    skip_broken: bool = False,
) -> Inspection:
    """`inspect_file` of a table that was read already, without lengths."""
    notes = []
    filled = with_filled_columns(table, mends)
    if task is None:
        from lora_hub.catalogue.tasks.catalogue import get_task

        task_id, reason = columns.propose_task(filled)
        task = get_task(task_id)
        said = _("The task {task} is proposed: {reason}.", task=task.title, reason=reason)
        notes.append(Finding(Problem(code="task-proposed", severity="info", said=said)))
    mapping, reasons = complete_mapping(filled, task, mapping or {})
    notes += [*find_test_columns(table, mapping)]
    table = table.fitted(mapping)
    language, asked = language_of_rows(filled, task, mapping), task
    task = settle_language(task, table, mapping, language)
    mended, done = apply_mends(table, task, mapping, mends)
    said = [Finding(problem) for problem in table.problems]
    found = [
        *said,
        *find_overflow(mended),
        *find_blanks(mended, task, mapping),
        *notes,
        *missing_columns(table, task, mapping),
        *checks.find(mended, task, mapping),
    ]
    found += [
        *find_doubt(mended, task, mapping),
        *find_pairs(mended, task, mapping),
        *find_language(asked, task, language),
    ]
    found += [
        *find_nested(_same_rows(table, mended), task, mapping),
        *unused_columns(table, mapping),
        *find_row_marks(mended, task, mapping),
        *find_idle(done),
    ]
    if mended.test is not None:
        found += checks.find_overlap(task, mended, mapping, mended.test, mapping)
        found += checks.find_unseen(task, mended, mapping, mended.test, mapping)
    found += check_held_out(_scored_rows(mended))
    found = [_with_mends(one, mended, task, mapping) for one in found]
    order = {"error": 0, "warning": 1, "info": 2}
    found.sort(key=lambda one: order[one.problem.severity])
    info = DatasetInfo(
        fingerprint=fingerprint,
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
    return Inspection(info, mended, task, mapping, reasons, found, preview_rows(mended, task, mapping), done)


def _same_rows(table: Table, mended: Table) -> Table:
    """The rows that mends left, as they were read."""
    if mended.row_numbers is None:
        return table
    numbers = table.numbers()
    keep = numbers.is_in(mended.row_numbers.implode())
    return replace(table, frame=table.frame.filter(keep), row_numbers=numbers.filter(keep))


def names_unused(table: Table, mapping: dict[str, str]) -> list[str]:
    """All columns with a value in them that no role has; none where no role has any."""
    used = {*mapping.values(), table.split_column}
    left = [
        name for name in table.columns if mapping and name not in used and table.frame[name].null_count() < table.rows
    ]
    return [name for name in left if table.is_nested(name) or (table.frame[name] != "").any()]


def unused_columns(table: Table, mapping: dict[str, str]) -> list[Finding]:
    """What the file holds and the task does not use, by name. Columns without any value are not worth a word."""
    left = names_unused(table, mapping)
    if not left:
        return []
    return [
        Finding(
            Problem(
                code="unused-columns",
                severity="info",
                said=_("Not used: {columns}.", columns=several(left, most=12)),
                count=len(left),
            )
        )
    ]


def _scored_rows(table: Table) -> int:
    """About how many rows would be scored with the usual share held out; a plan knows it exactly."""
    from lora_hub.data.prompts import prepare

    return (
        table.test.rows
        if table.test is not None
        else prepare.held_out_sizes(table.rows, prepare.held_out_share(table.rows), table.rows)[0]
    )


def _with_mends(found: Finding, table: Table, task: Task, mapping: dict[str, str]) -> Finding:
    offered = offer_mends(found, table, task, mapping)
    return Finding(found.problem.model_copy(update={"mends": offered}), found.rows) if offered else found


def with_lengths(seen: Inspection, base: BaseModel, max_length: int = 0) -> Inspection:
    """The same with its rows' lengths in the base's tokens, and what they mean for training; unchanged where the base's
    tokenizer is not on this disk yet or a role has no column."""
    from lora_hub.data.prompts import lengths, prepare

    if missing_columns(seen.table, seen.task, seen.mapping):
        return seen
    sampled = sample_rows(seen.table, SAMPLED_ROWS)
    try:
        examples = prepare.build_examples(sampled, seen.task, seen.mapping)
    except DataError:
        return seen  # no row can be used; the checks have told why
    task = with_labels(seen.task, seen.table, seen.mapping)
    seen, examples = _with_template(seen, lengths.tokenizer_of(base), task, examples)
    limit = min(max_length or base.context, base.context)
    measured = lengths.measure(examples, task, base, limit, rows=seen.table.rows)
    if measured is None:
        return seen
    characters = [len(" ".join(map(str, example.inputs.values()))) + len(example.answer) for example in examples]
    found = [
        _with_length_mends(one, measured.lengths, characters, seen.task)
        for one in lengths.find_lengths(measured.lengths, measured)
    ]
    findings = sorted(
        [*seen.findings, *found], key=lambda one: ("error", "warning", "info").index(one.problem.severity)
    )
    info = seen.info.model_copy(
        update={"lengths": measured.lengths, "problems": tuple(one.problem for one in findings)}
    )
    return replace(seen, info=info, findings=findings, tokens_row=measured.tokens_row)


def _with_template(seen: Inspection, tokenizer: Any, task: Task, sampled: list[Any]) -> tuple[Inspection, list[Any]]:
    """What the base's chat template says to the rows, and those of the sample that it takes."""
    from lora_hub.data.checks.check_chat_template import MOST, find_template
    from lora_hub.data.prompts import prepare

    if tokenizer is None:
        return seen, sampled
    examples = sampled
    if task.is_chat and len({example.row for example in sampled}) < seen.table.rows:
        part = replace(seen.table, frame=seen.table.frame.head(MOST), row_numbers=seen.table.numbers().head(MOST))
        examples = prepare.build_examples(part, task, seen.mapping)
    found = [_with_mends(one, seen.table, task, seen.mapping) for one in find_template(tokenizer, task, examples)]
    refused = {row for one in found if one.problem.code == "refused-chats" for row in one.rows.to_list()}
    findings = sorted(
        [*seen.findings, *found], key=lambda one: ("error", "warning", "info").index(one.problem.severity)
    )
    info = seen.info.model_copy(update={"problems": tuple(one.problem for one in findings)})
    preview = preview_rows(seen.table, task, seen.mapping, tokenizer) if task.is_chat else seen.preview
    return replace(seen, info=info, findings=findings, preview=preview), [
        example for example in sampled if example.row not in refused
    ]


def _with_length_mends(found: Finding, measured: Lengths, characters: list[int], task: Task) -> Finding:
    """Rows that are too long can lose the end of their input: so many characters as surely fit, going by the sample."""
    if found.problem.code != "too-long" or task.is_chat or not measured.total[3]:
        return found
    middle = sorted(characters)[len(characters) // 2]
    # Half as dense again as the middle row, so that what is left fits in nearly every case.
    fits = int(0.7 * (measured.max_length - min(measured.prompt)) * middle / max(1, measured.total[3]))
    offered = (Mend(kind="shorten", values={"characters": str(max(40, fits))}),)
    return Finding(found.problem.model_copy(update={"mends": offered}), found.rows)


def sample_rows(table: Table, most: int) -> Table:
    """At most `most` rows, spread evenly over the table."""
    if table.rows <= most:
        return table
    places = [round(number * (table.rows - 1) / (most - 1)) for number in range(most)]
    return Table(table.frame[places], table.format, row_numbers=table.numbers().gather(places))


def complete_mapping(table: Table, task: Task, chosen: dict[str, str]) -> tuple[dict[str, str], dict[str, Message]]:
    """What the person chose, and proposals for the roles they left open, each with its reason. Raises DataError where
    the person chose a role or a column that there is not."""
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


def fingerprint(path: Path) -> str:
    """First 16 hex digits of the sha256 of the file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def _reading(reading: dict[str, Any]) -> tuple:
    return tuple(sorted((key, value) for key, value in reading.items() if value))


def _key(mends: Sequence[Mend]) -> str:
    return "\n".join(mend.model_dump_json() for mend in mends)
