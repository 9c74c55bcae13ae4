"""What is in a repo, compared with what should be: an adapter's files, and those of the built-in base beside it."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_hub.catalogue import bases
from lora_hub.core.errors import HubError
from lora_hub.core.messages import _
from lora_hub.core.schema import BaseModel
from lora_hub.hub.card import card

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

CARD = "README.md"
BASE_TAG = "lora-hub-base"


def look(api: "HfApi", repo_id: str) -> "ModelInfo | None":
    """A repo with its files' sizes and hashes; None where this account sees no repo of that name."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        return api.model_info(repo_id, files_metadata=True)
    except (RepositoryNotFoundError, RevisionNotFoundError):  # the latter: somebody makes it just now
        return None


def files_of(info: "ModelInfo | None") -> dict[str, Any]:
    """The files of a repo by name, without the one that the Hub itself puts there."""
    siblings = (info.siblings if info else None) or []
    return {sibling.rfilename: sibling for sibling in siblings if sibling.rfilename != ".gitattributes"}


def changes(files: dict[str, bytes | Path], info: "ModelInfo | None") -> tuple[list[str], list[str]]:
    """(names of files that are missing or different, names of files to be removed). An empty file is removed instead of
    sent: the log of an earlier version must not pass for this one's."""
    old = files_of(info)
    changed = [
        name for name, content in files.items() if content != b"" and not (name in old and _same(content, old[name]))
    ]
    return changed, [name for name, content in files.items() if content == b"" and name in old]


def _same(content: bytes | Path, sibling: Any) -> bool:
    """Whether a file on the Hub has these bytes: by sha256 where it is in LFS, else by git's hash of a blob."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if sibling.size != size:
        return False
    data = content if isinstance(content, bytes) else content.read_bytes()
    if sibling.lfs is not None:
        return bool(sibling.lfs.sha256 == hashlib.sha256(data).hexdigest())
    return bool(sibling.blob_id == hashlib.sha1(b"blob %d\0" % size + data, usedforsecurity=False).hexdigest())


def check_base_repo(info: "ModelInfo", repo_id: str) -> None:
    """Raises HubError where a repo that is there is not the built-in base's."""
    if files_of(info) and BASE_TAG not in (info.tags or []):
        raise HubError(
            _("{repo} is there already and is not the built-in base."),
            _("Choose another organization (--org)."),
            repo=repo_id,
        )


def base_files(base: BaseModel, repo_id: str) -> dict[str, bytes | Path]:
    """What stands in the repo of the built-in base."""
    folder = bases.folder_of(base) or bases.built_in_folder()
    files: dict[str, bytes | Path] = {CARD: card.render_base_card(base, repo_id).encode()}
    return files | {
        path.name: path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith((".", CARD))
    }
