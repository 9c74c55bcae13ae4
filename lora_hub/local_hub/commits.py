"""Writing: which files go to LFS, and commits as lines of JSON."""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from .app import Call
from .cards import read_facts
from .faults import HubFault, revision_missing
from .store import Commit, Entry, Repo, Store, Tree, git_oid, pointer

MAX_LINE = 48 * 1024 * 1024
MAX_REGULAR = 10 * 1024 * 1024
MAX_OPERATIONS = 25_000
BATCH_BYTES = 32 * 1024 * 1024
HIDDEN = {".git", ".gitmodules"}


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern:
    """A line of `.gitattributes` or `.gitignore` as a regular expression over whole paths."""
    anchored = "/" in pattern.rstrip("/")[:-1] or pattern.startswith("/")
    text, regex, i = pattern.strip("/"), "", 0
    while i < len(text):
        if text.startswith("**/", i):
            regex, i = regex + "(?:.*/)?", i + 3
        elif text.startswith("**", i):
            regex, i = regex + ".*", i + 2
        else:
            regex, i = regex + {"*": "[^/]*", "?": "[^/]"}.get(text[i], re.escape(text[i])), i + 1
    return re.compile(("" if anchored else "(?:.*/)?") + regex + "(?:/.*)?")


def is_lfs(attributes: str, path: str) -> bool:
    """What `.gitattributes` says about a path; the last line that matches decides."""
    answer = False
    for line in attributes.splitlines():
        words = line.split()
        if len(words) > 1 and not line.startswith("#") and _pattern(words[0]).fullmatch(path):
            for word in words[1:]:
                answer = True if word == "filter=lfs" else False if word in ("-filter", "!filter") else answer
    return answer


def is_ignored(ignore: str, path: str) -> bool:
    answer = False
    for line in (line.strip() for line in ignore.splitlines()):
        if line and not line.startswith("#") and _pattern(line.lstrip("!")).fullmatch(path):
            answer = not line.startswith("!")
    return answer


def check_path(path: object) -> str:
    """A path inside a repository. Raises HubFault 400 for what could mean another place."""
    if not isinstance(path, str) or not path or len(path.encode(errors="replace")) > 1024 or re.search(r"[\x00-\x1f\x7f\\]", path):
        raise HubFault(422, f"Invalid path in the repository: {path!r}")
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.lower() in HIDDEN or len(part.encode(errors="replace")) > 255 for part in parts):
        raise HubFault(422, f"Invalid path in the repository: {path!r}")
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise HubFault(422, f"Invalid path in the repository: {path!r}") from error
    return path


def _text(store: Store, tree: Tree, path: str) -> str:
    return store.read_blob(tree[path].sha256, MAX_REGULAR).decode(errors="replace") if path in tree else ""


def preupload(call: Call, type: str, repo: str, rev: str) -> dict:
    """For every file: regular or LFS, ignored or not, and its present oid, from which the client sees no-ops."""
    found = _target(call, type, repo, rev)
    tree = call.store.read_tree(call.store.get_commit(found, rev).tree)
    attributes = _text(call.store, tree, ".gitattributes")
    given = call.body.get("gitIgnore")
    ignore = given if isinstance(given, str) else _text(call.store, tree, ".gitignore")
    answer = []
    for file in call.field("files", list):
        path, size = check_path(file.get("path")), int(file.get("size") or 0)
        mode = "lfs" if size > MAX_REGULAR or is_lfs(attributes, path) else "regular"
        present = tree.get(path)
        oid = None if present is None else present.sha256 if present.lfs else present.oid
        answer.append({"path": path, "uploadMode": mode, "shouldIgnore": is_ignored(ignore, path), "oid": oid})
    return {"files": answer}


def _target(call: Call, type: str, repo: str, rev: str) -> Repo:
    """The repo to commit to; who only reads it may open a pull request and add to it."""
    call.need_user()
    if rev.startswith("refs/pr/"):
        from .discussions import check_pull_write

        found = call.readable(type, repo)
        check_pull_write(call, found, rev)
        return found
    return call.readable(type, repo) if call.flag("create_pr") else call.writable(type, repo)


def _lines(file: Path) -> Iterator[dict]:
    with open(file, "rb") as stream:
        count = 0
        while line := stream.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise HubFault(413, f"A line of a commit may have at most {MAX_LINE} bytes; larger files go through LFS")
            if not line.strip():
                continue
            if (count := count + 1) > MAX_OPERATIONS:
                raise HubFault(413, f"A commit may have at most {MAX_OPERATIONS} operations")
            try:
                item = json.loads(line)
                yield {"key": item["key"], **item["value"]}
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise HubFault(400, f"Line {count} of the commit is not a JSON object with key and value") from error


def read_operations(call: Call, repo: Repo, file: Path) -> tuple[dict, list[tuple[str, str, Entry | None]]]:
    """The header and (what, path, entry) for each line; contents are in the store when this returns."""
    header: dict = {}
    operations: list[tuple[str, str, Entry | None]] = []
    waiting: list[tuple[int, bytes]] = []

    def settle() -> None:
        for (index, data), sha256 in zip(waiting, call.store.add_blobs([data for _, data in waiting]), strict=True):
            operations[index] = ("add", operations[index][1], Entry(git_oid(data), len(data), sha256, False))
        waiting.clear()

    for line in _lines(file):
        key = line["key"]
        if key == "header":
            header = line
        elif key == "file":
            try:
                text = line.get("content") or ""
                data = base64.b64decode(text, validate=True) if line.get("encoding") == "base64" else text.encode()
            except (binascii.Error, ValueError, TypeError, AttributeError) as error:
                raise HubFault(400, f"The content of {line.get('path')!r} is not base64") from error
            waiting.append((len(operations), data))
            operations.append(("add", check_path(line.get("path")), None))
            if sum(len(data) for _, data in waiting[-64:]) > BATCH_BYTES or len(waiting) >= 512:
                settle()
        elif key == "lfsFile":
            operations.append(("add", check_path(line.get("path")), _lfs_entry(call, repo, line)))
        elif key in ("deletedFile", "deletedFolder"):
            path = str(line.get("path") or "")
            operations.append((key, path.strip("/") if key == "deletedFolder" and path.strip("/") == "" else check_path(path.strip("/")), None))
        else:
            raise HubFault(400, f"Unknown operation {key!r} in the commit")
    settle()
    return header, operations


def _lfs_entry(call: Call, repo: Repo, line: dict) -> Entry:
    """An LFS file that this repo holds already, or one that the caller may read elsewhere (a copy between repos)."""
    oid = line.get("oid")
    if not isinstance(oid, str) or not re.fullmatch("[0-9a-f]{64}", oid):
        raise HubFault(400, f"Invalid LFS oid: {oid!r}")
    rows = call.store.db.execute("SELECT repos.*, objects.size AS bytes FROM objects JOIN repos ON repos.id = objects.repo WHERE sha256 = ?", (oid,)).fetchall()
    for row in sorted(rows, key=lambda row: row["id"] != repo.id):
        owner = Repo(**{key: row[key] for key in row.keys() if key != "bytes"})
        if owner.id == repo.id or call.accounts.can_read(call.user, owner):
            if isinstance(line.get("size"), int) and line["size"] != row["bytes"]:
                raise HubFault(400, f"{oid} has {row['bytes']} bytes, not {line['size']}")
            return Entry(git_oid(pointer(oid, row["bytes"])), row["bytes"], oid, True)
    raise HubFault(400, f"LFS object {oid} was not uploaded to {repo.full_name}")


def apply(tree: Tree, operations: list[tuple[str, str, Entry | None]]) -> Tree:
    tree = dict(tree)
    for what, path, entry in operations:
        if entry is not None:
            tree[path] = entry
        elif what == "deletedFile" and path in tree:
            del tree[path]
        else:
            inside = [name for name in tree if name.startswith(f"{path}/" if path else "")]
            if not inside:
                raise HubFault(404, f'Cannot delete "{path}": it is not there', "EntryNotFound")
            for name in inside:
                del tree[name]
    folders = {"/".join(parts[:n]) for parts in (path.split("/") for path in tree) for n in range(1, len(parts))}
    if clash := folders & tree.keys():
        raise HubFault(400, f'"{min(clash)}" cannot be a file and a folder at once')
    return tree


def commit(call: Call, type: str, repo: str, rev: str) -> dict:
    """Applies the operations to a branch (or opens a pull request with them) in one step."""
    from .discussions import note_commit, open_discussion

    found, user, as_pull = _target(call, type, repo, rev), call.need_user(), call.flag("create_pr")
    header, operations = read_operations(call, found, call.body)
    title = str(header.get("summary") or "")[:500].strip() or "Update"
    description = str(header.get("description") or "")[:65536]
    parent, num = header.get("parentCommit"), 0
    with call.store.write():
        found = call.store.get_repo(found.id)
        head = call.store.get_commit(found, rev)
        if parent and not head.id.startswith(str(parent)):
            raise HubFault(412, "The branch was updated since you opened this page. Please refresh and try again.")
        tree = apply(call.store.read_tree(head.tree), operations)
        ref = rev if rev.startswith("refs/") else f"refs/heads/{rev}"
        if call.store.find_ref(found, ref) is None:
            raise revision_missing(rev)
        if as_pull:
            num = open_discussion(call, found, user, title, description, fork=head, base=rev.removeprefix("refs/heads/"), status="open")
            ref = f"refs/pr/{num}"
        made = head
        if as_pull or tree != call.store.read_tree(head.tree):
            made = call.store.add_commit(found, ref, tree, (head.id,), user.name, title, description)
        if ref == "refs/heads/main":
            index_head(call.store, found)
        elif ref.startswith("refs/pr/"):
            note_commit(call, found, ref, user, made)
    prefix = f"{call.base_url}/{found.path}"
    return {"success": True, "commitOid": made.id, "commitUrl": f"{prefix}/commit/{made.id}", "hookOutput": "",
            **({"pullRequestUrl": f"{prefix}/discussions/{num}"} if num else {})}


def index_head(store: Store, repo: Repo) -> Commit:
    """Brings the row of a repo in step with its main branch; call it inside `write()`."""
    head = store.get_commit(repo, "main")
    facts = read_facts(store, repo.type, store.read_tree(head.tree), repo.sdk)
    store.db.execute("UPDATE repos SET head = ?, modified = ?, facts = ? WHERE id = ?",
                     (head.id, head.time / 1000, json.dumps(facts, ensure_ascii=False), repo.id))
    store.db.execute("DELETE FROM repo_tags WHERE repo = ?", (repo.id,))
    store.db.executemany("INSERT OR IGNORE INTO repo_tags VALUES(?, ?)", [(repo.id, tag.lower()) for tag in facts["tags"]])
    return head


ROUTES = [
    ("POST", "/api/{type}/{repo}/preupload/{rev}", preupload, "json"),
    ("POST", "/api/{type}/{repo}/commit/{rev}", commit, "file"),
]
