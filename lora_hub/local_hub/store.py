"""The embedded Hub's storage: blobs as files named by their sha256, everything else in one SQLite file.

A blob is written to `incoming/`, flushed and renamed into `blobs/`; a commit becomes visible in one SQLite transaction.
So `kill -9` at any moment loses nothing that was acknowledged. A tree is a blob too: canonical JSON of {path: [git oid,
size, sha256, is_lfs]}. A commit's id is a hash over its tree, parents, author, time and message.
"""

import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import threading
import time
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from .cards import index_head
from .faults import refuse

TYPES = ("model", "dataset", "space")
DATABASE = "hub.sqlite"
NOWHERE = 0  # the repo id of documents that belong to no repo
SCHEMA = """
PRAGMA journal_mode=WAL;
CREATE TABLE IF NOT EXISTS repos(id INTEGER PRIMARY KEY, key TEXT UNIQUE, uid TEXT, type TEXT,
    namespace TEXT, name TEXT, private INTEGER, gated TEXT, creator TEXT, created REAL, modified REAL,
    downloads INTEGER, head TEXT, sdk TEXT, facts TEXT);
CREATE INDEX IF NOT EXISTS repos_listed ON repos(
    type, namespace COLLATE NOCASE, name, private, gated, modified, created, downloads);
CREATE TABLE IF NOT EXISTS repo_tags(repo INTEGER, tag TEXT, PRIMARY KEY(tag, repo)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_of_repo ON repo_tags(repo);
CREATE TABLE IF NOT EXISTS moved(key TEXT PRIMARY KEY, repo INTEGER);
CREATE TABLE IF NOT EXISTS refs(repo INTEGER, name TEXT, commit_id TEXT, message TEXT, PRIMARY KEY(repo, name));
CREATE TABLE IF NOT EXISTS commits(repo INTEGER, id TEXT, tree TEXT, parents TEXT, author TEXT, time INTEGER,
    title TEXT, description TEXT, PRIMARY KEY(repo, id));
CREATE TABLE IF NOT EXISTS objects(repo INTEGER, sha256 TEXT, size INTEGER, time REAL, PRIMARY KEY(repo, sha256));
CREATE TABLE IF NOT EXISTS documents(repo INTEGER, kind TEXT, key TEXT, data TEXT, PRIMARY KEY(repo, kind, key));
"""


NO_REPO = 0  # documents of the Hub itself; the ids of repositories begin with 1


class Entry(namedtuple("Entry", "oid size sha256 lfs")):
    """A file of a tree. `oid`: git's sha1 of the file, or of its LFS pointer. `size`: bytes of the file itself. `lfs`:
    0 or 1."""

    def json(self, **fields: object) -> dict:
        """`fields` and, for an LFS file, its details in the client's format."""
        lfs = {
            "oid": self.sha256,
            "sha256": self.sha256,
            "size": self.size,
            "pointerSize": len(pointer(self.sha256, self.size)),
        }
        return {**fields, "size": self.size, **({"lfs": lfs} if self.lfs else {})}


Tree = dict[str, Entry]


class Commit(namedtuple("Commit", "id tree parents author time title description")):
    """A commit. `tree`: a sha256; `parents`: ids; `time`: UTC milliseconds; the other fields: texts."""

    @classmethod
    def of(cls, *facts: object) -> "Commit":
        """A commit with the id derived from its contents: 40 hex digits, the form that the client recognizes as a
        commit."""
        return cls(hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:40], *facts)


class Repo(
    namedtuple("Repo", "id key uid type namespace name private gated creator created modified downloads head sdk facts")
):
    """A row of `repos`. `type`: model, dataset or space; `gated`: "", auto or manual; times in UTC seconds; `facts` and
    `head`: what cards.index_head made of the main branch."""

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def path(self) -> str:
        """Its path on this server: models at the root, the others below `datasets/` and `spaces/`."""
        return self.full_name if self.type == "model" else f"{self.type}s/{self.full_name}"

    @property
    def known(self) -> dict:
        """`facts`, parsed: the result of cards.read_facts for the main branch."""
        return json.loads(self.facts)


def iso(seconds: float | None = None) -> str:
    """A time in the client's format; without an argument, now."""
    return (
        datetime.fromtimestamp(time.time() if seconds is None else seconds, UTC).isoformat(timespec="milliseconds")[:-6]
        + "Z"
    )


def new_id() -> str:
    """A unique id of 24 hex digits."""
    return secrets.token_hex(12)


def pointer(sha256: str, size: int) -> bytes:
    """The text that git stores in place of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def git_oid(data: bytes) -> str:
    """git's id of a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sha256_of(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _Held:
    """A thread's connection, which the next thread reuses when this one ends. Once closed, SQLite keeps its file open
    for as long as another connection holds a lock. With a new connection per thread a server would run out of file
    descriptors."""

    def __init__(self, db: sqlite3.Connection, idle: list[sqlite3.Connection]):
        self.db, self.idle = db, idle

    def __del__(self) -> None:
        self.idle.append(self.db)


class Store:
    """One folder with everything, used by one process at a time. Reads may come from any thread; writes are serialized
    by `write()`."""

    def __init__(self, folder: Path):
        self.folder, self.blobs, self.incoming = folder, folder / "blobs", folder / "incoming"
        self._local, self._lock, self._connections = threading.local(), threading.RLock(), []
        self._idle = []  # connections of ended threads
        folder.mkdir(parents=True, exist_ok=True)
        self.db.executescript(SCHEMA)  # first, because this database marks a Hub's folder
        shutil.rmtree(self.incoming, ignore_errors=True)  # uploads that a killed process never finished
        self.incoming.mkdir(parents=True, exist_ok=True)

    @property
    def db(self) -> sqlite3.Connection:
        """This thread's connection."""
        if not hasattr(self._local, "held"):
            try:
                db = self._idle.pop()
            except IndexError:
                # used by one thread at a time, so SQLite's check for one fixed thread is off
                db = sqlite3.connect(self.folder / DATABASE, timeout=30, isolation_level=None, check_same_thread=False)
                db.execute("PRAGMA synchronous=FULL")
                self._connections.append(db)
            self._local.held = _Held(db, self._idle)
        return self._local.held.db

    def close(self) -> None:
        """Merges the write-ahead log into the database, which is then a single file that can be copied. Call it when no
        thread uses the store any more."""
        with self._lock:
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            for connection in self._connections:
                connection.close()

    def run(self, query: str, *values: object) -> sqlite3.Cursor:
        """Executes one change in a transaction."""
        with self.write() as db:
            return db.execute(query, values)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One exclusive transaction, visible as a whole or not at all. Nested calls join the outer one."""
        with self._lock:
            if self.db.in_transaction:
                yield self.db
                return
            with self.db as db:  # commits, or rolls back
                db.execute("BEGIN IMMEDIATE")
                yield db

    # ---- blobs

    def blob_path(self, sha256: str) -> Path:
        return self.blobs / sha256[:2] / sha256

    def keep(self, files: dict[str, Path]) -> None:
        """Flushes complete files of `incoming/`, given by sha256, and renames them into the blobs."""
        if len(files) > 32:  # one sync of everything is far quicker than thousands of single ones
            os.sync()
        for sha256, file in files.items():
            if len(files) <= 32:
                with open(file, "rb") as stream:
                    os.fsync(stream.fileno())
            self.blob_path(sha256).parent.mkdir(parents=True, exist_ok=True)
            file.replace(self.blob_path(sha256))

    @contextmanager
    def adding(self) -> Iterator[Callable[[bytes], Entry]]:
        """Yields a function that stores non-LFS files. They are flushed and become blobs when the block ends."""
        files = {}

        def add(data: bytes) -> Entry:
            entry = Entry(git_oid(data), len(data), hashlib.sha256(data).hexdigest(), 0)
            if entry.sha256 not in files and not self.blob_path(entry.sha256).exists():
                files[entry.sha256] = self.incoming / new_id()
                files[entry.sha256].write_bytes(data)
            return entry

        try:
            yield add
            self.keep(files)
        finally:
            for file in files.values():
                file.unlink(missing_ok=True)

    def read_blob(self, sha256: str, limit: int = -1) -> bytes:
        with open(self.blob_path(sha256), "rb") as file:
            return file.read(limit)

    @lru_cache(maxsize=64)  # noqa: B019, a store lives as long as its process
    def read_tree(self, tree: str) -> Tree:
        """A tree by its sha256. Trees never change, so the latest ones are cached; do not modify the result."""
        return {path: Entry(*row) for path, row in json.loads(self.read_blob(tree)).items()}

    # ---- repos, refs, commits, documents

    def repos(self, where: str = "1", *values: object) -> list[Repo]:
        return [Repo(*row) for row in self.db.execute(f"SELECT * FROM repos WHERE {where}", values)]

    def find_repo(self, type: str, name: str) -> Repo | None:
        """A repo by its name in any letter case, or by a name that it had before it was moved."""
        here = "key = ?1 OR id = (SELECT repo FROM moved WHERE key = ?1) ORDER BY key = ?1 DESC"
        return next(iter(self.repos(here, f"{type}/{name}".lower())), None)

    def add_repo(self, type: str, namespace: str, name: str, *, private: bool, creator: str, sdk: str = "") -> Repo:
        """Raises HubFault 409 (with the address, for `exist_ok`) if the name is taken; call it inside `write()`."""
        key, now = f"{type}/{namespace}/{name}".lower(), time.time()
        taken = self.repos("key = ?", key)
        refuse(taken, 409, f"You already created this {type} repo", body={"url": taken and taken[0].path})
        made = Repo(None, key, new_id(), type, namespace, name, private, "", creator, now, now, 0, "", sdk, "{}")
        return made._replace(
            id=self.db.execute(f"INSERT INTO repos VALUES({', '.join('?' * len(made))})", made).lastrowid
        )

    def drop_repo(self, repo: Repo) -> None:
        with self.write() as db:
            db.execute("DELETE FROM repos WHERE id = ?", (repo.id,))
            for table in ("repo_tags", "moved", "refs", "commits", "objects", "documents"):
                db.execute(f"DELETE FROM {table} WHERE repo = ?", (repo.id,))
            # Distinguishes a Hub whose last repository was deleted from one whose database was lost and created anew.
            db.execute("INSERT OR REPLACE INTO documents VALUES(?, 'dropped', '', ?)", (NO_REPO, repo.key))

    def was_emptied(self) -> bool:
        """Whether there are no repositories because people deleted all of them."""
        return not self.repos() and bool(
            self.db.execute("SELECT 1 FROM documents WHERE repo = ? AND kind = 'dropped'", (NO_REPO,)).fetchone()
        )

    def refs(self, repo: Repo) -> dict[str, str]:
        """Full ref names -> commit ids."""
        return dict(self.db.execute("SELECT name, commit_id FROM refs WHERE repo = ? ORDER BY name", (repo.id,)))

    def get_commit(self, repo: Repo, revision: str) -> Commit:
        """A commit by its id, the beginning of its id, a branch, a tag or a full ref. Raises RevisionNotFound."""
        names = f"refs/heads/{revision}", f"refs/tags/{revision}", revision
        ref = self.db.execute(
            "SELECT commit_id FROM refs WHERE repo = ? AND name IN (?, ?, ?) ORDER BY name", (repo.id, *names)
        ).fetchone()
        id = ref[0] if ref else revision
        found = self.db.execute(
            "SELECT * FROM commits WHERE repo = ? AND id >= ? AND id < ? LIMIT 2", (repo.id, id, id + "g")
        ).fetchall()
        refuse(len(found) != 1 or len(id) < 7, 404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return Commit(*found[0][1:])._replace(parents=json.loads(found[0][3]))

    def walk(self, repo: Repo, commit: Commit) -> Iterator[Commit]:
        """A commit and its ancestors along first parents, newest first."""
        while commit:
            yield commit
            commit = commit.parents and self.get_commit(repo, commit.parents[0])

    def set_ref(self, repo: Repo, name: str, commit_id: str) -> None:
        self.run("INSERT OR REPLACE INTO refs VALUES(?,?,?,'')", repo.id, name, commit_id)

    def add_commit(
        self, repo: Repo, ref: str, tree: Tree, parents: tuple[str, ...], author: str, title: str, text: str = ""
    ) -> Commit:
        """Writes a commit, moves the ref to it and, for the main branch, updates the index; call it inside
        `write()`."""
        with self.adding() as add:
            files = add(json.dumps(dict(sorted(tree.items())), ensure_ascii=False, separators=(",", ":")).encode())
        made = Commit.of(files.sha256, parents, author, time.time_ns() // 1_000_000, title, text)
        self.run(
            "INSERT OR IGNORE INTO commits VALUES(?,?,?,?,?,?,?,?)",
            repo.id,
            *made._replace(parents=json.dumps(parents)),
        )
        self.set_ref(repo, ref, made.id)
        if ref == "refs/heads/main":
            index_head(self, repo)
        return made

    def documents(self, repo: int, kind: str) -> dict[str, dict]:
        """Key -> JSON object: data that belongs to a repo (0: to none) and has no table of its own."""
        query = "SELECT key, data FROM documents WHERE repo = ? AND kind = ?"
        return {key: json.loads(data) for key, data in self.db.execute(query, (repo, kind))}

    def document(self, repo: int, kind: str, key: str, needed: bool = False) -> dict:
        """One document. A missing one is empty, or raises HubFault 404 if it is required."""
        row = self.db.execute(
            "SELECT data FROM documents WHERE repo = ? AND kind = ? AND key = ?", (repo, kind, key)
        ).fetchone()
        refuse(needed and not row, 404, f"There is no {kind} {key}")
        return json.loads(row[0]) if row else {}

    @contextmanager
    def edit(self, repo: int, kind: str, key: str, needed: bool = False) -> Iterator[dict]:
        """One document, to be changed in place inside a transaction. If it is empty at the end it is deleted."""
        with self.write():
            yield (data := self.document(repo, kind, key, needed))
            self.put_document(repo, kind, key, data)

    def put_document(self, repo: int, kind: str, key: str, data: dict) -> None:
        """Writes one document, or deletes it if `data` is empty."""
        if data:
            self.run("INSERT OR REPLACE INTO documents VALUES(?,?,?,?)", repo, kind, key, json.dumps(data))
        else:
            self.run("DELETE FROM documents WHERE repo = ? AND kind = ? AND key = ?", repo, kind, key)
