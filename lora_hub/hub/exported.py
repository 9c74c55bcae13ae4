"""An export as a repo of its own, linked to its base and adapter by the metadata of its card.

push_export(Path("made"), ("spam-q8_0.gguf", "README.md"), "spam-gguf")     its address
"""

from collections.abc import Sequence
from pathlib import Path

from lora_hub.core import settings
from lora_hub.core.errors import HubError
from lora_hub.core.messages import _
from lora_hub.hub.client import forbidden, hub_url, may_only_propose, member_trouble, open_api, told
from lora_hub.hub.contents import files_of, look
from lora_hub.hub.naming import check_name

TAG = "lora-hub-export"


def check_push(name: str, *, org: str = "") -> str:
    """The id of the repo that `push_export` writes to. Raises HubError: no right to write there, a repo of that name
    that is no export, or a name that no repo has."""
    org, _slash, short = name.rpartition("/") if "/" in name else (org or settings.organization(), "", name)
    short = check_name(short)
    if not short or "/" in org:
        raise HubError(
            _("{name!r} is no name of a repo."), _("Give a name, or ORGANIZATION/NAME (--push)."), name=name[:200]
        )
    repo_id = f"{org}/{short}"
    what = _("publish {repo}", repo=repo_id)
    with told(what, repo_id, missing=HubError):
        api = open_api()
        account = api.whoami()
        if trouble := member_trouble(account, org):
            raise forbidden(what, org, trouble)
        there = look(api, repo_id)
        if may_only_propose(account["name"]) and there is not None:
            raise forbidden(what, org, _("An export of that name is there already."))
        if there is not None and files_of(there) and TAG not in (there.tags or []):
            raise HubError(
                _("{repo} is there already and is no export."), _("Choose another name (--push)."), repo=repo_id
            )
    return repo_id


def push_export(folder: Path, files: Sequence[str], name: str, *, org: str = "", private: bool = False) -> str:
    """One commit with these files of a folder. Raises HubError, as `check_push` and where the Hub cannot be reached."""
    repo_id = check_push(name, org=org)
    with told(_("publish {repo}", repo=repo_id), repo_id, missing=HubError):
        from huggingface_hub import CommitOperationAdd

        api = open_api()
        api.create_repo(repo_id, private=private or None, exist_ok=True)
        operations = [CommitOperationAdd(path_in_repo=file, path_or_fileobj=str(folder / file)) for file in files]
        api.create_commit(repo_id, operations, commit_message=f"Export {repo_id.partition('/')[2]}")
    return f"{hub_url()}/{repo_id}"
