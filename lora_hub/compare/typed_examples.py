"""Examples as people type them: a line each, the inputs with | between them, then =>, then the answer.

read_typed("You won a prize => spam", ["text"])
read_typed("Ada wrote it. | Who wrote it? => Ada", ["context", "question"])
"""

from collections.abc import Sequence

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.core.schema import ShownExample

ARROW, BETWEEN = "=>", "|"


def read_typed(text: str, roles: Sequence[str]) -> tuple[ShownExample, ...]:
    """roles: the task's inputs, in the order in which they are typed. With one input, | is a sign like any other.
    Raises DataError for a line that is no example."""
    found = []
    for line in filter(str.strip, text.splitlines()):
        said, arrow, answer = line.rpartition(ARROW)
        parts = [part.strip() for part in (said.split(BETWEEN) if len(roles) > 1 else [said])]
        if not arrow or not answer.strip() or len(parts) != len(roles) or not any(parts):
            raise DataError(_("{line!r} is no example.", line=line[:80]), _advice(roles))
        found.append(ShownExample(inputs=dict(zip(roles, parts, strict=True)), answer=answer.strip()))
    return tuple(found)


def _advice(roles: Sequence[str]) -> object:
    if len(roles) < 2:
        return _("Write the input, then =>, then the answer.")
    return _("Write {form}: each input of the task, with | between them.", form=f"{' | '.join(roles)} {ARROW} ...")
