"""Discussions and pull requests. A pull request is a ref `refs/pr/N` that commits go to, and a talk about it."""

import secrets
import time
from typing import Any

from .accounts import Account
from .app import Call
from .cards import index_head
from .faults import HubFault
from .store import Commit, Tree, iso

PAGE = 50
MAX_TEXT = 65536
KINDS = {"discussion": False, "pull_request": True}
STATUSES = {"open": ("open", "draft"), "closed": ("closed", "merged")}


def _event(kind: str, user: Account, **data: Any) -> dict:
    author, now = {"name": user.name}, iso(time.time())
    return {"id": secrets.token_hex(12), "type": kind, "createdAt": now, "author": author, "data": data}


def _words(user: Account, text: str) -> dict:
    return {"raw": text[:MAX_TEXT], "html": "", "updatedAt": iso(time.time()), "author": {"name": user.name}}


def _comment(user: Account, text: str) -> dict:
    latest = _words(user, text)
    return _event("comment", user, edited=False, hidden=False, latest=latest, numEdits=0, history=[latest])


def open_discussion(call: Call, title: str, text: str, *, fork: Commit | None, base: str = "main", status: str) -> int:
    """Adds one, with its ref where it is a pull request that starts at `fork`; call it inside `write()`."""
    num = max(map(int, call.store.documents(call.repo.id, "discussion")), default=0) + 1
    data = {"title": title.strip(), "author": {"name": call.user.name}, "createdAt": iso(time.time()), "status": status,
            "base": base, "fork": fork and fork.id, "isPullRequest": bool(fork), "events": [_comment(call.user, text)]}
    call.store.put_document(call.repo.id, "discussion", str(num), data)
    if fork:
        call.store.db.execute("INSERT INTO refs VALUES(?,?,?,'')", (call.repo.id, f"refs/pr/{num}", fork.id))
    return num


def _load(call: Call, num: str) -> dict:
    if (data := call.store.documents(call.repo.id, "discussion").get(num)) is None:
        raise HubFault(404, f"There is no discussion {num} in {call.repo.full_name}")
    return data


def _save(call: Call, num: str, data: dict, *events: dict) -> None:
    call.store.put_document(call.repo.id, "discussion", num, data | {"events": [*data["events"], *events]})


def _check_author(call: Call, author: dict) -> None:
    if author["name"] != call.user.name and not call.accounts.can_write(call.user, call.repo):
        raise HubFault(403, "Only its author and those who write to the repository may change this")


def check_pull(call: Call, ref: str) -> None:
    """Who opened a pull request may add to it while it is open, as may who writes to the repo."""
    data = _load(call, ref.removeprefix("refs/pr/"))
    _check_author(call, data["author"])
    if data["status"] not in STATUSES["open"]:
        raise HubFault(403, f"{ref} is {data['status']}")


def note_commit(call: Call, ref: str, made: Commit) -> None:
    num = ref.removeprefix("refs/pr/")
    _save(call, num, _load(call, num), _event("commit", call.user, subject=made.title, oid=made.id))


def _brief(call: Call, num: str, data: dict) -> dict:
    comments = sum(event["type"] == "comment" for event in data["events"])
    return {"num": int(num), "repo": {"name": call.repo.full_name, "type": call.repo.type}, "numComments": comments,
            **{key: data[key] for key in ("title", "author", "createdAt", "status", "isPullRequest")}}


def listing(call: Call) -> dict:
    kind, status = KINDS.get(call.query.get("type", "")), STATUSES.get(call.query.get("status", ""))
    author, items = call.query.get("author"), []
    for num, data in call.store.documents(call.repo.id, "discussion").items():
        wanted = kind in (None, data["isPullRequest"]) and (status is None or data["status"] in status)
        if wanted and author in (None, data["author"]["name"]):
            items.append(_brief(call, num, data))
    items.sort(key=lambda item: -item["num"])
    start = PAGE * call.number("p", 0)
    return {"count": len(items), "start": start, "discussions": items[start:start + PAGE]}


def create(call: Call) -> dict:
    title, text, pull = call.field("title"), str(call.body.get("description") or ""), bool(call.body.get("pullRequest"))
    if not 3 <= len(title.strip()) <= 200:
        raise HubFault(400, "A title has 3 to 200 characters")
    with call.store.write():
        fork = call.store.get_commit(call.repo, "main") if pull else None
        num = open_discussion(call, title, text, fork=fork, status="draft" if pull else "open")
        return _brief(call, str(num), _load(call, str(num)))


def _three_way(call: Call, num: str, data: dict) -> tuple[Tree, list[str], tuple[str, str]]:
    """(merged tree, files that both sides changed differently, the heads of the target and of the pull request)."""
    revisions = (data["fork"], f"refs/heads/{data['base']}", f"refs/pr/{num}")
    heads = [call.store.get_commit(call.repo, revision) for revision in revisions]
    fork, ours, theirs = (call.store.read_tree(head.tree) for head in heads)
    changed = [path for path in fork.keys() | theirs.keys() if fork.get(path) != theirs.get(path)]
    conflicts = sorted(path for path in changed if ours.get(path) not in (fork.get(path), theirs.get(path)))
    merged = {**ours, **{path: theirs.get(path) for path in changed}}
    return {path: entry for path, entry in merged.items() if entry}, conflicts, (heads[1].id, heads[2].id)


def details(call: Call, num: str) -> dict:
    data = _load(call, num)
    answer = _brief(call, num, data) | {"events": data["events"], "diff": None}
    if data["isPullRequest"]:
        answer["changes"] = {"base": f"refs/heads/{data['base']}", "mergeCommitId": data.get("merged")}
        answer["filesWithConflicts"] = _three_way(call, num, data)[1] if data["status"] in STATUSES["open"] else []
    return answer


def comment(call: Call, num: str) -> dict:
    with call.store.write():
        _save(call, num, _load(call, num), event := _comment(call.user, call.field("comment")))
    return {"newMessage": event}


def edit_comment(call: Call, num: str, id: str, what: str) -> dict:
    with call.store.write():
        data = _load(call, num)
        event = next((event for event in data["events"] if event["id"] == id and event["type"] == "comment"), None)
        if event is None or what not in ("edit", "hide"):
            raise HubFault(404, f"There is no comment {id}")
        _check_author(call, event["author"])
        latest = _words(call.user, "" if what == "hide" else call.field("content"))
        count = event["data"]["numEdits"] + 1
        event["data"] |= {"edited": True, "hidden": what == "hide", "numEdits": count, "latest": latest}
        _save(call, num, data)
    return {"updatedComment": event}


def status(call: Call, num: str) -> dict:
    new, text = call.field("status"), str(call.body.get("comment") or "")
    with call.store.write():
        data = _load(call, num)
        _check_author(call, data["author"])
        if new not in ("open", "closed") or data["status"] == "merged":
            raise HubFault(400, f"{num} cannot go from {data['status']} to {new}")
        event = _event("status-change", call.user, status=new)
        _save(call, num, data | {"status": new}, *([_comment(call.user, text)] if text else []), event)
    return {"newStatus": event}


def title(call: Call, num: str) -> dict:
    with call.store.write():
        data, new = _load(call, num), call.field("title").strip()[:200]
        _check_author(call, data["author"])
        event = _event("title-change", call.user, **{"from": data["title"], "to": new})
        _save(call, num, data | {"title": new}, event)
    return {"newTitle": event}


def merge(call: Call, num: str) -> dict:
    with call.store.write():
        data = _load(call, num)
        if not data["isPullRequest"] or data["status"] not in STATUSES["open"]:
            raise HubFault(400, f"{num} is no open pull request")
        tree, conflicts, heads = _three_way(call, num, data)
        if conflicts:
            raise HubFault(409, f"Cannot merge: {', '.join(conflicts[:10])} changed on both sides")
        ref, words = f"refs/heads/{data['base']}", f"{data['title']} (#{num})"
        made = call.store.add_commit(call.repo, ref, tree, heads, call.user.name, words)
        event = _event("status-change", call.user, status="merged")
        _save(call, num, data | {"status": "merged", "merged": made.id}, event)
        index_head(call.store, call.repo)
    return {"mergeCommitId": made.id}


D = "/api/{type}/{repo}/discussions"
ROUTES = [
    ("GET", D, "read", listing),
    ("POST", D, "join", create),
    ("GET", D + "/{num}", "read", details),
    ("POST", D + "/{num}/comment", "join", comment),
    ("POST", D + "/{num}/comment/{id}/{what}", "join", edit_comment),
    ("POST", D + "/{num}/status", "join", status),
    ("POST", D + "/{num}/title", "join", title),
    ("POST", D + "/{num}/merge", "write", merge),
]
