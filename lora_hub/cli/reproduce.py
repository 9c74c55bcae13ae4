"""The shell's `reproduce`: a published adapter and its data -> the same training again, and how far both are apart;
with --check, only its figures again."""

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_hub.cli import progress
from lora_hub.cli.options import Unfinished, connected_hub, named_data
from lora_hub.cli.screen import Part
from lora_hub.cli.text import estimated
from lora_hub.cli.train import check_ended, train_to_its_end
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import Message, _, _n, several
from lora_hub.people import LOCAL
from lora_hub.runs.run_json import run_result

Result = dict[str, Any]


class NotReproduced(Unfinished):
    """Everything happened, and the two are surely apart."""

    status = 4


class OtherFigures(Unfinished):
    """An adapter's figures come out otherwise than they are recorded."""

    status = 4


def reproduce(options: argparse.Namespace) -> Result:
    """Raises NotReproduced with what was found, where the scores are apart beyond their interval; with --check,
    OtherFigures."""
    from lora_hub import use_cases
    from lora_hub.compare import Comparer
    from lora_hub.data.inspector import Inspector

    screen = options.screen
    if options.check and options.other_data:
        raise SpecError(_("--check takes no --other-data."), _("Leave it out."))
    with connected_hub(screen):
        inspector = Inspector()
        # several files become one dataset as they did then
        spec = use_cases.read_settings(LOCAL, options.repo)[0] if len(options.data) > 1 else None
        mappings = [part.mapping for part in spec.dataset.parts] if spec else []
        mapping = mappings[0] if mappings and all(one == mappings[0] for one in mappings) else None
        with named_data(options.data, spec and spec.task, mapping, {}, screen, inspector) as given:
            again = use_cases.plan_again(
                LOCAL,
                options.repo,
                given.file,
                test_file=options.test,
                base=options.base,
                other_data=options.other_data,
                parts=given.parts,
                inspector=inspector,
            )
        if again.differences:
            screen.say(
                _(
                    "note: it is other data: {differences}. Its held-out rows may be among those that {name} was "
                    "trained on.",
                    differences=several(again.differences, ";"),
                    name=options.repo,
                )
            )
        if options.check:
            return _check(options, again)
        plan = again.plan
        progress.say_problems(screen, plan.problems)
        plan.check()
        screen.say(estimated(**plan.estimate.to_json()))
        run = train_to_its_end(options, plan.spec)
        result = run_result(run)
        check_ended(run, result)
        found = use_cases.compare_again(
            LOCAL,
            Comparer(),
            options.repo,
            run.id,
            base=options.base,
            progress=functools.partial(progress.show_scoring, screen),
        )
    told = {**found.to_json(), "adapter": result["adapter"], "said": found.said}
    if not found.is_reproduced:
        raise NotReproduced(found.said, also=told)
    return told


def _check(options: argparse.Namespace, again: Any) -> Result:
    from lora_hub import use_cases
    from lora_hub.compare import Comparer

    found = use_cases.check_adapter(
        LOCAL,
        Comparer(),
        options.repo,
        again,
        base=options.base,
        progress=functools.partial(progress.show_scoring, options.screen),
    )
    return checked_figures(found.repo, found.commit, found.different)


def checked_figures(
    repo: str, checked: str, different: list[tuple[str, Any, Any]], of: Message | None = None
) -> Result:
    """What a check of a published adapter's figures came to. checked: its commit or version. of: what they are figures
    of, if not of the adapter. Raises OtherFigures where one is another."""
    told = [{"figure": figure, "recorded": kept, "computed": new} for figure, kept, new in different]
    result = {"repo": repo, "checked": checked, "different": told}
    if told:
        raise OtherFigures(
            _n(
                "{count:,} figure of {repo} comes out otherwise than it is recorded: {figures}.",
                "{count:,} figures of {repo} come out otherwise than they are recorded: {figures}.",
                count=len(told),
                repo=of or repo,
                figures=[one["figure"] for one in told],
            ),
            also=result,
        )
    return result


def show_checked(result: Result) -> list[Part]:
    return [_("All figures of {repo} come out as they are recorded.", repo=result["repo"])]


def show_reproduced(result: Result) -> list[Part]:
    if "checked" in result:
        return show_checked(result)
    parts: list[Part] = [result["said"]]
    if result["same_weights"]:
        parts.append(_("The weights are the same, byte for byte."))
    return parts


def add_reproducing(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument("repo", metavar="REPO", help=say(_("an adapter of the Hub, REPO@v2 for a version")))
    command.add_argument(
        "--data",
        required=True,
        nargs="+",
        metavar="FILE",
        help=say(_("the file that it was trained on, or a dataset of the Hub; or all of several, in their order")),
    )
    command.add_argument(
        "--test", type=Path, metavar="FILE", help=say(_("the test file that it was scored on, if it was"))
    )
    command.add_argument(
        "--base", default="", metavar="BASE", help=say(_("where its base lies, if the record's is a folder"))
    )
    command.add_argument(
        "--check",
        action="store_true",
        help=say(
            _(
                "train nothing: only ask base and adapter the held-out rows again; exits with 4 where a figure comes "
                "out otherwise than it is recorded"
            )
        ),
    )
    command.add_argument(
        "--other-data", action="store_true", help=say(_("train on this file although it is not the record's"))
    )
