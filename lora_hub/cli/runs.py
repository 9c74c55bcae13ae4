"""`runs`: the runs of this machine in the shell: find them, and look at, name, tag, export, stop or resume one."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_hub.cli.options import add_minimum, seconds
from lora_hub.cli.train import wait
from lora_hub.core import store
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import Message, _, several
from lora_hub.people import LOCAL
from lora_hub.runs.run_json import run_details, run_row

Result = dict[str, Any]
ACTIONS = ("list", "show", "log", "wait", "cancel", "resume", "rename", "tag", "export", "compare")
WHAT = ("metrics", "rows", "settings", "log")
# An option, and the actions that it belongs to.
BELONGS = {
    "min": ("wait",),
    "timeout": ("wait",),
    "search": ("list",),
    "task": ("list",),
    "base": ("list",),
    "state": ("list",),
    "tag": ("list", "tag"),
    "name": ("rename",),
    "what": ("export",),
    "out": ("export",),
}


def add_runs(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument("action", nargs="?", default="list", choices=ACTIONS)
    command.add_argument("id", nargs="*", default=[], metavar="ID")
    command.add_argument(
        "--timeout",
        type=seconds,
        default=0.0,
        metavar="SECONDS",
        help=say(_("of wait: give up after so long; the run goes on")),
    )
    command.add_argument(
        "--search",
        default="",
        metavar="WORDS",
        help=say(_("of list: only runs with all these words in name, task, base, data, tags, owner or failure")),
    )
    for option, said in (
        ("--task", _("of list: only runs of this task; may be repeated")),
        ("--base", _("of list: only runs on this base; may be repeated")),
        ("--state", _("of list: only runs in this state; may be repeated")),
        (
            "--tag",
            _("of list: only runs with this tag; of tag: a tag of the run, without it none; may be repeated"),
        ),
    ):
        command.add_argument(option, action="append", default=[], help=say(said))
    command.add_argument("--name", default=None, help=say(_("of rename: the run's name; without it the run has none")))
    command.add_argument("--what", choices=WHAT, default=None, help=say(_("of export (default: metrics)")))
    command.add_argument(
        "--out", type=Path, metavar="FILE", help=say(_("of export: the file to write (default: what is printed)"))
    )
    add_minimum(command, say)


def manage_runs(options: argparse.Namespace) -> Result:
    from lora_hub import runs, use_cases

    _check_options(options)
    if options.action == "list":
        wanted = runs.Wanted(
            options.search, tuple(options.task), tuple(options.base), tuple(options.state), tuple(options.tag)
        )
        found = [run_row(run) for run in use_cases.find_runs(LOCAL, wanted)]
        # of how many they were found, where only some were wanted
        return {"runs": found, **({} if wanted.is_all else {"of": len(use_cases.list_runs(LOCAL))})}
    if options.action == "compare":
        return _compare(options.id)
    if len(options.id) != 1 or not options.id[0]:
        raise SpecError(
            _("`{command}` takes one run's id, not {count:,}: {ids}.")
            if len(options.id) > 1
            else _("`{command}` needs a run's id."),
            _("A tag is given by --tag TAG, a name by --name NAME.")
            if len(options.id) > 1 and options.action in ("tag", "rename")
            else _("`python -m lora_hub runs` lists them."),
            command=f"runs {options.action}",
            count=len(options.id),
            ids=several(options.id),
        )
    options.id = options.id[0]
    if options.action == "wait":
        return wait(options)
    if options.action == "log":
        return {"run": options.id, "log": use_cases.read_log(LOCAL, options.id, 1000)}
    if options.action == "export":
        return _export(options)
    if options.action == "cancel":
        run = use_cases.cancel_run(LOCAL, options.id)
    elif options.action == "resume":
        run = use_cases.resume_run(LOCAL, options.id)
    elif options.action == "rename":
        run = use_cases.rename_run(LOCAL, options.id, options.name or "")
    elif options.action == "tag":
        run = use_cases.tag_run(LOCAL, options.id, options.tag)
    else:
        run = use_cases.refresh_run(LOCAL, options.id)
    return run_details(run, runs.held_out_of(run).missing)


def _check_options(options: argparse.Namespace) -> None:
    """Raises SpecError for an option of another action: it would be ignored silently."""
    if options.action != "wait" and (options.min or options.timeout):
        raise SpecError(
            _("--min and --timeout belong to `runs wait`."),
            _("For example: {command}"),
            command="python -m lora_hub runs wait ID --min accuracy=90",
        )
    for name, actions in BELONGS.items():
        if getattr(options, name) and options.action not in actions:
            raise SpecError(
                _("--{name} does not belong to `{command}`."),
                _("For example: {example}"),
                name=name,
                command=f"runs {options.action}",
                example=f"python -m lora_hub runs {actions[0]} --{name} …",
            )
    if options.action == "list" and options.id:
        raise SpecError(
            _("`runs list` lists all runs and takes no {id!r}."),
            _("For one: {command}"),
            id=options.id[0],
            command=f"python -m lora_hub runs show {options.id[0]}",
        )


def _compare(run_ids: list[str]) -> Result:
    """runs: each with its last losses; differing: {setting: each run's value}."""
    from lora_hub import use_cases

    found, differing = use_cases.compare_runs(LOCAL, run_ids)
    rows = [
        {
            "run": run.id,
            "name": run.name,
            "loss": run.train_losses[-1][1] if run.train_losses else None,
            "eval_loss": min((loss for _step, loss in run.eval_losses), default=None),
        }
        for run in found
    ]
    return {"compared": rows, "differing": dict(differing)}


def _export(options: argparse.Namespace) -> Result:
    """--json has the metrics as rows; anything else as it would be written."""
    from lora_hub import use_cases

    what = options.what or "metrics"
    told = use_cases.export_run(LOCAL, options.id, what)
    if options.out:
        store.write_text(options.out, told.text)
        return {"run": options.id, "file": str(options.out)}
    if what == "metrics" and options.json:
        return {"run": options.id, "metrics": json.loads(use_cases.export_run(LOCAL, options.id, "metrics-json").text)}
    return {"run": options.id, "text": told.text}
