"""The private repo that carries a run to hired hardware and back, and is removed when its job has ended.

    repo = make_run_repo(payer, run_id)
    send_files(repo, {"run/spec.json": b"...", "data/rows/a.csv": Path(...)})
    look_into(repo)                              {path: bytes that it has}
    bring_files(repo, {"result/held_out.jsonl": Path(...)})  only what is asked for
    remove_run_repo(repo)

Whoever may write to it may have put anything into it: what comes back is named and bounded by whoever asks for it.
"""

import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from lora_hub.core.errors import HubError
from lora_hub.core.messages import _
from lora_hub.hub.client import open_api, told

KIND = "dataset"
NAME, MOST_NAME = "lora-hub-run-", 90


def make_run_repo(payer: str, run_id: str) -> str:
    """A private repo in the payer's namespace; where this run has one already, that one. Raises HubError."""
    name = re.sub(r"(--|\.\.)+", "-", NAME + run_id)[:MOST_NAME].rstrip("-.")
    repo = f"{payer}/{name}"
    with told(_("make the private repo {repo}", repo=repo), repo, missing=HubError):
        api = open_api()
        api.create_repo(repo, repo_type=KIND, private=True, exist_ok=True)
        if not api.repo_info(repo, repo_type=KIND).private:
            raise HubError(
                _("{repo} is public, and a run's rows go to private repos only.", repo=repo),
                _("Remove that repo, or make it private."),
            )
    return repo


def send_files(repo: str, files: Mapping[str, Path | bytes], gone: Iterable[str] = ()) -> None:
    """Puts files into the repo, and removes others, in one commit. Raises HubError."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    operations = [
        *(CommitOperationAdd(path, given if isinstance(given, bytes) else str(given)) for path, given in files.items()),
        *(CommitOperationDelete(path) for path in gone),
    ]
    if operations:
        with told(_("write to {repo}", repo=repo), repo, missing=HubError):
            open_api().create_commit(repo, operations, commit_message="A run of LoRA Hub", repo_type=KIND)


def look_into(repo: str) -> dict[str, int]:
    """The repo's files with their sizes in bytes; empty where there is no such repo. Raises HubError."""
    from huggingface_hub.errors import RepositoryNotFoundError

    with told(_("read {repo}", repo=repo), repo, missing=HubError):
        try:
            info = open_api().repo_info(repo, repo_type=KIND, files_metadata=True)
        except RepositoryNotFoundError:
            return {}
    return {one.rfilename: int(one.size or 0) for one in info.siblings or []}


def bring_files(repo: str, wanted: Mapping[str, Path]) -> None:
    """Fetches files of the repo to where they belong: path in the repo -> file here. Each appears whole or not at all.
    Raises HubError."""
    with told(_("read {repo}", repo=repo), repo, missing=HubError), tempfile.TemporaryDirectory() as folder:
        api = open_api()
        for path, place in wanted.items():
            fetched = Path(api.hf_hub_download(repo, path, repo_type=KIND, local_dir=folder))
            place.parent.mkdir(parents=True, exist_ok=True)
            made = place.with_name(f".{place.name}.coming")
            shutil.copyfile(fetched, made)
            made.replace(place)
            fetched.unlink()


def remove_run_repo(repo: str) -> None:
    """Removes the repo; where it is gone already, nothing happens. Raises HubError."""
    with told(_("remove {repo}", repo=repo), repo, missing=HubError):
        open_api().delete_repo(repo, repo_type=KIND, missing_ok=True)
