"""Repositories as such: who am I, create, delete, move, settings, branches, tags, refs, the check of a card."""

import re

from .app import Call, HubFault, refuse, refuse_revision, route
from .cards import read_metadata
from .spaces import configure
from .store import TYPES, Repo

R = "/api/{type}/{repo}"
NAME = re.compile(r"(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?(?<!\.git)")
RESERVED = set("api blob commits datasets health lfs models raw refs resolve revision settings spaces tree".split())
BAD_REF = re.compile(r"[\x00-\x20~^:?*\[\\\x7f]|\.\.|//|@\{|^[/.-]|^refs/|[/.]$|\.lock$")
LFS_PATTERNS = [f"*.{end}" for end in (
    "7z arrow bin bz2 ckpt ftz gguf gz h5 joblib mlmodel model msgpack npy npz onnx ot parquet pb pickle pkl pt pth rar safetensors "
    "tar tflite tgz wasm xz zip zst").split()] + ["saved_model/**/*", "*tfevents*"]


@route("GET", "/api/whoami-v2", "user")
def whoami(call: Call) -> dict:
    return call.accounts.whoami(call.user)


@route("GET", "/health", "any")
def health(call: Call) -> dict:
    """Names the folder that this server serves, so that a launcher knows its own."""
    return {"hub": call.hub.hub_id}


def check_name(name: str) -> str:
    if not NAME.fullmatch(name) or name.lower() in RESERVED:
        rule = "up to 96 letters, digits, '-', '_', '.'; no '--', no '..', no reserved word"
        raise HubFault(400, f"Invalid repository name {name!r}: {rule}")
    return name


def _named(call: Call) -> tuple[str, str, str]:
    """(type, namespace, name) that a body names by name and organization."""
    type, owner, name = call.field("type", str, "model"), call.body.get("organization"), call.field("name")
    refuse(type not in TYPES, 400, f"Unknown repository type {type!r}")
    if "/" in name and not owner:
        owner, _, name = name.partition("/")
    return type, str(owner or call.user.name), name


def _private(call: Call, default: object) -> bool:
    """The visibility that a body asks for, in one of two ways."""
    asked = "private" if call.body.get("private") is True else "public" if "private" in call.body else default and "private"
    return (call.body.get("visibility") or asked) == "private"


@route("POST", "/api/repos/create", "user")
def create(call: Call) -> dict:
    type, owner, name = _named(call)
    owner = call.accounts.check_create(call.user, owner)
    private = _private(call, call.accounts.orgs.get(owner, {}).get("private_by_default"))
    with call.store.write():
        repo = call.store.add_repo(type, owner, check_name(name), private=private, creator=call.user.name, sdk=call.text("sdk"))
        seed(call, repo)
        if type == "space":
            configure(call, repo)
    return {"url": f"{call.base_url}/{repo.path}", "name": repo.full_name, "id": repo.uid}


def seed(call: Call, repo: Repo) -> None:
    """The first commit: `.gitattributes`, and the card that makes a Space one."""
    files = {".gitattributes": "".join(f"{name} filter=lfs diff=lfs merge=lfs -text\n" for name in LFS_PATTERNS)}
    if repo.type == "space":
        files["README.md"] = f"---\ntitle: {repo.name}\nsdk: {repo.sdk or 'static'}\n---\n"
    tree = dict(zip(files, call.store.add_files([text.encode() for text in files.values()]), strict=True))
    call.store.add_commit(repo, "refs/heads/main", tree, (), repo.creator, "initial commit")


@route("DELETE", "/api/repos/delete", "user")
def delete(call: Call) -> None:
    type, owner, name = _named(call)
    call.store.drop_repo(call.admit("write", type, f"{owner}/{name}"))


@route("POST", "/api/repos/move", "user")
def move(call: Call) -> None:
    type, (owner, _, name) = call.field("type", str, "model"), call.field("toRepo").partition("/")
    repo, owner = call.admit("write", type, call.field("fromRepo")), call.accounts.check_create(call.user, owner)
    key = f"{type}/{owner}/{check_name(name)}".lower()
    with call.store.write() as db:
        refuse(key != repo.key and call.store.repos("key = ?", key), 409, f"A {type} repository called {owner}/{name} already exists")
        db.execute("UPDATE repos SET key = ?, namespace = ?, name = ? WHERE id = ?", (key, owner, name, repo.id))
        db.execute("INSERT OR REPLACE INTO moved VALUES(?, ?)", (repo.key, repo.id))
        db.execute("DELETE FROM moved WHERE key = ?", (key,))


@route("PUT", R + "/settings", "write")
def settings(call: Call) -> dict:
    private, gated = _private(call, call.repo.private), call.body.get("gated", call.repo.gated) or ""
    refuse(gated not in ("", "auto", "manual"), 400, '"gated" must be auto, manual or false')
    call.store.run("UPDATE repos SET private = ?, gated = ? WHERE id = ?", private, gated, call.repo.id)
    return {"private": private, "gated": gated or False}


@route("GET", R + "/auth-check/write", "write")
@route("GET", R + "/auth-check", "open")
def auth_check(call: Call) -> None:
    """What there is to check, the route has checked."""


@route("GET", R + "/refs", "read")
def refs(call: Call) -> dict:
    known, groups = call.store.refs(call.repo).items(), {"branches": "refs/heads/", "tags": "refs/tags/", "pullRequests": "refs/pr/"}
    return {"converts": []} | {group: [{"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": commit} for ref, commit in known
                                       if ref.startswith(prefix)] for group, prefix in groups.items()}


@route("POST", R + "/branch/{branch}", "write")
@route("POST", R + "/tag/{rev}", "write")
def add_ref(call: Call, branch: str = "", rev: str = "") -> None:
    """A new branch, from where its body says; or a new tag of a revision, with the name that its body says."""
    name = branch or call.field("tag")
    commit = call.store.get_commit(call.repo, rev or call.text("startingPoint") or "main")
    ref = f"refs/heads/{name}" if branch else f"refs/tags/{name}"
    refuse(len(name) > 200 or BAD_REF.search(name) or not name, 400, f"Invalid reference name: {name!r}")
    with call.store.write():
        refuse(ref in call.store.refs(call.repo), 409, f"Reference {ref} already exists")
        call.store.set_ref(call.repo, ref, commit.id, call.text("message"))


@route("DELETE", R + "/{group:branch|tag}/{name}", "write")
def drop_ref(call: Call, group: str, name: str) -> None:
    ref = f"refs/heads/{name}" if group == "branch" else f"refs/tags/{name}"
    refuse(ref == "refs/heads/main", 403, "Cannot delete refs/heads/main")
    gone = call.store.run("DELETE FROM refs WHERE repo = ? AND name = ?", call.repo.id, ref)
    refuse_revision(not gone.rowcount, name)


@route("POST", R + "/super-squash/{branch}", "write")
def squash(call: Call, branch: str) -> None:
    """One commit with the branch's files in place of its history."""
    ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
    with call.store.write():
        tree = call.store.read_tree(call.store.get_commit(call.repo, ref).tree)
        call.store.add_commit(call.repo, ref, tree, (), call.user.name, call.field("message")[:500])


@route("POST", "/api/validate-yaml", "any")
def validate_yaml(call: Call) -> dict:
    """Errors are raised where the card is read."""
    warnings = [] if read_metadata(call.field("content")) else [{"message": "empty or missing yaml metadata in repo card"}]
    return {"errors": [], "warnings": warnings}
