"""The shell's `compose`: a few examples -> the sum of adapters that was found, which --json prints; with --check, what
of a published one comes out again."""

import argparse
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_hub.cli.options import Partly, Unfinished, connected_hub, read_mapping, read_org, read_task
from lora_hub.cli.reproduce import checked_figures, show_checked
from lora_hub.cli.screen import Indented, Part, Screen, Table
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import Message, _, several
from lora_hub.core.schema import scores_json
from lora_hub.people import LOCAL

Result = dict[str, Any]


class NothingBetter(Unfinished):
    """The search was made, and no sum is better than what there is."""

    status = 4


# What --check takes from the record, by the name of the option.
_RECORDED = ("task", "adapter", "map", "name", "org", "publish", "private", "seed")


def compose(options: argparse.Namespace) -> Result:
    """Raises NothingBetter with what was found, Partly where it was saved and not published; with --check,
    OtherFigures."""
    if options.check:
        return _check(options)
    if not options.task:
        raise SpecError(
            _("compose needs a task, or --check."), _("For example: {command}"), command="compose FILE --task spam"
        )
    org, task = read_org(options.org), read_task(options.task)
    with connected_hub(options.screen):
        from lora_hub import use_cases
        from lora_hub.compare import Comparer

        found = use_cases.compose(
            LOCAL,
            Comparer(options.base),
            options.file,
            task,
            base=options.base,
            adapters=options.adapter,
            mapping=read_mapping(options.map, task),
            test=options.test,
            name=options.name,
            org=org,
            publish=options.publish,
            private=options.private,
            seed=options.seed or 0,
            progress=functools.partial(show_steps, options.screen),
        )
    for one in found.left:
        options.screen.say(_("left out: {adapter}: {said}", adapter=one.adapter, said=one.said))
    made, composed = found.made, found.made.composed
    result = {
        "id": made.id,
        "offered": composed.is_offered,
        "folder": str(made.folder) if made.folder else None,
        "adapter": found.published.repo_id if found.published else None,
        "version": next(iter(found.published.versions), "") if found.published else None,
        "url": found.published.url if found.published else None,
        "said": composed.said.en,
        "composition": made.recipe.model_dump(mode="json") if made.recipe else None,
        "best_single": composed.best,
        "scores": scores_json(composed.scores),
        "singles": scores_json(composed.singles),
        "against_single": composed.single.model_dump(mode="json") if composed.single else None,
        "against_base": composed.base.model_dump(mode="json") if composed.base else None,
        "loss": {
            "base": composed.found.base,
            "adapters": dict(zip(composed.names, composed.found.singles, strict=True)),
            "sum": composed.found.loss,
        },
        "left_out": [{"adapter": one.adapter, "reason": one.said.en} for one in found.left],
    }
    if not composed.is_offered:
        raise NothingBetter(composed.said, also=result)
    options.screen.say(composed.said)
    if found.trouble is not None:
        options.screen.say(_("Saved in {folder}.", folder=str(made.folder)))
        raise Partly(found.trouble.said, found.trouble.advice, also=result)
    return result


def _check(options: argparse.Namespace) -> Result:
    values = {name: getattr(options, name) for name in _RECORDED}
    given = [f"--{name}" for name, value in values.items() if value not in ("", [], None) and value is not False]
    if given:
        raise SpecError(
            _("--check takes no {options}: the record of {repo} says it.", options=several(given), repo=options.check),
            _("Leave it out."),
        )
    with connected_hub(options.screen):
        from lora_hub import use_cases
        from lora_hub.compare import Comparer

        found = use_cases.check_composition(
            LOCAL,
            Comparer(options.base),
            options.check,
            options.file,
            test=options.test,
            base=options.base,
            progress=functools.partial(show_steps, options.screen),
        )
    return checked_figures(found.published.name, found.published.pane.revision, found.different)


def show_steps(screen: Screen, done: int, total: int) -> None:
    if sys.stderr.isatty():
        line = screen.tell(_("Search and judgement: {done:,} of {total:,} steps", done=done, total=total))
        print(f"\r\033[K{line}", end="" if done < total else "\n", file=sys.stderr, flush=True)


def show_composed(result: Result) -> list[Part]:
    if "checked" in result:
        return show_checked(result)
    parts: list[Part] = [_("Saved in {folder}:", folder=result["folder"])]
    rows = [
        (part["adapter"], part["revision"][:8], f"{part['weight']:+.3f}") for part in result["composition"]["parts"]
    ]
    parts.append(Table((_("adapter"), _("commit"), _("weight")), rows))
    if result["adapter"]:
        parts += [
            _("Published as {version} of {repo}:", version=result["version"], repo=result["adapter"]),
            Indented(result["url"]),
        ]
    return parts


def add_composing(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument("file", type=Path, metavar="FILE", help=say(_("5 to 50 examples")))
    command.add_argument("--task", default="", help=say(_("task id, or a YAML file of your own")))
    command.add_argument("--base", default="", help=say(_("base model: id or folder (default: built-in)")))
    command.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="A",
        help=say(_("repo id, repo@revision, run id or PEFT folder; may be repeated (default: the organization's)")),
    )
    command.add_argument("--map", default="", metavar="ROLE=COLUMN,...")
    command.add_argument(
        "--test", type=Path, metavar="FILE", help=say(_("judge on this file instead of half of the examples"))
    )
    command.add_argument("--name", default="", help=say(_("name of the adapter's repo")))
    command.add_argument("--org", default="")
    command.add_argument("--publish", action="store_true", help=say(_("publish the adapter to the organization")))
    command.add_argument("--private", action="store_true")
    command.add_argument("--seed", type=int, metavar="S")
    command.add_argument(
        "--check",
        default="",
        metavar="REPO",
        help=say(
            _(
                "compute the figures of a published composition again, from the file that it was composed from; exits "
                "with 4 where one comes out otherwise"
            )
        ),
    )
