"""Collections: named lists of repositories and of other collections."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from .app import Call, HubFault, refuse, route
from .store import TYPES, iso, new_id

FIELDS = {"title": str, "description": str, "private": bool, "theme": str, "position": int}
NOWHERE = 0
C = "/api/collections/{ns}/{slug}"


def _key(slug: str) -> str:
    """The id at the end of a slug, so that a slug stays good when the title changes."""
    return slug.rpartition("-")[2]


def _shown(call: Call, data: dict) -> bool:
    return bool(data) and (not data["private"] or call.accounts.role(call.user, data["owner"]["name"]) != "")


def _check(call: Call, data: dict) -> None:
    refuse(not _shown(call, data), 404, "Collection not found")


def _seen(call: Call, item: dict) -> bool:
    """Whether the caller may see what an item leads to."""
    if item["type"] not in TYPES:
        return item["type"] == "collection" and _shown(call, call.store.document(NOWHERE, "collection", _key(item["id"])))
    repo = call.store.find_repo(item["type"], item["id"])
    return repo is not None and call.accounts.can_read(call.user, repo)


def _public(call: Call, data: dict, most: int | None = None) -> dict:
    items = [item for item in data["items"] if _seen(call, item)]
    return {**data, "items": [{**item, "position": n} for n, item in enumerate(items)][:most], "upvotes": 0}


@contextmanager
def _change(call: Call, slug: str) -> Iterator[dict]:
    """A collection that the caller may change, to be changed in place."""
    with call.store.edit(NOWHERE, "collection", _key(slug)) as data:
        _check(call, data)
        if call.accounts.role(call.user, data["owner"]["name"]) not in ("admin", "write"):
            raise HubFault(403, "You don't have the rights to change this collection")
        yield data
        if data:
            _named(data, _key(slug))


def _named(data: dict, key: str) -> None:
    words = re.sub(r"[^a-z0-9]+", "-", data["title"].lower()).strip("-")[:80] or "collection"
    data |= {"slug": f"{data['owner']['name']}/{words}-{key}", "lastUpdated": iso()}


def _given(call: Call) -> dict:
    return {name: call.field(name, kind) for name, kind in FIELDS.items() if call.body.get(name) is not None}


@route("POST", "/api/collections", "user")
def create(call: Call) -> dict:
    owner = call.accounts.check_create(call.user, call.text("namespace"))
    blank = {"owner": call.accounts.about(owner), "items": [], "private": False, "theme": "blue", "position": 0}
    with call.store.edit(NOWHERE, "collection", key := new_id()) as data:
        data |= blank | {"title": call.field("title")} | _given(call)
        _named(data, key)
    return _public(call, data)


@route("GET", "/api/collections", "any")
def listing(call: Call) -> list[dict]:
    owners, items = {name.lower() for name in call.query.getlist("owner")}, set(call.query.getlist("item"))
    rows = [data for data in call.store.documents(NOWHERE, "collection").values() if _shown(call, data)
            and (not owners or data["owner"]["name"].lower() in owners)
            and (not items or items & {f"{item['type']}s/{item['id']}" for item in data["items"]})]
    rows.sort(key=lambda data: data["lastUpdated"], reverse=True)
    shown = [_public(call, data, 4) for data in call.paged(rows, 100)]
    return [{key: value for key, value in data.items() if key != "position"} for data in shown]  # the client counts them itself in a list


@route("GET", C, "any")
def get(call: Call, ns: str, slug: str) -> dict:
    _check(call, data := call.store.document(NOWHERE, "collection", _key(slug)))
    return _public(call, data)


@route("PATCH", C, "user")
def update(call: Call, ns: str, slug: str) -> dict:
    with _change(call, slug) as data:
        data |= _given(call)
    return {"data": _public(call, data)}


@route("DELETE", C, "user")
def delete(call: Call, ns: str, slug: str) -> None:
    with _change(call, slug) as data:
        data.clear()


@route("POST", C + "/items", "user")
def add_item(call: Call, ns: str, slug: str) -> dict:
    given, note = call.field("item", dict), call.text("note")[:500]
    item = {"_id": new_id(), "id": str(given.get("id")), "type": str(given.get("type"))}
    item |= {"note": {"text": note}} if note else {}
    item |= {"slug": item["id"]} if item["type"] == "collection" else {}
    with _change(call, slug) as data:
        refuse(not _seen(call, item), 404, f"There is no {item['type']} {item['id']}")
        if any((old["id"], old["type"]) == (item["id"], item["type"]) for old in data["items"]):
            raise HubFault(409, f"{item['id']} is in the collection already", body={"slug": data["slug"]})
        data["items"].append(item)
    return _public(call, data)


@route("PATCH", C + "/items/{id}", "user")
@route("DELETE", C + "/items/{id}", "user")
def change_item(call: Call, ns: str, slug: str, id: str) -> dict:
    """PATCH moves an item or gives it another note; DELETE takes it out."""
    with _change(call, slug) as data:
        place = next((n for n, item in enumerate(data["items"]) if item["_id"] == id), None)
        refuse(place is None, 404, "There is no such item in the collection")
        item = data["items"].pop(place)
        if call.request.method == "PATCH":
            item |= {"note": {"text": call.field("note")[:500]}} if call.body.get("note") is not None else {}
            data["items"].insert(call.field("position", int, place), item)
    return {"success": True}
