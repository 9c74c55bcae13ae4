"""Inspects files and caches the results, so that a change in the form recomputes only what it affects.

inspect_file(Path("spam.csv"), get_task("spam")).to_json()

inspector = Inspector()
inspector.inspect(path, task, {"text": "v2"}, mends=[Mend(kind="drop", values={"code": "duplicates"})], base=base)
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lora_hub.core import store
from lora_hub.core.schema import BaseModel, Mend, Task
from lora_hub.data.base_fit import with_lengths
from lora_hub.data.inspection import Inspection, inspect_table
from lora_hub.data.planned_rows import PLANNED_ROWS
from lora_hub.data.read.read import Table, read_table


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
    others are proposed; a role chosen as "" has no column. `reading`: encoding, delimiter, sheet, skip_broken, is_test
    (`read_table`). `base`: lengths are counted in its tokens; `max_length`: 0 means the base's context.

    Raises DataError if the file cannot be read, is not for supervised training, or lacks a chosen column. A required
    role without a column is a Problem, so that the person can choose one.
    """
    return Inspector().inspect(path, task, mapping, mends=mends, base=base, max_length=max_length, name=name, **reading)


class Inspector:
    """Inspects files and caches the last tables and findings, so that a change in the form recomputes only what it
    affects.

    Safe to use from several threads; each answer is computed once, and requests for other answers do not wait for it.
    `most_bytes`: limit of cached tables (except the last one). `read`: the function that reads a file, `read_table` or
    a substitute.
    """

    def __init__(self, most_bytes: int = 512 << 20, most: int = 24, read: Callable[..., Table] = read_table) -> None:
        self._read = read
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
        """`inspect_file`, from the cache if possible. Raises DataError as it does."""
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
                fingerprint=self._remember(("fingerprint", file), lambda: store.dataset_fingerprint(path)),
                name=name,
                skip_broken=bool(reading.get("skip_broken")),
                owner=store.dataset_owner(path),
            ),
        )
        return seen if base is None else self.with_lengths(seen, base, max_length)

    def with_lengths(self, seen: Inspection, base: BaseModel, max_length: int = 0) -> Inspection:
        """`base_fit.with_lengths`, from the cache if possible, for an inspection that this inspector returned."""
        key = ("lengths", id(seen), base.model_dump_json(), max_length)
        # Keep the inspection beside the answer, so that its id is not reused in the meantime.
        return self._remember(key, lambda: (with_lengths(seen, base, max_length), seen))[0]

    def read(self, path: Path, **reading: Any) -> Table:
        """The table of a file, from the cache if the file is unchanged. Raises DataError."""
        if not Path(path).is_file():
            return self._read(path, **reading)  # which explains it in words
        return self._remember(("table", _file(path), _reading(reading)), lambda: self._read(path, **reading))

    def _remember(self, key: tuple, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if key in self._answers:  # computed while we waited
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
        """Approximate bytes of the cached tables; a table shared by several answers counts once."""
        frames = {}
        for answer in self._answers.values():
            one = answer[0] if isinstance(answer, tuple) else answer
            table = one.table if isinstance(one, Inspection) else one
            if isinstance(table, Table):
                frames[id(table.frame)] = table.frame
        # Planned rows are Python objects beside their frame.
        return sum(
            round(frame.estimated_size() * (1 + 2 * min(1.0, PLANNED_ROWS / max(1, frame.height))))
            for frame in frames.values()
        )


def _file(path: Path) -> tuple:
    """Identifies one state of a file."""
    status = Path(path).stat()
    return (str(Path(path).resolve()), status.st_size, status.st_mtime_ns)


def _reading(reading: dict[str, Any]) -> tuple:
    return tuple(sorted((key, value) for key, value in reading.items() if value))


def _key(mends: Sequence[Mend]) -> str:
    return "\n".join(mend.model_dump_json() for mend in mends)
