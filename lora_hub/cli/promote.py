"""The shell's `promote`: options -> what became of the tag `production`, which --json prints."""

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_hub.cli import progress
from lora_hub.cli.options import Unfinished, connected_hub
from lora_hub.cli.reproduce import checked_figures
from lora_hub.cli.screen import Part
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import Message, _
from lora_hub.people import LOCAL

Result = dict[str, Any]


class NotPromoted(Unfinished):
    """The comparison was made, and the version may not take the place."""

    status = 4


def promote(options: argparse.Namespace) -> Result:
    """Raises NotPromoted with what was found, where the version is not better or forgot too much; with --check,
    OtherFigures."""
    from lora_hub import hub, use_cases
    from lora_hub.compare import Comparer

    if not (options.roll_back or options.check or options.version):
        raise SpecError(
            _("promote needs a version, or --roll-back, or --check."),
            _("For example: {command}"),
            command="promote REPO v2",
        )
    if options.roll_back + options.check + bool(options.version) > 1:
        raise SpecError(
            _("A version, --roll-back and --check ask for different things."),
            _("Give one of them, and run promote again for another."),
        )
    if options.roll_back and (options.test or options.reason):
        raise SpecError(_("--roll-back takes neither --test nor --reason."), _("Leave them out."))
    if options.check and options.reason:
        raise SpecError(_("--check takes no --reason."), _("Leave it out."))
    with connected_hub(options.screen):
        if options.roll_back:
            done = use_cases.roll_back(LOCAL, options.repo)
            told = {"repo": hub.owned(options.repo), "moved": True, **done.model_dump(mode="json")}
            return told | {"before": done.before_name}
        if options.check:
            return _check(options)
        found = use_cases.promote(
            LOCAL,
            Comparer(),
            options.repo,
            options.version,
            test=options.test,
            reason=options.reason,
            progress=functools.partial(progress.show_scoring, options.screen),
        )
    result = found.to_json()
    if not found.moved:
        raise NotPromoted(_("{version} was not promoted: {said}", version=found.version, said=found.said), also=result)
    options.screen.say(found.said)
    return result


def _check(options: argparse.Namespace) -> Result:
    from lora_hub import hub, use_cases
    from lora_hub.compare import Comparer

    found = use_cases.check_promotion(
        LOCAL,
        Comparer(),
        options.repo,
        test=options.test,
        progress=functools.partial(progress.show_scoring, options.screen),
    )
    options.screen.say(found.said)
    version = found.promotion.version
    of = _("the promotion of {version}", version=version)
    return checked_figures(hub.owned(options.repo), version, found.different, of)


def show_promoted(result: Result) -> list[Part]:
    if "checked" in result:
        said = _("All figures of the promotion of {version} come out as they are recorded.")
        return [said.filled({"version": result["checked"]})]
    if result["kind"] == "rolled_back":
        sentence = _("{version} of {repo} is in production again, instead of {before}.")
    elif result["before"]:
        sentence = _("{version} of {repo} is in production, instead of {before}.")
    else:
        sentence = _("{version} of {repo} is in production.")
    return [sentence.filled({name: result[name] for name in ("version", "repo", "before")})]


def add_promoting(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument("repo", metavar="REPO")
    command.add_argument("version", nargs="?", default="", metavar="VERSION", help=say(_("such as v2")))
    command.add_argument(
        "--test",
        type=Path,
        metavar="FILE",
        help=say(_("compare on this file instead of the held-out rows of the version's run")),
    )
    command.add_argument(
        "--reason",
        default="",
        metavar="TEXT",
        help=say(_("as an admin: promote it although it is not better; the reason is recorded")),
    )
    command.add_argument(
        "--check",
        action="store_true",
        help=say(_("compute the latest promotion's figures again; exits with 4 where one comes out otherwise")),
    )
    command.add_argument(
        "--roll-back", action="store_true", help=say(_("put the version before into production again"))
    )
