"""Discussions and pull requests. A pull request is a ref `refs/pr/N` for its commits, with a discussion."""

from contextlib import AbstractContextManager

from .calls import Call, route
from .faults import refuse
from .store import Commit, Tree, iso, new_id

CLOSED = ("closed", "merged")
D = "/api/{type}s/{repo}/discussions"


def _event(call: Call, kind: str, **data: object) -> dict:
    return {"id": new_id(), "type": kind, "createdAt": iso(), "author": {"name": call.user.name}, "data": data}


def _said(call: Call, text: str, before: tuple | list = (), hidden: bool = False) -> dict:
    """A comment's content with its earlier versions."""
    latest = {"raw": text, "html": "", "updatedAt": iso(), "author": {"name": call.user.name}}
    return {"latest": latest, "history": [*before, latest], "edited": bool(before), "hidden": hidden}


def open_discussion(call: Call, title: str, text: str, fork: Commit | None, base: str = "main") -> int:
    """Opens a discussion. A pull request gets a ref that starts at `fork`. Call it inside `write()`."""
    num = max(map(int, call.store.documents(call.repo.id, "discussion")), default=0) + 1
    data = {
        "title": title.strip(),
        "author": {"name": call.user.name},
        "createdAt": iso(),
        "status": "open",
        "base": base,
        "fork": fork and fork.id,
        "isPullRequest": bool(fork),
        "events": [_event(call, "comment", **_said(call, text))],
    }
    call.store.put_document(call.repo.id, "discussion", str(num), data)
    if fork:
        call.store.set_ref(call.repo, f"refs/pr/{num}", fork.id)
    return num


def _change(call: Call, num: str) -> AbstractContextManager[dict]:
    """A discussion. Changes to it are stored when the block ends."""
    return call.store.edit(call.repo.id, "discussion", num, needed=True)


def _check_author(call: Call, of: dict) -> None:
    mine = of["author"]["name"] == call.user.name or call.accounts.can_write(call.user, call.repo)
    refuse(not mine, 403, "Only its author and those who write to the repository may change this")


def check_pull(call: Call, ref: str) -> None:
    """The author of an open pull request may add to it, and so may people who can write to the repo."""
    _check_author(
        call, data := call.store.document(call.repo.id, "discussion", ref.removeprefix("refs/pr/"), needed=True)
    )
    refuse(data["status"] in CLOSED, 403, f"{ref} is {data['status']}")


def note_commit(call: Call, ref: str, made: Commit) -> None:
    """Adds a commit to the discussion of its pull request."""
    with _change(call, ref.removeprefix("refs/pr/")) as data:
        data["events"].append(_event(call, "commit", subject=made.title, oid=made.id))


def _brief(call: Call, num: str, data: dict) -> dict:
    about = {"num": int(num), "repo": {"name": call.repo.full_name, "type": call.repo.type}}
    return about | {name: data[name] for name in ("title", "author", "createdAt", "status", "isPullRequest")}


@route("GET", D, "read")
def listing(call: Call) -> dict:
    """All discussions on one page, newest first."""
    asked = call.query.get
    found = [
        _brief(call, num, data)
        for num, data in call.store.documents(call.repo.id, "discussion").items()
        if asked("type", "all") in ("all", "pull_request" if data["isPullRequest"] else "discussion")
        and asked("status", "all") in ("all", "closed" if data["status"] in CLOSED else "open")
        and asked("author") in (None, data["author"]["name"])
    ]
    return {"count": len(found), "start": 0, "discussions": sorted(found, key=lambda item: -item["num"])}


@route("POST", D, "join")
def create(call: Call) -> dict:
    with call.store.write():
        fork = call.store.get_commit(call.repo, "main") if call.body.get("pullRequest") else None
        return {"num": open_discussion(call, call.field("title"), call.field("description", str, ""), fork)}


def _three_way(call: Call, num: str, data: dict) -> tuple[Tree, list[str], tuple[str, str]]:
    """(merged tree, files that both sides changed differently, the heads of the target and of the pull request)."""
    (_, fork), (head, ours), (tip, theirs) = map(
        call.tree, (data["fork"], f"refs/heads/{data['base']}", f"refs/pr/{num}")
    )
    changed = [path for path in fork.keys() | theirs.keys() if fork.get(path) != theirs.get(path)]
    conflicts = sorted(path for path in changed if ours.get(path) not in (fork.get(path), theirs.get(path)))
    merged = {**ours, **{path: theirs.get(path) for path in changed}}
    return {path: entry for path, entry in merged.items() if entry}, conflicts, (head.id, tip.id)


@route("GET", D + "/{num}", "read")
def details(call: Call, num: str) -> dict:
    data = call.store.document(call.repo.id, "discussion", num, needed=True)
    conflicts = _three_way(call, num, data)[1] if data["isPullRequest"] and data["status"] not in CLOSED else []
    changes = {"base": f"refs/heads/{data['base']}", "mergeCommitId": data.get("merged")}
    return _brief(call, num, data) | {"events": data["events"], "changes": changes, "filesWithConflicts": conflicts}


@route("POST", D + "/{num}/comment/{id}/{what:edit|hide}", "join")
def edit_comment(call: Call, num: str, id: str, what: str) -> dict:
    with _change(call, num) as data:
        event = next((event for event in data["events"] if (event["id"], event["type"]) == (id, "comment")), None)
        refuse(event is None, 404, f"There is no comment {id}")
        _check_author(call, event)
        event["data"] = (
            _said(call, "", hidden=True)
            if what == "hide"
            else _said(call, call.field("content"), event["data"]["history"])
        )
    return {"updatedComment": event}


@route("POST", D + "/{num}/{what:comment|status|title}", "join")
def add(call: Call, num: str, what: str) -> dict:
    """Adds a comment, changes the status (with or without a comment), or changes the title."""
    with _change(call, num) as data:
        if what == "comment" or call.body.get("comment"):
            data["events"].append(_event(call, "comment", **_said(call, call.field("comment"))))
        if what != "comment":
            _check_author(call, data)
            old, new = data[what], call.field(what).strip()
            wrong = what == "status" and (new not in ("open", "closed") or old == "merged")
            refuse(wrong, 400, f"{num} cannot go from {old} to {new}")
            data["events"].append(_event(call, f"{what}-change", **{what: new, "from": old, "to": new}))
            data[what] = new
    return {"newMessage" if what == "comment" else f"new{what.title()}": data["events"][-1]}


@route("POST", D + "/{num}/merge", "write")
def merge(call: Call, num: str) -> None:
    with _change(call, num) as data:
        refuse(not data["isPullRequest"] or data["status"] in CLOSED, 400, f"{num} is no open pull request")
        tree, conflicts, heads = _three_way(call, num, data)
        refuse(conflicts, 409, f"Cannot merge: {', '.join(conflicts[:10])} changed on both sides")
        made = call.store.add_commit(
            call.repo, f"refs/heads/{data['base']}", tree, heads, call.user.name, f"{data['title']} (#{num})"
        )
        data["events"].append(_event(call, "status-change", status="merged"))
        data |= {"status": "merged", "merged": made.id}
