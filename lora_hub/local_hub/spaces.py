"""Spaces as far as they are set up from outside: runtime, hardware, sleep, pause, secrets and variables.

Nothing runs here, and no Space says that it does. A secret's value is dropped as soon as it came: nothing would read it.
"""

import json
import re
import time
from functools import partial

from .app import Call
from .faults import HubFault
from .store import Repo, iso

APP_FILES = {"docker": "Dockerfile", "static": "index.html"}
NOTE = "This embedded Hub keeps Spaces and runs none; start the app yourself"


def runtime(call: Call) -> dict:
    state, facts = call.store.documents(call.repo.id, "space").get("runtime", {}), json.loads(call.repo.facts)
    file = (facts.get("cardData") or {}).get("app_file") or APP_FILES.get(str(facts.get("sdk")), "app.py")
    there = file in call.store.read_tree(call.store.get_commit(call.repo, "main").tree)
    stage = "PAUSED" if state.get("paused") else "STOPPED" if there else "NO_APP_FILE"
    return {"stage": stage, "hardware": {"current": None, "requested": state.get("flavor", "cpu-basic")},
            "gcTimeout": state.get("sleep"), "storage": state.get("storage"), "domains": [], "devMode": False,
            "replicas": {"current": 0, "requested": 1}, "errorMessage": NOTE}


def _note(call: Call, repo: Repo, **state: object) -> None:
    """Remembers what was asked of a Space, leaving out what is None; call it inside `write()`."""
    known = call.store.documents(repo.id, "space").get("runtime", {})
    given = {name: value for name, value in state.items() if value is not None}
    call.store.put_document(repo.id, "space", "runtime", known | given)


def _change(call: Call, **state: object) -> dict:
    with call.store.write():
        _note(call, call.repo, **state)
    return runtime(call)


def hardware(call: Call) -> dict:
    seconds = call.field("sleepTimeSeconds", int) if "sleepTimeSeconds" in call.body else None
    return _change(call, flavor=call.field("flavor"), sleep=seconds)


def sleep_time(call: Call) -> dict:
    return _change(call, sleep=call.field("seconds", int))


def storage(call: Call) -> dict:
    return _change(call, storage=call.field("tier") if call.request.method == "POST" else "")


def pause(call: Call) -> dict:
    return _change(call, paused=True)


def restart(call: Call) -> dict:
    return _change(call, paused=False)


def _keep(call: Call, repo: Repo, kind: str, item: object) -> None:
    key, value = (item.get("key"), item.get("value")) if isinstance(item, dict) else (None, None)
    if not isinstance(key, str) or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,255}", key) or not isinstance(value, str):
        raise HubFault(400, f"A {kind} has a key of letters, digits and '_', and a text as its value")
    data = {"updatedAt": iso(time.time()), "description": item.get("description")}
    call.store.put_document(repo.id, kind, key, data | ({"value": value} if kind == "variable" else {}))


def configure(call: Call, repo: Repo) -> None:
    """What a call that makes a Space says about it beside its name; call it inside `write()`."""
    if call.body.get("volumes"):
        raise HubFault(501, "This embedded Hub mounts no volumes in Spaces", "NotImplemented")
    _note(call, repo, flavor=call.body.get("hardware"), sleep=call.body.get("sleepTimeSeconds"))
    for kind in ("secret", "variable"):
        for item in call.field(f"{kind}s", list, []):
            _keep(call, repo, kind, item)


def show(kind: str, call: Call) -> dict:
    return call.store.documents(call.repo.id, kind)


def put(kind: str, call: Call) -> dict:
    with call.store.write():
        _keep(call, call.repo, kind, call.body)
    return show(kind, call)


def drop(kind: str, call: Call) -> dict:
    with call.store.write():
        call.store.put_document(call.repo.id, kind, call.field("key"), None)
    return show(kind, call)


S = "/api/{space}/{repo}"
ROUTES = [
    ("GET", S + "/runtime", "read", runtime),
    ("POST", S + "/hardware", "write", hardware),
    ("POST", S + "/sleeptime", "write", sleep_time),
    ("POST", S + "/storage", "write", storage),
    ("DELETE", S + "/storage", "write", storage),
    ("POST", S + "/pause", "write", pause),
    ("POST", S + "/restart", "write", restart),
    *((method, f"{S}/{kind}s", who, partial(handler, kind)) for kind, reader in (("secret", "write"), ("variable", "read"))
      for method, who, handler in (("GET", reader, show), ("POST", "write", put), ("DELETE", "write", drop))),
]
