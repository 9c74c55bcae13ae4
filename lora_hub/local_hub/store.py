"""What the embedded Hub keeps: blobs as files named by their sha256, everything else in one SQLite file.

A blob is written to `incoming/`, flushed and renamed into `blobs/`; a commit becomes visible in one SQLite transaction.
So `kill -9` at any moment loses nothing that was acknowledged. A tree is a blob too: canonical JSON of
{path: [git oid, size, sha256, is_lfs]}; a commit's id is a hash over its tree, parents, author, time and message.
"""

import hashlib
import json
import os
import re
import secrets
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .faults import HubFault, repo_missing, revision_missing

TYPES = ("model", "dataset", "space")
TREES_IN_MEMORY = 64
SCHEMA = """
PRAGMA journal_mode=WAL;
CREATE TABLE IF NOT EXISTS repos(id INTEGER PRIMARY KEY, key TEXT UNIQUE, uid TEXT, type TEXT, namespace TEXT,
    name TEXT, private INTEGER, gated TEXT DEFAULT '', creator TEXT, created REAL, modified REAL,
    downloads INTEGER DEFAULT 0, head TEXT DEFAULT '', sdk TEXT, facts TEXT DEFAULT '{}');
CREATE INDEX IF NOT EXISTS repos_listed ON repos(type, namespace COLLATE NOCASE, name, private, gated, modified, created, downloads);
CREATE TABLE IF NOT EXISTS repo_tags(repo INTEGER, tag TEXT, PRIMARY KEY(tag, repo)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tags_of_repo ON repo_tags(repo);
CREATE TABLE IF NOT EXISTS moved(key TEXT PRIMARY KEY, repo INTEGER);
CREATE TABLE IF NOT EXISTS refs(repo INTEGER, name TEXT, commit_id TEXT, message TEXT, PRIMARY KEY(repo, name));
CREATE TABLE IF NOT EXISTS commits(repo INTEGER, id TEXT, tree TEXT, parents TEXT, author TEXT, time INTEGER,
    title TEXT, description TEXT, PRIMARY KEY(repo, id));
CREATE TABLE IF NOT EXISTS objects(repo INTEGER, sha256 TEXT, size INTEGER, time REAL, PRIMARY KEY(repo, sha256));
CREATE INDEX IF NOT EXISTS objects_by_name ON objects(sha256);
CREATE TABLE IF NOT EXISTS documents(repo INTEGER, kind TEXT, key TEXT, data TEXT, PRIMARY KEY(repo, kind, key));
"""


@dataclass(frozen=True)
class Entry:
    """A file of a tree. `oid`: git's sha1 of the file, or of its LFS pointer. `size`: bytes of the file itself."""

    oid: str
    size: int
    sha256: str
    lfs: bool

    def json(self, **fields: object) -> dict:
        """`fields` and, for an LFS file, its facts in the client's form."""
        size = len(pointer(self.sha256, self.size))
        lfs = {"oid": self.sha256, "sha256": self.sha256, "size": self.size, "pointerSize": size}
        return {**fields, "size": self.size, **({"lfs": lfs} if self.lfs else {})}


Tree = dict[str, Entry]


@dataclass(frozen=True)
class Commit:
    """A commit; `time` in milliseconds of UTC."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: str
    time: int
    title: str
    description: str

    def compute_id(self) -> str:
        """The id that these contents must have: 40 hex digits, the form that the client takes for a commit."""
        values = [self.tree, self.parents, self.author, self.time, self.title, self.description]
        return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:40]


@dataclass(frozen=True)
class Repo:
    """A row of `repos`. `type`: model, dataset or space; `gated`: "", auto or manual; times in UTC seconds."""

    id: int
    key: str
    uid: str
    type: str
    namespace: str
    name: str
    private: int
    gated: str
    creator: str
    created: float
    modified: float
    downloads: int
    head: str
    sdk: str
    facts: str

    @property
    def full_name(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def path(self) -> str:
        """Where it is on this server: models at the root, the others below `datasets/` and `spaces/`."""
        return self.full_name if self.type == "model" else f"{self.type}s/{self.full_name}"


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def pointer(sha256: str, size: int) -> bytes:
    """The text that git holds in place of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def git_oid(data: bytes) -> str:
    """git's id of a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Store:
    """One folder with everything. Reads may come from any thread; writes are serialized by `write()`."""

    def __init__(self, folder: Path):
        self.folder, self.blobs, self.incoming = folder, folder / "blobs", folder / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)
        for number in range(256):
            (self.blobs / f"{number:02x}").mkdir(parents=True, exist_ok=True)
        self._local, self._lock, self._trees = threading.local(), threading.RLock(), OrderedDict()
        self.db.executescript(SCHEMA)

    @property
    def db(self) -> sqlite3.Connection:
        """This thread's connection."""
        if not hasattr(self._local, "db"):
            self._local.db = sqlite3.connect(self.folder / "hub.sqlite", timeout=30, isolation_level=None)
            self._local.db.execute("PRAGMA synchronous=FULL")
            self._local.db.row_factory = sqlite3.Row
        return self._local.db

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone: seen whole or not at all."""
        with self._lock:
            self.db.execute("BEGIN IMMEDIATE")
            try:
                yield self.db
                self.db.execute("COMMIT")
            except BaseException:
                self.db.execute("ROLLBACK")
                raise

    # ---- blobs

    def blob_path(self, sha256: str) -> Path:
        return self.blobs / sha256[:2] / sha256

    def new_incoming(self) -> Path:
        return self.incoming / secrets.token_hex(16)

    def keep(self, temporary: Path, sha256: str, flush: bool = True) -> None:
        """Flushes a whole file of `incoming/` and gives it its name among the blobs."""
        if flush:
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
        os.replace(temporary, self.blob_path(sha256))

    def add_blobs(self, contents: list[bytes]) -> list[str]:
        """Stores small contents, flushed when this returns; the names in the same order."""
        names = [hashlib.sha256(data).hexdigest() for data in contents]
        new = {name: data for name, data in zip(names, contents, strict=True) if not self.blob_path(name).exists()}
        written = {name: self.new_incoming() for name in new}
        for name, temporary in written.items():
            temporary.write_bytes(new[name])
        if together := len(new) > 32:  # one flush of everything is far quicker than thousands of single ones
            os.sync()
        for name, temporary in written.items():
            self.keep(temporary, name, flush=not together)
        return names

    def read_blob(self, sha256: str, limit: int = -1) -> bytes:
        with open(self.blob_path(sha256), "rb") as file:
            return file.read(limit)

    def read_tree(self, tree: str) -> Tree:
        """A tree by its sha256. Trees never change, so the last few stay in memory. Callers must not change it."""
        with self._lock:
            if (known := self._trees.pop(tree, None)) is not None:
                self._trees[tree] = known
                return known
        rows = json.loads(self.read_blob(tree))
        parsed = {path: Entry(oid, size, sha256, bool(lfs)) for path, (oid, size, sha256, lfs) in rows.items()}
        with self._lock:
            self._trees[tree] = parsed
            while len(self._trees) > TREES_IN_MEMORY:
                self._trees.popitem(last=False)
        return parsed

    # ---- repos, refs, commits, documents

    def find_repo(self, type: str, name: str) -> Repo | None:
        """By its name in any case, or by a name that it had before it was moved."""
        key = f"{type}/{name}".lower()
        before = "SELECT repos.* FROM repos JOIN moved ON repo = id WHERE moved.key = ?"
        for query in ("SELECT * FROM repos WHERE key = ?", before):
            if row := self.db.execute(query, (key,)).fetchone():
                return Repo(**row)
        return None

    def get_repo(self, id: int) -> Repo:
        if (row := self.db.execute("SELECT * FROM repos WHERE id = ?", (id,)).fetchone()) is None:
            raise repo_missing()
        return Repo(**row)

    def add_repo(self, type: str, namespace: str, name: str, *, private: bool, creator: str, sdk: str = "") -> Repo:
        """Raises HubFault 409 (with the address, for `exist_ok`) where the name is taken; call it inside `write()`."""
        key, now = f"{type}/{namespace}/{name}".lower(), time.time()
        if taken := self.db.execute("SELECT * FROM repos WHERE key = ?", (key,)).fetchone():
            raise HubFault(409, f"You already created this {type} repo", body={"url": Repo(**taken).path})
        self.db.execute("DELETE FROM moved WHERE key = ?", (key,))
        columns = "key, uid, type, namespace, name, private, creator, created, modified, sdk"
        row = self.db.execute(f"INSERT INTO repos({columns}) VALUES(?,?,?,?,?,?,?,?,?,?)",
                              (key, secrets.token_hex(12), type, namespace, name, private, creator, now, now, sdk))
        return self.get_repo(row.lastrowid)

    def drop_repo(self, repo: Repo) -> None:
        with self.write() as db:
            db.execute("DELETE FROM repos WHERE id = ?", (repo.id,))
            for table in ("repo_tags", "moved", "refs", "commits", "objects", "documents"):
                db.execute(f"DELETE FROM {table} WHERE repo = ?", (repo.id,))

    def refs(self, repo: Repo) -> dict[str, str]:
        """Full names of refs to commit ids."""
        return dict(self.db.execute("SELECT name, commit_id FROM refs WHERE repo = ? ORDER BY name", (repo.id,)))

    def get_commit(self, repo: Repo, revision: str) -> Commit:
        """By branch, tag, full ref, or (the beginning of) a commit id. Raises RevisionNotFound."""
        refs, found = self.refs(repo), []
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if name in refs:
                return self._commit(repo, refs[name])
        if re.fullmatch("[0-9a-f]{7,40}", revision):
            found = self.db.execute("SELECT id FROM commits WHERE repo = ? AND id >= ? AND id < ? LIMIT 2",
                                    (repo.id, revision, revision + "g")).fetchall()
        if len(found) != 1:
            raise revision_missing(revision)
        return self._commit(repo, found[0][0])

    def _commit(self, repo: Repo, id: str) -> Commit:
        row = dict(self.db.execute("SELECT * FROM commits WHERE repo = ? AND id = ?", (repo.id, id)).fetchone())
        del row["repo"]
        return Commit(**row | {"parents": tuple(json.loads(row["parents"]))})

    def walk(self, repo: Repo, commit: Commit) -> Iterator[Commit]:
        """A commit and what came before it, newest first, along first parents."""
        yield commit
        while commit.parents:
            commit = self._commit(repo, commit.parents[0])
            yield commit

    def add_commit(self, repo: Repo, ref: str, tree: Tree, parents: tuple[str, ...], author: str, title: str,
                   description: str = "") -> Commit:
        """Writes a commit and moves the ref to it; call it inside `write()`."""
        rows = {path: [e.oid, e.size, e.sha256, int(e.lfs)] for path, e in sorted(tree.items())}
        blob = self.add_blobs([json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()])[0]
        made = Commit("", blob, parents, author, time.time_ns() // 1_000_000, title, description)
        values = (repo.id, id := made.compute_id(), blob, json.dumps(parents), author, made.time, title, description)
        self.db.execute("INSERT OR IGNORE INTO commits VALUES(?,?,?,?,?,?,?,?)", values)
        self.db.execute("INSERT OR REPLACE INTO refs VALUES(?,?,?,'')", (repo.id, ref, id))
        objects = [(repo.id, e.sha256, e.size, time.time()) for e in tree.values() if e.lfs]
        self.db.executemany("INSERT OR IGNORE INTO objects VALUES(?,?,?,?)", objects)
        return self._commit(repo, id)

    def documents(self, repo: int, kind: str) -> dict[str, dict]:
        """Key to JSON object: what belongs to a repo (0: to none) and has no table of its own."""
        rows = self.db.execute("SELECT key, data FROM documents WHERE repo = ? AND kind = ?", (repo, kind))
        return {key: json.loads(data) for key, data in rows}

    def put_document(self, repo: int, kind: str, key: str, data: dict | None) -> None:
        """Writes one, or drops it where `data` is None; call it inside `write()`."""
        if data is None:
            self.db.execute("DELETE FROM documents WHERE repo = ? AND kind = ? AND key = ?", (repo, kind, key))
        else:
            self.db.execute("INSERT OR REPLACE INTO documents VALUES(?,?,?,?)", (repo, kind, key, json.dumps(data)))
