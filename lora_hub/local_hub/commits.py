"""Writing: which files go to LFS, and commits sent as lines of JSON."""

import base64
import re

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from .calls import Call, parse_json, route
from .discussions import check_pull, note_commit, open_discussion
from .faults import HubFault, refuse
from .lfs import held_size
from .store import Entry, Tree, git_oid, pointer

RESERVED = {"", ".", "..", ".git", ".gitmodules", "con", "prn", "aux", "nul"}
MAX_LINE, MAX_REGULAR, MAX_CHANGES = 48 * 1024**2, 10 * 1024**2, 25_000
Changes = list[tuple[str, Entry | None]]  # path -> its new entry; None: removed


def _pattern(line: str) -> GitIgnoreSpecPattern:
    """A line in the syntax of `.gitignore`. As in git, an invalid one matches nothing."""
    try:
        return GitIgnoreSpecPattern(line)
    except (ValueError, re.error):
        return GitIgnoreSpecPattern("")


def _lfs_rules(attributes: str) -> GitIgnoreSpec:
    """The LFS rules of `.gitattributes`; a line that excludes files begins with "!"."""
    lines, given = map(str.split, attributes.splitlines()), {"filter=lfs": "", "-filter": "!", "!filter": "!"}
    return GitIgnoreSpec(
        [_pattern(given[word] + pattern) for pattern, *words in filter(None, lines) for word in words if word in given]
    )


def check_path(path: object) -> str:
    """A path inside a repository. Raises HubFault 422 for one that could lead elsewhere."""
    parts = path.split("/") if isinstance(path, str) else [""]
    odd = any(part.lower() in RESERVED or len(part.encode()) > 255 for part in parts)
    refuse(
        odd or len(parts) > 100 or re.search(r"[\x00-\x1f\x7f\\]", path),
        422,
        f"Invalid path in the repository: {path!r}",
    )
    return path


def _target(call: Call, rev: str) -> None:
    """A reader may open a pull request and add to it; anything else needs the right to write."""
    if rev.startswith("refs/pr/"):
        check_pull(call, rev)
    elif not call.flag("create_pr"):
        call.admit("write", call.repo.type, call.repo.full_name)


@route("POST", "/api/{type}s/{repo}/preupload/{rev}", "join")
def preupload(call: Call, rev: str) -> dict:
    """For every file: regular or LFS, whether it is ignored, and its current oid, which lets the client skip unchanged
    files."""
    _target(call, rev)
    (_, tree), answer = call.tree(rev), []

    def text(path: str) -> str:
        return call.store.read_blob(tree[path].sha256, MAX_REGULAR).decode(errors="replace") if path in tree else ""

    large = _lfs_rules(text(".gitattributes"))
    ignored = GitIgnoreSpec(map(_pattern, call.field("gitIgnore", str, text(".gitignore")).splitlines()))
    for file in call.field("files", list):
        refuse(
            not isinstance(file, dict) or not isinstance(file.get("size", 0), int), 400, "A file has a path and a size"
        )
        path, present = check_path(file.get("path")), tree.get(file.get("path"))
        mode = "lfs" if file.get("size", 0) > MAX_REGULAR or large.match_file(path) else "regular"
        oid = present and (present.sha256 if present.lfs else present.oid)
        answer.append({"path": path, "uploadMode": mode, "shouldIgnore": ignored.match_file(path), "oid": oid})
    return {"files": answer}


def _content(value: dict) -> bytes:
    try:
        return (
            base64.b64decode(value["content"], validate=True)
            if value.get("encoding") == "base64"
            else value["content"].encode()
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise HubFault(400, f"The content of {value.get('path')!r} cannot be read") from error


def read_changes(call: Call) -> tuple[dict, Changes]:
    """The header and the changes of a commit, from one JSON object per line. When this returns, the contents are in the
    store."""
    header, changes = {}, []
    with open(call.body, "rb") as lines, call.store.adding() as add:
        while line := lines.readline(MAX_LINE + 1):
            large = len(line) > MAX_LINE or len(changes) == MAX_CHANGES
            refuse(large, 413, f"A commit has at most {MAX_CHANGES} changes in lines of {MAX_LINE} bytes; use LFS")
            key, value = map(parse_json(line).get, ("key", "value"))
            refuse(not isinstance(value, dict), 400, "A line of the commit is not a JSON object with key and value")
            if key == "header":
                header = value
            elif key == "file":
                changes.append((check_path(value.get("path")), add(_content(value))))
            elif key == "lfsFile":
                changes.append((check_path(value.get("path")), _lfs_entry(call, value)))
            else:
                refuse(key not in ("deletedFile", "deletedFolder"), 400, f"Unknown operation {key!r} in the commit")
                changes.append((check_path(str(value.get("path")).rstrip("/")), None))
    return header, changes


def _lfs_entry(call: Call, value: dict) -> Entry:
    """An LFS file that was uploaded to this repo. A copy within the repo gives no size."""
    oid, size = str(value.get("oid")), value.get("size")
    held = held_size(call, oid)
    refuse(
        held is None or size not in (None, held),
        400,
        f"LFS object {oid} of {size} bytes was not uploaded to {call.repo.full_name}",
    )
    return Entry(git_oid(pointer(oid, held)), held, oid, 1)


def apply(tree: Tree, changes: Changes) -> Tree:
    """The tree after the changes. A removed path is a file, or a folder with everything in it."""
    tree = dict(tree)
    for path, entry in changes:
        if entry:
            tree[path] = entry
            continue
        gone = [path] if path in tree else [name for name in tree if name.startswith(f"{path}/")]
        refuse(not gone, 404, f'Cannot delete "{path}": it is not there', "EntryNotFound")
        for name in gone:
            del tree[name]
    clash = folders_of(tree) & tree.keys()
    refuse(clash, 400, f'"{min(clash, default="")}" cannot be a file and a folder at once')
    return tree


def folders_of(tree: Tree) -> set[str]:
    return {"/".join(parts[:n]) for parts in (path.split("/") for path in tree) for n in range(1, len(parts))}


@route("POST", "/api/{type}s/{repo}/commit/{rev}", "join", "file")
def commit(call: Call, rev: str) -> dict:
    """Applies the operations to a branch in one step, or opens a pull request with them."""
    _target(call, rev)
    header, changes = read_changes(call)
    title, text = str(header.get("summary") or "Update")[:500].strip(), str(header.get("description") or "")[:65536]
    ref, opens = rev if rev.startswith("refs/") else f"refs/heads/{rev}", call.flag("create_pr")
    with call.store.write():
        refuse(
            not ref.startswith(("refs/heads/", "refs/pr/")),
            400,
            f"Commits go to branches and pull requests, not to {ref}",
        )
        head, old = call.tree(ref)
        stale = not head.id.startswith(str(header.get("parentCommit") or ""))
        refuse(stale, 412, "The branch was updated since you opened this page. Please refresh and try again.")
        made, tree = head, apply(old, changes)
        if opens:
            ref = f"refs/pr/{open_discussion(call, title, text, head, ref.removeprefix('refs/heads/'))}"
        if opens or tree != old:
            made = call.store.add_commit(call.repo, ref, tree, (head.id,), call.user.name, title, text)
        if ref.startswith("refs/pr/"):
            note_commit(call, ref, made)
    place = f"{call.base_url}/{call.repo.path}"
    pull = {"pullRequestUrl": f"{place}/discussions/{ref.removeprefix('refs/pr/')}"} if opens else {}
    return {"commitOid": made.id, "commitUrl": f"{place}/commit/{made.id}", **pull}
