"""Discussions and pull requests. A pull request is a ref `refs/pr/N` that commits go to, and a talk about it."""

from contextlib import AbstractContextManager

from .app import Call, refuse, route
from .store import Commit, Tree, iso, new_id

PAGE = 50
MAX_TEXT = 65536
KINDS = {"discussion": False, "pull_request": True}
STATUSES = {"open": ("open", "draft"), "closed": ("closed", "merged")}
D = "/api/{type}/{repo}/discussions"


def _event(call: Call, kind: str, **data: object) -> dict:
    return {"id": new_id(), "type": kind, "createdAt": iso(), "author": {"name": call.user.name}, "data": data}


def _words(call: Call, text: str) -> dict:
    return {"raw": text[:MAX_TEXT], "html": "", "updatedAt": iso(), "author": {"name": call.user.name}}


def _comment(call: Call, text: str) -> dict:
    latest = _words(call, text)
    return _event(call, "comment", edited=False, hidden=False, latest=latest, history=[latest])


def open_discussion(call: Call, title: str, text: str, *, fork: Commit | None, base: str = "main", status: str) -> int:
    """Adds one, with its ref where it is a pull request that starts at `fork`; call it inside `write()`."""
    num = max(map(int, call.store.documents(call.repo.id, "discussion")), default=0) + 1
    data = {"title": title.strip(), "author": {"name": call.user.name}, "createdAt": iso(), "status": status,
            "base": base, "fork": fork and fork.id, "isPullRequest": bool(fork), "events": [_comment(call, text)]}
    call.store.put_document(call.repo.id, "discussion", str(num), data)
    if fork:
        call.store.set_ref(call.repo, f"refs/pr/{num}", fork.id)
    return num


def _load(call: Call, num: str) -> dict:
    return call.store.document(call.repo.id, "discussion", num, needed=True)


def _change(call: Call, num: str) -> AbstractContextManager[dict]:
    """A discussion to be changed in place."""
    return call.store.edit(call.repo.id, "discussion", num, needed=True)


def _check_author(call: Call, of: dict) -> None:
    mine = of["author"]["name"] == call.user.name or call.accounts.can_write(call.user, call.repo)
    refuse(not mine, 403, "Only its author and those who write to the repository may change this")


def check_pull(call: Call, ref: str) -> None:
    """Who opened a pull request may add to it while it is open, as may who writes to the repo."""
    _check_author(call, data := _load(call, ref.removeprefix("refs/pr/")))
    refuse(data["status"] not in STATUSES["open"], 403, f"{ref} is {data['status']}")


def note_commit(call: Call, ref: str, made: Commit) -> None:
    """Adds a commit to the talk about its pull request."""
    with _change(call, ref.removeprefix("refs/pr/")) as data:
        data["events"].append(_event(call, "commit", subject=made.title, oid=made.id))


def _brief(call: Call, num: str, data: dict) -> dict:
    comments = sum(event["type"] == "comment" for event in data["events"])
    return {"num": int(num), "repo": {"name": call.repo.full_name, "type": call.repo.type}, "numComments": comments,
            **{key: data[key] for key in ("title", "author", "createdAt", "status", "isPullRequest")}}


@route("GET", D, "read")
def listing(call: Call) -> dict:
    kind, status = KINDS.get(call.query.get("type", "")), STATUSES.get(call.query.get("status", ""))
    author, start = call.query.get("author"), PAGE * call.number("p", 0)
    items = [_brief(call, num, data) for num, data in call.store.documents(call.repo.id, "discussion").items()
             if kind in (None, data["isPullRequest"]) and (status is None or data["status"] in status)
             and author in (None, data["author"]["name"])]
    items.sort(key=lambda item: -item["num"])
    return {"count": len(items), "start": start, "discussions": items[start:start + PAGE]}


@route("POST", D, "join")
def create(call: Call) -> dict:
    title, pull = call.field("title"), bool(call.body.get("pullRequest"))
    refuse(not 3 <= len(title.strip()) <= 200, 400, "A title has 3 to 200 characters")
    with call.store.write():
        fork = call.store.get_commit(call.repo, "main") if pull else None
        num = open_discussion(call, title, call.text("description"), fork=fork, status="draft" if pull else "open")
    return _brief(call, str(num), _load(call, str(num)))


def _three_way(call: Call, num: str, data: dict) -> tuple[Tree, list[str], tuple[str, str]]:
    """(merged tree, files that both sides changed differently, the heads of the target and of the pull request)."""
    (_, fork), (head, ours), (tip, theirs) = map(call.tree, (data["fork"], f"refs/heads/{data['base']}", f"refs/pr/{num}"))
    changed = [path for path in fork.keys() | theirs.keys() if fork.get(path) != theirs.get(path)]
    conflicts = sorted(path for path in changed if ours.get(path) not in (fork.get(path), theirs.get(path)))
    merged = {**ours, **{path: theirs.get(path) for path in changed}}
    return {path: entry for path, entry in merged.items() if entry}, conflicts, (head.id, tip.id)


@route("GET", D + "/{num}", "read")
def details(call: Call, num: str) -> dict:
    data = _load(call, num)
    answer = _brief(call, num, data) | {"events": data["events"], "diff": None}
    if data["isPullRequest"]:
        answer["changes"] = {"base": f"refs/heads/{data['base']}", "mergeCommitId": data.get("merged")}
        answer["filesWithConflicts"] = _three_way(call, num, data)[1] if data["status"] in STATUSES["open"] else []
    return answer


@route("POST", D + "/{num}/comment", "join")
def comment(call: Call, num: str) -> dict:
    with _change(call, num) as data:
        data["events"].append(event := _comment(call, call.field("comment")))
    return {"newMessage": event}


@route("POST", D + "/{num}/comment/{id}/{what:edit|hide}", "join")
def edit_comment(call: Call, num: str, id: str, what: str) -> dict:
    with _change(call, num) as data:
        event = next((event for event in data["events"] if event["id"] == id and event["type"] == "comment"), None)
        refuse(event is None, 404, f"There is no comment {id}")
        _check_author(call, event)
        latest = _words(call, "" if what == "hide" else call.field("content"))
        history = [] if what == "hide" else [*event["data"]["history"], latest]
        event["data"] |= {"edited": True, "hidden": what == "hide", "latest": latest, "history": history}
    return {"updatedComment": event}


@route("POST", D + "/{num}/status", "join")
def status(call: Call, num: str) -> dict:
    new = call.field("status")
    with _change(call, num) as data:
        _check_author(call, data)
        refuse(new not in ("open", "closed") or data["status"] == "merged", 400, f"{num} cannot go from {data['status']} to {new}")
        data["events"] += [_comment(call, text)] if (text := call.text("comment")) else []
        data["events"].append(event := _event(call, "status-change", status=new))
        data["status"] = new
    return {"newStatus": event}


@route("POST", D + "/{num}/title", "join")
def title(call: Call, num: str) -> dict:
    with _change(call, num) as data:
        _check_author(call, data)
        old, data["title"] = data["title"], call.field("title").strip()[:200]
        data["events"].append(event := _event(call, "title-change", **{"from": old, "to": data["title"]}))
    return {"newTitle": event}


@route("POST", D + "/{num}/merge", "write")
def merge(call: Call, num: str) -> dict:
    with _change(call, num) as data:
        refuse(not data["isPullRequest"] or data["status"] not in STATUSES["open"], 400, f"{num} is no open pull request")
        tree, conflicts, heads = _three_way(call, num, data)
        refuse(conflicts, 409, f"Cannot merge: {', '.join(conflicts[:10])} changed on both sides")
        made = call.store.add_commit(call.repo, f"refs/heads/{data['base']}", tree, heads, call.user.name, f"{data['title']} (#{num})")
        data["events"].append(_event(call, "status-change", status="merged"))
        data |= {"status": "merged", "merged": made.id}
    return {"mergeCommitId": made.id}
