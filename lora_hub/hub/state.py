"""A private dataset repo in which an app keeps what it must not lose: sealed packages, one file each, by opaque names.

Members of the organization may read the repo, and what the app stores belongs to single people. So every package is
encrypted with the app's own key (AES-GCM, NIST SP 800-38D), and so are the names (HMAC-SHA256).
"""

import hashlib
import hmac
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lora_hub.core.errors import DataError, HubError
from lora_hub.core.messages import _
from lora_hub.hub.client import TRY_AGAIN, open_api, told

if TYPE_CHECKING:
    from huggingface_hub import HfApi

FOLDER = "sealed"
TITLE = "Keep what the app stores"
NONCE_BYTES, NAME_DIGITS = 12, 40
README = """---
viewer: false
---

# What a LoRA Hub app keeps

Written and read by the app alone, encrypted with its secret LORA_HUB_STATE_KEY. Deleting this repo loses its runs.
"""


class StateRepo:
    """repo_id: "ORG/NAME" of a dataset. token: the Space's own. key: a text of at least 32 characters."""

    def __init__(self, repo_id: str, token: str, key: str) -> None:
        self.repo_id, self._token = repo_id, token
        self._key = hashlib.sha256(b"lora-hub state\0" + key.encode()).digest()

    def name_of(self, package: str) -> str:
        """The name under which a package is kept, from which nobody learns what it is."""
        return hmac.new(self._key, package.encode(), hashlib.sha256).hexdigest()[:NAME_DIGITS]

    def list_packages(self) -> dict[str, int]:
        """Name -> bytes of what is kept. Makes the repo where there is none. Raises HubError, also where the repo is
        public."""
        with told(
            _("keep what this app stores in {repo}", repo=self.repo_id), self.repo_id, missing=HubError, again=TRY_AGAIN
        ):
            api = self._api()
            info = self._made(api)
            return {
                Path(one.rfilename).name: one.size or 0
                for one in info.siblings or ()
                if Path(one.rfilename).parent.as_posix() == FOLDER
            }

    def _made(self, api: "HfApi"):
        from huggingface_hub.errors import RepositoryNotFoundError

        try:
            info = api.dataset_info(self.repo_id, files_metadata=True)
        except RepositoryNotFoundError:
            api.create_repo(self.repo_id, repo_type="dataset", private=True, exist_ok=True)
            api.upload_file(
                path_or_fileobj=README.encode(),
                path_in_repo="README.md",
                repo_id=self.repo_id,
                repo_type="dataset",
                commit_message=TITLE,
            )
            info = api.dataset_info(self.repo_id, files_metadata=True)
        if not info.private:
            raise HubError(
                _("{repo} is public, and what this app stores is for its people alone.", repo=self.repo_id),
                _("Make that repo private on the Hub, or name another in LORA_HUB_STATE."),
            )
        return info

    def read(self, name: str) -> bytes:
        """A package, opened. Raises HubError; DataError where it is damaged or another key's."""
        with told(
            _("read what this app kept in {repo}", repo=self.repo_id), self.repo_id, missing=HubError, again=TRY_AGAIN
        ):
            with tempfile.TemporaryDirectory() as folder:
                file = self._api().hf_hub_download(
                    self.repo_id, f"{FOLDER}/{name}", repo_type="dataset", local_dir=folder
                )
                sealed = Path(file).read_bytes()
        return self._open(name, sealed)

    def write(self, packages: Mapping[str, bytes], removed: Sequence[str] = ()) -> None:
        """Keeps packages (name -> content) in one commit; removed: names of those that go, from the history too. Raises
        HubError."""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete

        operations = [CommitOperationAdd(f"{FOLDER}/{name}", self._seal(name, data)) for name, data in packages.items()]
        with told(
            _("keep what this app stores in {repo}", repo=self.repo_id), self.repo_id, missing=HubError, again=TRY_AGAIN
        ):
            api = self._api()
            api.create_commit(
                self.repo_id,
                [*operations, *(CommitOperationDelete(f"{FOLDER}/{name}") for name in removed)],
                repo_type="dataset",
                commit_message=TITLE,
            )
            if removed:
                api.super_squash_history(self.repo_id, repo_type="dataset", commit_message=TITLE)

    def _api(self) -> "HfApi":
        return open_api(self._token)

    def _seal(self, name: str, content: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, content, name.encode())

    def _open(self, name: str, sealed: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(self._key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError) as error:
            raise DataError(
                _("{name} in {repo} is damaged, or was kept with another LORA_HUB_STATE_KEY."),
                _("Give the app the key that it had."),
                name=name[:12],
                repo=self.repo_id,
            ) from error
