"""Spaces as far as they are set up from outside: runtime, hardware, sleep, pause, secrets and variables.

Nothing runs here, and no Space says that it does. A secret's value is dropped as soon as it came: nothing would read it.
"""

import re

from .app import Call, HubFault, refuse, route
from .store import Repo, iso

APP_FILES = {"docker": "Dockerfile", "static": "index.html"}
NOTE = "This embedded Hub keeps Spaces and runs none; start the app yourself"
ASKED = {"flavor": ("flavor", str), "sleepTimeSeconds": ("sleep", int), "seconds": ("sleep", int)}
S = "/api/{type:spaces}/{repo}"


def state(call: Call, repo: Repo) -> dict:
    """The runtime of a Space, as its info and the client have it."""
    asked, facts = call.store.document(repo.id, "space", "runtime"), repo.known
    file = (facts.get("cardData") or {}).get("app_file") or APP_FILES.get(str(facts.get("sdk")), "app.py")
    there = file in call.store.read_tree(call.store.get_commit(repo, "main").tree)
    stage = "PAUSED" if asked.get("paused") else "STOPPED" if there else "NO_APP_FILE"
    return {"stage": stage, "hardware": {"current": None, "requested": asked.get("flavor", "cpu-basic")}, "gcTimeout": asked.get("sleep"),
            "storage": None, "domains": [], "devMode": False, "replicas": {"current": 0, "requested": 1}, "errorMessage": NOTE}


@route("GET", S + "/runtime", "read")
def runtime(call: Call) -> dict:
    return state(call, call.repo)


def _change(call: Call, repo: Repo, **asked: object) -> dict:
    """Remembers what was asked of a Space, leaving out what is None."""
    with call.store.edit(repo.id, "space", "runtime") as data:
        data |= {name: value for name, value in asked.items() if value is not None}
    return state(call, repo)


@route("POST", S + "/{what:hardware|sleeptime|pause|restart}", "write")
def ask(call: Call, what: str) -> dict:
    asked = {kept: call.field(name, kind) for name, (kept, kind) in ASKED.items() if name in call.body}
    return _change(call, call.repo, **asked, **({"paused": what == "pause"} if what in ("pause", "restart") else {}))


def _keep(call: Call, repo: Repo, kind: str, item: object) -> None:
    key, value = (item.get("key"), item.get("value")) if isinstance(item, dict) else (None, None)
    if not isinstance(key, str) or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,255}", key) or not isinstance(value, str):
        raise HubFault(400, f"A {kind} has a key of letters, digits and '_', and a text as its value")
    data = {"updatedAt": iso(), "description": item.get("description")} | ({"value": value} if kind == "variable" else {})
    call.store.put_document(repo.id, kind, key, data)


def configure(call: Call, repo: Repo) -> None:
    """What a call that makes a Space says about it beside its name."""
    refuse(call.body.get("volumes"), 501, "This embedded Hub mounts no volumes in Spaces", "NotImplemented")
    _change(call, repo, flavor=call.body.get("hardware"), sleep=call.body.get("sleepTimeSeconds"))
    for kind in ("secret", "variable"):
        for item in call.field(f"{kind}s", list, []):
            _keep(call, repo, kind, item)


@route("GET", S + "/{docs:secrets}", "write")
@route("GET", S + "/{docs:variables}", "read")
def show(call: Call, docs: str) -> dict:
    return call.store.documents(call.repo.id, docs.removesuffix("s"))


@route("POST", S + "/{docs:secrets|variables}", "write")
def put(call: Call, docs: str) -> dict:
    _keep(call, call.repo, docs.removesuffix("s"), call.body)
    return show(call, docs)


@route("DELETE", S + "/{docs:secrets|variables}", "write")
def drop(call: Call, docs: str) -> dict:
    call.store.put_document(call.repo.id, docs.removesuffix("s"), call.field("key"), {})
    return show(call, docs)
