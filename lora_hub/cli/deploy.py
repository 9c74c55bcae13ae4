"""The shell's command `deploy`: this checkout, as a Space."""

import argparse
import os
import webbrowser
from typing import Any

from lora_hub.cli.options import Partly, connected_hub, read_org
from lora_hub.core import settings
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import Message, _, joined

Result = dict[str, Any]


def deploy(options: argparse.Namespace) -> Result:
    """Makes the Space or brings it up to date, and waits until it runs. With --dry-run: what that would do."""
    from lora_hub.hub import Asked, endpoint, plan_space, project_files

    asked = Asked(
        options.space,
        read_org(options.org) if options.org else "",
        options.hardware,
        options.sleep,
        options.storage,
        options.jobs,
        "public" if options.public else "private" if options.private else "",
        os.environ.get(settings.SERVICE_TOKEN, ""),
    )
    if endpoint.wanted_kind() == "embedded" and not settings.asked_hub():
        raise SpecError(
            _("There is no token, and a Space is made with one."),
            _("Set HF_TOKEN to a token with the right to write in the organization. The Space does not get it."),
        )
    files = project_files()
    with connected_hub(options.screen):
        plan = plan_space(asked, files)
        result = planned(plan)
        for note in plan.notes:
            options.screen.say(_("note: {said}", said=note))
        return result | {"dry_run": True} if options.dry_run else _carry_out(options, plan, result)


def planned(plan: Any) -> Result:
    """A plan as JSON: names and sizes of files, names of secrets, and no content of either."""
    return {
        "space": plan.repo_id,
        "url": plan.url,
        "new": plan.is_new,
        "visibility": {"was": plan.was, "becomes": plan.becomes},
        "files": [{"path": path, "bytes": plan.files.size(path)} for path in plan.files.paths],
        "bytes": plan.files.bytes,
        "tracked_by_git": plan.files.tracked,
        "left_here": list(plan.files.left),
        "sent": list(plan.sent),
        "removed": list(plan.removed),
        "kept": list(plan.kept),
        "variables": plan.variables,
        "secrets": list(plan.secrets),
        "hardware": plan.asked.hardware,
        "bucket": plan.bucket,
        "notes": list(plan.notes),
        "dry_run": False,
    }


def _carry_out(options: argparse.Namespace, plan: Any, result: Result) -> Result:
    from lora_hub.hub import deploy_space, wait_for_space
    from lora_hub.ui import has_display

    done: list[Message] = []

    def say(said: Message) -> None:
        done.append(said)
        options.screen.say(said)

    try:
        commit = deploy_space(plan, say)
    except LoraHubError as error:
        if not done:
            raise
        raise Partly(error.said, error.advice, also={**result, "done": done}) from error
    result |= {"commit": commit, "done": done, "stage": ""}
    if not options.wait:
        return result
    try:
        stage = wait_for_space(plan.repo_id, commit, options.timeout, options.screen.say)
    except LoraHubError as error:
        raise Partly(error.said, error.advice, also=result) from error
    result["stage"] = stage.name
    if stage.runs:
        if has_display():
            webbrowser.open(plan.url)
        return result
    if stage.log:
        options.screen.say(stage.log)
    raise Partly(*_why_not(plan, stage, options.timeout), also={**result, "reason": stage.reason, "log": stage.log})


def _why_not(plan: Any, stage: Any, seconds: float) -> tuple[Message, Message]:
    """What is said of a Space that is deployed and does not run."""
    where = {"repo": plan.repo_id, "stage": stage.name, "url": plan.url}
    if stage.is_late:
        return (
            _("{repo} is deployed, and still {stage} after {seconds:g} s.", **where, seconds=seconds),
            _("It goes on by itself; look at {url}, or wait longer with --timeout.", **where),
        )
    said = _("{repo} is deployed and does not run: it is {stage}.", **where)
    if stage.reason:
        said = joined(said, _("It says: {answer}.", answer=stage.reason.rstrip(".")))
    if stage.is_resting:
        return said, _("Start it on {url}.", **where)
    return said, _("Its log is on {url}. Put right what it names, and deploy again.", **where)
