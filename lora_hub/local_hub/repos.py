"""Repositories as such: who am I, create, delete, move, settings, branches, tags, refs, the check of a card."""

import re

from .app import Call, singular
from .cards import check_card, index_head
from .faults import HubFault, revision_missing
from .spaces import configure
from .store import TYPES, Entry, Repo, Tree, git_oid

NAME = re.compile(r"(?!.*(?:--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?(?<!\.git)")
RESERVED = set("api blob commits datasets health lfs models raw refs resolve revision settings spaces tree".split())
BAD_REF = re.compile(r"[\x00-\x20~^:?*\[\\\x7f]|\.\.|//|@\{|^[/.-]|^refs/|[/.]$|\.lock$")
LFS_PATTERNS = ("7z arrow bin bz2 ckpt ftz gguf gz h5 joblib mlmodel model msgpack npy npz onnx ot parquet pb pickle "
                "pkl pt pth rar safetensors tar tflite tgz wasm xz zip zst").split()


def whoami(call: Call) -> dict:
    return call.accounts.whoami(call.user)


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
    if type not in TYPES:
        raise HubFault(400, f"Unknown repository type {type!r}")
    if "/" in name and not owner:
        owner, _, name = name.partition("/")
    return type, str(owner or call.user.name), name


def create(call: Call) -> dict:
    type, owner, name = _named(call)
    owner = call.accounts.check_create(call.user, owner)
    default = "private" if call.accounts.orgs.get(owner, {}).get("private_by_default") else "public"
    private = (call.body.get("visibility") or default) == "private" or call.body.get("private") is True
    with call.store.write():
        repo = call.store.add_repo(type, owner, check_name(name), private=private, creator=call.user.name,
                                   sdk=str(call.body.get("sdk") or ""))
        seed(call, repo)
        if type == "space":
            configure(call, repo)
    return {"url": f"{call.base_url}/{repo.path}", "name": repo.full_name, "id": repo.uid}


def seed(call: Call, repo: Repo) -> None:
    """The first commit: `.gitattributes`, and the card that makes a Space one."""
    patterns = [*(f"*.{end}" for end in LFS_PATTERNS), "saved_model/**/*", "*tfevents*"]
    lines = [f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in patterns]
    files = {".gitattributes": "".join(lines).encode()}
    if repo.type == "space":
        files["README.md"] = f"---\ntitle: {repo.name}\nsdk: {repo.sdk or 'static'}\n---\n".encode()
    names = call.store.add_blobs(list(files.values()))
    entries = [Entry(git_oid(data), len(data), name, False) for data, name in zip(files.values(), names, strict=True)]
    tree: Tree = dict(zip(files, entries, strict=True))
    call.store.add_commit(repo, "refs/heads/main", tree, (), repo.creator, "initial commit")
    index_head(call.store, repo)


def duplicate(call: Call) -> dict:
    """A copy with its history, and a Space's variables; pull requests and secrets stay behind."""
    old, (owner, _, name) = call.repo, call.field("repository").partition("/")
    private, owner = call.body.get("visibility"), call.accounts.check_create(call.need_user(), owner)
    columns = {"refs": "name, commit_id, message", "commits": "id, tree, parents, author, time, title, description",
               "objects": "sha256, size, time", "documents": "kind, key, data"}
    with call.store.write() as db:
        new = call.store.add_repo(old.type, owner, check_name(name), creator=call.user.name, sdk=old.sdk,
                                  private=bool(old.private) if private is None else private == "private")
        for table, names in columns.items():
            some = {"refs": "AND name NOT LIKE 'refs/pr/%'", "documents": "AND kind = 'variable'"}.get(table, "")
            query = f"INSERT INTO {table}(repo, {names}) SELECT ?, {names} FROM {table} WHERE repo = ? {some}"
            db.execute(query, (new.id, old.id))
        index_head(call.store, new)
        if new.type == "space":
            configure(call, new)
    return {"url": f"{call.base_url}/{new.path}"}


def delete(call: Call) -> dict:
    type, owner, name = _named(call)
    call.store.drop_repo(call.admit("write", type, f"{owner}/{name}"))
    return {}


def move(call: Call) -> dict:
    type, (owner, _, name) = call.field("type", str, "model"), call.field("toRepo").partition("/")
    repo, owner = call.admit("write", type, call.field("fromRepo")), call.accounts.check_create(call.user, owner)
    key = f"{type}/{owner}/{check_name(name)}".lower()
    with call.store.write() as db:
        if key != repo.key and db.execute("SELECT 1 FROM repos WHERE key = ?", (key,)).fetchone():
            raise HubFault(409, f"A {type} repository called {owner}/{name} already exists")
        db.execute("UPDATE repos SET key = ?, namespace = ?, name = ? WHERE id = ?", (key, owner, name, repo.id))
        db.execute("INSERT OR REPLACE INTO moved VALUES(?, ?)", (repo.key, repo.id))
        db.execute("DELETE FROM moved WHERE key = ?", (key,))
    return {}


def settings(call: Call) -> dict:
    private, gated = call.repo.private, call.body.get("gated", call.repo.gated) or ""
    if "visibility" in call.body or "private" in call.body:
        private = call.body.get("visibility") == "private" or call.body.get("private") is True
    if gated not in ("", "auto", "manual"):
        raise HubFault(400, '"gated" must be auto, manual or false')
    with call.store.write() as db:
        db.execute("UPDATE repos SET private = ?, gated = ? WHERE id = ?", (private, gated, call.repo.id))
    return {"private": bool(private), "gated": gated or False}


def auth_check(call: Call) -> dict:
    return {}


def refs(call: Call) -> dict:
    groups = {"branches": "refs/heads/", "tags": "refs/tags/", "converts": "refs/convert/"}
    groups |= {"pullRequests": "refs/pr/"} if call.query.get("include_prs") else {}
    known = call.store.refs(call.repo).items()
    return {group: [{"name": ref.removeprefix(prefix), "ref": ref, "targetCommit": commit}
                    for ref, commit in known if ref.startswith(prefix)] for group, prefix in groups.items()}


def _add_ref(call: Call, kind: str, name: str, commit: str, message: str = "") -> dict:
    if len(name) > 200 or not name or BAD_REF.search(name):
        raise HubFault(400, f"Invalid reference name: {name!r}")
    ref = f"refs/{kind}/{name}"
    with call.store.write() as db:
        if ref in call.store.refs(call.repo):
            raise HubFault(409, f"Reference {ref} already exists")
        db.execute("INSERT INTO refs VALUES(?,?,?,?)", (call.repo.id, ref, commit, message))
    return {"commitOid": commit}


def _drop_ref(call: Call, ref: str, name: str) -> dict:
    with call.store.write() as db:
        if not db.execute("DELETE FROM refs WHERE repo = ? AND name = ?", (call.repo.id, ref)).rowcount:
            raise revision_missing(name)
    return {}


def create_branch(call: Call, branch: str) -> dict:
    start = str(call.body.get("startingPoint") or "main")
    return _add_ref(call, "heads", branch, call.store.get_commit(call.repo, start).id)


def delete_branch(call: Call, branch: str) -> dict:
    if branch == "main":
        raise HubFault(403, "Cannot delete refs/heads/main")
    return _drop_ref(call, f"refs/heads/{branch}", branch)


def create_tag(call: Call, rev: str) -> dict:
    commit = call.store.get_commit(call.repo, rev).id
    return _add_ref(call, "tags", call.field("tag"), commit, str(call.body.get("message") or ""))


def delete_tag(call: Call, tag: str) -> dict:
    return _drop_ref(call, f"refs/tags/{tag}", tag)


def squash(call: Call, branch: str) -> dict:
    """One commit with the branch's files in place of its history."""
    ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
    with call.store.write():
        tree = call.store.read_tree(call.store.get_commit(call.repo, ref).tree)
        call.store.add_commit(call.repo, ref, tree, (), call.user.name, call.field("message")[:500])
        index_head(call.store, call.repo)
    return {}


def like(call: Call) -> dict:
    raise HubFault(501, "This embedded Hub keeps no likes; the public Hub does", "NotImplemented")


def validate_yaml(call: Call) -> dict:
    errors, warnings = check_card(call.field("content"), singular(call.field("repoType", str, "model")))
    body = {"errors": [{"message": text} for text in errors], "warnings": [{"message": text} for text in warnings]}
    if errors:
        raise HubFault(400, "Invalid metadata in README.md", body=body)
    return body


R = "/api/{type}/{repo}"
ROUTES = [
    ("GET", "/api/whoami-v2", "user", whoami),
    ("GET", "/health", "any", health),
    ("POST", "/api/repos/create", "user", create),
    ("DELETE", "/api/repos/delete", "user", delete),
    ("POST", "/api/repos/move", "user", move),
    ("POST", "/api/validate-yaml", "any", validate_yaml),
    ("POST", R + "/duplicate", "open", duplicate),
    ("PUT", R + "/settings", "write", settings),
    ("GET", R + "/auth-check", "open", auth_check),
    ("GET", R + "/auth-check/write", "write", auth_check),
    ("GET", R + "/refs", "read", refs),
    ("POST", R + "/branch/{branch}", "write", create_branch),
    ("DELETE", R + "/branch/{branch}", "write", delete_branch),
    ("POST", R + "/like", "read", like),
    ("DELETE", R + "/like", "read", like),
    ("POST", R + "/super-squash/{branch}", "write", squash),
    ("POST", R + "/tag/{rev}", "write", create_tag),
    ("DELETE", R + "/tag/{tag}", "write", delete_tag),
]
