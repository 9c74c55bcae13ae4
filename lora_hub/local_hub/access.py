"""Gated repositories: asking for access, and the owners' answers."""

from .accounts import user_id
from .app import Call, refuse, route
from .store import iso

A = "/api/{type}s/{repo}/user-access-request"


def _decide(call: Call, user: str, status: str) -> dict:
    good = call.repo.gated and status in ("pending", "accepted", "rejected")
    refuse(not good, 400, f"{call.repo.full_name} is not gated, or {status!r} is none of pending, accepted and rejected")
    with call.store.edit(call.repo.id, "access", user) as data:
        refuse(data.get("status") == status, 404, f"The access request of {user} is {status} already")
        who = {"requestId": user_id(user), "user": {"user": user, "fullname": call.accounts.users[user].fullname}}
        data |= {"timestamp": iso()} | data | who | {"status": status}
    return data


@route("POST", "/{kind}{repo}/ask-access", "join")
def ask(call: Call) -> dict:
    """The caller asks, once: what was decided stays. Let in at once where the gate is automatic."""
    known = call.store.document(call.repo.id, "access", call.user.name).get("status")
    return _decide(call, call.user.name, known or ("accepted" if call.repo.gated == "auto" else "pending"))


@route("GET", A + "/{status}", "write")
def requests(call: Call, status: str) -> list[dict]:
    return [data for data in call.store.documents(call.repo.id, "access").values() if data["status"] == status]


@route("POST", A + "/{how:handle|grant}", "write")
def answer(call: Call, how: str) -> dict:
    """Grants access to anybody, or decides on a request that is there, named by its user or its id."""
    wanted = (call.field("user", str, "") or call.field("requestId", str, "")).lower()
    user = next((name for name in call.accounts.users if wanted in (name.lower(), user_id(name))), "")
    asked = call.store.document(call.repo.id, "access", user)
    refuse(not user or how == "handle" and not asked, 404, "There is no such user or access request")
    return _decide(call, user, "accepted" if how == "grant" else call.field("status"))
