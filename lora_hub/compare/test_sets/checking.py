"""Every number of a test computed again from its files.

for one in check_test("spam-..."): print(one.what, one.stored, one.computed, one.agrees)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lora_hub.compare.test_sets import folders
from lora_hub.compare.test_sets.results import compute_result
from lora_hub.core.errors import RunError
from lora_hub.core.messages import _

# Of figures in per cent: less is another machine's arithmetic.
SAME = 1e-6


@dataclass(frozen=True)
class Checked:
    """One number or word. what: where it stands in result.json. stored, computed: None where there is none."""

    what: str
    stored: Any
    computed: Any

    @property
    def agrees(self) -> bool:
        both = (self.stored, self.computed)
        if all(isinstance(one, int | float) and not isinstance(one, bool) for one in both):
            return abs(self.stored - self.computed) <= SAME
        return self.stored == self.computed


def check_test(test_id: str) -> list[Checked]:
    """Raises RunError where there is no result yet, or a file is damaged."""
    folder, spec = folders.folder_of(test_id), folders.read_spec(test_id)
    stored, rows = folders.read_result(folder), folders.read_rows(folder)
    if stored is None or rows is None:
        raise RunError(_("The test {test_id} has no result yet."), _("Wait until it has succeeded."), test_id=test_id)
    again = compute_result(spec.task, rows, folders.read_answers(folder, len(rows)), folders.read_verdicts(folder))
    told = dict(_flat({key: stored.get(key) for key in again}))
    computed = dict(_flat(again))
    return [Checked(what, told.get(what), computed.get(what)) for what in {**computed, **told}]


def _flat(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    """(path, leaf) of nested JSON; pairs are named by who is compared."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _flat(one, f"{where}.{key}" if where else str(key))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            named = isinstance(one, dict) and "a" in one and "b" in one
            yield from _flat(one, f"{where}[{one['a']} / {one['b']}]" if named else f"{where}[{place}]")
    else:
        yield where, value
