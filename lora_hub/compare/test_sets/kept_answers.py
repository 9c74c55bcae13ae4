"""Answers that were computed once are kept on this machine, so that nothing is asked twice.

    book = open_book(owner, who=..., settings=...)       one model under one way of asking
    known = book.read({key, ...})                         {key: Answer}, of those that are kept
    book.add({key: answer})

A book is a file of lines, `$LORA_HUB_HOME/cache/answers/<owner>/<digest of model and settings>.jsonl`, one answer a
line, found by the digest of its question. Lines are appended whole (`events.append_line`), so that several processes
may write at once; a line that a crash cut off is an answer that is not kept. All of it can be removed at any time, and
is only ever worth the time it saves: the books that nobody has read for longest go first where there are too many.
"""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import orjson

from lora_hub.core import settings, store
from lora_hub.core.disk import FULL
from lora_hub.core.events import append_line
from lora_hub.core.schema import Answer

# All books together, bytes; and one of them, which then begins anew with the younger half of its lines.
MOST_BYTES, MOST_BOOK_BYTES = 512 << 20, 64 << 20
# Whose answers these are where nobody signed in.
LOCAL = "local"
_DIGITS = 32  # of a digest in hex: 128 bits
_KEY = slice(len('{"q":"'), len('{"q":"') + _DIGITS)


def answers_dir(owner: str = "") -> Path:
    """Where one person's answers are kept. owner: as of a run or a dataset; "" is whoever sits at the machine."""
    return settings.home() / "cache" / "answers" / (store.check_owner_name(owner) or LOCAL)


def forget(owner: str = "") -> None:
    """Removes a person's kept answers."""
    folder = answers_dir(owner)
    with store.disk_errors(folder):
        if folder.is_dir():
            shutil.rmtree(folder)


def digest(*parts: Any) -> str:
    """Names anything that JSON can say; bytes are taken as they are."""
    made = hashlib.sha256()
    for part in parts:
        text = part if isinstance(part, bytes) else orjson.dumps(part, option=orjson.OPT_SORT_KEYS)
        made.update(len(text).to_bytes(8, "little") + text)
    return made.hexdigest()[:_DIGITS]


def open_book(owner: str, *parts: Any) -> "Book":
    """The book of what `parts` name: a model, its base, the way it is asked."""
    return Book(answers_dir(owner) / f"{digest(*parts)}.jsonl")


class Book:
    """The kept answers of one model under one way of asking. Reads the file anew each time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, keys: Collection[str], labels: tuple[str, ...] = ()) -> dict[str, Answer]:
        """The answers to these questions, as far as they are kept. labels: in whose order probabilities are kept."""
        wanted, found = {key.encode() for key in keys}, {}
        if not wanted or not self.path.is_file():
            return {}
        with contextlib.suppress(OSError):
            os.utime(self.path)  # what is read stays
        with self.path.open("rb") as lines:
            for line in lines:
                if line[_KEY] in wanted:
                    answer = _read_line(line, labels)
                    if answer is not None:
                        found[line[_KEY].decode()] = answer
        return found

    def add(self, answers: Mapping[str, Answer]) -> None:
        """Keeps answers by their questions. On a full disk nothing is kept, which costs only the time to answer again.
        Raises LoraHubError where the folder cannot be written."""
        lines = [_line(key, answer) for key, answer in answers.items()]
        if not lines:
            return
        with store.disk_errors(self.path):
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                append_line(self.path, b"".join(lines))
            except OSError as error:
                if error.errno not in FULL:
                    raise
                return
        if self.path.stat().st_size > MOST_BOOK_BYTES:
            self._halve()
        _bound(self.path)

    def _halve(self) -> None:
        """Keeps the younger half of the lines. What others append meanwhile is asked again some day."""
        with self.path.open("rb") as file:
            file.seek(self.path.stat().st_size // 2)
            file.readline()
            younger = file.read()
        halved = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        halved.write_bytes(younger)
        halved.replace(self.path)


def _line(key: str, answer: Answer) -> bytes:
    kept: dict[str, Any] = {"q": key, "text": answer.text, "tokens": answer.tokens, "seconds": answer.seconds}
    kept |= {"finish": answer.finish, "ids": answer.ids, "probabilities": [*answer.probabilities.values()]}
    return orjson.dumps(kept) + b"\n"


def _read_line(line: bytes, labels: tuple[str, ...]) -> Answer | None:
    """None for a line that is damaged, or belongs to other labels."""
    try:
        kept = orjson.loads(line)
        shares = kept.pop("probabilities")
        del kept["q"]
        named = dict(zip(labels, shares, strict=True)) if shares else {}
        return Answer(**kept, probabilities=named) if kept["finish"] in ("stop", "length") else None
    except (ValueError, KeyError, TypeError):
        return None


def _bound(current: Path) -> None:
    """Removes the books of everybody that were read longest ago, until all of them are few enough."""
    books = []
    for path in current.parents[1].glob("*/*.jsonl"):
        with contextlib.suppress(OSError):  # removed by somebody else
            status = path.stat()
            books.append((status.st_mtime, status.st_size, path))
    total = sum(size for _, size, _ in books)
    for _, size, path in sorted(books):
        if total <= MOST_BYTES:
            return
        if path != current:
            path.unlink(missing_ok=True)
            total -= size
