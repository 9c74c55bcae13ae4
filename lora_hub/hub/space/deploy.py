"""Carries out a plan: the Space, its settings, one commit with the files; and waits until it runs."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_hub.core import settings
from lora_hub.core.errors import HubError
from lora_hub.core.messages import Message, _
from lora_hub.hub.client import open_api, told
from lora_hub.hub.space.plan import FREE, STORAGE_PLACE, TITLE, SpacePlan

if TYPE_CHECKING:
    from huggingface_hub import HfApi, SpaceRuntime

POLL_SECONDS = 2.0
SLEEP_SECONDS = 3600
MOST_LOG_LINES = 20
RUNNING = "RUNNING"
_VISIBILITIES = {"public": _("public"), "private": _("private")}
RESTING = ("PAUSED", "STOPPED", "SLEEPING")
# Within these seconds of a commit the Hub begins to build it.
SETTLING_SECONDS = 30.0
# Where the Hub works on it, and it will be something else soon.
UNDER_WAY = ("BUILDING", "RUNNING_BUILDING", "APP_STARTING", "RUNNING_APP_STARTING")


@dataclass(frozen=True)
class Stage:
    """name: as the Hub has it: RUNNING, BUILD_ERROR, ... reason: what the Hub says of it, or empty. log: the last lines
    of a log that tells why. is_late: the time was up while the Hub still worked on it."""

    name: str
    reason: str = ""
    log: str = ""
    is_late: bool = False

    @property
    def runs(self) -> bool:
        return self.name == RUNNING and not self.is_late

    @property
    def is_resting(self) -> bool:
        """Whether somebody has to start it."""
        return self.name in RESTING


def deploy_space(plan: SpacePlan, say: Callable[[Message], None]) -> str:
    """Makes the Space as planned and returns its commit. say: told each step that is done. Raises HubError; what was
    said until then is done, and the same deployment again goes on from there."""
    repo_id = plan.repo_id
    with told(_("deploy {repo}", repo=repo_id), repo_id, missing=HubError, again=_("Deploy again.")):
        api = open_api()
        if plan.bucket:
            api.create_bucket(plan.bucket, private=True, exist_ok=True)
            say(_("storage: the bucket {bucket}, at {place}", bucket=plan.bucket, place=STORAGE_PLACE))
        if plan.is_new:
            _create(api, plan, say)
        else:
            _change(api, plan, say)
        commit = _commit(api, plan)
        say(_("version: {commit}", commit=commit[:8]))
        if not plan.is_new and plan.becomes != plan.was and plan.becomes == "public":
            _show(api, plan, say)  # only once the files are those that are to be seen
    return commit


def _volumes(plan: SpacePlan) -> list[Any]:
    from huggingface_hub import Volume

    return [Volume(type="bucket", source=plan.bucket, mount_path=STORAGE_PLACE)] if plan.bucket else []


def _create(api: "HfApi", plan: SpacePlan, say: Callable[[Message], None]) -> None:
    asked = plan.asked
    api.create_repo(
        plan.repo_id,
        repo_type="space",
        space_sdk="gradio",
        private=plan.becomes == "private",
        space_hardware=asked.hardware or None,
        space_sleep_time=_sleep(plan),
        space_secrets=[{"key": name, "value": value} for name, value in _secrets(plan).items()],
        space_variables=[{"key": key, "value": value} for key, value in plan.variables.items()],
        space_volumes=_volumes(plan) or None,
    )
    say(_("made: {repo}, {visibility}", repo=plan.repo_id, visibility=_VISIBILITIES[plan.becomes]))
    for key, value in plan.variables.items():
        say(_("variable: {name}={value}", name=key, value=value))
    for key in plan.secrets:
        say(_("secret: {name}", name=key))
    if asked.hardware:
        say(_("hardware: {name}", name=asked.hardware))


def _secrets(plan: SpacePlan) -> dict[str, str]:
    """Name -> value. A key is drawn here, and nobody but the Space ever has it."""
    values = {settings.SERVICE_TOKEN: plan.asked.service_token, settings.STATE_KEY: secrets.token_urlsafe(32)}
    return {name: values[name] for name in plan.secrets}


def _sleep(plan: SpacePlan) -> int | None:
    """Paid hardware sleeps after an hour, unless another time is asked for. The free one has a time of its own."""
    if plan.asked.hardware in FREE:
        return None
    return SLEEP_SECONDS if plan.asked.sleep is None else plan.asked.sleep


def _change(api: "HfApi", plan: SpacePlan, say: Callable[[Message], None]) -> None:
    asked, repo_id = plan.asked, plan.repo_id
    if plan.becomes == "private" != plan.was:
        _show(api, plan, say)
    # The variables come before the code, so that its first start already knows them.
    for key, value in plan.variables.items():
        api.add_space_variable(repo_id, key, value)
        say(_("variable: {name}={value}", name=key, value=value))
    for key, value in _secrets(plan).items():
        api.add_space_secret(repo_id, key, value)
        say(_("secret: {name}", name=key))
    if plan.bucket:
        others = [one for one in api.get_space_runtime(repo_id).volumes or () if one.mount_path != STORAGE_PLACE]
        api.set_space_volumes(repo_id, [*others, *_volumes(plan)])
    if asked.hardware:
        api.request_space_hardware(repo_id, asked.hardware, sleep_time=_sleep(plan))
        say(_("hardware: {name}", name=asked.hardware))
    elif asked.sleep is not None:
        runtime = api.get_space_runtime(repo_id)
        if (runtime.requested_hardware or runtime.hardware or "") in FREE:
            say(_("The free hardware has a time of its own after which it sleeps."))
            return
        api.set_space_sleep_time(repo_id, asked.sleep)
        say(_("sleeps after {seconds} seconds without a visitor", seconds=asked.sleep))


def _show(api: "HfApi", plan: SpacePlan, say: Callable[[Message], None]) -> None:
    api.update_repo_settings(plan.repo_id, repo_type="space", private=plan.becomes == "private")
    say(
        _(
            "{repo} was {was} and is {now} now",
            repo=plan.repo_id,
            was=_VISIBILITIES[plan.was],
            now=_VISIBILITIES[plan.becomes],
        )
    )


def _commit(api: "HfApi", plan: SpacePlan) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import HfHubHTTPError

    if not plan.sent and not plan.removed:
        return plan.head
    operations: list[Any] = [
        CommitOperationAdd(path, str(content) if isinstance(content, Path) else content)
        for path, content in plan.sent.items()
    ]
    operations += [CommitOperationDelete(path) for path in plan.removed]
    try:
        return str(
            api.create_commit(
                plan.repo_id,
                operations,
                repo_type="space",
                commit_message=TITLE,
                parent_commit=plan.head or None,
            ).oid
        )
    except HfHubHTTPError as error:
        if error.response.status_code != 412:
            raise
        raise HubError(
            _("{repo} was changed by somebody else at this moment."), _("Deploy again."), repo=plan.repo_id
        ) from error


def wait_for_space(repo_id: str, commit: str, seconds: float, say: Callable[[Message], None]) -> Stage:
    """Waits until a Space has this commit and runs, or is in a stage that it does not leave by itself; at most so many
    seconds. say: told each new stage. Raises HubError where the Hub cannot be asked."""
    until, settled, last = time.monotonic() + seconds, time.monotonic() + SETTLING_SECONDS, ""
    with told(_("say how {repo} does", repo=repo_id), repo_id, missing=HubError):
        api = open_api()
        while True:
            runtime = api.get_space_runtime(repo_id)
            name = str(getattr(runtime.stage, "value", runtime.stage))
            is_under_way = name in UNDER_WAY or (time.monotonic() < settled and _is_of_before(runtime, commit))
            if name != last:
                say(_("stage: {name}", name=name))
                last = name
            if not is_under_way or time.monotonic() >= until:
                break
            time.sleep(min(POLL_SECONDS, max(0.05, until - time.monotonic())))
    reason = " ".join(str(runtime.raw.get("errorMessage") or "").split())[:500]
    log = "" if is_under_way or name == RUNNING else _last_lines(api, repo_id, name)
    return Stage(name, reason, log, is_under_way)


def _is_of_before(runtime: "SpaceRuntime", commit: str) -> bool:
    """Whether a stage may still be that of the version before, which runs or has failed."""
    return str(getattr(runtime.stage, "value", runtime.stage)) not in RESTING and runtime.raw.get("sha") != commit


def _last_lines(api: "HfApi", repo_id: str, stage: str) -> str:
    """The end of the log that tells of a stage; empty where the Hub has none."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    if not stage.endswith("ERROR"):
        return ""
    try:
        lines = "".join(api.fetch_space_logs(repo_id, build=stage == "BUILD_ERROR")).splitlines()
    except (HfHubHTTPError, httpx2.HTTPError, OSError):
        return ""
    return "\n".join(lines[-MOST_LOG_LINES:])
