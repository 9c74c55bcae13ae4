"""Repositories as such: who am I, create, delete, move, settings, branches, tags, refs, the check of a card."""

import hashlib
import re

from .app import Call, singular
from .cards import check_card
from .faults import HubFault, forbidden, revision_missing
from .store import TYPES, Entry, Repo, Tree, git_oid

NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?")
RESERVED = {"api", "datasets", "spaces", "models", "resolve", "tree", "refs", "commits", "revision", "settings", "lfs", "health", "raw", "blob"}
LFS_PATTERNS = ("7z arrow bin bz2 ckpt ftz gguf gz h5 joblib mlmodel model msgpack npy npz onnx ot parquet pb pickle pkl pt pth rar "
                "safetensors tar tflite tgz wasm xz zip zst").split()


def whoami(call: Call) -> dict:
    return call.accounts.whoami(call.need_user())


def health(call: Call) -> dict:
    """Names the folder that this server serves, so that a launcher knows its own."""
    return {"hub": call.hub.hub_id}


def _check_name(name: str) -> str:
    if not NAME.fullmatch(name) or "--" in name or ".." in name or name.endswith(".git") or name.lower() in RESERVED:
        raise HubFault(400, f"Invalid repository name {name!r}: letters, digits, '-', '_' and '.', at most 96, neither '--' nor '..', no reserved word")
    return name


def _target(call: Call) -> tuple[str, str, str]:
    """(type, namespace or "", name) that a body names by name and organization."""
    type, name, organization = call.field("type", str, "model"), call.field("name"), call.body.get("organization")
    if type not in TYPES:
        raise HubFault(400, f"Unknown repository type {type!r}")
    if "/" in name and not organization:
        organization, _, name = name.partition("/")
    return type, str(organization or ""), name


def create(call: Call) -> dict:
    type, organization, name = _target(call)
    namespace = call.accounts.check_create(call.user, organization)
    visibility = call.body.get("visibility") or ("private" if call.body.get("private") else "")
    org = call.accounts.orgs.get(namespace, {})
    private = visibility == "private" if visibility else bool(org.get("private_by_default"))
    repo = call.store.add_repo(type, namespace, _check_name(name), private=private, creator=call.need_user().name,
                               sdk=str(call.body.get("sdk") or ""))
    seed(call, repo)
    return {"url": f"{call.base_url}/{repo.path}", "name": repo.full_name, "id": repo.uid}


def seed(call: Call, repo: Repo) -> None:
    """The first commit: `.gitattributes`, and the card that makes a Space one."""
    files = {".gitattributes": "".join(f"*.{end} filter=lfs diff=lfs merge=lfs -text\n" for end in LFS_PATTERNS)
             + "saved_model/**/* filter=lfs diff=lfs merge=lfs -text\n*tfevents* filter=lfs diff=lfs merge=lfs -text\n"}
    if repo.type == "space":
        files["README.md"] = f"---\ntitle: {repo.name}\nsdk: {repo.sdk or 'static'}\n---\n"
    contents = [text.encode() for text in files.values()]
    names = call.store.add_blobs(contents)
    tree: Tree = {path: Entry(git_oid(data), len(data), sha256, False) for path, data, sha256 in zip(files, contents, names, strict=True)}
    from .commits import index_head

    with call.store.write():
        call.store.add_commit(repo, "refs/heads/main", tree, (), repo.creator, "initial commit", "")
        index_head(call.store, repo)


def delete(call: Call) -> dict:
    type, organization, name = _target(call)
    namespace = organization or call.need_user().name
    call.store.drop_repo(call.writable(f"{type}s", f"{namespace}/{name}"))
    return {}


def move(call: Call) -> dict:
    type = call.field("type", str, "model")
    repo = call.writable(f"{type}s", call.field("fromRepo"))
    organization, _, name = call.field("toRepo").partition("/")
    namespace = call.accounts.check_create(call.user, organization)
    key = f"{type}/{namespace}/{_check_name(name)}".lower()
    with call.store.write() as db:
        if key != repo.key and db.execute("SELECT 1 FROM repos WHERE key = ?", (key,)).fetchone():
            raise HubFault(409, f"A {type} repository called {namespace}/{name} already exists")
        db.execute("DELETE FROM moved WHERE key = ?", (key,))
        db.execute("UPDATE repos SET key = ?, namespace = ?, name = ? WHERE id = ?", (key, namespace, name, repo.id))
        if key != repo.key:
            db.execute("INSERT OR REPLACE INTO moved VALUES(?, ?)", (repo.key, repo.id))
    return {}


def settings(call: Call, type: str, repo: str) -> dict:
    found = call.writable(type, repo)
    private, gated = found.private, found.gated
    if "visibility" in call.body or "private" in call.body:
        private = call.body.get("visibility") == "private" or call.body.get("private") is True
    if "gated" in call.body:
        gated = call.body["gated"] or ""
        if gated not in ("", "auto", "manual"):
            raise HubFault(400, '"gated" must be auto, manual or false')
    with call.store.write() as db:
        db.execute("UPDATE repos SET private = ?, gated = ? WHERE id = ?", (private, gated, found.id))
    return {"private": private, "gated": gated or False}


def auth_check(call: Call, type: str, repo: str) -> dict:
    call.check_gate(call.readable(type, repo))
    return {}


def auth_check_write(call: Call, type: str, repo: str) -> dict:
    call.writable(type, repo)
    return {}


def refs(call: Call, type: str, repo: str) -> dict:
    found = call.readable(type, repo)
    rows = call.store.db.execute("SELECT name, commit_id FROM refs WHERE repo = ? ORDER BY name", (found.id,)).fetchall()

    def under(prefix: str, keep: str = "") -> list[dict]:
        return [{"name": keep + name[len(prefix):], "ref": name, "targetCommit": commit} for name, commit in rows if name.startswith(prefix)]

    answer = {"branches": under("refs/heads/"), "tags": under("refs/tags/"), "converts": under("refs/convert/")}
    if call.query.get("include_prs"):
        answer["pullRequests"] = under("refs/pr/")
    return answer


def _check_ref(name: str) -> str:
    bad = not name or len(name) > 200 or re.search(r"[\x00-\x20~^:?*\[\\\x7f]|\.\.|//|@\{", name)
    if bad or name.startswith(("/", "-", ".", "refs/")) or name.endswith(("/", ".", ".lock")):
        raise HubFault(400, f"Invalid reference name: {name!r}")
    return name


def _add_ref(call: Call, repo: Repo, ref: str, commit: str, message: str = "") -> dict:
    with call.store.write() as db:
        if db.execute("SELECT 1 FROM refs WHERE repo = ? AND name = ?", (repo.id, ref)).fetchone():
            raise HubFault(409, f"Reference {ref} already exists")
        db.execute("INSERT INTO refs VALUES(?,?,?,?)", (repo.id, ref, commit, message))
    return {"commitOid": commit}


def _drop_ref(call: Call, repo: Repo, ref: str, missing: str) -> dict:
    with call.store.write() as db:
        if not db.execute("DELETE FROM refs WHERE repo = ? AND name = ?", (repo.id, ref)).rowcount:
            raise revision_missing(missing)
    return {}


def create_branch(call: Call, type: str, repo: str, branch: str) -> dict:
    found = call.writable(type, repo)
    branch = _check_ref(branch)
    start = call.store.get_commit(found, str(call.body.get("startingPoint") or "main")).id
    return _add_ref(call, found, f"refs/heads/{branch}", start)


def delete_branch(call: Call, type: str, repo: str, branch: str) -> dict:
    if branch == "main":
        raise forbidden("Cannot delete refs/heads/main")
    return _drop_ref(call, call.writable(type, repo), f"refs/heads/{branch}", branch)


def create_tag(call: Call, type: str, repo: str, rev: str) -> dict:
    found = call.writable(type, repo)
    commit, tag = call.store.get_commit(found, rev).id, _check_ref(call.field("tag"))
    return _add_ref(call, found, f"refs/tags/{tag}", commit, str(call.body.get("message") or ""))


def delete_tag(call: Call, type: str, repo: str, tag: str) -> dict:
    return _drop_ref(call, call.writable(type, repo), f"refs/tags/{tag}", tag)


def validate_yaml(call: Call) -> dict:
    errors, warnings = check_card(call.field("content"), singular(f"{call.field('repoType', str, 'model')}s"))
    body = {"errors": [{"message": text} for text in errors], "warnings": [{"message": text} for text in warnings]}
    if errors:
        raise HubFault(400, "Invalid metadata in README.md", body=body)
    return body


def overview(call: Call, name: str) -> dict:
    """What profile and organization pages show."""
    found = call.accounts.find_namespace(name)
    if found is None:
        raise HubFault(404, f"There is no user or organization {name}")
    fullname = call.accounts.users[found].fullname if found in call.accounts.users else call.accounts.orgs[found].get("fullname") or found
    uid = hashlib.sha256(found.encode()).hexdigest()[:24]
    return {"_id": uid, "user": found, "name": found, "fullname": fullname, "avatarUrl": "", "type": "user" if found in call.accounts.users else "org"}


R = "/api/{type}/{repo}"
ROUTES = [
    ("GET", "/api/whoami-v2", whoami),
    ("GET", "/health", health),
    ("POST", "/api/repos/create", create, "json"),
    ("DELETE", "/api/repos/delete", delete, "json"),
    ("POST", "/api/repos/move", move, "json"),
    ("POST", "/api/validate-yaml", validate_yaml, "json"),
    ("GET", "/api/users/{name}/overview", overview),
    ("GET", "/api/organizations/{name}/overview", overview),
    ("PUT", R + "/settings", settings, "json"),
    ("GET", R + "/auth-check", auth_check),
    ("GET", R + "/auth-check/write", auth_check_write),
    ("GET", R + "/refs", refs),
    ("POST", R + "/branch/{branch}", create_branch, "json"),
    ("DELETE", R + "/branch/{branch}", delete_branch),
    ("POST", R + "/tag/{rev}", create_tag, "json"),
    ("DELETE", R + "/tag/{tag}", delete_tag),
]
