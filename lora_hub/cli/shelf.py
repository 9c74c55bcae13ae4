"""The shell's commands for the shelf of adapters: options -> result, which --json prints."""

import argparse
from typing import Any

from lora_hub.cli.options import check_task_id, connected_hub, read_org, read_task
from lora_hub.core.disk import expand
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import _, joined
from lora_hub.people import LOCAL

Result = dict[str, Any]
COLLECTION_ACTIONS = ("list", "show", "add", "remove")


def list_adapters(options: argparse.Namespace) -> Result:
    """others: how many adapters exist if none is as it was asked for."""
    org = read_org(options.org)
    task = read_task(options.task).id if options.task and expand(options.task).is_file() else options.task
    with connected_hub(options.screen) as connection:
        from lora_hub import hub, use_cases

        shown = use_cases.read_collection(LOCAL, options.collection).adapters if options.collection else None
        wanted = hub.Wanted(
            search=options.search,
            language=options.data_language,
            owner=options.owner,
            min_score=options.min_score,
            max_mb=options.max_size,
            sort=options.sort,
            repo_ids=None if shown is None else frozenset(shown),
        )
        asked = {"org": org, "task": task, "base": options.base, "unpublished": options.unpublished}
        found, others = use_cases.list_adapters(LOCAL, **asked, wanted=wanted, versions=True), 0
        if options.unpublished:
            found = [ref for ref in found if ref.unpublished]
        is_filtered = bool(task or options.base) or wanted != hub.Wanted(sort=options.sort)
        if not found and is_filtered:
            everything = use_cases.list_adapters(LOCAL, org=org)
            others = len(everything)
            check_task_id(task, {ref.task for ref in everything})
        if not found and not others:
            use_cases.check_owner(LOCAL, org)
        known = use_cases.mark_adapters(LOCAL, found).items()
        told = {repo_id: [mark.to_json() for mark in marks] for repo_id, marks in known}
        where = {"kind": connection.kind, "url": connection.url}
    asked = {"task": task, "base": options.base, "others": others}
    listed = [ref.model_dump(mode="json") | {"works_in": told.get(ref.repo_id, [])} for ref in found]
    return {"adapters": listed, "organization": org, "hub": where, **asked}


def manage_collections(options: argparse.Namespace) -> Result:
    """Lists the organization's collections; shows one, puts adapters into it, or takes some out."""
    action, name = options.action, options.name
    if (action != "list" and not name) or (action in ("add", "remove") and not options.adapter):
        raise SpecError(
            _("`{command}` names a collection and, to change it, adapters.", command=f"collections {action}"),
            _("For example: {command}", command="collections add 'Customer service' --adapter spam-built-in"),
        )
    with connected_hub(options.screen):
        from lora_hub import use_cases

        if action == "list":
            org = read_org(options.org)
            return {"organization": org, "collections": [_told(one) for one in use_cases.list_collections(LOCAL, org)]}
        if action == "add":
            made = use_cases.add_to_collection(LOCAL, options.adapter, name, read_org(options.org))
        elif action == "remove":
            made = use_cases.remove_from_collection(LOCAL, options.adapter, name)
        else:
            made = use_cases.read_collection(LOCAL, name)
    return {"organization": made.slug.partition("/")[0], "collections": [_told(made)]}


def unpublish(options: argparse.Namespace) -> Result:
    """Takes an adapter off the shelf, or puts it back. Without --yes nothing changes, and the error says what would."""
    with connected_hub(options.screen):
        from lora_hub import use_cases

        if options.undo:
            ref, leaning = use_cases.put_back(LOCAL, options.name), None
        else:
            leaning = use_cases.find_dependents(LOCAL, options.name)
            if not options.yes:
                said = _("Nothing was changed. {repo} would leave the shelf and become private.", repo=leaning.repo_id)
                more = _("Say --yes to unpublish it; --undo puts it back.")
                raise LoraHubError(said, joined(*leaning.tell(), more))
            ref = use_cases.unpublish_adapter(LOCAL, options.name)
    return {
        "adapter": ref.repo_id,
        "unpublished": ref.unpublished,
        "private": ref.private,
        "production": leaning.production if leaning else "",
        "made_from_it": list(leaning.adapters) if leaning else [],
        "collections": list(leaning.collections) if leaning else [],
        "runs": list(leaning.runs) if leaning else [],
        "comparisons": list(leaning.comparisons) if leaning else [],
    }


def _told(collection: Any) -> Result:
    return {
        "slug": collection.slug,
        "title": collection.title,
        "description": collection.description,
        "adapters": list(collection.adapters),
        "private": collection.private,
        "updated": collection.updated,
        "url": collection.url,
    }
