"""The shell's `route`: a question -> the adapter that it is for, and why."""

import argparse
from collections.abc import Callable
from typing import Any

from lora_hub.cli.options import connected_hub, read_org
from lora_hub.cli.screen import Part
from lora_hub.core.messages import Message, _
from lora_hub.people import LOCAL

# Candidates that are shown to people; --json has all.
SHOWN = 5


def route(options: argparse.Namespace) -> dict[str, Any]:
    org = read_org(options.org)
    with connected_hub(options.screen):
        from lora_hub import use_cases
        from lora_hub.compare import Comparer, routing

        found = use_cases.route(LOCAL, Comparer(), options.text, options.base, org)
    said = routing.said(found)
    options.screen.say(said)
    return {**found.model_dump(mode="json"), "said": said.en}


def show_route(result: dict[str, Any]) -> list[Part]:
    parts: list[Part] = [result["adapter"] or _("the base")]
    parts += [
        _(
            "{adapter}: distance {distance:.2f}, {share:.0%} of its limit",
            adapter=one["adapter"],
            distance=float(one["distance"]),
            share=float(one["share"]),
        )
        for one in result["candidates"][:SHOWN]
    ]
    parts += [_("{adapter} does not say where its questions lie", adapter=name) for name in result["silent"][:SHOWN]]
    return parts


def add_routing(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument("text", metavar="TEXT", help=say(_("the question, without any words of a task around it")))
    command.add_argument("--base", default="built-in", help=say(_("whose adapters (default: built-in)")))
    command.add_argument("--org", default="")
