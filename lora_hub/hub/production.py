"""Which version of an adapter is in production: the tag says so, and `promotions.jsonl` of the repo says why.

    place = look_at_production("spam-built-in")        which version, and the record of how it came there
    move_production(place, promotion)                  the record first (a commit, and the card), then the tag

A move that ends half way has written its record: the same move again sets the tag.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_hub.core.errors import AdapterError, HubError
from lora_hub.core.messages import _
from lora_hub.hub.adapter_config import RECORD_FILE
from lora_hub.hub.card.production_part import with_production
from lora_hub.hub.client import PRODUCTION, TRY_AGAIN, check_seen, full_id, is_shared, open_api, own_token, told
from lora_hub.hub.contents import CARD, files_of, look
from lora_hub.hub.listing import LONGEST_CARD
from lora_hub.hub.naming import version_number
from lora_hub.hub.promotion import MOST_BYTES, PROMOTIONS, Promotion, Promotions, name_of, read_lines, to_lines
from lora_hub.hub.rights import check_writing

if TYPE_CHECKING:
    from huggingface_hub import HfApi, ModelInfo

TRIES = 10  # against others who write to the repo at the same moment
# A promotion that says these as the last one of the record is the same move, made again.
_SAME = ("kind", "commit", "before_commit", "reason")


@dataclass(frozen=True)
class Production:
    """repo_id: the adapter's. version, commit: what is in production, empty where nothing is; somebody may have put the
    tag on a commit that is no version, by hand: then only the version is empty. tagged: whether the tag
    says so, or only the record of a move that ended before its tag. versions: tag of each version -> commit, newest
    first. promotions: the record."""

    repo_id: str
    version: str
    commit: str
    tagged: bool
    versions: dict[str, str]
    promotions: Promotions

    @property
    def name(self) -> str:
        """What is in production, in a word: the version, or the beginning of its commit; empty where nothing is."""
        return name_of(self.version, self.commit)


def look_at_production(name: str) -> Production:
    """What is in production of an adapter, and how it came there. Raises AdapterError, HubError (a repo that LoRA Hub
    did not make)."""
    repo_id = full_id(name)
    with told(_("describe {repo}", repo=repo_id), repo_id):
        api = open_api()
        info = look(api, repo_id) or api.model_info(repo_id)
        tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo_id).tags}
        promotions = read_promotions(info)
    if RECORD_FILE not in files_of(info):
        raise HubError(
            _("{repo} is not an adapter that LoRA Hub published."),
            _("Publish it from its run first."),
            repo=repo_id,
        )
    versions = {tag: tags[tag] for tag in sorted(filter(version_number, tags), key=version_number, reverse=True)}
    commit, tagged = tags.get(PRODUCTION, ""), PRODUCTION in tags
    if not tagged and promotions.entries:
        last = promotions.entries[-1]
        commit = last.commit if versions.get(last.version) == last.commit else ""
    version = next((tag for tag, of in versions.items() if of == commit), "")
    return Production(repo_id, version, commit, tagged, versions, promotions)


def read_promotions(info: "ModelInfo | None") -> Promotions:
    """The record of a repo, read at the commit that `info` (of `contents.look`) describes. Anybody may have written it:
    one that is too large counts as damaged."""
    there = files_of(info).get(PROMOTIONS)
    if info is None or there is None:
        return Promotions()
    if (there.size or 0) > MOST_BYTES:
        return Promotions(damaged=1)
    return read_lines(_read(open_api(), info, PROMOTIONS))


def _read(api: "HfApi", info: "ModelInfo", name: str) -> bytes:
    if is_shared():
        check_seen(info.id)
    return Path(api.hf_hub_download(info.id, name, revision=info.sha)).read_bytes()


def check_moving(place: Production) -> None:
    """Raises HubError where this account may not write to the repo."""
    check_writing(place.repo_id, _("move {tag} of {repo}", tag=PRODUCTION, repo=place.repo_id))


def account_of() -> tuple[str, dict[str, str]]:
    """(name, roles in each organization by its name in small letters) of the account that the Hub is asked as. Raises
    HubError where there is none."""
    with told(_("say whose token this is"), missing=HubError):
        if not own_token():
            return "", {}
        account = open_api().whoami()
    roles = {one["name"].lower(): one.get("roleInOrg") or "" for one in account.get("orgs", [])}
    return account["name"], roles | {account["name"].lower(): "admin"}


def move_production(place: Production, promotion: Promotion) -> str:
    """Records a promotion in the repo and on its card, then moves the tag to its very commit; returns the record's
    commit. Raises HubError where somebody else moved it, or the version's own tag, since `place` was looked at."""
    repo_id = place.repo_id
    with told(_("move {tag} of {repo}", tag=PRODUCTION, repo=repo_id), repo_id, again=TRY_AGAIN):
        api = open_api()
        commit = _record(api, place, promotion)
        if place.tagged:
            api.delete_tag(repo_id, tag=PRODUCTION)
        api.create_tag(
            repo_id, tag=PRODUCTION, revision=promotion.commit, tag_message=f"{promotion.version} is in production"
        )
    return commit


def _record(api: "HfApi", place: Production, promotion: Promotion) -> str:
    """One commit with the new line and the card that shows it; none where the last line says the same already."""
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.errors import HfHubHTTPError

    repo_id = place.repo_id
    for _attempt in range(TRIES):
        info = look(api, repo_id)
        if info is None:
            raise AdapterError(_("{repo} is gone."), _("Publish it again."), repo=repo_id)
        tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo_id).tags}
        if tags.get(PRODUCTION, "") != (place.commit if place.tagged else ""):
            raise HubError(_("Somebody else has just moved {tag} of {repo}."), TRY_AGAIN, tag=PRODUCTION, repo=repo_id)
        if tags.get(promotion.version) != promotion.commit:
            raise HubError(
                _("{version} of {repo} is another commit now than the one that was compared."),
                TRY_AGAIN,
                version=promotion.version,
                repo=repo_id,
            )
        known = read_promotions(info)
        if known.damaged and not known.lines:
            raise HubError(
                _("{file} of {repo} is larger than {most:,} bytes, so nothing can be added to it."),
                _("Shorten it on the Hub, then try again."),
                file=PROMOTIONS,
                repo=repo_id,
                most=MOST_BYTES,
            )
        last = known.entries[-1] if known.entries else None
        if last and all(getattr(last, one) == getattr(promotion, one) for one in _SAME):
            return str(info.sha)  # of a move that ended before its tag
        if known.lines != place.promotions.lines:  # its tag follows in a moment, or was cut off
            raise HubError(_("Somebody else has just moved {tag} of {repo}."), TRY_AGAIN, tag=PRODUCTION, repo=repo_id)
        content = to_lines(known, promotion)
        operations: list[Any] = [CommitOperationAdd(PROMOTIONS, content)]
        there = files_of(info).get(CARD)
        if there is not None and (there.size or 0) <= LONGEST_CARD:
            card = _read(api, info, CARD).decode(errors="replace")
            operations.append(CommitOperationAdd(CARD, with_production(card, read_lines(content)).encode()))
        try:
            title = f"{promotion.version} is in production" + (
                f" again instead of {promotion.before}" if promotion.kind == "rolled_back" else ""
            )
            return str(api.create_commit(repo_id, operations, commit_message=title, parent_commit=info.sha).oid)
        except HfHubHTTPError as error:
            if error.response.status_code != 412:
                raise
    raise HubError(_("{repo} is being changed by others at the same time."), TRY_AGAIN, repo=repo_id)
