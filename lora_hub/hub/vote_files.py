"""The private dataset repo with the organization's votes: a file for each person, which only they write.

    write_votes(merge)       the file of whoever asks: merge(what they have there) -> what is to be there
    read_votes()             everybody's files, of which it is sure who wrote them

Every member who writes may write any file of the repo. So a file counts only if its last commit is its person's own,
and nothing is taken over from one that somebody else wrote. What is in it is a stranger's: whoever reads it checks it.
"""

import logging
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lora_hub.core import settings
from lora_hub.core.errors import HubError, HubUnreachableError
from lora_hub.core.messages import _
from lora_hub.hub.client import TRY_AGAIN, check_listening, open_api, told

if TYPE_CHECKING:
    from huggingface_hub import HfApi

logger = logging.getLogger("lora_hub.hub")
KIND, NAME, FOLDER = "dataset", "lora-hub-votes", "votes"
TITLE = "Votes on answers"
# Of one file, and of all that are read at once.
MOST_BYTES, MOST_FILES, MOST_IN_ALL = 16 * 1024**2, 500, 64 * 1024**2
# Others write to the same repo: a commit that comes too late is made again.
TRIES = 6
_FILE = re.compile(rf"{FOLDER}/({settings.NAMESPACE.pattern})\.jsonl")
README = """---
configs:
- config_name: default
  data_files: votes/*.jsonl
---

# Votes on answers of adapters

Each file holds one person's blind votes, one JSON line each: when (UTC seconds), on which comparison and task, which
models were shown in which order, and which was the best (`place`, from 0), a tie, or none. LoRA Hub writes them and
counts a file only if its last commit is that person's own.
"""


def votes_repo() -> str:
    """The repo of the organization's votes."""
    return f"{settings.organization()}/{NAME}"


def write_votes(merge: Callable[[bytes], bytes]) -> int:
    """Puts the votes of whoever asks into the organization's repo, which is made where there is none. merge: called
    with the file that they have there, again whenever somebody else was quicker. Returns the bytes of the file. Raises
    HubError, also where the repo is public."""
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.errors import HfHubHTTPError

    repo = votes_repo()
    with told(_("write votes to {repo}", repo=repo), repo, missing=HubError, again=TRY_AGAIN):
        api = open_api()
        account = api.whoami()["name"]
        _make(api, repo)
        path = f"{FOLDER}/{account}.jsonl"
        for attempt in range(TRIES):
            head = _check_private(api, repo)
            there = _read(api, repo, head, path) if path in _own_files(api, repo, head, account) else b""
            wanted = merge(there)
            if wanted == there:
                return len(wanted)
            try:
                api.create_commit(
                    repo,
                    [CommitOperationAdd(path, wanted)],
                    commit_message=TITLE,
                    repo_type=KIND,
                    parent_commit=head,
                )
                return len(wanted)
            except HfHubHTTPError as error:
                if error.response.status_code not in (409, 412) or attempt == TRIES - 1:
                    raise
    raise AssertionError("unreachable")


def remove_votes() -> None:
    """Removes the file of whoever asks. Raises HubError."""
    repo = votes_repo()
    with told(_("remove votes from {repo}", repo=repo), repo, missing=HubError, again=TRY_AGAIN):
        api = open_api()
        path = f"{FOLDER}/{api.whoami()['name']}.jsonl"
        if api.repo_exists(repo, repo_type=KIND) and api.file_exists(repo, path, repo_type=KIND):
            api.delete_file(path, repo, repo_type=KIND, commit_message=TITLE)


def read_votes() -> dict[str, bytes]:
    """Account -> its file, for those whose last commit is their own; empty where there is no such repo, or none that
    whoever asks may read. Raises HubError."""
    from huggingface_hub.errors import RepositoryNotFoundError

    repo, found, size = votes_repo(), {}, 0
    with told(_("read {repo}", repo=repo), repo, missing=HubError, again=TRY_AGAIN):
        api = open_api()
        check_listening()
        try:
            head = api.repo_info(repo, repo_type=KIND).sha
        except RepositoryNotFoundError:
            return {}
        for path, account in list(_own_files(api, repo, head).items())[:MOST_FILES]:
            content = _read(api, repo, head, path)
            size += len(content)
            if size > MOST_IN_ALL:
                logger.warning("%s is too large: the votes of %s and others are left out", repo, account)
                break
            found[account] = content
    return found


def _make(api: "HfApi", repo: str) -> None:
    if api.repo_exists(repo, repo_type=KIND):
        return
    api.create_repo(repo, repo_type=KIND, private=True, exist_ok=True)
    api.upload_file(
        path_or_fileobj=README.encode(), path_in_repo="README.md", repo_id=repo, repo_type=KIND, commit_message=TITLE
    )


def _check_private(api: "HfApi", repo: str) -> str:
    """The commit of the repo's head. Raises HubError if everybody may read it."""
    info = api.repo_info(repo, repo_type=KIND)
    if not info.private:
        raise HubError(
            _("{repo} is public, and votes are for the organization's members.", repo=repo),
            _("Make that repo private on the Hub. Until then votes stay here."),
        )
    if info.sha is None:
        raise HubUnreachableError(_("The Hub does not say what is in {repo}.", repo=repo), TRY_AGAIN)
    return info.sha


def _own_files(api: "HfApi", repo: str, head: str, account: str = "") -> dict[str, str]:
    """Path -> account of the files (of one account, or all) whose last commit is by that account."""
    from huggingface_hub.errors import EntryNotFoundError

    try:
        tree = list(api.list_repo_tree(repo, FOLDER, revision=head, repo_type=KIND, expand=True))
    except EntryNotFoundError:  # nobody has voted yet
        return {}
    named = [(one, match[1]) for one in tree if (match := _FILE.fullmatch(one.path)) and account in ("", match[1])]
    if not named:
        return {}
    authors = {one.commit_id: one.authors for one in api.list_repo_commits(repo, revision=head, repo_type=KIND)}
    found = {}
    for one, name in named:
        commit = getattr(one, "last_commit", None)
        is_own = commit is not None and authors.get(commit.oid) == [name]
        if is_own and one.size <= MOST_BYTES:
            found[one.path] = name
        else:
            logger.warning("%s of %s is left out: too large, or not by %s", one.path, repo, name)
    return found


def _read(api: "HfApi", repo: str, head: str, path: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = api.hf_hub_download(repo, path, revision=head, repo_type=KIND, local_dir=folder)
        with Path(file).open("rb") as opened:
            return opened.read(MOST_BYTES)
