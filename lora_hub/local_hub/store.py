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
Tree = dict[str, "Entry"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS repos(id INTEGER PRIMARY KEY, key TEXT UNIQUE, uid TEXT, type TEXT, namespace TEXT, name TEXT, private INTEGER,
    gated TEXT, creator TEXT, created REAL, modified REAL, downloads INTEGER DEFAULT 0, head TEXT DEFAULT '', sdk TEXT, facts TEXT DEFAULT '{}');
CREATE INDEX IF NOT EXISTS repos_by_namespace ON repos(type, namespace COLLATE NOCASE);
CREATE TABLE IF NOT EXISTS repo_tags(repo INTEGER, tag TEXT, PRIMARY KEY(tag, repo)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS moved(key TEXT PRIMARY KEY, repo INTEGER);
CREATE TABLE IF NOT EXISTS refs(repo INTEGER, name TEXT, commit_id TEXT, message TEXT, PRIMARY KEY(repo, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS commits(repo INTEGER, id TEXT, tree TEXT, parents TEXT, author TEXT, time INTEGER, title TEXT, description TEXT,
    PRIMARY KEY(repo, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects(repo INTEGER, sha256 TEXT, size INTEGER, time REAL, PRIMARY KEY(repo, sha256)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS discussions(repo INTEGER, num INTEGER, data TEXT, PRIMARY KEY(repo, num)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS access(repo INTEGER, user TEXT, data TEXT, PRIMARY KEY(repo, user)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS collections(id INTEGER PRIMARY KEY, uid TEXT UNIQUE, owner TEXT, data TEXT);
"""


@dataclass(frozen=True)
class Entry:
    """A file of a tree. `oid`: git's sha1 of the file, or of its LFS pointer. `size`: bytes of the file itself."""

    oid: str
    size: int
    sha256: str
    lfs: bool

    @property
    def lfs_json(self) -> dict | None:
        return {"oid": self.sha256, "sha256": self.sha256, "size": self.size, "pointerSize": len(pointer(self.sha256, self.size))} if self.lfs else None


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
        text = json.dumps([self.tree, self.parents, self.author, self.time, self.title, self.description], ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:40]


@dataclass(frozen=True)
class Repo:
    """A row of the table `repos`. `type`: model, dataset or space; `gated`: "", auto or manual; times in UTC seconds."""

    id: int
    key: str
    uid: str
    type: str
    namespace: str
    name: str
    private: bool
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
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def pointer(sha256: str, size: int) -> bytes:
    """The text that git holds in place of an LFS file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def git_oid(data: bytes) -> str:
    """git's id of a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def dump_tree(tree: Tree) -> bytes:
    rows = {path: [e.oid, e.size, e.sha256, int(e.lfs)] for path, e in sorted(tree.items())}
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


class Store:
    """One folder with everything. Reads may come from any thread; writes are serialized by `write()`."""

    def __init__(self, folder: Path):
        self.folder, self.blobs, self.incoming = folder, folder / "blobs", folder / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)
        for number in range(256):
            (self.blobs / f"{number:02x}").mkdir(parents=True, exist_ok=True)
        self._local, self._lock, self._trees = threading.local(), threading.RLock(), OrderedDict()
        with self._lock:
            self.db.executescript("PRAGMA journal_mode=WAL;" + SCHEMA)

    @property
    def db(self) -> sqlite3.Connection:
        """This thread's connection."""
        if not hasattr(self._local, "db"):
            self._local.db = sqlite3.connect(self.folder / "hub.sqlite", timeout=30, isolation_level=None)
            self._local.db.executescript("PRAGMA synchronous=FULL; PRAGMA cache_size=-8000;")
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
            if tree in self._trees:
                self._trees.move_to_end(tree)
                return self._trees[tree]
        rows = json.loads(self.read_blob(tree))
        parsed = {path: Entry(oid, size, sha256, bool(lfs)) for path, (oid, size, sha256, lfs) in rows.items()}
        with self._lock:
            self._trees[tree] = parsed
            while len(self._trees) > 64:
                self._trees.popitem(last=False)
        return parsed

    # ---- repos and refs

    def find_repo(self, type: str, name: str) -> Repo | None:
        """By its name in any case, or by a name that it had before it was moved."""
        key = f"{type}/{name}".lower()
        row = self.db.execute("SELECT * FROM repos WHERE key = ?", (key,)).fetchone()
        if row is None:
            row = self.db.execute("SELECT repos.* FROM repos JOIN moved ON moved.repo = repos.id WHERE moved.key = ?", (key,)).fetchone()
        return Repo(**row) if row else None

    def get_repo(self, id: int) -> Repo:
        row = self.db.execute("SELECT * FROM repos WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise repo_missing()
        return Repo(**row)

    def add_repo(self, type: str, namespace: str, name: str, *, private: bool, creator: str, sdk: str = "") -> Repo:
        """Raises HubFault 409 (with the repo's address for `exist_ok`) where the name is taken."""
        with self.write() as db:
            if taken := db.execute("SELECT * FROM repos WHERE key = ?", (f"{type}/{namespace}/{name}".lower(),)).fetchone():
                raise HubFault(409, f"You already created this {type} repo", body={"url": Repo(**taken).path})
            db.execute("DELETE FROM moved WHERE key = ?", (f"{type}/{namespace}/{name}".lower(),))
            now = time.time()
            row = db.execute(
                "INSERT INTO repos(key, uid, type, namespace, name, private, gated, creator, created, modified, sdk) VALUES(?,?,?,?,?,?,'',?,?,?,?)",
                (f"{type}/{namespace}/{name}".lower(), secrets.token_hex(12), type, namespace, name, private, creator, now, now, sdk))
            return self.get_repo(row.lastrowid)

    def drop_repo(self, repo: Repo) -> None:
        with self.write() as db:
            db.execute("DELETE FROM repos WHERE id = ?", (repo.id,))
            for table in ("repo_tags", "moved", "refs", "commits", "objects", "discussions", "access"):
                db.execute(f"DELETE FROM {table} WHERE repo = ?", (repo.id,))

    def find_ref(self, repo: Repo, name: str) -> str | None:
        row = self.db.execute("SELECT commit_id FROM refs WHERE repo = ? AND name = ?", (repo.id, name)).fetchone()
        return row[0] if row else None

    def get_commit(self, repo: Repo, revision: str) -> Commit:
        """By branch, tag, full ref, or (the beginning of) a commit id. Raises RevisionNotFound."""
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if commit := self.find_ref(repo, name):
                return self._commit(repo, commit)
        if re.fullmatch("[0-9a-f]{7,40}", revision):
            found = self.db.execute("SELECT id FROM commits WHERE repo = ? AND id >= ? AND id < ? LIMIT 2", (repo.id, revision, revision + "g")).fetchall()
            if len(found) == 1:
                return self._commit(repo, found[0][0])
        raise revision_missing(revision)

    def _commit(self, repo: Repo, id: str) -> Commit:
        row = self.db.execute("SELECT * FROM commits WHERE repo = ? AND id = ?", (repo.id, id)).fetchone()
        return Commit(row["id"], row["tree"], tuple(json.loads(row["parents"])), row["author"], row["time"], row["title"], row["description"])

    def walk(self, repo: Repo, commit: Commit) -> Iterator[Commit]:
        """A commit and what came before it, newest first, along first parents."""
        yield commit
        while commit.parents:
            commit = self._commit(repo, commit.parents[0])
            yield commit

    def add_commit(self, repo: Repo, ref: str, tree: Tree, parents: tuple[str, ...], author: str, title: str, description: str) -> Commit:
        """Writes a commit and moves the ref to it; call it inside `write()`."""
        made = Commit("", self.add_blobs([dump_tree(tree)])[0], parents, author, time.time_ns() // 1_000_000, title, description)
        row = (repo.id, made.compute_id(), made.tree, json.dumps(parents), author, made.time, title, description)
        self.db.execute("INSERT OR IGNORE INTO commits VALUES(?,?,?,?,?,?,?,?)", row)
        self.db.execute("INSERT OR REPLACE INTO refs VALUES(?,?,?,'')", (repo.id, ref, row[1]))
        objects = [(repo.id, e.sha256, e.size, time.time()) for e in tree.values() if e.lfs]
        self.db.executemany("INSERT OR IGNORE INTO objects VALUES(?,?,?,?)", objects)
        return self._commit(repo, row[1])
