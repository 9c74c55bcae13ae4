"""Takes an adapter off the shelf without deleting it, and puts it back.

    unpublish_adapter("spam-built-in"); put_back("spam-built-in")

Unpublished means two things. The repo is private, so that only the organization reaches it on the Hub. And its card
says so (`lora_hub.unpublished` in the metadata, with whom it was visible to before), so that no list of this app names
it. It is a commit like any other: the repo's history tells who did it and when. Versions, tags and files stay, and
whoever may read the repo can still fetch it by its name.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lora_hub.core import bounded_yaml
from lora_hub.core.errors import HubError
from lora_hub.core.messages import _
from lora_hub.core.schema import AdapterRef
from lora_hub.hub.adapter_config import RECORD_FILE
from lora_hub.hub.client import TRY_AGAIN, full_id, open_api, told
from lora_hub.hub.contents import CARD, files_of
from lora_hub.hub.listing import LONGEST_CARD, get_adapter

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

MARK = "unpublished"
PUBLIC, PRIVATE = "public", "private"


def unpublish_adapter(name: str) -> AdapterRef:
    """Makes the repo private and takes it off the shelf; done twice it is done once. Raises AdapterError (no such
    adapter) and HubError (a repo that LoRA Hub did not make, no right, its card cannot be read)."""
    repo_id = full_id(name)
    with told(_("unpublish {repo}", repo=repo_id), repo_id, again=TRY_AGAIN):
        api = open_api()
        info = look_at_ours(api, repo_id)
        # The mark first: where the second step fails the adapter is off the shelf, and the same call again ends it.
        if not _mark_of(info):
            _write_mark(api, info, PRIVATE if info.private else PUBLIC, "Take it off the shelf")
        if not info.private:
            api.update_repo_settings(repo_id, private=True)
    return get_adapter(repo_id)


def put_back(name: str) -> AdapterRef:
    """Puts an adapter back on the shelf, visible to whom it was before. Raises like `unpublish_adapter`."""
    repo_id = full_id(name)
    with told(_("put {repo} back", repo=repo_id), repo_id, again=TRY_AGAIN):
        api = open_api()
        info = look_at_ours(api, repo_id)
        if mark := _mark_of(info):
            if mark == PUBLIC and info.private:
                api.update_repo_settings(repo_id, private=False)
            _write_mark(api, info, "", "Put it back on the shelf")
    return get_adapter(repo_id)


def look_at_ours(api: "HfApi", repo_id: str) -> "ModelInfo":
    """The repo of an adapter that LoRA Hub published. Raises HubError where it is anything else."""
    info = api.model_info(repo_id)
    if RECORD_FILE not in files_of(info):
        raise HubError(
            _("{repo} is not an adapter that LoRA Hub published."),
            _("Change or delete it on the Hub itself."),
            repo=repo_id,
        )
    return info


def _mark_of(info: "ModelInfo") -> str:
    ours = info.card_data.get("lora_hub") if info.card_data else None
    mark = ours.get(MARK) if isinstance(ours, dict) else ""
    return mark if isinstance(mark, str) else ""


def _write_mark(api: "HfApi", info: "ModelInfo", mark: str, title: str) -> None:
    """Commits the card with another mark; "": without one. Nothing else of it changes."""
    from huggingface_hub.repocard import REGEX_YAML_BLOCK, metadata_save

    with tempfile.TemporaryDirectory() as folder:
        path = Path(api.hf_hub_download(info.id, CARD, revision=info.sha, local_dir=folder))
        text = path.read_text(encoding="utf-8") if path.stat().st_size <= LONGEST_CARD else ""
        block = REGEX_YAML_BLOCK.search(text)
        try:
            data: Any = bounded_yaml.load(block[2]) if block else None
        except yaml.YAMLError:
            data = None
        if not isinstance(data, dict) or not isinstance(data.get("lora_hub", {}), dict):
            raise HubError(
                _("The card of {repo} cannot be read.", repo=info.id),
                _("Publish a new version, which writes the card anew, or change the repo on the Hub itself."),
            )
        ours = {name: value for name, value in data.get("lora_hub", {}).items() if name != MARK}
        data["lora_hub"] = ours | ({MARK: mark} if mark else {})
        metadata_save(path, data)
        api.upload_file(
            path_or_fileobj=path,
            path_in_repo=CARD,
            repo_id=info.id,
            commit_message=title,
            parent_commit=info.sha,  # nobody's change in between is lost
        )
