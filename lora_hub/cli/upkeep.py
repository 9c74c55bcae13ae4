"""The shell's commands that operate the app rather than train with it: options -> result, which --json prints."""

import argparse
import contextlib
from collections.abc import Sequence
from typing import Any

from lora_hub.cli.options import connected_hub
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import Message, _, _n, joined, several
from lora_hub.people import LOCAL

Result = dict[str, Any]
KINDS = ("run", "dataset", "adapter", "person")
# The command that removes a part of the disk (`use_cases.Part`), where there is one.
REMOVED_BY = {
    "checkpoints": "disk clean",
    "uploads": "disk clean",
    "needed checkpoints": "delete run ID --yes",
    "adapters": "delete run ID --yes",
    "run files": "delete run ID --yes",
    "tests": "tests delete ID",
    "datasets": "delete dataset ID --yes",
    "comparisons": "comparisons delete ID",
    "hub": "hub stop, hub gc",
}


def open_page(options: argparse.Namespace) -> None:
    """Serves the page until the process is told to end."""
    from lora_hub.ui import serve_page

    serve_page()


def list_datasets(options: argparse.Namespace) -> Result:
    """The files that this machine's person brought. kept: when each was last opened, UTC seconds. combined: it was put
    together from others for these runs."""
    from lora_hub import use_cases

    found = use_cases.list_datasets(LOCAL)
    return {
        "datasets": [
            {
                "dataset": one.id,
                "bytes": one.size,
                "kept": one.kept,
                "runs": list(one.runs),
                "name": one.name,
                "combined": one.combined,
            }
            for one in found
        ]
    }


def tell_disk(options: argparse.Namespace) -> Result:
    """What takes space; with `clean`, what was removed first, as counts."""
    from lora_hub import use_cases

    removed = use_cases.clean_disk(LOCAL) if options.action == "clean" else {}
    disk = use_cases.measure_disk(LOCAL)
    parts = [
        {
            "kind": part.kind,
            "owner": part.owner,
            "bytes": part.size,
            "folder": str(part.folder),
            "remove": f"python -m lora_hub {REMOVED_BY[part.kind]}" if part.kind in REMOVED_BY else "",
        }
        for part in disk.parts
    ]
    return {
        "home": str(disk.home),
        "bytes": disk.size,
        "free": disk.free,
        "parts": parts,
        "cache": {"bytes": disk.cache.size, "folder": str(disk.cache.folder)} if disk.cache else None,
        "removed": removed,
    }


def delete(options: argparse.Namespace) -> Result:
    """Deletes a run, a file, a published adapter (or an older version of it) or all of a person's data. Without --yes
    nothing is deleted, and the error says what would be."""
    from lora_hub import use_cases

    kind, name = options.kind, options.name
    if options.adapters and kind != "person":
        raise SpecError(
            _("--adapters belongs to `delete person`."),
            _("For example: {command}"),
            command="python -m lora_hub delete person NAME --adapters --yes",
        )
    needs_hub = kind == "adapter" or (kind == "person" and options.adapters)
    with connected_hub(options.screen) if needs_hub else contextlib.nullcontext():
        if kind == "run":
            run = use_cases.refresh_run(LOCAL, name)
            _agree(options, _("the run {run_id} with its adapter; what was published stays", run_id=run.id))
            use_cases.delete_run(LOCAL, name)
            return _deleted(kind, runs=[name])
        if kind == "dataset":
            found = next((one for one in use_cases.list_datasets(LOCAL) if one.id == name), None)
            if found is not None:
                of_runs = several(found.runs, most=5) if found.runs else _("no run")
                _agree(options, _("the file {name}, which was used by {runs}", name=name, runs=of_runs))
            use_cases.delete_dataset(LOCAL, name)  # refuses what is no file of theirs
            return _deleted(kind, datasets=[name])
        if kind == "adapter":
            repo, _at, version = name.partition("@")
            planned = use_cases.plan_deletion(LOCAL, repo, version)
            leaning = [] if options.yes or version else use_cases.find_dependents(LOCAL, repo).tell()
            _agree(
                options,
                _(
                    "{version} of {repo}; {stays} stay",
                    version=version,
                    repo=planned.repo_id,
                    stays=several(planned.stays),
                )
                if version
                else _(
                    "the repository {repo} on the Hub with all its versions ({versions}), for everybody",
                    repo=planned.repo_id,
                    versions=several(planned.goes) if planned.goes else _("none"),
                ),
                leaning,
            )
            use_cases.delete_adapter(LOCAL, repo, version)
            return _deleted(kind, adapters=[planned.repo_id], versions=list(planned.goes))
        data = use_cases.look_at_data(LOCAL, name)
        adapters = data.adapters if options.adapters else ()
        _agree(
            options,
            _(
                "{runs}, {files}, {tests} and {comparisons} of {owner} with their votes ({size:,.1f} MB). Published "
                "adapters that go: {adapters}; that stay: {kept}",
                runs=_n("{count:,} run", "{count:,} runs", count=len(data.runs)),
                files=_n("{count:,} file", "{count:,} files", count=len(data.files)),
                tests=_n("{count:,} test", "{count:,} tests", count=len(data.tests)),
                comparisons=_n("{count:,} comparison", "{count:,} comparisons", count=data.comparisons),
                owner=data.owner,
                size=data.size / 1e6,
                adapters=several(adapters) if adapters else _("none"),
                kept=several(left) if (left := set(data.adapters) - set(adapters)) else _("none"),
            ),
        )
        use_cases.delete_data(LOCAL, name, adapters=options.adapters)
        return _deleted(
            kind,
            runs=list(data.runs),
            datasets=[one.id for one in data.files],
            adapters=list(adapters),
            tests=list(data.tests),
            comparisons=data.comparisons,
        )


def _agree(options: argparse.Namespace, what: Message, leaning: Sequence[Message] = ()) -> None:
    """Raises LoraHubError that says what would be deleted, unless the person has agreed to it. leaning: what depends on
    it."""
    if not options.yes:
        raise LoraHubError(
            _("Nothing was deleted. This would be, for good: {what}.", what=what),
            joined(*leaning, _("Say --yes to delete it.")),
        )


def _deleted(kind: str, **what: list[str] | int) -> Result:
    """comparisons: how many."""
    nothing = {"runs": [], "datasets": [], "adapters": [], "versions": [], "tests": [], "comparisons": 0}
    return {"kind": kind, **nothing, **what}
