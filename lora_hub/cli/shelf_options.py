"""The options of the commands for the shelf: adapters, collections, unpublish."""

import argparse
from collections.abc import Callable
from typing import Any

from lora_hub.cli.shelf import COLLECTION_ACTIONS, list_adapters, manage_collections, unpublish
from lora_hub.cli.show_lists import show_adapters, show_collections, show_unpublished
from lora_hub.core.messages import Message, _


def add_shelf_commands(add: Callable[..., argparse.ArgumentParser], say: Callable[[Message], str]) -> None:
    """add: as in `parser.make_parser`; say: a sentence in the reader's language."""
    command: Any = add("adapters", list_adapters, show_adapters, _("list the organization's adapters"))
    command.add_argument("--org", default="")
    command.add_argument("--task", default="")
    command.add_argument("--base", default="")
    command.add_argument(
        "--search", default="", metavar="WORDS", help=say(_("in name, title, task, base, language or owner"))
    )
    command.add_argument("--data-language", default="", metavar="CODE", help=say(_("of the data, such as fa")))
    command.add_argument("--owner", default="", metavar="NAME", help=say(_("the account that published it")))
    command.add_argument(
        "--min-score", type=float, default=0.0, metavar="PER_CENT", help=say(_("of the first metric, at least so much"))
    )
    command.add_argument("--max-size", type=float, default=0.0, metavar="MB", help=say(_("of the weights, at most")))
    command.add_argument("--collection", default="", metavar="SLUG", help=say(_("only those in this collection")))
    command.add_argument("--unpublished", action="store_true", help=say(_("those that were taken off the shelf")))
    command.add_argument("--sort", default="newest", choices=("newest", "score", "size", "name"))

    command = add(
        "collections", manage_collections, show_collections, _("list collections of adapters, or show or change one")
    )
    command.add_argument("action", nargs="?", default="list", choices=COLLECTION_ACTIONS)
    command.add_argument(
        "name", nargs="?", default="", metavar="COLLECTION", help=say(_("its slug; of add, or a title"))
    )
    command.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="A",
        help=say(_("of add and remove: a repo id; may be repeated")),
    )
    command.add_argument("--org", default="")

    command = add("unpublish", unpublish, show_unpublished, _("take an adapter off the shelf, or put it back"))
    command.add_argument("name", metavar="NAME", help=say(_("a repo id")))
    command.add_argument("--yes", action="store_true", help=say(_("do it; without this, say what depends on it")))
    command.add_argument("--undo", action="store_true", help=say(_("put it back, visible to whom it was before")))
