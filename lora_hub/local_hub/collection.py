"""Collections: named lists of repositories and of other collections."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from .calls import Call, route
from .faults import HubFault, refuse
from .store import NOWHERE, iso, new_id

FIELDS = {"title": str, "description": str, "private": bool, "theme": str, "position": int}
# only the end of a slug identifies it, because the rest changes with the title
MAX_TITLE, MAX_TEXT = 60, 150  # characters, as on the public Hub
C = "/api/collections/[^/]+/(?:[^/]*-)?{key:[^/-]+}"


def _role(call: Call, data: dict) -> str:
    return call.accounts.role(call.user, data["owner"]["name"])


def _load(call: Call, key: str) -> dict:
    """A collection that the caller may see, by its key or by a slug that ends with the key."""
    data = call.store.document(NOWHERE, "collection", key.rpartition("-")[2], needed=True)
    refuse(data["private"] and not _role(call, data), 404, f"There is no collection {key}")
    return data


@contextmanager
def _change(call: Call, key: str) -> Iterator[dict]:
    """A collection that the caller may change. Changes to it are stored when the block ends."""
    refuse(
        _role(call, _load(call, key)) not in ("admin", "write"),
        403,
        "You don't have the rights to change this collection",
    )
    with call.store.edit(NOWHERE, "collection", key, needed=True) as data:
        data["lastUpdated"] = iso()
        yield data


def _seen(call: Call, item: dict) -> bool:
    """Whether the caller may see the target of an item."""
    try:
        return bool(
            _load(call, item["id"]) if item["type"] == "collection" else call.admit("read", item["type"], item["id"])
        )
    except HubFault:
        return False


def _shown(call: Call, data: dict) -> dict:
    words, key = re.sub("[^a-z0-9]+", "-", data["title"].lower()).strip("-")[:80], data["slug"].rpartition("-")[2]
    items = [item | {"position": n} for n, item in enumerate(item for item in data["items"] if _seen(call, item))]
    return data | {"slug": f"{data['owner']['name']}/{words}-{key}", "items": items, "upvotes": 0}


def _given(call: Call) -> dict:
    return {name: call.field(name, kind) for name, kind in FIELDS.items() if name in call.body}


def _of(call: Call, owner: str) -> list[dict]:
    """The collections of an owner that the caller may see."""
    found = call.store.documents(NOWHERE, "collection").values()
    mine = [one for one in found if one["owner"]["name"].lower() == owner.lower()]
    return [one for one in mine if not one["private"] or _role(call, one)]


@route("POST", "/api/collections", "user")
def create(call: Call) -> dict:
    owner, key = call.accounts.check_create(call.user, call.field("namespace", str, "")), new_id()
    title = call.field("title")
    refuse(not 0 < len(title.strip()) <= MAX_TITLE, 400, f'"title" must have 1 to {MAX_TITLE} characters')
    refuse(len(call.field("description", str, "")) > MAX_TEXT, 400, f'"description" is longer than {MAX_TEXT}')
    same = next((one for one in _of(call, owner) if one["title"].lower() == title.lower()), None)
    # the client takes the slug from this answer when it asked for one that may exist already
    refuse(same is not None, 409, "You already have a collection with this title", body=same and _shown(call, same))
    data = {
        "slug": key,
        "owner": call.accounts.about(owner),
        "items": [],
        "private": False,
        "theme": "blue",
        "position": 0,
        "title": title,
        "lastUpdated": iso(),
    } | _given(call)
    call.store.put_document(NOWHERE, "collection", key, data)
    return _shown(call, data)


@route("GET", "/api/collections", "any")
def listing(call: Call) -> list[dict]:
    owners, items = {name.lower() for name in call.query.getlist("owner")}, set(call.query.getlist("item"))
    found = [
        data
        for data in call.store.documents(NOWHERE, "collection").values()
        if (not data["private"] or _role(call, data))
        and (not owners or data["owner"]["name"].lower() in owners)
        and (not items or items & {f"{item['type']}s/{item['id']}" for item in data["items"]})
    ]
    found.sort(key=lambda data: data["lastUpdated"], reverse=True)
    # without positions: the client counts them itself
    return [
        {name: value for name, value in _shown(call, data).items() if name != "position"}
        for data in call.paged(found, 100)
    ]


@route("GET", C, "any")
def get(call: Call, key: str) -> dict:
    return _shown(call, _load(call, key))


@route("PATCH", C, "user")
@route("DELETE", C, "user")
def change(call: Call, key: str) -> dict:
    """PATCH applies the fields in the body; DELETE deletes the collection."""
    with _change(call, key) as data:
        data |= _given(call)
        if call.request.method == "DELETE":
            data.clear()
    return {"data": data and _shown(call, data)}


def _note(call: Call) -> dict:
    return {"note": {"text": call.field("note")}} if "note" in call.body else {}


@route("POST", C + "/items", "user")
def add_item(call: Call, key: str) -> dict:
    given = call.field("item", dict)
    item = {"_id": new_id(), "id": str(given.get("id")), "type": str(given.get("type"))} | _note(call)
    refuse(not _seen(call, item), 404, f"There is no {item['type']} {item['id']}")
    with _change(call, key) as data:
        refuse(
            (item["id"], item["type"]) in [(old["id"], old["type"]) for old in data["items"]],
            409,
            "It is in the collection already",
        )
        data["items"].append(item)
    return _shown(call, data)


@route("PATCH", C + "/items/{id}", "user")
@route("DELETE", C + "/items/{id}", "user")
def change_item(call: Call, key: str, id: str) -> None:
    """PATCH moves an item or changes its note; DELETE removes it."""
    with _change(call, key) as data:
        place = next((n for n, item in enumerate(data["items"]) if item["_id"] == id), None)
        refuse(place is None, 404, "There is no such item in the collection")
        item = data["items"].pop(place)
        if call.request.method == "PATCH":
            data["items"].insert(call.field("position", int, place), item | _note(call))
