"""The signed-in sessions: in memory only, and gone when the app ends.

The browser has a random session name in a cookie and nothing else. The person and their token stay here, under a hash
of that name. A program sends a token of the Hub with every request, and is known here under a hash of it. A role that
is removed on the Hub is removed here a few minutes later.
"""

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from lora_hub.core.errors import AccessError, PaceError
from lora_hub.core.messages import _
from lora_hub.people.pace import Pace
from lora_hub.people.person import STRANGER, Person

# The maximum number of sessions, a few kilobytes each. The least recently used are dropped first.
MOST_SESSIONS, MOST_OF_ONE, MOST_STRANGERS = 2000, 10, 2000
ROLES_SECONDS = 300.0
# So long after its last request a program's token is asked about anew, and one that was refused is refused again.
TOKEN_SECONDS, REFUSED_SECONDS = 3600.0, 60.0
# The most unknown tokens that one address may send in a minute: each is a question to the Hub.
MOST_UNKNOWN = 20
MOST_REFUSED = 1000


@dataclass
class _Session:
    person: Person
    until: float
    asked: float


class Sessions:
    """Thread-safe. ask: token -> its current person, or None if the Hub no longer accepts the token. It raises if the
    Hub cannot be asked; the last known person then stays valid."""

    def __init__(self, ask: Callable[[str], Person | None], clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._lock = threading.Lock()
        self._open: OrderedDict[str, _Session] = OrderedDict()
        self._paces: OrderedDict[str, Pace] = OrderedDict()
        self._refused: OrderedDict[str, float] = OrderedDict()  # hash of a token -> when
        self._asking: dict[str, threading.Lock] = {}  # hash of a token that is asked about for the first time

    def open(self, person: Person, seconds: float) -> str:
        """Begins a session and returns its name, which only the browser gets."""
        name = secrets.token_urlsafe(32)
        self._begin(_hash(name), person, seconds)
        return name

    def _begin(self, key: str, person: Person, seconds: float) -> Person:
        now = self._clock()
        with self._lock:
            self._forget(now)
            mine = [key for key, one in self._open.items() if one.person.id == person.id]
            for old in mine[: max(0, len(mine) - MOST_OF_ONE + 1)]:
                del self._open[old]
            while len(self._open) >= MOST_SESSIONS:
                self._open.popitem(last=False)
            person = replace(person, pace=self._pace(f"person {person.id}"))
            self._open[key] = _Session(person, now + seconds, now)
        return person

    def find(self, name: str, address: str = "") -> Person:
        """The person of a session; a stranger if there is no such session or it has expired. address: the stranger's,
        by which their requests are counted."""
        return (name and self._known(_hash(name))) or self._stranger(address)

    def find_program(self, token: str, address: str = "") -> Person:
        """The person of a token of the Hub. Raises AccessError if the Hub does not accept it, and what `ask` raises if
        a token that is not known yet cannot be asked about."""
        if not (token.isascii() and token.isprintable()):  # it could not be sent on in a header
            raise _refusal()
        key = _hash(f"token {token}")
        if known := self._known(key, keep=TOKEN_SECONDS):
            return known
        with self._lock:
            asking = self._asking.setdefault(key, threading.Lock())
        with asking:  # of a program's first requests that come at once, one asks
            try:
                return self._known(key, keep=TOKEN_SECONDS) or self._ask_first(key, token, address)
            finally:
                with self._lock:
                    self._asking.pop(key, None)

    def _ask_first(self, key: str, token: str, address: str) -> Person:
        with self._lock:
            is_refused = self._clock() - self._refused.get(key, -REFUSED_SECONDS) < REFUSED_SECONDS
            pace = self._pace(f"token {address}")
        if is_refused:
            raise _refusal()
        if seconds := pace.take(MOST_UNKNOWN):
            raise PaceError(
                _("Too many tokens that are not known here were sent in the last minute."),
                _("Go on in {seconds:.0f} s."),
                seconds=max(1.0, seconds),
            )
        person = self._ask(token)
        if person is None:
            with self._lock:
                self._refused[key] = self._clock()
                while len(self._refused) > MOST_REFUSED:
                    self._refused.popitem(last=False)
            raise _refusal()
        return self._begin(key, replace(person, token=token), TOKEN_SECONDS)

    def _known(self, key: str, keep: float = 0.0) -> Person | None:
        """keep: so long from now the session goes on, where a request makes it last."""
        now = self._clock()
        with self._lock:
            found = self._open.get(key)
            if found is not None and found.until <= now:
                del self._open[key]
                found = None
            if found is None:
                return None
            self._open.move_to_end(key)
            found.until = max(found.until, now + keep)
            if now - found.asked < ROLES_SECONDS:
                return found.person
            found.asked = now  # so that concurrent lookups do not ask as well
        return self._ask_again(key, found)

    def _stranger(self, address: str) -> Person:
        with self._lock:
            return replace(STRANGER, pace=self._pace(f"stranger {address}"))

    def _ask_again(self, key: str, found: _Session) -> Person:
        try:
            told = self._ask(found.person.token)
        except Exception:  # the Hub is down: its last answer stays valid
            return found.person
        with self._lock:
            if told is None or told.id != found.person.id:
                self._open.pop(key, None)
                return replace(STRANGER, pace=found.person.pace)
            found.person = replace(told, token=found.person.token, pace=found.person.pace)
            return found.person

    def people(self) -> list[Person]:
        """Who is signed in, the session that was used last first; somebody with several is named for each."""
        with self._lock:
            self._forget(self._clock())
            return [one.person for one in reversed(self._open.values())]

    def close(self, name: str) -> None:
        """Ends a session and forgets the person's token."""
        with self._lock:
            self._open.pop(_hash(name), None)

    def __len__(self) -> int:
        with self._lock:
            self._forget(self._clock())
            return len(self._open)

    def _forget(self, now: float) -> None:
        for key in [key for key, one in self._open.items() if one.until <= now]:
            del self._open[key]

    def _pace(self, of: str) -> Pace:
        """One `Pace` for all sessions of a person, and one for all strangers of an address."""
        pace = self._paces.get(of)
        if pace is None:
            pace = self._paces[of] = Pace()
        self._paces.move_to_end(of)
        while len(self._paces) > MOST_SESSIONS + MOST_STRANGERS:
            self._paces.popitem(last=False)
        return pace


def _refusal() -> AccessError:
    return AccessError(
        _("The Hub does not accept this token."), _("Copy it again from the Hub's page of access tokens.")
    )


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
