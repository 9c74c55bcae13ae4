"""Gated repositories: asking for access, and the owners' answers."""

import json
import secrets
import time

from .app import Call
from .faults import HubFault
from .store import Repo, iso

STATUSES = ("pending", "accepted", "rejected")


def _find(call: Call, repo: Repo, user: str = "", id: str = "") -> dict | None:
    rows = call.store.db.execute("SELECT data FROM access WHERE repo = ?", (repo.id,))
    return next((data for data in map(json.loads, (row[0] for row in rows)) if user in (data["user"]["user"], "") and id in (data["requestId"], "")), None)


def _save(call: Call, repo: Repo, user: str, status: str, old: dict | None) -> dict:
    if not repo.gated:
        raise HubFault(400, f"{repo.full_name} is not gated")
    if old and old["status"] == status:
        raise HubFault(404, f"The access request of {user} is {status} already")
    account = call.accounts.users[user]
    data = {"requestId": secrets.token_hex(12), "user": {"user": user, "fullname": account.fullname}, "timestamp": iso(time.time()), **(old or {}), "status": status}
    with call.store.write() as db:
        db.execute("INSERT OR REPLACE INTO access VALUES(?,?,?)", (repo.id, user, json.dumps(data)))
    return data


def ask(call: Call, kind: str, repo: str) -> dict:
    """The caller asks: at once let in where the gate is automatic."""
    found, user = call.readable(kind, repo), call.need_user()
    return _save(call, found, user.name, "accepted" if found.gated == "auto" else "pending", _find(call, found, user.name))


def requests(call: Call, type: str, repo: str, status: str) -> list[dict]:
    found = call.writable(type, repo)
    if status not in STATUSES:
        raise HubFault(400, f'The status is one of {", ".join(STATUSES)}')
    rows = call.store.db.execute("SELECT data FROM access WHERE repo = ?", (found.id,)).fetchall()
    return [data for data in map(json.loads, (row[0] for row in rows)) if data["status"] == status]


def handle(call: Call, type: str, repo: str) -> dict:
    found, status = call.writable(type, repo), call.field("status")
    old = _find(call, found, str(call.body.get("user") or ""), str(call.body.get("requestId") or ""))
    if old is None or status not in STATUSES or not (call.body.get("user") or call.body.get("requestId")):
        raise HubFault(404, "There is no such access request")
    return _save(call, found, old["user"]["user"], status, old)


def grant(call: Call, type: str, repo: str) -> dict:
    found, name = call.writable(type, repo), call.accounts.find_namespace(call.field("user"))
    if name not in call.accounts.users:
        raise HubFault(404, f"There is no user {call.body['user']}")
    return _save(call, found, name, "accepted", _find(call, found, name))


A = "/api/{type}/{repo}/user-access-request"
ROUTES = [
    ("POST", "/{kind}{repo}/ask-access", ask, "json"),
    ("GET", A + "/{status}", requests),
    ("POST", A + "/handle", handle, "json"),
    ("POST", A + "/grant", grant, "json"),
]
