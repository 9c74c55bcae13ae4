"""The shell's `matrix`: options -> the organization's matrix, which --json prints."""

import argparse
from collections.abc import Callable
from typing import Any

from lora_hub.cli import progress
from lora_hub.cli.options import Unfinished, connected_hub, read_org
from lora_hub.cli.screen import Part, Table
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import Message, _, _n
from lora_hub.people import LOCAL

Result = dict[str, Any]


class Differs(Unfinished):
    """Some cells come out otherwise than they are kept."""

    status = 4


def show_or_fill(options: argparse.Namespace) -> Result:
    """With --fill, what is missing is computed first; with --check, what is kept is computed again. Raises Differs."""
    from lora_hub import use_cases
    from lora_hub.compare import Comparer, matrix

    if options.fill and options.check:
        raise SpecError(_("--fill and --check are two things."), _("Do one after the other."))
    org = read_org(options.org)
    with connected_hub(options.screen):
        if options.check:
            count, wrong = use_cases.check_matrix(LOCAL, Comparer(), org)
            told = [
                {"kept": kept.model_dump(mode="json"), "computed": new.model_dump(mode="json")} for kept, new in wrong
            ]
            result = {"organization": org, "checked": count, "different": told}
            if wrong:
                raise Differs(
                    _n(
                        "{count:,} cell comes out otherwise than it is kept.",
                        "{count:,} cells come out otherwise than they are kept.",
                        count=len(wrong),
                    ),
                    also=result,
                )
            return result
        if options.fill:
            for done, total in use_cases.fill_matrix(LOCAL, Comparer(), org):
                progress.show_scoring(options.screen, done, total)
        found = use_cases.read_matrix(LOCAL, org)
    return {"organization": org, **matrix.matrix_json(found)}


def show_matrix(result: Result) -> list[Part]:
    if "checked" in result:
        count = result["checked"]
        return [
            _n("{count:,} cell comes out as it is kept.", "{count:,} cells come out as they are kept.", count=count)
        ]
    if not result["bases"]:
        return [_("{organization} has no adapters yet.", organization=result["organization"])]
    parts: list[Part] = []
    for grid in result["bases"]:
        heads = [one["task"] for one in grid["sets"]]
        rows = [[row["adapter"] or _("the base"), *map(_cell, row["cells"])] for row in grid["adapters"]]
        parts += [_("Base {base}", base=grid["base"]), Table(["", *heads], rows)]
    parts.append(_("Per cent with 95 % intervals; general: points against the base on general questions."))
    if result["missing"]:
        parts.append(
            _n(
                "{count:,} cell is not computed yet: `{command}`.",
                "{count:,} cells are not computed yet: `{command}`.",
                count=result["missing"],
                command="python -m lora_hub matrix --fill",
            )
        )
    return parts


def _cell(cell: dict[str, Any] | None) -> Message | str:
    if cell is None:
        return "–"
    return _("{value:.1f} ({low:.1f} to {high:.1f})", value=cell["value"], low=cell["low"], high=cell["high"])


def add_matrix(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument("--org", default="", help=say(_("organization (default: LORA_HUB_ORG or lora-hub)")))
    command.add_argument(
        "--fill", action="store_true", help=say(_("compute what is missing and can be computed on this machine"))
    )
    command.add_argument(
        "--check",
        action="store_true",
        help=say(_("compute again what is kept; exits with 4 where a number comes out otherwise")),
    )
