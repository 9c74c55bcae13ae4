"""Collections: named lists of repositories and of other collections."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from .app import Call, HubFault, refuse, route
from .store import iso, new_id

FIELDS = {"title": str, "description": str, "private": bool, "theme": str, "position": int}
NOWHERE = 0
C = "/api/collections/{ns}/{slug}"


def _key(slug: str) -> str:
    """The id at the end of a slug, so that a slug stays good when the title changes."""
    return slug.rpartition("-")[2]


def _mine(call: Call, data: dict) -> bool:
    return call.accounts.role(call.user, data["owner"]["name"]) != ""


def _load(call: Call, slug: str) -> dict:
    """A collection that the caller may see."""
    data = call.store.document(NOWHERE, "collection", _key(slug), needed=True)
    refuse(data["private"] and not _mine(call, data), 404, f"There is no collection {slug}")
    return data


@contextmanager
def _change(call: Call, slug: str) -> Iterator[dict]:
    """A collection that the caller may change, to be changed in place."""
    with call.store.edit(NOWHERE, "collection", _key(slug)) as data:
        role = call.accounts.role(call.user, _load(call, slug)["owner"]["name"])
        refuse(role not in ("admin", "write"), 403, "You don't have the rights to change this collection")
        data["lastUpdated"] = iso()
        yield data


def _seen(call: Call, item: dict) -> bool:
    """Whether the caller may see what an item leads to."""
    try:
        return bool(_load(call, item["id"]) if item["type"] == "collection" else call.admit("read", item["type"], item["id"]))
    except HubFault:
        return False


def _public(call: Call, data: dict) -> dict:
    words = re.sub(r"[^a-z0-9]+", "-", data["title"].lower()).strip("-")[:80] or "collection"
    items = [item for item in data["items"] if _seen(call, item)]
    return data | {"slug": f"{data['owner']['name']}/{words}-{_key(data['slug'])}", "upvotes": 0,
                   "items": [item | {"position": n} for n, item in enumerate(items)]}


def _given(call: Call) -> dict:
    return {name: call.field(name, kind) for name, kind in FIELDS.items() if call.body.get(name) is not None}


@route("POST", "/api/collections", "user")
def create(call: Call) -> dict:
    owner, key = call.accounts.check_create(call.user, call.text("namespace")), new_id()
    blank = {"slug": key, "owner": call.accounts.about(owner), "items": [], "private": False, "theme": "blue", "position": 0}
    data = blank | {"title": call.field("title"), "lastUpdated": iso()} | _given(call)
    call.store.put_document(NOWHERE, "collection", key, data)
    return _public(call, data)


@route("GET", "/api/collections", "any")
def listing(call: Call) -> list[dict]:
    owners, items = {name.lower() for name in call.query.getlist("owner")}, set(call.query.getlist("item"))
    rows = [data for data in call.store.documents(NOWHERE, "collection").values() if (not data["private"] or _mine(call, data))
            and (not owners or data["owner"]["name"].lower() in owners)
            and (not items or items & {f"{item['type']}s/{item['id']}" for item in data["items"]})]
    rows.sort(key=lambda data: data["lastUpdated"], reverse=True)
    shown = [_public(call, data) for data in call.paged(rows, 100)]
    # a list has the beginning of each, and no positions: the client counts them itself
    return [{key: value for key, value in data.items() if key != "position"} | {"items": data["items"][:4]} for data in shown]


@route("GET", C, "any")
def get(call: Call, ns: str, slug: str) -> dict:
    return _public(call, _load(call, slug))


@route("PATCH", C, "user")
def update(call: Call, ns: str, slug: str) -> dict:
    with _change(call, slug) as data:
        data |= _given(call)
    return {"data": _public(call, data)}


@route("DELETE", C, "user")
def delete(call: Call, ns: str, slug: str) -> None:
    with _change(call, slug) as data:
        data.clear()


def _note(call: Call) -> dict:
    return {"note": {"text": call.field("note")[:500]}} if call.body.get("note") is not None else {}


@route("POST", C + "/items", "user")
def add_item(call: Call, ns: str, slug: str) -> dict:
    given = call.field("item", dict)
    item = {"_id": new_id(), "id": str(given.get("id")), "type": str(given.get("type"))} | _note(call)
    item |= {"slug": item["id"]} if item["type"] == "collection" else {}
    with _change(call, slug) as data:
        refuse(not _seen(call, item), 404, f"There is no {item['type']} {item['id']}")
        there = [old for old in data["items"] if (old["id"], old["type"]) == (item["id"], item["type"])]
        refuse(there, 409, f"{item['id']} is in the collection already")
        data["items"].append(item)
    return _public(call, data)


@route("PATCH", C + "/items/{id}", "user")
@route("DELETE", C + "/items/{id}", "user")
def change_item(call: Call, ns: str, slug: str, id: str) -> None:
    """PATCH moves an item or gives it another note; DELETE takes it out."""
    with _change(call, slug) as data:
        place = next((n for n, item in enumerate(data["items"]) if item["_id"] == id), None)
        refuse(place is None, 404, "There is no such item in the collection")
        item = data["items"].pop(place)
        if call.request.method == "PATCH":
            data["items"].insert(call.field("position", int, place), item | _note(call))
