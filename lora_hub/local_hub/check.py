"""`fsck` proves a store sound: every blob is its sha256, every commit its hash. `gc` removes what nothing refers to."""

import time
from pathlib import Path

from .jobs import sweep
from .store import Commit, Entry, Store, sha256_of

GRACE_SECONDS = 24 * 3600


def fsck(folder: Path) -> list[str]:
    """Sentences about what is damaged; none for a sound store. Reads every byte."""
    store, blobs = Store(folder), sorted(folder.glob("blobs/*/*"))
    sizes = {file.name: file.stat().st_size for file in blobs if sha256_of(file) == file.name}
    problems = [f"blob {file.name} has other bytes than its name says" for file in blobs if file.name not in sizes]
    for repo in store.repos():
        ids = {id for id, in store.db.execute("SELECT id FROM commits WHERE repo = ?", (repo.id,))}
        for commit in [store.get_commit(repo, id) for id in sorted(ids)]:
            if Commit.of(*commit[1:]).id != commit.id or not ids.issuperset(commit.parents):
                problems.append(f"commit {commit.id} of {repo.key} is not what its id says")
            files = store.read_tree(commit.tree) if commit.tree in sizes else {"the tree": Entry("", 0, commit.tree, 0)}
            problems += [f"{path} of commit {commit.id} of {repo.key} is lost or damaged" for path, entry in files.items()
                         if sizes.get(entry.sha256) != entry.size]
        refs = store.refs(repo)
        lost = [name for name, id in refs.items() if id not in ids] + ["the index"] * (refs.get("refs/heads/main") != repo.head)
        problems += [f"{name} of {repo.key} is not at a commit where it should be" for name in lost]
    objects = store.db.execute("SELECT sha256, size FROM objects")
    return problems + [f"LFS object {sha256} is lost or damaged" for sha256, size in objects if sizes.get(sha256) != size]


def gc(folder: Path) -> tuple[int, int]:
    """Removes blobs that no commit refers to, and old jobs; (files, bytes) of blobs removed. Call it while no server
    serves the folder. What is younger than a day stays, because an upload may be about to be committed."""
    store, before = Store(folder), time.time() - GRACE_SECONDS
    with store.write() as db:
        sweep(store, before)
        trees = db.execute("SELECT DISTINCT repo, tree FROM commits").fetchall()
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
