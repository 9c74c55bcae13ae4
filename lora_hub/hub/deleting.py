"""Deletes what was published: an adapter's repo with all its versions, or one of its older versions. The Hub is asked
with the token of whoever asks, and decides whether they may."""

from dataclasses import dataclass

from lora_hub.core.errors import AdapterError, HubError
from lora_hub.core.messages import _
from lora_hub.hub.client import PRODUCTION, full_id, open_api, told
from lora_hub.hub.listing import list_versions
from lora_hub.hub.unpublishing import look_at_ours


@dataclass(frozen=True)
class Deletion:
    """What a deletion takes away. version: "" for the whole repo. goes: the tags that are gone afterwards, newest
    first. stays: the versions that remain."""

    repo_id: str
    version: str
    goes: tuple[str, ...]
    stays: tuple[str, ...] = ()


def plan_deletion(name: str, version: str = "") -> Deletion:
    """What deleting an adapter, or a version of it ("v1"), would take away; nothing is changed. Raises AdapterError (no
    such adapter or version) and HubError (a repo that LoRA Hub did not make, or a version that others lean on)."""
    repo_id = full_id(name)
    with told(_("describe {repo}", repo=repo_id), repo_id):
        look_at_ours(open_api(), repo_id)
    tags = list_versions(repo_id)
    if not version:
        return Deletion(repo_id, "", tuple(one.tag for one in tags))
    found = next((one for one in tags if one.tag == version and one.number), None)
    versions = [one.tag for one in tags if one.number]
    if found is None:
        raise AdapterError(
            _("{repo} has no version {revision!r}."),
            _("It has the versions {tags}.", tags=versions) if versions else _("Delete the whole repository."),
            repo=repo_id,
            revision=version,
        )
    if version == versions[0]:
        raise HubError(
            _("{version} is the newest version of {repo}: it is what everybody gets by the repository's name."),
            _("Publish a better one first, or delete the whole repository."),
            version=version,
            repo=repo_id,
        )
    if any(one.tag == PRODUCTION and one.commit == found.commit for one in tags):
        raise HubError(
            _("{version} of {repo} is the one in production."),
            _("Let another version take its place first."),
            version=version,
            repo=repo_id,
        )
    return Deletion(repo_id, version, (version,), tuple(one for one in versions if one != version))


def delete_adapter(name: str, version: str = "") -> Deletion:
    """Deletes what `plan_deletion` says, and returns it. The files of an older version stay in the repo's history until
    the repo is deleted. Raises like it, and HubError where the Hub refuses."""
    planned = plan_deletion(name, version)
    with told(_("delete {repo}", repo=planned.repo_id), planned.repo_id, version):
        if version:
            open_api().delete_tag(planned.repo_id, tag=version)
        else:
            open_api().delete_repo(planned.repo_id)
    return planned
