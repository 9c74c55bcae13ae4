"""Brings adapters here, through the client's cache: what was fetched once works with the Hub down."""

import json
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from lora_hub.core.errors import AdapterError, HubError
from lora_hub.core.messages import _
from lora_hub.core.schema import AdapterRef
from lora_hub.hub import adapter_config
from lora_hub.hub.adapter_config import CONFIG_FILE, RECORD_FILE, RECORD_VERSION, WEIGHTS_FILE
from lora_hub.hub.card import card_metadata
from lora_hub.hub.client import check_seen, full_id, hub_url, is_shared, open_api, told
from lora_hub.hub.record import damaged_record, parts_of
from lora_hub.hub.task_region import MOST_REGION_BYTES, REGION_FILE, TaskRegion, read_region, too_large_region

RECORD_BYTES = 16 << 20
# What a tokenizer's save_pretrained writes; an adapter that brings some of it is asked with it.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "chat_template.jinja",
    "chat_template.json",
    "additional_chat_templates/*.jinja",
)

ADAPTER_FILES = [CONFIG_FILE, WEIGHTS_FILE, RECORD_FILE, "README.md", *TOKENIZER_FILES]
# Where people sign in and any of them names a repo: of one adapter (rank 64 on all layers of an 8B base is 0.7 GB in
# fp32), and so much of the disk is left to files and runs.
MOST_ADAPTER_BYTES, LEFT_BYTES = 2 << 30, 4 << 30


def fetch_adapter(name: str) -> tuple[Path, AdapterRef]:
    """The folder of an adapter here, and what it is; `revision` is the exact commit.

    `name`: `owner/name` or a name of our organization, with `@revision` (a version, branch or commit) if need be. With
    the Hub down, what the cache holds of it answers. Raises AdapterError (not there, or no LoRA adapter) and HubError.
    """
    repo, _rest, revision = name.partition("@")
    repo_id = full_id(repo)
    with told(_("hand out {repo}", repo=repo_id), repo_id, revision):
        api = open_api()
        if is_shared():  # asked as whoever asks: the cache would hand out what was fetched for somebody else
            info = api.model_info(repo_id, revision=revision or None, files_metadata=True)
            _check_room(info)
            revision = info.sha
        commit = api.resolve_revision(repo_id, revision=revision or None)
        folder = Path(api.snapshot_download(repo_id, revision=commit, allow_patterns=ADAPTER_FILES))
    missing = next((file for file in (CONFIG_FILE, WEIGHTS_FILE) if not (folder / file).is_file()), "")
    if missing:
        raise _no_adapter(repo_id, commit, missing)
    return folder, _ref_of_folder(folder, repo_id, commit.resolved)


def _check_room(info: Any) -> None:
    """Raises AdapterError where somebody names a repo that is larger than adapters are, or that the disk has no room
    for beside the runs."""
    from huggingface_hub import constants, try_to_load_from_cache
    from huggingface_hub.utils import filter_repo_objects

    files = filter_repo_objects(info.siblings or [], allow_patterns=ADAPTER_FILES, key=lambda file: file.rfilename)
    size = sum(file.size or 0 for file in files)
    if size > MOST_ADAPTER_BYTES:
        raise AdapterError(
            _("{repo} is {size:.1f} GB, and an adapter may have {most:.1f} GB here."),
            _("Choose a smaller one."),
            repo=info.id,
            size=size / 1e9,
            most=MOST_ADAPTER_BYTES / 1e9,
        )
    is_here = isinstance(try_to_load_from_cache(info.id, WEIGHTS_FILE, revision=info.sha), str)
    cache = Path(constants.HF_HUB_CACHE)
    place = next(part for part in (cache, *cache.parents) if part.exists())
    if not is_here and shutil.disk_usage(place).free - size < LEFT_BYTES:
        raise AdapterError(
            _("There is no room for {repo} ({size:.1f} GB) on this machine's disk."),
            _("Choose one that was asked before, or ask an admin to make room."),
            repo=info.id,
            size=size / 1e9,
        )


def _no_adapter(repo_id: str, commit: str, missing: str) -> AdapterError:
    """Why a repo is no adapter that can be loaded, from what else lies in it."""
    try:
        with told(_("list {repo}", repo=repo_id), repo_id, commit):
            files = open_api().list_repo_files(repo_id, revision=commit)
    except HubError:  # it came from the cache
        files = []
    save = _("Choose another one, or save it with PEFT again.")
    pickled = next((file for file in files for pattern in adapter_config.PICKLED if fnmatch(file, pattern)), "")
    if pickled and missing == WEIGHTS_FILE:
        return AdapterError(
            _("{adapter} only has pickled weights ({file}), which are not opened here."),
            save,
            adapter=_("The adapter {repo}", repo=repo_id),
            file=pickled,
        )
    inside = next((file.rpartition("/")[0] for file in files if file.endswith(f"/{CONFIG_FILE}")), "")
    if inside and missing == CONFIG_FILE:
        return AdapterError(
            _("{repo} is no LoRA adapter itself, but holds one in its folder {folder!r}."),
            _("Download that folder and name it here."),
            repo=repo_id,
            folder=inside,
        )
    return AdapterError(
        _("{repo} is no LoRA adapter that can be loaded: it has no {file}."),
        save,
        repo=repo_id,
        file=missing,
    )


def fetch_record(name: str, revision: str = "") -> dict[str, Any] | None:
    """The record of an adapter (name or name@revision) at a version, branch or commit, without its weights; None where
    it was made elsewhere.

    Raises AdapterError (no such adapter or version, a damaged record) and HubError.
    """
    from huggingface_hub.errors import EntryNotFoundError

    repo, _at, named = name.partition("@")
    repo_id, revision = full_id(repo), revision or named
    with told(_("read the record of {repo}", repo=repo_id), repo_id, revision):
        check_seen(repo_id)
        try:
            path = open_api().hf_hub_download(repo_id, RECORD_FILE, revision=revision or None)
        except EntryNotFoundError as error:
            if getattr(error, "response", None) is None:  # the Hub did not say so: it could not be asked
                raise
            return None
    return read_adapter_record(Path(path).parent)


def fetch_region(name: str, revision: str = "") -> TaskRegion | None:
    """Where the questions of an adapter's task lie, without its weights; None where it does not say. Raises
    AdapterError (no such adapter, a damaged or too large file) and HubError."""
    repo_id = full_id(name)
    with told(_("read {file} of {repo}", file=REGION_FILE, repo=repo_id), repo_id, revision):
        api = open_api()
        info = api.model_info(repo_id, revision=revision or None, files_metadata=True)
        size = next((file.size for file in info.siblings or [] if file.rfilename == REGION_FILE), None)
        if size is None:
            return None
        if size > MOST_REGION_BYTES:
            raise too_large_region(repo_id, size)
        path = api.hf_hub_download(repo_id, REGION_FILE, revision=info.sha)
    return read_region(Path(path).parent)


def kept_region(repo_id: str, commit: str) -> TaskRegion | None:
    """As `fetch_region`, from what the client's cache has of a commit that the Hub has shown to whoever asks, without
    asking it again; None where the cache has none. Raises AdapterError (a damaged file)."""
    from huggingface_hub import try_to_load_from_cache

    kept = try_to_load_from_cache(repo_id, REGION_FILE, revision=commit) if commit else None
    return read_region(Path(kept).parent) if isinstance(kept, str) else None


def read_adapter_record(folder: Path) -> dict[str, Any] | None:
    """The record (`lora_hub.json`) in an adapter's folder; None where the adapter was made elsewhere.

    Raises AdapterError where there is one that is damaged, or that a newer LoRA Hub wrote.
    """
    path = Path(folder) / RECORD_FILE
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size <= RECORD_BYTES else None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("version"), int):
        raise AdapterError(
            _("The {file} of the adapter in {folder} is damaged."),
            _("Fetch or train the adapter again."),
            file=RECORD_FILE,
            folder=path.parent,
        )
    if record["version"] > RECORD_VERSION:
        raise AdapterError(
            _("The adapter in {folder} was made by a newer LoRA Hub (record {version})."),
            _("Update LoRA Hub."),
            folder=path.parent,
            version=str(record["version"]),
        )
    return record


def _ref_of_folder(folder: Path, repo_id: str, commit: str) -> AdapterRef:
    """The facts in the fetched files themselves: they are this commit's, whatever the Hub shows by now."""
    record = read_adapter_record(folder)
    if record is None:
        base = adapter_config.read_config(folder).get("base_model_name_or_path") or ""
        return AdapterRef(
            repo_id=repo_id, revision=commit, base=base, title=repo_id.partition("/")[2], url=f"{hub_url()}/{repo_id}"
        )
    try:
        metrics, spec = parts_of(record).metrics, card_metadata.spec_of(record)
    except ValueError as error:  # anybody may have written it
        raise damaged_record(repo_id, error) from error
    return AdapterRef(
        repo_id=repo_id,
        revision=commit,
        base=spec.base.id,
        task=spec.task.id,
        title=card_metadata.card_title(spec),
        metrics=metrics,
        url=f"{hub_url()}/{repo_id}",
    )
