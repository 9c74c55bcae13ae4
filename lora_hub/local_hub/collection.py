"""Collections: named lists of repositories and of other collections."""

import json
import re
import secrets
import time

from starlette.responses import JSONResponse

from .app import Call
from .faults import HubFault, forbidden
from .reading import paged
from .store import TYPES, iso

FIELDS = {"title": str, "description": str, "private": bool, "theme": str, "position": int}


def _missing() -> HubFault:
    return HubFault(404, "Collection not found")


def _public(call: Call, data: dict, most: int | None = None) -> dict:
    items = [item for item in data["items"] if _seen(call, item)]
    return {**data, "items": [{**item, "position": n} for n, item in enumerate(items)][:most], "upvotes": 0, "isUpvotedByUser": False}


def _seen(call: Call, item: dict) -> bool:
    """Whether the caller may see what an item leads to."""
    if item["type"] in TYPES:
        repo = call.store.find_repo(item["type"], item["id"])
        return repo is not None and call.accounts.can_read(call.user, repo)
    found = _find(call, item["id"])
    return item["type"] == "collection" and found is not None and _visible(call, found)


def _find(call: Call, slug: str) -> dict | None:
    """By the id at the end of a slug, so that a slug stays good when the title changes."""
    row = call.store.db.execute("SELECT data FROM collections WHERE uid = ?", (slug.rpartition("-")[2],)).fetchone()
    return json.loads(row[0]) if row else None


def _visible(call: Call, data: dict) -> bool:
    return not data["private"] or call.accounts.role(call.user, data["owner"]["name"]) != ""


def _load(call: Call, slug: str, write: bool = False) -> dict:
    data = _find(call, slug)
    if data is None or not _visible(call, data):
        raise _missing()
    if write and call.accounts.role(call.need_user(), data["owner"]["name"]) not in ("admin", "write"):
        raise forbidden("You don't have the rights to change this collection")
    return data


def _save(call: Call, data: dict) -> dict:
    words = re.sub(r"[^a-z0-9]+", "-", data["title"].lower()).strip("-")[:80] or "collection"
    uid = data["slug"].rpartition("-")[2] if "slug" in data else secrets.token_hex(12)
    data |= {"slug": f"{data['owner']['name']}/{words}-{uid}", "lastUpdated": iso(time.time())}
    call.store.db.execute("INSERT OR REPLACE INTO collections(id, uid, owner, data) VALUES((SELECT id FROM collections WHERE uid = ?),?,?,?)",
                          (uid, uid, data["owner"]["name"], json.dumps(data)))
    return data


def _take(call: Call, data: dict) -> dict:
    return data | {name: call.field(name, kind) for name, kind in FIELDS.items() if call.body.get(name) is not None}


def create(call: Call) -> dict:
    owner = call.accounts.check_create(call.user, call.body.get("namespace"))
    kind = "user" if owner in call.accounts.users else "org"
    blank = {"title": call.field("title"), "owner": {"name": owner, "type": kind}, "items": [], "private": False, "theme": "orange", "position": 0}
    with call.store.write():
        return _public(call, _save(call, _take(call, blank)))


def listing(call: Call) -> JSONResponse:
    rows = [json.loads(row[0]) for row in call.store.db.execute("SELECT data FROM collections ORDER BY id DESC")]
    owners, items = {name.lower() for name in call.query.getlist("owner")}, set(call.query.getlist("item"))
    rows = [data for data in rows if _visible(call, data) and (not owners or data["owner"]["name"].lower() in owners)
            and (not items or items & {f"{item['type']}s/{item['id']}" for item in data["items"]})]
    return paged(call, [_public(call, data, 4) for data in sorted(rows, key=lambda data: data["lastUpdated"], reverse=True)], 100)


def get(call: Call, ns: str, slug: str) -> dict:
    return _public(call, _load(call, slug))


def update(call: Call, ns: str, slug: str) -> dict:
    with call.store.write():
        return {"data": _public(call, _save(call, _take(call, _load(call, slug, write=True))))}


def delete(call: Call, ns: str, slug: str) -> dict:
    with call.store.write() as db:
        db.execute("DELETE FROM collections WHERE uid = ?", (_load(call, slug, write=True)["slug"].rpartition("-")[2],))
    return {}


def add_item(call: Call, ns: str, slug: str) -> dict:
    given, note = call.field("item", dict), call.body.get("note")
    item = {"_id": secrets.token_hex(12), "id": str(given.get("id")), "type": str(given.get("type")), **({"note": {"text": str(note)[:500]}} if note else {})}
    with call.store.write():
        data = _load(call, slug, write=True)
        if not _seen(call, item):
            raise HubFault(404, f"There is no {item['type']} {item['id']}")
        if any((old["id"], old["type"]) == (item["id"], item["type"]) for old in data["items"]):
            raise HubFault(409, f"{item['id']} is in the collection already", body={"slug": data["slug"]})
        if item["type"] == "collection":
            item["slug"] = item["id"]
        data["items"].append(item)
        return _public(call, _save(call, data))


def change_item(call: Call, ns: str, slug: str, id: str) -> dict:
    """PATCH moves an item or gives it another note; DELETE takes it out."""
    with call.store.write():
        data = _load(call, slug, write=True)
        item = next((item for item in data["items"] if item["_id"] == id), None)
        if item is None:
            raise HubFault(404, "There is no such item in the collection")
        place = data["items"].index(item)
        data["items"].remove(item)
        if call.request.method == "PATCH":
            if call.body.get("note") is not None:
                item["note"] = {"text": call.field("note")[:500]}
            data["items"].insert(call.field("position", int, place), item)
        _save(call, data)
    return {"success": True}


C = "/api/collections/{ns}/{slug}"
ROUTES = [
    ("POST", "/api/collections", create, "json"),
    ("GET", "/api/collections", listing),
    ("GET", C, get),
    ("PATCH", C, update, "json"),
    ("DELETE", C, delete),
    ("POST", C + "/items", add_item, "json"),
    ("PATCH", C + "/items/{id}", change_item, "json"),
    ("DELETE", C + "/items/{id}", change_item),
]
