"""Who may ask a server of our own: one person for each key, with limits of their own.

    # one key a line, with a name before it if you like; lines with # are left out
    team-a  sk-3f9c...
    sk-77ab...

Keys are kept as hashes, and named in no log: a key without a name is called `key-1` by its place.
"""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from lora_hub.core import settings
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _
from lora_hub.people import LOCAL, Pace, Person
from lora_hub.serve.faults import no_key

FILE_BYTES, MOST_KEYS = 1 << 20, 10_000
LEAST_LENGTH = 16
_KEY = re.compile(rf"[\x21-\x7e]{{{LEAST_LENGTH},512}}")
_NAME = re.compile(r"[\w.@-]{1,64}", re.ASCII)


class Keys:
    """people: by the hash of their key. None of them: everybody is whoever started the server."""

    def __init__(self, people: Mapping[str, Person]) -> None:
        self._people = dict(people)

    def __len__(self) -> int:
        return len(self._people)

    def who_asks(self, authorization: str) -> Person:
        """The person of a header `Authorization`. Raises Refusal where keys are needed and this is none."""
        if not self._people:
            return LOCAL
        kind, _space, key = authorization.partition(" ")
        found = self._people.get(_hash(key.strip())) if kind.lower() == "bearer" else None
        if found is None:
            raise no_key()
        return found


def read_keys(file: Path | None, also: str = "", *, token: str = "", a_minute: int = 0, at_once: int = 0) -> Keys:
    """The keys of a file, and those in `also` with commas between them. token: with which the Hub is asked for them
    all. a_minute, at_once: limits of each key; 0: the organization's. Raises SpecError."""
    lines = [(f"LORA_HUB_KEYS, {place}", one) for place, one in enumerate(also.split(","), 1)]
    if file is not None:
        try:
            with file.open("rb") as opened:
                text = opened.read(FILE_BYTES + 1)
            if len(text) > FILE_BYTES:
                raise ValueError(_("it has more than {most:,} bytes", most=FILE_BYTES))
            lines += [(f"{file}:{number}", line) for number, line in enumerate(text.decode().splitlines(), 1)]
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise SpecError(
                _("The keys cannot be read from {file}: {reason}."),
                _("Give a text file with one key a line."),
                file=file,
                reason=reason,
            ) from error
    people: dict[str, Person] = {}
    for where, line in lines:
        *name, key = line.split("#")[0].split() or [""]
        if not key:
            continue
        called = name[0] if name else f"key-{len(people) + 1}"
        if len(name) > 1 or not _KEY.fullmatch(key) or not _NAME.fullmatch(called) or len(people) >= MOST_KEYS:
            raise SpecError(
                _("{where} is no key."),
                _("A key has at least {least} letters, digits or signs and no spaces; a name may stand before it."),
                where=where,
                least=LEAST_LENGTH,
            )
        people[_hash(key)] = Person(
            id=called,
            roles={settings.organization(): "read"},
            token=token,
            pace=Pace(a_minute=a_minute, at_once=at_once),
        )
    if file is not None and not people:
        raise SpecError(_("{file} has no key."), _("Write one a line."), file=file)
    return Keys(people)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()
