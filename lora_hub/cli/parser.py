"""What the command line takes: every command with its options, each leading to its function and to what shows the
result."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from lora_hub import __version__
from lora_hub.cli.commands import compare, list_adapters, list_bases, list_tasks, manage_runs, publish
from lora_hub.cli.options import add_minimum, add_reading
from lora_hub.cli.show_answers import show_comparison
from lora_hub.cli.show_data import show_inspection
from lora_hub.cli.show_lists import show_adapters, show_bases, show_tasks
from lora_hub.cli.show_runs import show_pipeline, show_published, show_result, show_runs
from lora_hub.cli.train import inspect, pipeline, train
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _, as_message
from lora_hub.local_hub import server

PRIVATE = "only the organization's members see what is published (default: as the organization has it)"


class Parser(argparse.ArgumentParser):
    """Tells what is wrong with a command line as an error of ours, so that it can be told as JSON, too."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        said = f"{message[:1].upper()}{message[1:]}.".replace("..", ".")  # argparse's own words
        raise SpecError(as_message(said), _("`{command}` tells what it takes.", command=f"{self.prog} --help"))


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
        name: str, command: Callable[..., Any], show: Callable[[Any], str], about: str, *, json_too: bool = True
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        added.set_defaults(command=command, show=show)
        if json_too:
            added.add_argument("--json", action="store_true", help="print one JSON object")
        return added

    add("tasks", list_tasks, show_tasks, "list the tasks")
    add("bases", list_bases, show_bases, "list the base models")

    command = add("inspect", inspect, show_inspection, "see how a file is read, mapped and put to the model")
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

    command = add("train", train, show_result, "train an adapter on a file, score it, publish it")
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

    command = add("pipeline", pipeline, show_pipeline, "train several tasks of a YAML file on one base in one go")
    command.add_argument("file", type=Path, metavar="FILE.yaml")
    command.add_argument("--publish", action="store_true", help="publish the adapters to the organization")
    command.add_argument("--private", action="store_true", help=PRIVATE)
    command.add_argument("--org", default="", help="organization (default: the file's, else LORA_HUB_ORG or lora-hub)")
    add_minimum(command)

    command = add("runs", manage_runs, show_runs, "list runs, or show, log, wait for, cancel, resume one")
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

    command = add("publish", publish, show_published, "publish a run's adapter")
    command.add_argument("run", metavar="RUN")
    command.add_argument("--org", default="")
    command.add_argument("--name", default="")
    command.add_argument("--private", action="store_true", help=PRIVATE)

    command = add("adapters", list_adapters, show_adapters, "list the organization's adapters")
    command.add_argument("--org", default="")
    command.add_argument("--task", default="")
    command.add_argument("--base", default="")

    command = add("compare", compare, show_comparison, "put one question, or a file, to a base and its adapters")
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
