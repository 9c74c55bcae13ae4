"""Repositories as a whole: whoami, create, delete, move, settings, branches, tags, refs, card validation, gates."""

import re

from . import accounts
from .accounts import user_id
from .calls import Call, route
from .cards import read_metadata
from .faults import refuse
from .spaces import configure
from .store import TYPES, iso

R = "/api/{type}s/{repo}"
# The same rule as for account names, minus names that git and the client reserve.
NAME = re.compile(rf"(?!.*(?:--|\.\.)){accounts.NAME.pattern}(?<!\.git)")
RESERVED = set("api blob commits datasets health lfs models raw refs resolve revision settings spaces tree".split())
BAD_REF = re.compile(r"^$|.{201}|[\x00-\x20~^:?*\[\\\x7f]|\.\.|//|@\{|^[/.-]|^refs/|[/.]$|\.lock$|^[0-9a-f]{40}$")
REFS = {"branches": "refs/heads/", "tags": "refs/tags/", "pullRequests": "refs/pr/", "converts": "refs/convert/"}
LFS_PATTERNS = [
    f"*.{end}"
    for end in (
        "7z arrow bin bz2 ckpt ftz gguf gz h5 joblib mlmodel model msgpack npy npz onnx ot parquet pb pickle pkl pt "
        "pth rar safetensors "
        "tar tflite tgz wasm xz zip zst"
    ).split()
] + ["saved_model/**/*", "*tfevents*"]


@route("GET", "/api/whoami-v2", "user")
def whoami(call: Call) -> dict:
    return call.accounts.whoami(call.user)


@route("GET", "/api/{what:organizations|users}/{ns}/overview", "any")
def overview(call: Call, what: str, ns: str) -> dict:
    """Whether such an organization or user exists, and its full name."""
    known = call.accounts.orgs if what == "organizations" else call.accounts.users
    name = next((one for one in known if one.lower() == ns.lower()), "")
    refuse(not name, 404, f"There is no {ns!r} among the {what}")
    fullname = known[name]["fullname"] if what == "organizations" else known[name].fullname
    return {"name": name, "fullname": fullname, "type": "org" if what == "organizations" else "user"}


@route("GET", "/health", "any")
def health(call: Call) -> dict:
    """Identifies this server process, so that a launcher recognizes its own."""
    return {"hub": call.hub.id}


def _place(call: Call, owner: str, name: str) -> tuple[str, str]:
    """Namespace and name for a repository, if the caller may create one there and the name is valid."""
    refuse(
        not NAME.fullmatch(name) or name.lower() in RESERVED,
        400,
        f"Invalid repository name, or a reserved one: {name!r}",
    )
    return call.accounts.check_create(call.user, owner), name


def _private(call: Call, default: bool) -> bool:
    """The visibility in a body, in the form that the client or an older one sends. A protected Space is private
    here."""
    asked = call.body.get("visibility", call.body.get("private"))
    return default if asked is None else asked not in ("public", False)


@route("POST", "/api/repos/create", "user")
def create(call: Call) -> dict:
    """Creates a repo with a first commit: `.gitattributes`, and for a Space the card that configures it."""
    type, (owner, name) = (
        call.field("type", str, "model"),
        _place(call, call.field("organization", str, ""), call.field("name")),
    )
    refuse(type not in TYPES, 400, f"Unknown repository type {type!r}")
    private = _private(call, call.accounts.orgs.get(owner, {}).get("private_by_default", False))
    files = {".gitattributes": "".join(f"{name} filter=lfs diff=lfs merge=lfs -text\n" for name in LFS_PATTERNS)}
    with call.store.write():
        repo = call.store.add_repo(
            type, owner, name, private=private, creator=call.user.name, sdk=call.field("sdk", str, "")
        )
        if type == "space":
            configure(call, repo)
            files["README.md"] = f"---\ntitle: {name}\nsdk: {repo.sdk or 'static'}\n---\n"
        with call.store.adding() as add:
            tree = {path: add(text.encode()) for path, text in files.items()}
        call.store.add_commit(repo, "refs/heads/main", tree, (), repo.creator, "initial commit")
    return {"url": f"{call.base_url}/{repo.path}", "name": repo.full_name}


@route("DELETE", "/api/repos/delete", "user")
def delete(call: Call) -> None:
    name = f"{call.field('organization', str, call.user.name)}/{call.field('name')}"
    call.store.drop_repo(call.admit("write", call.field("type", str, "model"), name))


@route("POST", "/api/repos/move", "user")
def move(call: Call) -> None:
    repo = call.admit("write", call.field("type", str, "model"), call.field("fromRepo"))
    owner, name = _place(call, *call.field("toRepo").partition("/")[::2])
    key = f"{repo.type}/{owner}/{name}".lower()
    with call.store.write() as db:
        refuse(
            key != repo.key and call.store.repos("key = ?", key),
            409,
            f"A {repo.type} repository called {owner}/{name} already exists",
        )
        db.execute("UPDATE repos SET key = ?, namespace = ?, name = ? WHERE id = ?", (key, owner, name, repo.id))
        db.execute("INSERT OR REPLACE INTO moved VALUES(?, ?)", (repo.key, repo.id))


@route("PUT", R + "/settings", "write")
def settings(call: Call) -> None:
    gated = call.body.get("gated", call.repo.gated) or ""
    refuse(gated not in ("", "auto", "manual"), 400, '"gated" must be auto, manual or false')
    call.store.run(
        "UPDATE repos SET private = ?, gated = ? WHERE id = ?", _private(call, call.repo.private), gated, call.repo.id
    )


@route("GET", R + "/auth-check/write", "write")
@route("GET", R + "/auth-check", "open")
def auth_check(call: Call) -> None:
    """The route has already checked everything."""


@route("GET", R + "/refs", "read")
def refs(call: Call) -> dict:
    known = call.store.refs(call.repo).items()
    return {
        group: [
            {"name": ref.removeprefix(start), "ref": ref, "targetCommit": id}
            for ref, id in known
            if ref.startswith(start)
        ]
        for group, start in REFS.items()
    }


@route("POST", R + "/{group:branch|tag}/{given}", "write")
def add_ref(call: Call, group: str, given: str) -> None:
    """A new branch of this name, starting where the body says; or a new tag of this revision, with the name in the
    body."""
    name, start = (given, call.field("startingPoint", str, "main")) if group == "branch" else (call.field("tag"), given)
    ref, commit = f"refs/{'heads' if group == 'branch' else 'tags'}/{name}", call.store.get_commit(call.repo, start)
    refuse(BAD_REF.search(name), 400, f"Invalid reference name: {name!r}")
    with call.store.write():
        refuse(ref in call.store.refs(call.repo), 409, f"Reference {ref} already exists")
        call.store.set_ref(call.repo, ref, commit.id)


@route("DELETE", R + "/{group:branch|tag}/{name}", "write")
def drop_ref(call: Call, group: str, name: str) -> None:
    ref = f"refs/{'heads' if group == 'branch' else 'tags'}/{name}"
    refuse(ref == "refs/heads/main", 403, "Cannot delete refs/heads/main")
    call.store.get_commit(call.repo, ref)  # raises if there is none
    call.store.run("DELETE FROM refs WHERE repo = ? AND name = ?", call.repo.id, ref)


@route("POST", R + "/super-squash/{branch}", "write")
def squash(call: Call, branch: str) -> None:
    """Replaces the branch's history with one commit of its files."""
    ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
    with call.store.write():
        call.store.add_commit(call.repo, ref, call.tree(ref)[1], (), call.user.name, call.field("message")[:500])


@route("DELETE", R + "/like", "read")
def unlike(call: Call) -> None:
    """As on the public Hub, removing a like from a missing repo reports the missing repo first."""
    refuse(True, 501, "This embedded Hub keeps no likes; the public Hub does")


@route("POST", "/api/validate-yaml", "any")
def validate_yaml(call: Call) -> dict:
    """Reading the card raises the errors."""
    warnings = (
        [] if read_metadata(call.field("content")) else [{"message": "empty or missing yaml metadata in repo card"}]
    )
    return {"errors": [], "warnings": warnings}


# ---- gated repositories: asking for access, and the owners' answers


def _decide(call: Call, user: str, status: str) -> dict:
    good = call.repo.gated and status in ("pending", "accepted", "rejected")
    refuse(
        not good, 400, f"{call.repo.full_name} is not gated, or {status!r} is none of pending, accepted and rejected"
    )
    with call.store.edit(call.repo.id, "access", user) as data:
        refuse(data.get("status") == status, 404, f"The access request of {user} is {status} already")
        who = {"requestId": user_id(user), "user": {"user": user, "fullname": call.accounts.users[user].fullname}}
        data |= {"timestamp": iso()} | data | who | {"status": status}
    return data


@route("POST", "/{kind}{repo}/ask-access", "join")
def ask_access(call: Call) -> dict:
    """The caller requests access. An earlier decision stays. With an automatic gate access is granted at once."""
    known = call.store.document(call.repo.id, "access", call.user.name).get("status")
    return _decide(call, call.user.name, known or ("accepted" if call.repo.gated == "auto" else "pending"))


@route("GET", R + "/user-access-request/{status}", "write")
def access_requests(call: Call, status: str) -> list[dict]:
    return [data for data in call.store.documents(call.repo.id, "access").values() if data["status"] == status]


@route("POST", R + "/user-access-request/{how:handle|grant}", "write")
def answer_request(call: Call, how: str) -> dict:
    """Grants access to any user, or decides on a pending request, identified by its user or its id."""
    wanted = (call.field("user", str, "") or call.field("requestId", str, "")).lower()
    user = next((name for name in call.accounts.users if wanted in (name.lower(), user_id(name))), "")
    asked = call.store.document(call.repo.id, "access", user)
    refuse(not user or how == "handle" and not asked, 404, "There is no such user or access request")
    return _decide(call, user, "accepted" if how == "grant" else call.field("status"))
