"""`fsck` proves a store sound: every blob is its sha256, every commit its hash. `gc` removes what nothing refers to."""

import hashlib
import json
import time
from pathlib import Path

from .jobs import sweep
from .store import Entry, Store

GRACE_SECONDS = 24 * 3600.0


def fsck(folder: Path) -> list[str]:
    """Sentences about what is damaged; none for a sound store. Reads every byte."""
    store, problems, sizes = Store(folder), [], {}
    for file in store.blobs.glob("*/*"):
        with open(file, "rb") as stream:
            sound = hashlib.file_digest(stream, "sha256").hexdigest() == file.name
        if sound:
            sizes[file.name] = file.stat().st_size
        else:
            problems.append(f"blob {file.name} has other bytes than its name says")
    for repo in store.repos():
        ids = {row[0] for row in store.db.execute("SELECT id FROM commits WHERE repo = ?", (repo.id,))}
        for id in sorted(ids):
            commit = store.get_commit(repo, id)
            if commit.compute_id() != id or not ids.issuperset(commit.parents):
                problems.append(f"commit {id} of {repo.key} is not what its id says")
            files = store.read_tree(commit.tree) if commit.tree in sizes else {"the tree": Entry("", 0, commit.tree, 0)}
            lost = [path for path, entry in files.items() if sizes.get(entry.sha256) != entry.size]
            problems += [f"{path} of commit {id} of {repo.key} is lost or damaged" for path in lost]
        refs = store.refs(repo)
        problems += [f"{name} of {repo.key} leads to no commit" for name, id in refs.items() if id not in ids]
        if refs.get("refs/heads/main") != repo.head:
            problems.append(f"the index of {repo.key} is not at its main branch")
    objects = store.db.execute("SELECT sha256, size FROM objects")
    return problems + [f"LFS object {sha256} is lost or damaged" for sha256, size in objects if sizes.get(sha256) != size]


def gc(folder: Path, grace: float = GRACE_SECONDS) -> tuple[int, int]:
    """Removes blobs that no commit refers to, and old jobs; (files, bytes) of blobs removed. Call it while no server
    serves the folder. What
    is younger than `grace` seconds stays, because an upload may be about to be committed."""
    store, before, kept = Store(folder), time.time() - grace, set()
    with store.write() as db:
        sweep(store, before)
        for repo, in db.execute("SELECT id FROM repos").fetchall():
            trees = {row[0] for row in db.execute("SELECT tree FROM commits WHERE repo = ?", (repo,))}
            used = {entry.sha256 for tree in trees for entry in store.read_tree(tree).values()}
            unused = "repo = ? AND time < ? AND sha256 NOT IN (SELECT value FROM json_each(?))"
            db.execute(f"DELETE FROM objects WHERE {unused}", (repo, before, json.dumps([*used])))
            kept |= trees | used
        kept |= {row[0] for row in db.execute("SELECT sha256 FROM objects")}
    dead = [file for file in store.blobs.glob("*/*") if file.name not in kept and file.stat().st_mtime < before]
    freed = sum(file.stat().st_size for file in dead)
    for file in dead:
        file.unlink()
    return len(dead), freed
