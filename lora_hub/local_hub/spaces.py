"""Spaces, as far as setting one up needs: the requested configuration, its secrets and variables.

Nothing runs here, and no Space claims to run. A secret's value is discarded on arrival, because nothing would read it.
"""

from .calls import Call, route
from .faults import refuse
from .store import Repo, iso

ASKED = {
    "flavor": ("flavor", str),
    "hardware": ("flavor", str),
    "sleepTimeSeconds": ("sleep", int),
    "seconds": ("sleep", int),
}
S = "/api/{type:space}s/{repo}"


@route("GET", S + "/runtime", "read")
def state(call: Call, repo: Repo | None = None) -> dict:
    """The runtime of a Space in the client's format. repo: by default the call's own."""
    asked = call.store.document((repo or call.repo).id, "space", "runtime")
    hardware = {"current": None, "requested": asked.get("flavor", "cpu-basic")}
    return {
        "stage": "PAUSED" if asked.get("paused") else "STOPPED",
        "hardware": hardware,
        "gcTimeout": asked.get("sleep"),
    }


def _remember(call: Call, repo: Repo, **more: object) -> dict:
    with call.store.edit(repo.id, "space", "runtime") as data:
        data |= {kept: call.field(name, kind) for name, (kept, kind) in ASKED.items() if name in call.body} | more
    return state(call, repo)


@route("POST", S + "/{what:hardware|sleeptime|pause|restart}", "write")
def ask(call: Call, what: str) -> dict:
    return _remember(call, call.repo, **({"paused": what == "pause"} if what in ("pause", "restart") else {}))


def _keep(call: Call, repo: Repo, what: str, item: object) -> None:
    """Stores a secret or a variable, or deletes the named one if no value is given."""
    good = isinstance(item, dict) and isinstance(item.get("key"), str) and isinstance(item.get("value"), str | None)
    refuse(not good, 400, f"A {what} has a key and a value, both texts")
    kept = {"updatedAt": iso(), "description": item.get("description")} | (
        {"value": item.get("value")} if what == "variable" else {}
    )
    call.store.put_document(repo.id, what, item["key"], {} if item.get("value") is None else kept)


def configure(call: Call, repo: Repo) -> None:
    """The configuration in a call that creates a Space, besides its name."""
    refuse(call.body.get("volumes"), 501, "This embedded Hub mounts no volumes in Spaces")
    _remember(call, repo)
    for what in ("secret", "variable"):
        for item in call.field(f"{what}s", list, []):
            _keep(call, repo, what, item)


@route("GET", S + "/{what:secret}s", "write")
@route("GET", S + "/{what:variable}s", "read")
def show(call: Call, what: str) -> dict:
    return call.store.documents(call.repo.id, what)


@route("POST", S + "/{what:secret|variable}s", "write")
@route("DELETE", S + "/{what:secret|variable}s", "write")
def change(call: Call, what: str) -> dict:
    _keep(call, call.repo, what, call.body)
    return show(call, what)
