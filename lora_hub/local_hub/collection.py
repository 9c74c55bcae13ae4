"""Collections: named lists of repositories and of other collections."""

import re
import secrets
import time

from starlette.responses import JSONResponse

from .app import Call
from .faults import HubFault
from .reading import paged
from .store import TYPES, iso

FIELDS = {"title": str, "description": str, "private": bool, "theme": str, "position": int}
NOWHERE = 0


def _key(slug: str) -> str:
    """The id at the end of a slug, so that a slug stays good when the title changes."""
    return slug.rpartition("-")[2]


def _find(call: Call, slug: str) -> dict | None:
    data = call.store.documents(NOWHERE, "collection").get(_key(slug))
    return data if data and (not data["private"] or call.accounts.role(call.user, data["owner"]["name"])) else None


def _load(call: Call, slug: str, write: bool = True) -> dict:
    if (data := _find(call, slug)) is None:
        raise HubFault(404, "Collection not found")
    if write and call.accounts.role(call.user, data["owner"]["name"]) not in ("admin", "write"):
        raise HubFault(403, "You don't have the rights to change this collection")
    return data


def _seen(call: Call, item: dict) -> bool:
    """Whether the caller may see what an item leads to."""
    if item["type"] not in TYPES:
        return item["type"] == "collection" and _find(call, item["id"]) is not None
    repo = call.store.find_repo(item["type"], item["id"])
    return repo is not None and call.accounts.can_read(call.user, repo)


def _public(call: Call, data: dict, most: int | None = None) -> dict:
    items = [item for item in data["items"] if _seen(call, item)]
    return {**data, "items": [{**item, "position": n} for n, item in enumerate(items)][:most], "upvotes": 0}


def _save(call: Call, data: dict) -> dict:
    words = re.sub(r"[^a-z0-9]+", "-", data["title"].lower()).strip("-")[:80] or "collection"
    slug = f"{data['owner']['name']}/{words}-{_key(data.get('slug', '')) or secrets.token_hex(12)}"
    data = data | {"slug": slug, "lastUpdated": iso(time.time())}
    call.store.put_document(NOWHERE, "collection", _key(slug), data)
    return _public(call, data)


def _given(call: Call) -> dict:
    return {name: call.field(name, kind) for name, kind in FIELDS.items() if call.body.get(name) is not None}


def create(call: Call) -> dict:
    owner = call.accounts.check_create(call.user, str(call.body.get("namespace") or ""))
    who = {"name": owner, "type": "user" if owner in call.accounts.users else "org"}
    blank = {"title": call.field("title"), "owner": who, "items": [], "private": False, "theme": "blue", "position": 0}
    with call.store.write():
        return _save(call, blank | _given(call))


def listing(call: Call) -> JSONResponse:
    rows = [data for key in call.store.documents(NOWHERE, "collection") if (data := _find(call, key))]
    owners, items = {name.lower() for name in call.query.getlist("owner")}, set(call.query.getlist("item"))
    rows = [data for data in rows if (not owners or data["owner"]["name"].lower() in owners)
            and (not items or items & {f"{item['type']}s/{item['id']}" for item in data["items"]})]
    rows.sort(key=lambda data: data["lastUpdated"], reverse=True)

    def show(some: list[dict]) -> list[dict]:  # the client counts positions itself in a list
        return [{key: value for key, value in _public(call, data, 4).items() if key != "position"} for data in some]

    return paged(call, rows, 100, show)


def get(call: Call, ns: str, slug: str) -> dict:
    return _public(call, _load(call, slug, write=False))


def update(call: Call, ns: str, slug: str) -> dict:
    with call.store.write():
        return {"data": _save(call, _load(call, slug) | _given(call))}


def delete(call: Call, ns: str, slug: str) -> dict:
    with call.store.write():
        call.store.put_document(NOWHERE, "collection", _key(_load(call, slug)["slug"]), None)
    return {}


def add_item(call: Call, ns: str, slug: str) -> dict:
    given, note = call.field("item", dict), str(call.body.get("note") or "")[:500]
    item = {"_id": secrets.token_hex(12), "id": str(given.get("id")), "type": str(given.get("type"))}
    item |= {"note": {"text": note}} if note else {}
    item |= {"slug": item["id"]} if item["type"] == "collection" else {}
    with call.store.write():
        data = _load(call, slug)
        if not _seen(call, item):
            raise HubFault(404, f"There is no {item['type']} {item['id']}")
        if any((old["id"], old["type"]) == (item["id"], item["type"]) for old in data["items"]):
            raise HubFault(409, f"{item['id']} is in the collection already", body={"slug": data["slug"]})
        return _save(call, data | {"items": [*data["items"], item]})


def change_item(call: Call, ns: str, slug: str, id: str) -> dict:
    """PATCH moves an item or gives it another note; DELETE takes it out."""
    with call.store.write():
        data = _load(call, slug)
        place = next((n for n, item in enumerate(data["items"]) if item["_id"] == id), None)
        if place is None:
            raise HubFault(404, "There is no such item in the collection")
        item = data["items"].pop(place)
        if call.request.method == "PATCH":
            item |= {"note": {"text": call.field("note")[:500]}} if call.body.get("note") is not None else {}
            data["items"].insert(call.field("position", int, place), item)
        _save(call, data)
    return {"success": True}


C = "/api/collections/{ns}/{slug}"
ROUTES = [
    ("POST", "/api/collections", "user", create),
    ("GET", "/api/collections", "any", listing),
    ("GET", C, "any", get),
    ("PATCH", C, "user", update),
    ("DELETE", C, "user", delete),
    ("POST", C + "/items", "user", add_item),
    ("PATCH", C + "/items/{id}", "user", change_item),
    ("DELETE", C + "/items/{id}", "user", change_item),
]
