"""Whether an adapter may be published where it is meant to go, asked before it is trained and again when it is
published."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lora_hub.catalogue import bases
from lora_hub.core import settings
from lora_hub.core.errors import HubError
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import TrainSpec
from lora_hub.hub.adapter_config import RECORD_FILE
from lora_hub.hub.adapter_facts import ref_of
from lora_hub.hub.client import forbidden, may_only_propose, member_trouble, open_api, told
from lora_hub.hub.contents import base_files, changes, check_base_repo, files_of, look
from lora_hub.hub.naming import repo_name
from lora_hub.hub.record import public_base

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo


@dataclass(frozen=True)
class Claim:
    """What an adapter would be published to. info: the repo, None where it is to be made. by_pull_request: this account
    may only propose a version of it, as contributors may of what others made. owner: the account that published it
    first; this one, where nobody did."""

    info: "ModelInfo | None"
    by_pull_request: bool = False
    owner: str = ""


def check_publishing(spec: TrainSpec, *, org: str = "", name: str = "", private: bool = False) -> Claim:
    """The repo that an adapter of `spec` would be published to, and how. Nothing is written.

    Raises HubError, with the sentence that publishing would end with: no token or one that is not accepted, no such
    organization or no right to write in it, a repo of that name that is somebody's, another adapter's or too public.
    """
    org = org or settings.organization()
    repo_id = f"{org}/{repo_name(spec, name)}"
    what = _("publish {repo}", repo=repo_id)
    with told(what, repo_id, missing=HubError):
        api = open_api()
        account = api.whoami()
        info, trouble = look(api, repo_id), member_trouble(account, org)
        # A repo that is there may be ours to write though its namespace is not; one that is not there may not be made
        # then.
        writes = trouble is None if info is None else _writes(api, repo_id)
        proposes = info is not None and (
            may_only_propose(account["name"]) if writes else _role(account, org) == "contributor"
        )
        if not writes and not proposes:
            raise forbidden(what, org, trouble or _others_repo(account, repo_id))
        if info is not None:
            _check_claim(info, repo_id, spec, private)
        if spec.base.id == bases.BUILT_IN:
            _check_base(api, account, org)
        return Claim(info, proposes, (ref_of(info).owner if info else "") or account["name"])


def check_writing(repo_id: str, what: Message) -> None:
    """Raises HubError where this account may not write to a repo that it sees. what: what it wants to do there."""
    with told(what, repo_id):
        api = open_api()
        account = api.whoami()
        # the app's own account may write where the person who asks may only propose
        if not _writes(api, repo_id) or may_only_propose(account["name"]):
            where = repo_id.partition("/")[0]
            raise forbidden(what, where, member_trouble(account, where) or _others_repo(account, repo_id))


def _role(account: dict, org: str) -> str:
    roles = {one["name"].lower(): one.get("roleInOrg") or "" for one in account.get("orgs", [])}
    return roles.get(org.lower(), "")


def _others_repo(account: dict, repo_id: str) -> Message:
    return _("It is {name}, and {repo} is somebody else's.", name=account["name"], repo=repo_id)


def _writes(api: "HfApi", repo_id: str) -> bool:
    """Whether this account may write to a repo that it sees."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        api.auth_check(repo_id, write=True)
        return True
    except HfHubHTTPError as error:
        if error.response.status_code in (403, 404):  # 404: an upstream Hub's, which is only read here
            return False
        raise


def _check_claim(info: "ModelInfo", repo_id: str, spec: TrainSpec, private: bool) -> None:
    """Raises HubError where a repo that is there is no adapter's, another one's, or too public."""
    another = _("Choose another name (--name).")
    files = files_of(info)
    if files and RECORD_FILE not in files:
        raise HubError(_("{repo} is there already and is not an adapter of LoRA Hub."), another, repo=repo_id)
    if private and not info.private:
        raise HubError(
            _("{repo} is public, and a private adapter was asked for."),
            _("Choose another name (--name), or make that repo private on the Hub first."),
            repo=repo_id,
        )
    there, base = ref_of(info), public_base(spec.base).id
    if there.unpublished:
        raise HubError(
            _("{repo} was unpublished.", repo=repo_id),
            _("Put it back first, or choose another name (--name)."),
        )
    if there.task and (there.task, there.base) != (spec.task.id, base):
        raise HubError(
            _("{repo} is there already, for the task {task} on the base {base}."),
            another,
            repo=repo_id,
            task=there.task,
            base=there.base,
        )


def _check_base(api: "HfApi", account: dict, org: str) -> None:
    """The built-in base goes beside its adapters: it is there already, or this account can put it there."""
    repo_id = f"{org}/{bases.BUILT_IN}"
    info = look(api, repo_id)
    if info is None:
        return  # who makes the adapter's repo makes this one
    check_base_repo(info, repo_id)
    if any(changes(base_files(bases.get_base(bases.BUILT_IN), repo_id), info)) and not _writes(api, repo_id):
        raise forbidden(_("bring {repo} up to date", repo=repo_id), org, _others_repo(account, repo_id))
