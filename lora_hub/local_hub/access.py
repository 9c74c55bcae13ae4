"""Gated repositories: asking for access, and the owners' answers."""

import secrets
import time

from .app import Call
from .faults import HubFault
from .store import iso

STATUSES = ("pending", "accepted", "rejected")


def _decide(call: Call, user: str, status: str) -> dict:
    old = call.store.documents(call.repo.id, "access").get(user, {})
    if not call.repo.gated or status not in STATUSES:
        raise HubFault(400, f"{call.repo.full_name} is not gated, or {status!r} is not one of {', '.join(STATUSES)}")
    if old.get("status") == status:
        raise HubFault(404, f"The access request of {user} is {status} already")
    who = {"user": user, "fullname": call.accounts.users[user].fullname}
    data = {"requestId": secrets.token_hex(12), "user": who, "timestamp": iso(time.time())} | old | {"status": status}
    with call.store.write():
        call.store.put_document(call.repo.id, "access", user, data)
    return data


def ask(call: Call) -> dict:
    """The caller asks: at once let in where the gate is automatic."""
    return _decide(call, call.user.name, "accepted" if call.repo.gated == "auto" else "pending")


def requests(call: Call, status: str) -> list[dict]:
    return [data for data in call.store.documents(call.repo.id, "access").values() if data["status"] == status]


def handle(call: Call) -> dict:
    wanted = call.body.get("user"), call.body.get("requestId")
    for user, data in call.store.documents(call.repo.id, "access").items():
        if wanted in ((user, None), (None, data["requestId"])):
            return _decide(call, user, call.field("status"))
    raise HubFault(404, "There is no such access request")


def grant(call: Call) -> dict:
    name = call.accounts.find_namespace(call.field("user"))
    if name not in call.accounts.users:
        raise HubFault(404, f"There is no user {call.body['user']}")
    return _decide(call, name, "accepted")


A = "/api/{type}/{repo}/user-access-request"
ROUTES = [
    ("POST", "/{kind}{repo}/ask-access", "join", ask),
    ("GET", A + "/{status}", "write", requests),
    ("POST", A + "/handle", "write", handle),
    ("POST", A + "/grant", "write", grant),
]
