"""The shell's `export`: an adapter -> files that other programs run, which --json prints."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lora_hub.cli.options import PRIVATE, connected_hub
from lora_hub.cli.screen import Indented, Part, Screen
from lora_hub.core.disk import expand
from lora_hub.core.messages import Message, _
from lora_hub.exporting import KINDS, TYPES, Step
from lora_hub.people import LOCAL

Result = dict[str, Any]


def export(options: argparse.Namespace) -> Result:
    with connected_hub(options.screen):
        from lora_hub import use_cases

        put_into = use_cases.check_push(LOCAL, options.push, org=options.org) if options.push else ""
        made: Any = None
        asked = (LOCAL, options.name, options.to, options.type, expand(options.out).resolve())
        last = ""
        for step in use_cases.export_adapter(*asked, base=options.base, put_into=put_into):
            if isinstance(step, Step):
                last = _show(options.screen, step, last)
            else:
                made = step
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        url = ""
        if options.push:
            url = use_cases.push_export(LOCAL, made, options.push, org=options.org, private=options.private)
    agreed = made.agreement
    return {
        "folder": str(made.folder),
        "kind": made.kind,
        "type": made.type,
        "files": list(made.files),
        "bytes": made.bytes,
        "command": made.command,
        "agreement": {"same": agreed.same, "of": agreed.of, "unit": agreed.unit} if agreed else None,
        "said": agreed.tell() if agreed else "",
        "tensors_read_back": made.tensors,
        "largest_error": made.largest_error,
        "url": url,
    }


def show_exported(result: Result) -> list[Part]:
    size = f"{result['bytes'] / 1e6:.1f}"
    parts: list[Part] = [_("Written to {folder} ({size} MB):", folder=result["folder"], size=size)]
    parts += [Indented(file) for file in result["files"]]
    if result["tensors_read_back"]:
        parts.append(_("{count:,} tensors were read back and compared.", count=result["tensors_read_back"]))
    if result["said"]:
        parts.append(result["said"])
    if result["command"]:
        parts += [_("Ask it, in that folder:"), Indented(result["command"])]
    if result["url"]:
        parts += [_("Published:"), Indented(result["url"])]
    return parts


def _show(screen: Screen, step: Step, last: str) -> str:
    said = screen.tell(step.said)
    if sys.stderr.isatty():
        count = f" {step.done}/{step.total}" if step.total else ""
        print(f"\r\033[K{said}{count}", end="", file=sys.stderr, flush=True)
    elif said != last:
        print(said, file=sys.stderr, flush=True)
    return said


def add_exporting(command: argparse.ArgumentParser, say: Callable[[Message], str]) -> None:
    command.add_argument("name", metavar="NAME", help=say(_("repo id, repo@revision, run id or PEFT folder")))
    command.add_argument("--to", required=True, choices=[*KINDS], help=say(_("what to write")))
    types = ", ".join(TYPES["gguf"])
    command.add_argument(
        "--type", default="", metavar="TYPE", help=say(_("of GGUF files, how numbers are stored: {types}", types=types))
    )
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help=say(_("a new folder for the files")))
    command.add_argument("--base", default="", help=say(_("the adapter's base, where it lies elsewhere than it says")))
    command.add_argument(
        "--push", default="", metavar="NAME", help=say(_("put the files on the Hub, too, as a repo of this name"))
    )
    command.add_argument("--org", default="", help=say(_("organization (default: LORA_HUB_ORG or lora-hub)")))
    command.add_argument("--private", action="store_true", help=say(PRIVATE))
