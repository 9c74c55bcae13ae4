"""What the client's cache keeps of adapters: what is removed is fetched again when somebody asks it."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lora_hub.hub.adapter_config import CONFIG_FILE

# What was read so lately may be about to be loaded, here or in another process.
IN_USE_SECONDS = 120.0


def drop_adapters(before: float) -> int:
    """Removes from the client's cache the adapters that nobody has read since then (UTC seconds): what is asked again
    is fetched again. Returns how many."""
    found, kept = _kept(lambda repo: repo.last_accessed < before)
    return _remove(found, [revision.commit_hash for revision in kept])


def trim_adapters(most_bytes: int, is_ours: Callable[[str], bool], last_use: Mapping[Path, float]) -> int:
    """Removes from the client's cache adapters that were asked least recently, until the rest has at most so many bytes
    or is in use. is_ours: whether a repo's adapters count and may go. last_use: of folders, how many seconds ago they
    were asked for; of others, the time counts when their files were read. Returns how many commits went."""
    found, kept = _kept(lambda repo: is_ours(repo.repo_id))
    users = Counter(file.blob_path for revision in kept for file in revision.files)
    sizes = {file.blob_path: file.size_on_disk for revision in kept for file in revision.files}
    last_use = {folder.resolve(): seconds for folder, seconds in last_use.items()}
    taken, gone, now = sum(sizes.values()), [], time.time()

    def age(revision: Any) -> float:
        read = now - max(file.blob_last_accessed for file in revision.files)
        return last_use.get(revision.snapshot_path.resolve(), read)

    for revision in sorted(kept, key=age, reverse=True):
        if taken <= most_bytes or age(revision) < IN_USE_SECONDS:
            break
        gone.append(revision.commit_hash)
        for file in revision.files:
            users[file.blob_path] -= 1
            taken -= 0 if users[file.blob_path] else sizes[file.blob_path]
    return _remove(found, gone)


def _kept(is_wanted: Callable[[Any], bool]) -> tuple[Any, list[Any]]:
    """What the client says of its cache, None where there is none, and the commits of adapters there whose repos are
    wanted."""
    from huggingface_hub import CacheNotFound, constants, scan_cache_dir

    try:
        found = scan_cache_dir(constants.HF_HUB_CACHE)
    except CacheNotFound:
        return None, []
    return found, [
        revision
        for repo in found.repos
        if repo.repo_type == "model" and is_wanted(repo)
        for revision in repo.revisions
        if any(file.file_name == CONFIG_FILE for file in revision.files)
    ]


def _remove(found: Any, commits: list[str]) -> int:
    """Returns how many."""
    if commits:
        found.delete_revisions(*commits).execute()
    return len(commits)
