"""Gated repositories: asking for access, and the owners' answers."""


from .app import Call, HubFault, refuse, route
from .store import iso, new_id

STATUSES = ("pending", "accepted", "rejected")
A = "/api/{type}/{repo}/user-access-request"


def _decide(call: Call, user: str, status: str) -> dict:
    if not call.repo.gated or status not in STATUSES:
        raise HubFault(400, f"{call.repo.full_name} is not gated, or {status!r} is not one of {', '.join(STATUSES)}")
    with call.store.edit(call.repo.id, "access", user) as data:
        refuse(data.get("status") == status, 404, f"The access request of {user} is {status} already")
        who = {"user": user, "fullname": call.accounts.users[user].fullname}
        data |= {"requestId": new_id(), "user": who, "timestamp": iso()} | data | {"status": status}
    return data


@route("POST", "/{kind}{repo}/ask-access", "join")
def ask(call: Call) -> dict:
    """The caller asks: at once let in where the gate is automatic."""
    return _decide(call, call.user.name, "accepted" if call.repo.gated == "auto" else "pending")


@route("GET", A + "/{status}", "write")
def requests(call: Call, status: str) -> list[dict]:
    return [data for data in call.store.documents(call.repo.id, "access").values() if data["status"] == status]


@route("POST", A + "/handle", "write")
def handle(call: Call) -> dict:
    wanted = call.body.get("user"), call.body.get("requestId")
    for user, data in call.store.documents(call.repo.id, "access").items():
        if wanted in ((user, None), (None, data["requestId"])):
            return _decide(call, user, call.field("status"))
    raise HubFault(404, "There is no such access request")


@route("POST", A + "/grant", "write")
def grant(call: Call) -> dict:
    name = call.accounts.find_namespace(call.field("user"))
    refuse(name not in call.accounts.users, 404, f"There is no user {call.body['user']}")
    return _decide(call, name, "accepted")
