"""Maintenance of a store: `fsck` verifies it, `gc` removes unreferenced blobs, `backup` copies it.

`fsck` writes nothing at all, not even the files that SQLite creates beside a database in order to read it.
"""

import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from ..core.errors import HubError
from .folder import SERVER_LOCK, USERS_LOCK, take_lock
from .store import DATABASE, Commit, Entry, Store, sha256_of

TABLES = {"repos", "refs", "commits", "objects"}
YOUNG_SECONDS = 24 * 3600


def is_store(folder: Path, live: bool = False) -> bool:
    """Whether a folder holds a Hub's database; `live`: a server serves it. Raises HubError if a file of that name is
    not a readable database."""
    file = folder / DATABASE
    if not file.is_file() or file.stat().st_size == 0:
        return False
    try:
        with _reading(folder, live) as db:
            return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")} >= TABLES
    except sqlite3.DatabaseError as error:
        raise HubError(
            f"{file} cannot be read: {error}.", "Put it back from a copy of the folder; nothing was changed."
        ) from error


def need_store(folder: Path, live: bool = False) -> None:
    """Raises HubError if a folder is not a Hub's, or its database is lost. `live`: a server serves it."""
    if is_store(folder, live):
        return
    if not folder.is_dir():
        raise HubError(
            f"There is no folder {folder}.", "Give the folder of an embedded Hub as --dir; nothing was made."
        )
    if any(folder.glob("blobs/*/*")):
        raise HubError(
            f"The database of the Hub in {folder} is lost: its blobs are there, and {DATABASE} is not.",
            f"Put {DATABASE} back from a copy of the folder; nothing was changed.",
        )
    raise HubError(
        f"{folder} is no embedded Hub's folder: it holds no {DATABASE}.",
        "Give the folder of one as --dir; nothing was changed.",
    )


@contextmanager
def _reading(folder: Path, live: bool = False) -> Iterator[sqlite3.Connection]:
    """The database, opened for reading without changing any file in its folder, unless a server serves it (`live`).

    A write-ahead log left by a killed server belongs to the database. Both are then read from a copy elsewhere, because
    SQLite would merge the log.
    """
    file = folder / DATABASE
    log = Path(f"{file}-wal")
    if live:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=30)) as db:
            yield db
        return
    with tempfile.TemporaryDirectory(prefix="lora-hub-") as elsewhere:
        if log.is_file() and log.stat().st_size:
            for one in (file, log):
                shutil.copyfile(one, Path(elsewhere, one.name))
            address = f"file:{quote(elsewhere)}/{DATABASE}"
        else:
            address = f"file:{quote(str(file))}?immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as db:
            yield db


class _Resting(Store):
    """A read-only store over a given connection."""

    def __init__(self, folder: Path, db: sqlite3.Connection):
        self.folder, self.blobs, self._db = folder, folder / "blobs", db

    @property
    def db(self) -> sqlite3.Connection:
        return self._db


def fsck(folder: Path) -> list[str]:
    """Sentences about damage; none for a sound store. Reads every byte and writes nothing. Call it while no server
    serves the folder and after `need_store` has confirmed it."""
    with _reading(folder) as db:
        try:
            lines = [line for (line,) in db.execute("PRAGMA integrity_check")]
            problems = [f"{DATABASE} is damaged: {line}" for line in lines if line != "ok"]
            return problems or _problems(_Resting(folder, db))
        except sqlite3.DatabaseError as error:
            return [f"{DATABASE} is damaged: {error}"]


def _problems(store: Store) -> list[str]:
    blobs = sorted(store.blobs.glob("*/*"))
    sizes = {file.name: file.stat().st_size for file in blobs if file.is_file() and sha256_of(file) == file.name}
    problems = [f"blob {file.name} has other bytes than its name says" for file in blobs if file.name not in sizes]
    repos = store.repos()
    if blobs and not repos and not store.was_emptied():
        problems.append(
            f"{len(blobs)} blobs belong to no repository, because there is none: the database may have been lost and "
            f"made anew"
        )
    for repo in repos:
        ids = {id for (id,) in store.db.execute("SELECT id FROM commits WHERE repo = ?", (repo.id,))}
        for commit in [store.get_commit(repo, id) for id in sorted(ids)]:
            if Commit.of(*commit[1:]).id != commit.id or not ids.issuperset(commit.parents):
                problems.append(f"commit {commit.id} of {repo.key} is not what its id says")
            files = store.read_tree(commit.tree) if commit.tree in sizes else {"the tree": Entry("", 0, commit.tree, 0)}
            problems += [
                f"{path} of commit {commit.id} of {repo.key} is lost or damaged"
                for path, entry in files.items()
                if sizes.get(entry.sha256) != entry.size
            ]
        refs = store.refs(repo)
        lost = [name for name, id in refs.items() if id not in ids] + ["the index"] * (
            refs.get("refs/heads/main") != repo.head
        )
        problems += [f"{name} of {repo.key} is not at a commit where it should be" for name in lost]
    objects = store.db.execute("SELECT sha256, size FROM objects")
    return problems + [
        f"LFS object {sha256} is lost or damaged" for sha256, size in objects if sizes.get(sha256) != size
    ]


def gc(folder: Path) -> tuple[int, int]:
    """Removes blobs that no commit refers to; returns (files, bytes) removed. Call it while no server serves the
    folder. Blobs younger than a day stay, because an upload may be about to be committed. Raises HubError if it cannot
    tell what is used: there are blobs and no repositories though nobody deleted one, or a commit's tree is lost."""
    users = take_lock(folder / USERS_LOCK)
    if users is None:
        raise HubError(
            f"The Hub in {folder} is being copied, or somebody is connected to it.", "Try again when that has ended."
        )
    with users, closing(Store(folder)) as store:
        before = time.time() - YOUNG_SECONDS
        if any(store.blobs.glob("*/*")) and not store.repos() and not store.was_emptied():
            raise HubError(
                (
                    f"The Hub in {folder} has blobs and no repository at all: its database may have been lost. Nothing "
                    f"was removed."
                ),
                f"Put {DATABASE} back from a copy; or, if every repository was deleted on purpose, remove the folder.",
            )
        with store.write() as db:
            trees = db.execute("SELECT DISTINCT repo, tree FROM commits").fetchall()
            lost = [tree for _, tree in trees if not store.blob_path(tree).is_file()]
            if lost:
                raise HubError(
                    f"The store in {folder} is damaged: the tree {lost[0]} is lost. Nothing was removed.",
                    "`hub fsck` says what else is.",
                )
            used = {(repo, entry.sha256) for repo, tree in trees for entry in store.read_tree(tree).values()}
            old = db.execute("SELECT repo, sha256 FROM objects WHERE time < ?", (before,)).fetchall()
            db.executemany("DELETE FROM objects WHERE (repo, sha256) = (?, ?)", set(old) - used)
            uploaded = db.execute("SELECT repo, sha256 FROM objects").fetchall()
        kept = {sha256 for _, sha256 in used.union(trees, uploaded)}
        dead = [file for file in store.blobs.glob("*/*") if file.name not in kept and file.stat().st_mtime < before]
        freed = sum(file.stat().st_size for file in dead)
        for file in dead:
            file.unlink()
        return len(dead), freed


def backup(folder: Path, to: Path) -> tuple[int, int]:
    """Copies a store, even while a server serves it: first the database as of one moment, then the blobs, so that every
    blob it refers to already exists. Returns (files, bytes) copied. The copy is complete and verified, or not made at
    all.

    The token of a Hub without accounts is copied too; an accounts file, which lies elsewhere, is not. Raises HubError.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise HubError(f"{to} is there already, and not empty.", "Give a new or an empty folder to copy to.")
    if to.is_relative_to(folder):
        raise HubError(f"{to} is inside the Hub's own folder.", "Give a folder elsewhere, on another disk best.")
    part = to.with_name(f".{to.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # left by an interrupted copy
    users = take_lock(folder / USERS_LOCK, shared=True, seconds=10)  # so that no `gc` runs in the meantime
    if users is None:
        raise HubError(f"The Hub in {folder} is being tidied, or is just ending.", "Try again in a moment.")
    try:
        with users:
            part.mkdir(mode=0o700, parents=True)
            _copy_database(folder, part / DATABASE)
            copied = [_copy_blob(file, part / "blobs" / file.parent.name) for file in sorted(folder.glob("blobs/*/*"))]
            if (folder / "token").is_file():
                shutil.copy2(folder / "token", part / "token")
        problems = fsck(part)
        if problems:
            raise HubError(
                f"The copy is not sound, and was not kept: {problems[0]}.",
                "Stop the Hub and let `hub fsck` say what is damaged.",
            )
        part.replace(to)
    except OSError as error:
        raise HubError(
            f"The copy cannot be written to {to}: {error.strerror}.", "Give a folder with room that you may write to."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return len(copied) + 1, sum(copied) + (to / DATABASE).stat().st_size


def _copy_database(folder: Path, file: Path) -> None:
    """Copies the database as of one moment, with SQLite's backup API (https://sqlite.org/backup.html)."""
    held = take_lock(folder / SERVER_LOCK)  # so that no server starts while it is read as not served
    try:
        with _reading(folder, live=held is None) as db, closing(sqlite3.connect(file)) as copy:
            db.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, no log beside it
    finally:
        if held is not None:
            held.close()
    os.chmod(file, 0o600)


def _copy_blob(file: Path, to: Path) -> int:
    """Copies a blob and returns its size. If its bytes do not match its name, `fsck` of the copy finds that."""
    to.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, to / file.name)
    return file.stat().st_size
