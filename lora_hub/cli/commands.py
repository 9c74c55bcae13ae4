"""The shell's side of everything the page does: `python -m lora_hub --help`.

With --json the last line of standard output is one JSON object, for a refused command line, too, and nothing else is
printed there; progress and messages go to standard error. The exit status says how much of what was asked for happened:

| status | meaning |
|---|---|
| 0 | all of it |
| 1 | none of it; the error says why |
| 2 | the command is wrong: an unknown command, option, task or setting, or a value out of range, also in the
environment | | 3 | a part of it: trained but not published, or some tasks of a pipeline |
| 4 | all of it, but a score is below --min |
| 124 | `runs wait` gave up waiting: the run goes on |
| 130, 143, 129 | interrupted, told to end, its terminal was closed |
| 141 | nobody reads the output any more |

Nothing heavy is imported before a command needs it.
"""

import argparse
import contextlib
import errno
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from lora_hub import __version__
from lora_hub.cli import text as cli_text
from lora_hub.cli.options import (
    add_minimum,
    add_reading,
    check_minimum,
    check_task_id,
    connected_hub,
    is_here,
    read_mapping,
    read_org,
    read_pairs,
    read_task,
)
from lora_hub.cli.signals import Signals
from lora_hub.cli.train import inspect, pipeline, run_result, train, wait
from lora_hub.core import settings
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import _, as_message
from lora_hub.evaluation.minimum import parse_minimum
from lora_hub.local_hub import server

Result = dict[str, Any]
PRIVATE = "only the organization's members see what is published (default: as the organization has it)"


class Parser(argparse.ArgumentParser):
    """Tells what is wrong with a command line as an error of ours, so that it can be told as JSON, too."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        said = f"{message[:1].upper()}{message[1:]}.".replace("..", ".")  # argparse's own words
        raise SpecError(as_message(said), _("`{command}` tells what it takes.", command=f"{self.prog} --help"))


def main(arguments: list[str] | None = None) -> int:
    """Parses the arguments, runs the command and returns the exit status (see above)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    if sys.stdout is None:  # closed by whoever started this
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    try:
        status = _main(arguments, as_json)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        _drop_output()
        return 141
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EIO, errno.EBADF):
            raise
        _drop_output()
        print(
            f"error: Standard output cannot be written: {error.strerror}. Send it to a place with room.",
            file=sys.stderr,
        )
        return 1


def _drop_output() -> None:
    """What is still to be written would raise again when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _main(arguments: list[str], as_json: bool) -> int:
    try:
        options = make_parser().parse_args(arguments)
        settings.check()
        # Libraries that print to standard output would spoil the JSON.
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            # The embedded Hub listens to signals itself.
            with contextlib.nullcontext() if options.command is server.start else Signals() as options.signals:
                result = options.command(options)
    except LoraHubError as error:
        # What was trained and scored before something went wrong is told all the same.
        scored = "" if as_json else cli_text.show_scored(getattr(error, "also", {}))
        if scored:
            print(scored, flush=True)
        return _tell_error(error, as_json, getattr(error, "status", 2 if isinstance(error, SpecError) else 1))
    except KeyboardInterrupt as ended:
        return _tell_error(
            LoraHubError(str(ended) or "Interrupted."),
            as_json,
            getattr(ended, "status", 130),
            getattr(ended, "also", {}),
        )
    except BrokenPipeError:
        raise
    except Exception as error:
        return _tell_error(_explain(error), as_json, 1)
    if as_json:
        print(json.dumps(result, ensure_ascii=False, default=str))
    elif result is not None:
        text = options.show(result)
        if text:
            print(text)
    return 0


def _tell_error(error: LoraHubError, as_json: bool, status: int, also: Result | None = None) -> int:
    print(f"error: {error}", file=sys.stderr)
    if as_json:
        print(
            json.dumps(
                {**error.to_json(), **getattr(error, "also", {}), **(also or {})}, ensure_ascii=False, default=str
            )
        )
    return status


def _explain(error: Exception) -> LoraHubError:
    """A folder of ours that cannot be used, in words; anything else is a bug, logged whole where it can be found."""
    from lora_hub.core import disk

    told = disk.explain_home(error) if isinstance(error, OSError) else None
    if told is not None:
        return told
    details = "".join(traceback.format_exception(error))
    file = settings.home() / "errors.log"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as log:
            log.write(time.strftime("%Y-%m-%d %H:%M:%S\n") + details + "\n")
        where = _("The details are in {file}.", file=file)
    except OSError as unwritable:
        print(details, file=sys.stderr)
        where = _("The details are above: {file} cannot be written ({reason}).", file=file, reason=unwritable.strerror)
    first = str(error).splitlines()[0] if str(error) else ""
    return LoraHubError(
        _("This is a bug in LoRA Hub: {kind}: {reason}"), where, kind=type(error).__name__, reason=first
    )


# --- the commands: options -> result ---


def list_tasks(_: argparse.Namespace) -> Result:
    from lora_hub.catalogue.tasks import catalogue

    return {"tasks": [task.model_dump(mode="json") for task in catalogue.list_tasks()]}


def list_bases(_: argparse.Namespace) -> Result:
    from lora_hub.catalogue import bases

    return {"bases": [base.model_dump(mode="json", exclude={"folder"}) for base in bases.list_bases()]}


def manage_runs(options: argparse.Namespace) -> Result:
    from lora_hub import runs

    if options.action != "wait" and (options.min or options.timeout):
        raise SpecError(
            _("--min and --timeout belong to `runs wait`."),
            _("For example: {command}"),
            command="python -m lora_hub runs wait ID --min accuracy=90",
        )
    if options.action == "list":
        if options.id:
            raise SpecError(
                _("`runs list` lists all runs and takes no {id!r}."),
                _("For one: {command}"),
                id=options.id,
                command=f"python -m lora_hub runs show {options.id}",
            )
        return {"runs": [cli_text.run_row(run) for run in runs.list_runs()]}
    if not options.id:
        raise SpecError(
            _("`{command}` needs a run's id."),
            _("`python -m lora_hub runs` lists them."),
            command=f"runs {options.action}",
        )
    if options.action == "wait":
        return wait(options)
    if options.action == "log":
        return {"run": options.id, "log": runs.read_log(options.id, 1000)}
    if options.action == "cancel":
        run = runs.cancel_run(options.id)
    elif options.action == "resume":
        run = runs.resume_run(options.id)
    else:
        run = runs.refresh_run(options.id)
    return {
        **run_result(run),
        "step": run.step,
        "total_steps": run.total_steps,
        "eta": run.eta,
        **cli_text.run_now(run),
        "failure": run.error.to_json() if run.error else None,
        **rows_missing(run.id),
    }


def rows_missing(run_id: str) -> dict[str, str]:
    """What cannot be read of a run's held-out rows, in words; empty where nothing is missing."""
    from lora_hub import runs

    missing = runs.read_held_out(run_id).missing
    return {"rows_missing": missing.en if missing else ""}


def publish(options: argparse.Namespace) -> Result:
    from lora_hub import runs

    org = read_org(options.org)
    with connected_hub():
        before = runs.refresh_run(options.run).adapter
        ref = runs.publish_run(options.run, org=org, name=options.name, private=options.private)
    if before is not None and (before.repo_id, before.revision) == (ref.repo_id, ref.revision):
        print(f"Nothing is new: this run is {ref.versions[0]} of {ref.repo_id} already.", file=sys.stderr)
    return {**ref.model_dump(mode="json"), "run": options.run, "adapter": ref.repo_id, **rows_missing(options.run)}


def list_adapters(options: argparse.Namespace) -> Result:
    """others: how many adapters there are, where none is of the task and the base that were asked for."""
    org = read_org(options.org)
    task = read_task(options.task).id if options.task and Path(options.task).expanduser().is_file() else options.task
    with connected_hub() as connection:
        from lora_hub import hub

        found, others = hub.list_adapters(org, task, options.base, versions=True), 0
        if not found and (task or options.base):
            everything = hub.list_adapters(org)
            others = len(everything)
            check_task_id(task, {ref.task for ref in everything})
        where = {"kind": connection.kind, "url": connection.url}
    asked = {"task": task, "base": options.base, "others": others}
    return {"adapters": [ref.model_dump(mode="json") for ref in found], "organization": org, "hub": where, **asked}


def compare(options: argparse.Namespace) -> Result:
    if len(options.adapter) > 8:
        raise SpecError(
            _("{count} adapters are too many at once."), _("Name at most {most}."), count=len(options.adapter), most=8
        )
    given = [bool(options.prompt), bool(options.input), bool(options.test)]
    if sum(given) != 1:
        raise SpecError(
            _("compare needs exactly one of --prompt, --input and --test."),
            _("For example: {command}"),
            command="--prompt 'You won a prize!'",
        )
    minimum = parse_minimum(options.min)
    if minimum and not options.test:
        raise SpecError(
            _("--min needs --test FILE: one answer has no score."),
            _("For example: {command}"),
            command="--test more.csv --min accuracy=90",
        )
    local = all(is_here(name, options.base) for name in options.adapter)
    with contextlib.nullcontext() if local else connected_hub():
        from lora_hub.compare import Comparer

        comparer = Comparer(options.base)
        if options.test:
            scored = comparer.score_file(
                options.adapter,
                options.test,
                read_mapping(options.map),
                base=not options.no_base,
                minimum=minimum,
                progress=cli_text.show_scoring,
            )
            cli_text.say_problems(scored["problems"])
            result = {
                "rows": scored["rows"],
                "problems": [problem.to_json() for problem in scored["problems"]],
                "metrics": {
                    who: {name: score.model_dump() for name, score in of.items()}
                    for who, of in scored["metrics"].items()
                },
                "comparisons": {name: found.model_dump(mode="json") for name, found in scored["comparisons"].items()},
            }
            for adapter in options.adapter:
                check_minimum(minimum, scored["metrics"], result, adapter)
            return result
        events = comparer.stream(
            options.adapter,
            base=not options.no_base,
            prompt=options.prompt,
            inputs=read_pairs(options.input, "--input ROLE=TEXT") if options.input else None,
            max_new_tokens=options.max_new_tokens,
            temperature=options.temperature,
            seed=options.seed,
            free_text=options.free_text,
        )
        done = sorted((event for event in events if event.done), key=lambda event: event.pane)
    return {
        "answers": [
            {
                "adapter": event.name,
                "revision": event.revision,
                "text": event.answer.text,
                "probabilities": {label: round(share, 6) for label, share in event.answer.probabilities.items()},
                "tokens": event.answer.tokens,
                "seconds": round(event.answer.seconds, 3),
                "finish": event.answer.finish,
                "divergence": event.divergence.model_dump() if event.divergence else None,
            }
            for event in done
        ]
    }


def _seconds(text: str) -> float:
    """A time from above 0; argparse tells of a ValueError in words."""
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise ValueError(text)
    return seconds


def _tokens(text: str) -> int:
    """A number of tokens. Raises ValueError, as argparse wants it."""
    tokens = int(text)
    if tokens < 0:
        raise ValueError(text)
    return tokens


def _temperature(text: str) -> float:
    """A temperature. Raises ValueError, as argparse wants it."""
    temperature = float(text)
    if not 0 <= temperature < float("inf"):
        raise ValueError(text)
    return temperature


# argparse names the kind of a value by its function
_seconds.__name__, _tokens.__name__, _temperature.__name__ = "number of seconds", "number of tokens", "temperature"


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m lora_hub",
        description="From a dataset to a measured, published, comparable LoRA adapter.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lora-hub {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, command: Callable[..., Any], show: Callable[[Any], str], text: str, *, json_too: bool = True
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.set_defaults(command=command, show=show)
        if json_too:
            added.add_argument("--json", action="store_true", help="print one JSON object")
        return added

    add("tasks", list_tasks, cli_text.show_tasks, "list the tasks")
    add("bases", list_bases, cli_text.show_bases, "list the base models")

    command = add("inspect", inspect, cli_text.show_inspection, "see how a file is read, mapped and put to the model")
    command.add_argument("file", metavar="FILE", help="a file, or a dataset id on the Hub (owner/name)")
    command.add_argument("--task", default="", help="task id, or a YAML file of your own")
    command.add_argument(
        "--base", default="built-in", help="whose tokens the lengths are counted in (default: built-in)"
    )
    command.add_argument("--effort", choices=("quick", "balanced", "thorough"), default="balanced")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a derived setting; may be repeated"
    )
    add_reading(command)

    command = add("train", train, cli_text.show_result, "train an adapter on a file, score it, publish it")
    command.add_argument("file", metavar="FILE", help="a file, or a dataset id on the Hub (owner/name)")
    command.add_argument("--task", required=True, help="task id, or a YAML file of your own")
    command.add_argument("--base", default="built-in", help="base model: id or folder (default: built-in)")
    command.add_argument("--effort", choices=("quick", "balanced", "thorough"), default="balanced")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a derived setting; may be repeated"
    )
    command.add_argument("--test", type=Path, metavar="FILE", help="score on this file instead of a part of FILE")
    command.add_argument("--publish", action="store_true", help="publish the adapter to the organization")
    command.add_argument("--private", action="store_true", help=PRIVATE)
    command.add_argument("--org", default="", help="organization (default: LORA_HUB_ORG or lora-hub)")
    command.add_argument("--name", default="", help="name of the adapter's repo")
    add_minimum(command)
    add_reading(command)

    command = add(
        "pipeline", pipeline, cli_text.show_pipeline, "train several tasks of a YAML file on one base in one go"
    )
    command.add_argument("file", type=Path, metavar="FILE.yaml")
    command.add_argument("--publish", action="store_true", help="publish the adapters to the organization")
    command.add_argument("--private", action="store_true", help=PRIVATE)
    command.add_argument("--org", default="", help="organization (default: the file's, else LORA_HUB_ORG or lora-hub)")
    add_minimum(command)

    command = add("runs", manage_runs, cli_text.show_runs, "list runs, or show, log, wait for, cancel, resume one")
    command.add_argument(
        "action", nargs="?", default="list", choices=("list", "show", "log", "wait", "cancel", "resume")
    )
    command.add_argument("id", nargs="?", default="", metavar="ID")
    command.add_argument(
        "--timeout",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="of wait: give up after so long; the run goes on",
    )
    add_minimum(command)

    command = add("publish", publish, cli_text.show_published, "publish a run's adapter")
    command.add_argument("run", metavar="RUN")
    command.add_argument("--org", default="")
    command.add_argument("--name", default="")
    command.add_argument("--private", action="store_true", help=PRIVATE)

    command = add("adapters", list_adapters, cli_text.show_adapters, "list the organization's adapters")
    command.add_argument("--org", default="")
    command.add_argument("--task", default="")
    command.add_argument("--base", default="")

    command = add(
        "compare", compare, cli_text.show_comparison, "put one question, or a file, to a base and its adapters"
    )
    command.add_argument(
        "--adapter",
        action="append",
        required=True,
        metavar="A",
        help="repo id, repo@revision, run id or PEFT folder; may be repeated",
    )
    command.add_argument(
        "--base",
        default="",
        metavar="BASE",
        help="the adapters' base, where it lies elsewhere than they say: a folder or a Hub id",
    )
    command.add_argument("--no-base", action="store_true", help="leave the base out")
    command.add_argument("--prompt", default="", metavar="TEXT")
    command.add_argument("--input", action="append", default=[], metavar="ROLE=TEXT")
    command.add_argument("--test", type=Path, metavar="FILE")
    add_minimum(command)
    command.add_argument("--map", default="", metavar="ROLE=COLUMN,...")
    command.add_argument(
        "--free-text", action="store_true", help="let tasks with labels answer in their own words, too"
    )
    command.add_argument(
        "--max-new-tokens", type=_tokens, default=0, metavar="N", help="0 (the default): as many as the task says"
    )
    command.add_argument("--temperature", type=_temperature, default=0.0, metavar="T", help="0 is greedy")
    command.add_argument("--seed", type=int, default=0, metavar="S")

    command = add(
        "hub",
        server.start,
        lambda _: "",
        (
            "run the embedded Hub alone, end it (stop), prove its store sound (fsck), remove what nothing refers to "
            "(gc) "
            "or copy it (backup)"
        ),
        json_too=False,
    )
    server.add_arguments(command)
    return parser
