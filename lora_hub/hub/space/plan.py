"""What a deployment would do: the Space as it is compared with the Space as it is asked for. Nothing is written."""

import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_hub.catalogue import hardware
from lora_hub.core import settings
from lora_hub.core.errors import HubError, SpecError
from lora_hub.core.messages import Message, _, joined, several
from lora_hub.hub.client import hub_url, member_trouble, open_api, told
from lora_hub.hub.contents import CARD, changes, files_of
from lora_hub.hub.space.card import add_scope, merge_card, merge_requirements
from lora_hub.hub.space.files import ProjectFiles
from lora_hub.hub.space.notices import (
    HOME,
    STATE,
    ZERO_GPU,
    notice_edited,
    notice_files,
    notice_removed,
    notice_state,
    notice_visibility,
    notice_zero_gpu,
)

if TYPE_CHECKING:
    from huggingface_hub import HfApi, SpaceInfo

# The commit of a deployment, by which the next one knows what came from here.
TITLE = "Update LoRA Hub"
FIRST_TITLE = "initial commit"  # the Hub's own, of a repo that was just made
REQUIREMENTS = "requirements.txt"
FREE = ("", "cpu-basic", ZERO_GPU)
STORAGE_PLACE = "/data"
ORG = "LORA_HUB_ORG"
JOBS_SCOPE = "jobs"
_NOT_IN_NAMES = re.compile(r"--|\.\.")


@dataclass(frozen=True)
class Asked:
    """repo_id: "ORG/NAME". organization: to which the adapters go; "": the Space's own, or as it is there. hardware:
    a flavor; "": as it is. sleep: seconds without a visitor after which paid hardware sleeps; None: an hour where
    hardware is asked for, else as it is. storage:
    a bucket at /data, for all that the app stores. jobs: people are asked to let the app start jobs for them.
    visibility: "public", "private" or "" (a new Space is private).
    service_token: the Space's own token, not the one that deploys; never shown."""

    repo_id: str
    organization: str = ""
    hardware: str = ""
    sleep: int | None = None
    storage: bool = False
    jobs: bool = False
    visibility: str = ""
    service_token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Raises SpecError for a name that is not ORG/NAME, and for hardware that no Space has."""
        organization, slash, name = self.repo_id.partition("/")
        names = [settings.NAMESPACE.fullmatch(part) and not _NOT_IN_NAMES.search(part) for part in (organization, name)]
        if not (slash and all(names)):
            raise SpecError(
                _("{name!r} is not of the form ORG/NAME."),
                _("Give the organization and the Space's name, such as our-team/lora-hub."),
                name=self.repo_id[:120],
            )
        known = [ZERO_GPU, *(one.flavor for one in hardware.list_hardware() if one.in_spaces)]
        if self.hardware and self.hardware not in known:
            raise SpecError(
                _("A Space cannot have the hardware {name!r}."),
                _("It is one of: {names}."),
                name=self.hardware[:60],
                names=several(known, "or", most=100),
            )


@dataclass(frozen=True)
class SpacePlan:
    """was, becomes: "public" or "private"; was is "" for a Space that is to be made. sent: path -> content. removed,
    kept: paths; the latter are the owner's own. variables, secrets: those to be set, of secrets the names. head: the
    commit that the plan stands on. notes: what a person should know first."""

    asked: Asked
    files: ProjectFiles
    url: str
    was: str
    becomes: str
    sent: dict[str, bytes | Path]
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    head: str = ""
    bucket: str = ""
    notes: tuple[Message, ...] = ()

    @property
    def repo_id(self) -> str:
        return self.asked.repo_id

    @property
    def is_new(self) -> bool:
        return not self.was


def plan_space(asked: Asked, files: ProjectFiles) -> SpacePlan:
    """Raises SpecError (the service token is the deployer's own), HubError: no token or right, a Space of that name
    that is not this app's, or the Hub cannot be reached."""
    repo_id = asked.repo_id
    with told(_("deploy {repo}", repo=repo_id), repo_id, missing=HubError):
        api = open_api()
        _check_secrets(api, asked, files)
        account = api.whoami()
        info = _look(api, repo_id)
        _check_right(api, account, asked, info)
        if info is None:
            return _plan_new(asked, files)
        _check_app(info, repo_id)
        return _plan_update(api, asked, files, info)


def _look(api: "HfApi", repo_id: str) -> "SpaceInfo | None":
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        return api.space_info(repo_id, files_metadata=True)
    except RepositoryNotFoundError:
        return None


def _check_secrets(api: "HfApi", asked: Asked, files: ProjectFiles) -> None:
    """Raises where a token would reach the Space by a way that nobody meant."""
    from huggingface_hub import get_token

    own = api.token if isinstance(api.token, str) else get_token() or ""
    if asked.service_token and asked.service_token == own:
        raise SpecError(
            _("{variable} is the token that deploys, and the Space would keep it."),
            _("Give the Space a token of its own, or unset the variable."),
            variable=settings.SERVICE_TOKEN,
        )
    if holding := files.holding([own, asked.service_token]):
        raise HubError(
            _("A token stands in {files}, and would be read by whoever sees the Space."),
            _("Remove it from the file, and replace the token on the Hub."),
            files=several(holding, "and"),
        )


def _check_right(api: "HfApi", account: dict[str, Any], asked: Asked, info: "SpaceInfo | None") -> None:
    from huggingface_hub.errors import HfHubHTTPError

    owner = asked.repo_id.partition("/")[0]
    trouble = member_trouble(account, owner)
    if info is not None:
        try:
            api.auth_check(asked.repo_id, repo_type="space", write=True)
            return
        except HfHubHTTPError as error:
            if error.response.status_code not in (401, 403, 404):
                raise
            trouble = trouble or _("It is {name}.", name=account["name"])
    if trouble is not None:
        raise HubError(
            joined(_("This account may not deploy {repo}.", repo=asked.repo_id), trouble),
            _("Use a token with the right to write in {owner}, or name another: ORG/NAME.", owner=owner),
        )


def _check_app(info: "SpaceInfo", repo_id: str) -> None:
    """Raises HubError where a Space is something else than this app."""
    names = set(files_of(info))
    is_ours = not names - {CARD} or {"app.py", "lora_hub/__init__.py"} <= names
    if info.sdk not in (None, "gradio") or not is_ours:
        raise HubError(
            _("There is a Space {repo} already, and it is not LoRA Hub."),
            _("Choose another name, or delete that Space on the Hub first."),
            repo=repo_id,
        )


def _plan_new(asked: Asked, files: ProjectFiles) -> SpacePlan:
    secrets = _secrets(asked, {}, set())
    variables = _variables(asked, {}, secrets)
    return SpacePlan(
        asked,
        files,
        f"{hub_url()}/spaces/{asked.repo_id}",
        was="",
        becomes=asked.visibility or "private",
        sent=_our_files(asked, files),
        variables=variables,
        secrets=secrets,
        bucket=_bucket(asked),
        notes=tuple(
            filter(None, [notice_files(files), notice_zero_gpu(asked.hardware, asked.jobs), notice_state(variables)])
        ),
    )


def _our_files(asked: Asked, files: ProjectFiles) -> dict[str, bytes | Path]:
    ours: dict[str, bytes | Path] = {path: files.root / path for path in files.paths}
    if asked.jobs:
        ours[CARD] = add_scope(_text(ours[CARD]), JOBS_SCOPE).encode()
    return ours


def _plan_update(api: "HfApi", asked: Asked, files: ProjectFiles, info: "SpaceInfo") -> SpacePlan:
    ours = _our_files(asked, files)
    there = files_of(info)
    different, _none = changes(ours, info)
    others = [path for path in there if path not in ours]
    titles = _last_titles(api, info, [*others, *(path for path in different if path in there)])
    kept: list[Message] = []
    if CARD in different and CARD in there and titles[CARD] != FIRST_TITLE:
        text, theirs = merge_card(_text(ours[CARD]), _fetch(api, info, CARD), titles[CARD] != TITLE)
        ours[CARD] = text.encode()
        kept += [_("{file} keeps what was set there: {names}.", file=CARD, names=several(theirs))] if theirs else []
    if REQUIREMENTS in different and REQUIREMENTS in there:
        text, added = merge_requirements(
            _text(ours[REQUIREMENTS]), _fetch(api, info, REQUIREMENTS), titles[REQUIREMENTS] != TITLE
        )
        ours[REQUIREMENTS] = text.encode()
        kept += (
            [_("{file} keeps what was added there: {names}.", file=REQUIREMENTS, names=several(added))] if added else []
        )
    different, _none = changes(ours, info)
    removed = tuple(path for path in others if titles[path] == TITLE)
    edited = [
        path
        for path in different
        if path not in (CARD, REQUIREMENTS) and path in there and titles[path] not in (TITLE, FIRST_TITLE)
    ]
    variables = {name: one.value for name, one in api.get_space_variables(info.id).items()}
    secrets_there = set(api.get_space_secrets(info.id))
    secrets = _secrets(asked, variables, secrets_there)
    wanted = _variables(asked, variables, {*secrets, *secrets_there})
    was = "private" if info.private else "public"
    notes = [
        notice_files(files),
        *kept,
        notice_edited(edited, info.sha or ""),
        notice_removed(removed),
        notice_visibility(asked.repo_id, was, asked.visibility),
        notice_zero_gpu(asked.hardware, asked.jobs),
        notice_state(variables | wanted),
    ]
    return SpacePlan(
        asked,
        files,
        f"{hub_url()}/spaces/{info.id}",
        was=was,
        becomes=asked.visibility or was,
        sent={path: ours[path] for path in different},
        removed=removed,
        kept=tuple(path for path in others if path not in removed),
        variables=wanted,
        secrets=secrets,
        head=info.sha or "",
        bucket=_bucket(asked),
        notes=tuple(filter(None, notes)),
    )


def _last_titles(api: "HfApi", info: "SpaceInfo", paths: list[str]) -> dict[str, str]:
    """The title of the commit that last changed each of these files of a Space."""
    titles = dict.fromkeys(paths, "")
    for start in range(0, len(paths), 50):
        found = api.get_paths_info(
            info.id, paths[start : start + 50], expand=True, revision=info.sha, repo_type="space"
        )
        titles |= {one.path: one.last_commit.title for one in found if one.last_commit is not None}
    return titles


def _text(content: bytes | Path) -> str:
    return content.read_text(encoding="utf-8") if isinstance(content, Path) else content.decode()


def _fetch(api: "HfApi", info: "SpaceInfo", path: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = api.hf_hub_download(info.id, path, repo_type="space", revision=info.sha, local_dir=folder)
        return Path(file).read_text(encoding="utf-8", errors="replace")


def _variables(asked: Asked, there: dict[str, str], secrets: Iterable[str]) -> dict[str, str]:
    """Those to be set: what is asked for, and what the app needs where nobody has set it yet. secrets: the names of
    those that the Space has then."""
    owner = asked.repo_id.partition("/")[0]
    wanted = {}
    if asked.organization or ORG not in there:
        wanted[ORG] = asked.organization or owner
    if asked.storage:
        wanted[HOME] = f"{STORAGE_PLACE}/lora_hub"
    elif settings.SERVICE_TOKEN in secrets and not {HOME, STATE} & set(there):
        wanted[STATE] = f"{asked.repo_id}-state"
    return {name: value for name, value in sorted(wanted.items()) if there.get(name) != value}


def _secrets(asked: Asked, there: dict[str, str], secrets: set[str]) -> tuple[str, ...]:
    """The names of those to be set: the Space's own token, and once the key of what it keeps in a repo."""
    own = (settings.SERVICE_TOKEN,) if asked.service_token else ()
    keeps = {*own, *secrets} >= {settings.SERVICE_TOKEN} and not asked.storage and HOME not in there
    return own + ((settings.STATE_KEY,) if keeps and settings.STATE_KEY not in secrets else ())


def _bucket(asked: Asked) -> str:
    return f"{asked.repo_id}-data" if asked.storage else ""
