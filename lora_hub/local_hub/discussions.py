"""Discussions and pull requests. A pull request is a ref `refs/pr/N` that commits go to, and a talk about it."""

import json
import secrets
import time
from typing import Any

from .accounts import Account
from .app import Call
from .commits import index_head
from .faults import HubFault, forbidden
from .store import Commit, Repo, Tree, iso

PAGE = 50
KINDS = {"all": None, "discussion": False, "pull_request": True}
STATUSES = {"open": ("open", "draft"), "closed": ("closed", "merged")}


def _event(kind: str, user: Account, data: dict) -> dict:
    return {"id": secrets.token_hex(12), "type": kind, "createdAt": iso(time.time()), "author": {"name": user.name}, "data": data}


def _comment(user: Account, text: str) -> dict:
    latest = {"raw": text, "html": "", "updatedAt": iso(time.time()), "author": {"name": user.name}}
    return _event("comment", user, {"edited": False, "hidden": False, "latest": latest, "numEdits": 0, "history": [latest]})


def open_discussion(call: Call, repo: Repo, user: Account, title: str, text: str, *, fork: Commit | None, base: str, status: str) -> int:
    """Adds one, with its ref where it is a pull request that starts at `fork`; call it inside `write()`."""
    db = call.store.db
    num = db.execute("SELECT COALESCE(MAX(num), 0) + 1 FROM discussions WHERE repo = ?", (repo.id,)).fetchone()[0]
    data = {"title": title.strip(), "author": {"name": user.name}, "createdAt": iso(time.time()), "status": status, "isPullRequest": fork is not None,
            "base": base, "fork": fork.id if fork else None, "events": [_comment(user, text)] if text or fork is None else []}
    db.execute("INSERT INTO discussions VALUES(?,?,?)", (repo.id, num, json.dumps(data)))
    if fork:
        db.execute("INSERT INTO refs VALUES(?,?,?,'')", (repo.id, f"refs/pr/{num}", fork.id))
    return num


def _load(call: Call, repo: Repo, num: str) -> dict:
    row = call.store.db.execute("SELECT data FROM discussions WHERE repo = ? AND num = ?", (repo.id, num if num.isdigit() else -1)).fetchone()
    if row is None:
        raise HubFault(404, f"There is no discussion {num} in {repo.full_name}")
    return json.loads(row[0])


def _change(call: Call, repo: Repo, num: str, data: dict, *events: dict) -> None:
    data["events"] += events
    call.store.db.execute("UPDATE discussions SET data = ? WHERE repo = ? AND num = ?", (json.dumps(data), repo.id, num))


def check_pull_write(call: Call, repo: Repo, rev: str) -> None:
    """Who opened a pull request may add to it, as may who writes to the repo."""
    data = _load(call, repo, rev.removeprefix("refs/pr/"))
    if data["author"]["name"] != call.need_user().name and not call.accounts.can_write(call.user, repo):
        raise forbidden(f"You don't have the rights to write to {rev}")
    if data["status"] not in ("open", "draft"):
        raise forbidden(f"{rev} is {data['status']}")


def note_commit(call: Call, repo: Repo, rev: str, user: Account, made: Commit) -> None:
    num = rev.removeprefix("refs/pr/")
    _change(call, repo, num, _load(call, repo, num), _event("commit", user, {"subject": made.title, "oid": made.id}))


def _brief(repo: Repo, num: int, data: dict) -> dict:
    return {"num": num, "repo": {"name": repo.full_name, "type": repo.type}, "numComments": sum(e["type"] == "comment" for e in data["events"]),
            **{key: data[key] for key in ("title", "author", "createdAt", "status", "isPullRequest")}}


def listing(call: Call, type: str, repo: str) -> dict:
    found, kind, status = call.readable(type, repo), KINDS.get(call.query.get("type", "all")), call.query.get("status", "all")
    rows = call.store.db.execute("SELECT num, data FROM discussions WHERE repo = ? ORDER BY num DESC", (found.id,)).fetchall()
    items = [_brief(found, num, json.loads(data)) for num, data in rows]
    items = [item for item in items if (kind is None or item["isPullRequest"] == kind) and item["status"] in STATUSES.get(status, (item["status"],))
             and call.query.get("author", item["author"]["name"]) == item["author"]["name"]]
    start = PAGE * int(call.query.get("p", "0")) if call.query.get("p", "0").isdigit() else 0
    return {"count": len(items), "start": start, "discussions": items[start:start + PAGE], "numClosedDiscussions": 0}


def create(call: Call, type: str, repo: str) -> dict:
    found, user, title = call.readable(type, repo), call.need_user(), call.field("title")
    pull = bool(call.body.get("pullRequest"))
    if not 3 <= len(title.strip()) <= 200:
        raise HubFault(400, "A title has 3 to 200 characters")
    with call.store.write():
        fork = call.store.get_commit(found, "main") if pull else None
        num = open_discussion(call, found, user, title, str(call.body.get("description") or "")[:65536], fork=fork, base="main",
                              status="draft" if pull else "open")
    return _brief(found, num, _load(call, found, str(num)))


def _three_way(call: Call, repo: Repo, num: str, data: dict) -> tuple[Tree, list[str], Commit, Commit]:
    """(merged tree, files that both sides changed differently, the target's head, the pull request's head)."""
    ours, theirs = call.store.get_commit(repo, data["base"]), call.store.get_commit(repo, f"refs/pr/{num}")
    fork, mine, new = (call.store.read_tree(commit.tree) for commit in (call.store.get_commit(repo, data["fork"]), ours, theirs))
    changed = [path for path in fork.keys() | new.keys() if fork.get(path) != new.get(path)]
    conflicts = sorted(path for path in changed if mine.get(path) not in (fork.get(path), new.get(path)))
    merged: dict[str, Any] = {**mine, **{path: new.get(path) for path in changed}}
    return {path: entry for path, entry in merged.items() if entry is not None}, conflicts, ours, theirs


def details(call: Call, type: str, repo: str, num: str) -> dict:
    found = call.readable(type, repo)
    data = _load(call, found, num)
    answer = _brief(found, int(num), data) | {"events": data["events"], "diff": None}
    if data["isPullRequest"]:
        answer["changes"] = {"base": f"refs/heads/{data['base']}", "mergeCommitId": data.get("merged")}
        answer["filesWithConflicts"] = _three_way(call, found, num, data)[1] if data["status"] in ("open", "draft") else []
    return answer


def _mine(call: Call, repo: Repo, author: str) -> None:
    if author != call.need_user().name and not call.accounts.can_write(call.user, repo):
        raise forbidden("Only its author and those who write to the repository may change this")


def comment(call: Call, type: str, repo: str, num: str) -> dict:
    found, event = call.readable(type, repo), _comment(call.need_user(), call.field("comment")[:65536])
    with call.store.write():
        _change(call, found, num, _load(call, found, num), event)
    return {"newMessage": event}


def edit_comment(call: Call, type: str, repo: str, num: str, id: str, what: str) -> dict:
    found = call.readable(type, repo)
    with call.store.write():
        data = _load(call, found, num)
        event = next((e for e in data["events"] if e["id"] == id and e["type"] == "comment"), None)
        if event is None:
            raise HubFault(404, f"There is no comment {id}")
        _mine(call, found, event["author"]["name"])
        if what == "hide":
            event["data"]["hidden"] = True
            event["data"]["latest"]["raw"] = ""
        else:
            event["data"] |= {"edited": True, "numEdits": event["data"]["numEdits"] + 1}
            event["data"]["latest"] = {"raw": call.field("content")[:65536], "html": "", "updatedAt": iso(time.time()), "author": {"name": call.need_user().name}}
        _change(call, found, num, data)
    return {"updatedComment": event}


def status(call: Call, type: str, repo: str, num: str) -> dict:
    found, new = call.readable(type, repo), call.field("status")
    if new not in ("open", "closed"):
        raise HubFault(400, '"status" must be open or closed')
    with call.store.write():
        data = _load(call, found, num)
        _mine(call, found, data["author"]["name"])
        if data["status"] == "merged":
            raise HubFault(400, "It is merged already")
        data["status"], event = new, _event("status-change", call.need_user(), {"status": new})
        _change(call, found, num, data, *([_comment(call.need_user(), text)] if (text := str(call.body.get("comment") or "")) else []), event)
    return {"newStatus": event}


def title(call: Call, type: str, repo: str, num: str) -> dict:
    found, new = call.readable(type, repo), call.field("title").strip()
    with call.store.write():
        data = _load(call, found, num)
        _mine(call, found, data["author"]["name"])
        event = _event("title-change", call.need_user(), {"from": data["title"], "to": new})
        data["title"] = new
        _change(call, found, num, data, event)
    return {"newTitle": event}


def merge(call: Call, type: str, repo: str, num: str) -> dict:
    found, user = call.writable(type, repo), call.need_user()
    with call.store.write():
        data = _load(call, found, num)
        if not data["isPullRequest"] or data["status"] not in ("open", "draft"):
            raise HubFault(400, f"{num} cannot be merged: it is {data['status'] if data['isPullRequest'] else 'a discussion'}")
        tree, conflicts, ours, theirs = _three_way(call, found, num, data)
        if conflicts:
            raise HubFault(409, f"Cannot merge: {', '.join(conflicts[:10])} changed on both sides")
        made = call.store.add_commit(found, f"refs/heads/{data['base']}", tree, (ours.id, theirs.id), user.name, f"{data['title']} (#{num})",
                                     str(call.body.get("comment") or ""))
        data |= {"status": "merged", "merged": made.id}
        _change(call, found, num, data, _event("status-change", user, {"status": "merged"}))
        if data["base"] == "main":
            index_head(call.store, found)
    return {"mergeCommitId": made.id}


D = "/api/{type}/{repo}/discussions"
ROUTES = [
    ("GET", D, listing),
    ("POST", D, create, "json"),
    ("GET", D + "/{num}", details),
    ("POST", D + "/{num}/comment", comment, "json"),
    ("POST", D + "/{num}/comment/{id}/{what}", edit_comment, "json"),
    ("POST", D + "/{num}/status", status, "json"),
    ("POST", D + "/{num}/title", title, "json"),
    ("POST", D + "/{num}/merge", merge, "json"),
]
