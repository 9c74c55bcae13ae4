"""Buckets, as far as a Space's storage needs: made, private by default, and found again. Nothing is put in one, because
no Space runs here that would."""

from .calls import Call, route
from .faults import refuse
from .store import NOWHERE, iso

B = "/api/buckets/{ns}/{name}"


@route("POST", B, "user")
def create(call: Call, ns: str, name: str) -> dict:
    owner = call.accounts.check_create(call.user, "" if ns == "me" else ns)
    url = {"url": f"{call.base_url}/buckets/{owner}/{name}"}
    with call.store.edit(NOWHERE, "bucket", f"{owner}/{name}".lower()) as kept:
        refuse(kept, 409, f"The bucket {owner}/{name} already exists", body=url)
        private = call.field("visibility", str, "private") != "public"
        kept |= {"id": f"{owner}/{name}", "private": private, "createdAt": iso()}
    return url


@route("GET", B, "any")
def info(call: Call, ns: str, name: str) -> dict:
    kept = call.store.document(NOWHERE, "bucket", f"{ns}/{name}".lower(), needed=True)
    refuse(kept["private"] and not call.accounts.role(call.user, ns), 404, f"There is no bucket {ns}/{name}")
    return kept | {"size": 0, "totalFiles": 0}
