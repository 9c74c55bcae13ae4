"""What the organization holds: adapters, their cards and versions. Reads facts, brings no files but the card."""

import contextvars
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.core import settings
from lora_hub.core.errors import HubError
from lora_hub.core.languages import languages
from lora_hub.core.messages import _, several
from lora_hub.core.schema import AdapterRef, Scores
from lora_hub.hub.adapter_config import CONFIG_FILE, read_config
from lora_hub.hub.adapter_facts import card_scores_of, ref_of
from lora_hub.hub.card.figures import MOST_BYTES, figure_name, is_plain
from lora_hub.hub.client import PRODUCTION, check_listening, check_seen, full_id, has_token, hub_url, open_api, told
from lora_hub.hub.filled_facts import fill_facts
from lora_hub.hub.naming import version_number
from lora_hub.hub.shelf import Wanted, filter_adapters, is_of_base

EXPAND = [
    "author",
    "cardData",
    "downloads",
    "lastModified",
    "model-index",
    "private",
    "safetensors",
    "sha",
    "siblings",
    "tags",
]

LONGEST_CARD = 512 << 10  # strangers write them; metadata and all that a page shows are far less


@dataclass(frozen=True)
class Version:
    """A tag of an adapter's repo. `date`: ISO 8601, UTC; empty where the Hub does not say."""

    tag: str
    commit: str
    date: str
    message: str

    @property
    def number(self) -> int:
        """Of a version: 1 of "v1"; 0 of any other tag."""
        return version_number(self.tag)


def list_adapters(
    org: str = "",
    task: str = "",
    base: str = "",
    *,
    versions: bool = False,
    unpublished: bool = False,
    wanted: Wanted | None = None,
) -> list[AdapterRef]:
    """The adapters of an organization, last changed first; those made elsewhere, too (their task is "").

    One request a page of the Hub's listing, whatever the number of adapters; two once for each of those whose cards do
    not tell owner and size (`filled_facts`). `task`: a task's id. `base`: a base's id,
    as the adapter's record or its card names it. `unpublished`: also those that were taken off the shelf, as far as
    this account may see them. `wanted`: only these, in its order. `versions`: fill them in, which takes another request
    for each adapter that remains. Raises HubError.
    """
    org = org or settings.organization()
    with told(_("list the adapters of {owner}", owner=org)):
        api = open_api()
        check_listening()
        found = list(api.list_models(author=org, filter=[f"task:{task}"] if task else None, expand=EXPAND))
    refs = [ref_of(info) for info in found if _is_adapter(info)]
    refs = [ref for ref in refs if is_of_base(ref, base)]
    if not unpublished:
        refs = [ref for ref in refs if not ref.unpublished]
    refs.sort(key=lambda ref: ref.updated, reverse=True)
    refs = fill_facts(refs)
    if wanted is not None:
        refs = filter_adapters(refs, wanted)
    if versions and refs:
        here = contextvars.copy_context()  # each thread asks as whoever asked this one
        with ThreadPoolExecutor(min(8, len(refs))) as threads:
            refs = list(threads.map(lambda ref: here.copy().run(_with_versions, ref), refs))
    return refs


def check_owner(name: str) -> None:
    """Raises HubError where the Hub has no organization, and no user, of a name. A Hub that cannot say is believed."""
    from huggingface_hub.errors import HfHubHTTPError

    with told(_("look at {owner}", owner=name)):
        api = open_api()
        for ask in (api.get_organization_overview, api.get_user_overview):
            try:
                ask(name)
                return
            except HfHubHTTPError as error:
                if error.response.status_code != 404:
                    return
        account = api.whoami() if has_token() else {"name": "", "orgs": []}
    ours = [one["name"] for one in account.get("orgs", [])]
    raise HubError(
        _("There is no organization {owner!r} on {hub}."),
        _("Check the spelling. {name} belongs to: {ours}.", name=account["name"], ours=several(ours))
        if ours
        else _("Check the spelling."),
        owner=name,
        hub=hub_url(),
    )


def _with_versions(ref: AdapterRef) -> AdapterRef:
    with told(_("list the versions of {repo}", repo=ref.repo_id), ref.repo_id):
        tags = [tag.name for tag in open_api().list_repo_refs(ref.repo_id).tags]
    return ref.model_copy(update={"versions": tuple(sorted(tags, key=_version_order, reverse=True))})


def get_adapter(repo_id: str, revision: str = "") -> AdapterRef:
    """One adapter at a version, branch or commit (default: the newest), with the names of its versions.

    Raises AdapterError (no such adapter or version) and HubError.
    """
    repo_id = full_id(repo_id)
    with told(_("describe {repo}", repo=repo_id), repo_id, revision):
        info = open_api().model_info(repo_id, revision=revision or None)
    return _with_versions(ref_of(info))


def list_versions(repo_id: str) -> list[Version]:
    """The tags of an adapter's repo, newest version first and `production` before them. Raises AdapterError,
    HubError."""
    repo_id = full_id(repo_id)
    with told(_("list the versions of {repo}", repo=repo_id), repo_id):
        api = open_api()
        tags = api.list_repo_refs(repo_id).tags
        commits = {commit.commit_id: commit for commit in api.list_repo_commits(repo_id)} if tags else {}
    versions = []
    for tag in tags:
        commit = commits.get(tag.target_commit)
        versions.append(
            Version(
                tag.name,
                tag.target_commit,
                commit.created_at.isoformat() if commit else "",
                commit.title if commit else "",
            )
        )
    return sorted(versions, key=lambda version: _version_order(version.tag), reverse=True)


def read_card(repo_id: str, revision: str = "") -> str:
    """The text of an adapter's card, without its metadata, from its first `LONGEST_CARD` characters; empty where it has
    none. Raises AdapterError, HubError."""
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    repo_id = full_id(repo_id)
    with told(_("show the card of {repo}", repo=repo_id), repo_id, revision):
        check_seen(repo_id)
        try:
            path = open_api().hf_hub_download(repo_id, "README.md", revision=revision or None)
        except EntryNotFoundError as error:
            if getattr(error, "response", None) is None:  # the Hub did not say so: it could not be asked
                raise
            return ""
    with open(path, encoding="utf-8", errors="replace") as file:
        return REGEX_YAML_BLOCK.sub("", file.read(LONGEST_CARD), count=1).strip() + "\n"


def read_adapter_config(repo_id: str, revision: str = "") -> dict[str, Any]:
    """An adapter's `adapter_config.json`, checked (`adapter_config.read_config`). Raises AdapterError, HubError."""
    repo_id = full_id(repo_id)
    with told(_("describe {repo}", repo=repo_id), repo_id, revision):
        check_seen(repo_id)
        path = open_api().hf_hub_download(repo_id, CONFIG_FILE, revision=revision or None)
    return read_config(Path(path).parent)


def read_card_scores(repo_id: str, revision: str = "") -> dict[str, dict[str, Scores]]:
    """The scores of an adapter's card, which anybody may have edited (`adapter_facts.card_scores_of`). Raises
    AdapterError, HubError."""
    repo_id = full_id(repo_id)
    with told(_("describe {repo}", repo=repo_id), repo_id, revision):
        return card_scores_of(open_api().model_info(repo_id, revision=revision or None))


def read_figures(repo_id: str, text: str, revision: str = "", *, strange: bool = False) -> dict[str, bytes]:
    """The pictures of a card by their file's name, as SVG: of those that a publish draws each that the card shows, that
    is small, and that holds only shapes and words. text: the card. revision: a commit; the newest by default. strange:
    also the others, as b"". Raises AdapterError, HubError."""
    names = [name for name in map(figure_name, languages()) if f"]({name})" in text]
    if not names:
        return {}
    repo_id, found = full_id(repo_id), {}
    with told(_("show the card of {repo}", repo=repo_id), repo_id):
        api = open_api()
        for file in api.get_paths_info(repo_id, names, revision=revision or None):
            if getattr(file, "size", MOST_BYTES + 1) <= MOST_BYTES:
                svg = Path(api.hf_hub_download(repo_id, file.path, revision=revision or None)).read_bytes()
                found |= {file.path: svg} if is_plain(svg) else {}
            if strange:
                found.setdefault(file.path, b"")
    return found


def _is_adapter(info: Any) -> bool:
    files = {sibling.rfilename for sibling in info.siblings or []}
    return CONFIG_FILE in files or "lora-hub" in (info.tags or [])


def _version_order(tag: str) -> tuple[int, int, str]:
    return (tag == PRODUCTION, version_number(tag), tag)
