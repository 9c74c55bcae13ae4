"""The organization's private dataset repo `ORG/lora-hub-matrix`, in which the cells of its matrix stand: names and
scores for everybody who may read it, never rows.

    read_matrix_file("my-org")                          bytes of cells.jsonl; empty where there is none
    write_matrix_file("my-org", lambda old: new)        one commit; others' cells that came meanwhile are kept

Every member who writes may have put anything into it: whoever reads it bounds and checks it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lora_hub.core.errors import HubError
from lora_hub.core.messages import _
from lora_hub.hub.client import TRY_AGAIN, open_api, told

if TYPE_CHECKING:
    from huggingface_hub import HfApi

NAME, FILE, KIND = "lora-hub-matrix", "cells.jsonl", "dataset"
MOST_BYTES = 8 << 20
TRIES = 10
README = """---
viewer: false
---

# The matrix of this organization's adapters

`cells.jsonl`: what each adapter scores on each task's held-out rows, a line each. Names and scores only. LoRA Hub
writes it and reads it; `python -m lora_hub matrix --check` computes its numbers again where the rows are.
"""


def read_matrix_file(org: str) -> bytes:
    """The file; empty where there is no such repo or file, this account does not see it, or it is larger than such a
    file is. Raises HubError."""
    repo_id = f"{org}/{NAME}"
    with told(_("read {repo}", repo=repo_id), repo_id, missing=HubError):
        return _read(open_api(), repo_id)[0]


def write_matrix_file(org: str, merge: Callable[[bytes], bytes]) -> None:
    """Puts what `merge` makes of the file into its place. Makes the repo, private, where there is none. Raises HubError
    where this account may not write there, or the repo is public."""
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.errors import HfHubHTTPError

    repo_id = f"{org}/{NAME}"
    with told(_("write to {repo}", repo=repo_id), repo_id, missing=HubError, again=TRY_AGAIN):
        api = open_api()
        for _attempt in range(TRIES):
            old, head = _read(api, repo_id)
            if not head:
                api.create_repo(repo_id, repo_type=KIND, private=True, exist_ok=True)
                head = str(api.repo_info(repo_id, repo_type=KIND).sha)
            if not api.repo_info(repo_id, repo_type=KIND).private:
                raise HubError(
                    _("{repo} is public, and the matrix is for the organization alone.", repo=repo_id),
                    _("Make that repo private on the Hub."),
                )
            new = merge(old)
            if new == old:
                return
            operations = [CommitOperationAdd(FILE, new)]
            if not old:
                operations.append(CommitOperationAdd("README.md", README.encode()))
            try:
                api.create_commit(
                    repo_id, operations, commit_message="Cells of the matrix", repo_type=KIND, parent_commit=head
                )
                return
            except HfHubHTTPError as error:
                if error.response.status_code != 412:
                    raise
        raise HubError(_("{repo} is being changed by others at the same time."), TRY_AGAIN, repo=repo_id)


def _read(api: "HfApi", repo_id: str) -> tuple[bytes, str]:
    """(the file, the head's commit), or nothing."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        info = api.repo_info(repo_id, repo_type=KIND, files_metadata=True)
    except RepositoryNotFoundError:
        return b"", ""
    there = next((one for one in info.siblings or [] if one.rfilename == FILE), None)
    if there is None or (there.size or 0) > MOST_BYTES:
        return b"", str(info.sha)
    return Path(api.hf_hub_download(repo_id, FILE, repo_type=KIND, revision=info.sha)).read_bytes(), str(info.sha)
