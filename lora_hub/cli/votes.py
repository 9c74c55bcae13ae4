"""The shell's commands about kept comparisons and blind votes: options -> result, which --json prints."""

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lora_hub.cli.options import connected_hub
from lora_hub.cli.show_votes import show_comparisons, show_votes
from lora_hub.core import store
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import Message, _
from lora_hub.people import LOCAL

Result = dict[str, Any]
COMPARISONS = ("list", "show", "export", "share", "unshare", "delete")


def add_votes(add: Callable[..., argparse.ArgumentParser], say: Callable[[Message], str]) -> None:
    """Adds the two commands. add: as the parser adds a command. say: a help text in the reader's language."""
    out = {"type": Path, "metavar": "FILE"}
    command = add(
        "comparisons",
        manage_comparisons,
        show_comparisons,
        _("list the comparisons that were kept, or show, export, share or delete one"),
    )
    command.add_argument("action", nargs="?", default="list", choices=COMPARISONS)
    command.add_argument("id", nargs="?", default="", metavar="ID")
    command.add_argument("--search", default="", metavar="WORDS", help=say(_("of list: with these words only")))
    command.add_argument("--out", help=say(_("of export: a .json or .md file (default: JSON, printed)")), **out)
    command = add(
        "votes",
        manage_votes,
        show_votes,
        _("tell how good the models are by blind votes; export them as preference data; send them to the organization"),
    )
    command.add_argument("action", nargs="?", default="boards", choices=("boards", "export", "send"))
    command.add_argument("--task", default="", help=say(_("of this task only")))
    command.add_argument(
        "--out", help=say(_("of export: the file, one JSON line a row with prompt, chosen and rejected")), **out
    )


def manage_votes(options: argparse.Namespace) -> Result:
    """The boards; with `export`, preference data into a file; with `send`, this person's votes to the organization."""
    from lora_hub import use_cases

    if options.action == "export":
        if options.out is None:
            raise SpecError(_("`votes export` needs --out FILE."), _("For example: {command}", command=_EXPORT))
        rows = use_cases.export_votes(LOCAL)
        if options.task:
            rows = [row for row in rows if row["task"] == options.task]
        if not rows:
            raise LoraHubError(
                _("No vote here prefers one answer to another."), _("Compare with Blind turned on, and vote.")
            )
        store.write_jsonl(options.out, rows)
        return {"file": str(options.out), "rows": len(rows)}
    with connected_hub(options.screen):
        if options.action == "send":
            return {"sent": use_cases.send_votes(LOCAL)}
        found = use_cases.read_boards(LOCAL)
    return {
        "boards": [
            {"task": task, **asdict(board)}
            for task, board in found.boards.items()
            if not options.task or options.task == task
        ],
        "votes": found.votes,
        "people": found.people,
        "repo": found.repo,
        "trouble": found.trouble.en if found.trouble else "",
        "waiting": found.waiting,
    }


_EXPORT = "python -m lora_hub votes export --out preferences.jsonl"


def manage_comparisons(options: argparse.Namespace) -> Result:
    """The history; or one of it: shown, exported, shared, deleted."""
    from lora_hub import use_cases
    from lora_hub.compare.kept import comparison_json

    if options.action == "list":
        found = use_cases.list_comparisons(LOCAL, options.search, most=500)
        return {
            "comparisons": [
                {
                    "id": one.id,
                    "at": one.at,
                    "visibility": one.visibility,
                    "task": one.task,
                    "blind": one.is_blind,
                    "asked": one.asked,
                    "models": sorted({view.name for view in one.answers}),
                }
                for one in found
            ]
        }
    if not options.id:
        raise SpecError(
            _("`comparisons {action}` needs an ID.", action=options.action),
            _("`python -m lora_hub comparisons` lists those there are."),
        )
    if options.action == "export":
        form = "markdown" if _suffix(options.out) in (".md", ".markdown") else "json"
        text = use_cases.export_comparison(LOCAL, options.id, form, options.screen.language)
        if options.out is not None:
            store.write_text(options.out, text)
        return {"file": str(options.out or ""), "text": "" if options.out else text}
    if options.action == "delete":
        use_cases.delete_comparison(LOCAL, options.id)
        return {"deleted": options.id}
    if options.action in ("share", "unshare"):
        visibility = "organization" if options.action == "share" else "private"
        return {"shared": use_cases.share_comparison(LOCAL, options.id, visibility).visibility, "id": options.id}
    opened = use_cases.open_comparison(LOCAL, options.id)
    if opened.is_hidden:
        raise LoraHubError(
            _("The names of this blind comparison have not been shown yet."),
            _("Vote on it in the page, or say `comparisons export {name}`: then it is not blind any more.").filled(
                {"name": options.id}
            ),
        )
    return {"comparison": comparison_json(opened.comparison), "vote": opened.vote.model_dump() if opened.vote else None}


def _suffix(path: Path | None) -> str:
    return path.suffix.lower() if path is not None else ""
