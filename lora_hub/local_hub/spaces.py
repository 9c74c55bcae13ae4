"""Spaces, as far as setting one up needs: the requested configuration, its secrets, variables and volumes.

Nothing runs here, and no Space claims to run. A secret's value is discarded on arrival, because nothing would read it.
"""

from .calls import Call, route
from .faults import refuse
from .store import NOWHERE, Repo, iso

ASKED = {
    "flavor": ("flavor", str),
    "hardware": ("flavor", str),
    "sleepTimeSeconds": ("sleep", int),
    "seconds": ("sleep", int),
}
VOLUMES = ("bucket", "model", "dataset", "space")
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
        "errorMessage": "This embedded Hub keeps a Space's files and settings, and runs none",
        **({"volumes": asked["volumes"]} if asked.get("volumes") else {}),
    }


def _remember(call: Call, repo: Repo, **more: object) -> dict:
    with call.store.edit(repo.id, "space", "runtime") as data:
        data |= {kept: call.field(name, kind) for name, (kept, kind) in ASKED.items() if name in call.body} | more
    return state(call, repo)


@route("POST", S + "/{what:hardware|sleeptime|pause|restart}", "write")
def ask(call: Call, what: str) -> dict:
    return _remember(call, call.repo, **({"paused": what == "pause"} if what in ("pause", "restart") else {}))


def _volumes(call: Call) -> list[dict]:
    """What is to be mounted where, as the client sends it."""
    volumes = call.field("volumes", list)
    for one in volumes:
        good = isinstance(one, dict) and one.get("type") in VOLUMES and isinstance(one.get("source"), str)
        place = one.get("mountPath") if good else None
        refuse(
            not isinstance(place, str) or not place.startswith("/"),
            400,
            f"A volume has a type ({', '.join(VOLUMES)}), a source and a mountPath that starts with /",
        )
        refuse(
            one["type"] == "bucket" and not call.store.document(NOWHERE, "bucket", one["source"].lower()),
            404,
            f"There is no bucket {one['source']}",
        )
    places = [one["mountPath"] for one in volumes]
    refuse(len({*places}) < len(places), 400, "Two volumes have the same mountPath")
    return volumes


@route("PUT", S + "/volumes", "write")
def mount(call: Call) -> dict:
    return _remember(call, call.repo, volumes=_volumes(call))


@route("DELETE", S + "/volumes", "write")
def unmount(call: Call) -> dict:
    refuse(not call.store.document(call.repo.id, "space", "runtime").get("volumes"), 400, "It has no volumes")
    return _remember(call, call.repo, volumes=[])


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
    _remember(call, repo, **({"volumes": _volumes(call)} if call.body.get("volumes") else {}))
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
