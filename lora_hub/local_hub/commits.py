"""Writing: which files go to LFS, and commits as lines of JSON."""

import base64
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from pathspec import GitIgnoreSpec
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from .app import Call, HubFault, parse_json, refuse, refuse_revision, route
from .discussions import check_pull, note_commit, open_discussion
from .store import Entry, Tree, git_oid, pointer

MAX_LINE = 48 * 1024 * 1024
MAX_REGULAR = 10 * 1024 * 1024
MAX_OPERATIONS = 25_000
Operation = tuple[str, str, Entry | None]


def _rules(lines: Iterable[str]) -> GitIgnoreSpec:
    """Lines in the form of `.gitignore`; the last one that fits a path decides. One that is no pattern fits none, as in git."""
    patterns = []
    for line in lines:
        with suppress(ValueError, re.error):
            patterns.append(GitIgnoreSpecPattern(line))
    return GitIgnoreSpec(patterns)


def _lfs_rules(attributes: str) -> GitIgnoreSpec:
    """What `.gitattributes` gives to LFS, as rules: a line that takes it from there begins with "!"."""
    lines = [line.split() for line in attributes.splitlines() if line.strip()]
    given = {"filter=lfs": "", "-filter": "!", "!filter": "!"}
    return _rules(given[word] + pattern for pattern, *words in lines for word in words if word in given)


def check_path(path: object) -> str:
    """A path inside a repository. Raises HubFault 422 for what could mean another place."""
    parts = path.split("/") if isinstance(path, str) else [""]
    bad = {"", ".", "..", ".git", ".gitmodules", "con", "prn", "aux", "nul"} & {part.lower() for part in parts}
    long = len(parts) > 100 or any(len(part.encode(errors="replace")) > 255 for part in parts)
    refuse(bad or long or re.search(r"[\x00-\x1f\x7f\\\ud800-\udfff]", path), 422, f"Invalid path in the repository: {path!r}")
    return path


def _target(call: Call, rev: str) -> None:
    """Who only reads a repo may open a pull request and add to it; anything else needs the right to write."""
    if rev.startswith("refs/pr/"):
        check_pull(call, rev)
    elif not call.flag("create_pr") and not call.accounts.can_write(call.user, call.repo):
        raise HubFault(403, f"You don't have the rights to write to {call.repo.full_name}")


@route("POST", "/api/{type}/{repo}/preupload/{rev}", "join")
def preupload(call: Call, rev: str) -> dict:
    """For every file: regular or LFS, ignored or not, and its present oid, from which the client sees no-ops."""
    _target(call, rev)
    (_, tree), given, answer = call.tree(rev), call.body.get("gitIgnore"), []

    def text(path: str) -> str:
        return call.store.read_blob(tree[path].sha256, MAX_REGULAR).decode(errors="replace") if path in tree else ""

    large, ignored = _lfs_rules(text(".gitattributes")), _rules((given if isinstance(given, str) else text(".gitignore")).splitlines())
    for file in call.field("files", list):
        path, size = (check_path(file.get("path")), file.get("size") or 0) if isinstance(file, dict) else (check_path(None), 0)
        refuse(not isinstance(size, int), 400, f"The size of {path!r} is not a number")
        mode, present = "lfs" if size > MAX_REGULAR or large.match_file(path) else "regular", tree.get(path)
        oid = present and (present.sha256 if present.lfs else present.oid)
        answer.append({"path": path, "uploadMode": mode, "shouldIgnore": ignored.match_file(path), "oid": oid})
    return {"files": answer}


def _lines(file: Path) -> Iterator[dict]:
    """The operations of a commit, a line each."""
    with open(file, "rb") as stream:
        for count, text in enumerate(iter(partial(stream.readline, MAX_LINE + 1), b""), 1):
            refuse(len(text) > MAX_LINE or count > MAX_OPERATIONS, 413,
                   f"A commit has at most {MAX_OPERATIONS} lines of {MAX_LINE} bytes; use LFS")
            line = parse_json(text)
            refuse(not isinstance(line.get("value"), dict), 400, f"Line {count} of the commit is not a JSON object with key and value")
            yield line["value"] | {"key": line.get("key")}


def read_operations(call: Call) -> tuple[dict, list[Operation]]:
    """The header and (what, path, entry) for each line; contents are in the store when this returns."""
    header, found = {}, []

    def contents() -> Iterator[bytes]:
        for line in _lines(call.body):
            key, path = line["key"], line.get("path")
            if key == "header":
                header.update(line)
                continue
            refuse(key not in ("file", "lfsFile", "deletedFile", "deletedFolder"), 400, f"Unknown operation {key!r} in the commit")
            path = check_path(path.rstrip("/") if key.startswith("deleted") and isinstance(path, str) else path)
            found.append((key, path, _lfs_entry(call, line) if key == "lfsFile" else None))
            if key == "file":
                yield _content(line)

    files = iter(call.store.add_files(contents()))
    return header, [(key, path, next(files) if key == "file" else entry) for key, path, entry in found]


def _content(line: dict) -> bytes:
    try:
        text = line["content"]
        return base64.b64decode(text, validate=True) if line.get("encoding") == "base64" else text.encode()
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise HubFault(400, f"The content of {line.get('path')!r} cannot be read") from error


def _lfs_entry(call: Call, line: dict) -> Entry:
    """An LFS file that was uploaded to this repo; a copy inside the repo names no size."""
    oid, size = line.get("oid"), line.get("size")
    held = call.store.one("SELECT size FROM objects WHERE repo = ? AND sha256 = ?", call.repo.id, str(oid))
    refuse(held is None or size not in (None, *held), 400, f"LFS object {oid} of {size} bytes was not uploaded to {call.repo.full_name}")
    return Entry(git_oid(pointer(oid, held[0])), held[0], oid, 1)


def apply(tree: Tree, operations: list[Operation]) -> Tree:
    tree = dict(tree)
    for what, path, entry in operations:
        if entry:
            tree[path] = entry
            continue
        alone = what == "deletedFile" and path in tree  # without a look at all the others, because thousands may be deleted
        gone = [path] if alone else [name for name in tree if name.startswith(f"{path}/")]
        refuse(not gone, 404, f'Cannot delete "{path}": it is not there', "EntryNotFound")
        for name in gone:
            del tree[name]
    clash = sorted(folders_of(tree) & tree.keys())
    refuse(clash, 400, f'"{", ".join(clash[:1])}" cannot be a file and a folder at once')
    return tree


def folders_of(tree: Tree) -> set[str]:
    return {"/".join(parts[:n]) for parts in (path.split("/") for path in tree) for n in range(1, len(parts))}


@route("POST", "/api/{type}/{repo}/commit/{rev}", "join", "file")
def commit(call: Call, rev: str) -> dict:
    """Applies the operations to a branch (or opens a pull request with them) in one step."""
    _target(call, rev)
    header, operations = read_operations(call)
    title, text = str(header.get("summary") or "Update")[:500].strip(), str(header.get("description") or "")[:65536]
    store, repo, num, ref = call.store, call.repo, 0, rev if rev.startswith("refs/") else f"refs/heads/{rev}"
    with store.write():
        refuse_revision(ref not in store.refs(repo), rev)
        head, old = call.tree(ref)
        stale = not head.id.startswith(str(header.get("parentCommit") or ""))
        refuse(stale, 412, "The branch was updated since you opened this page. Please refresh and try again.")
        made, tree = head, apply(old, operations)
        if call.flag("create_pr"):
            num = open_discussion(call, title, text, fork=head, base=ref.removeprefix("refs/heads/"), status="open")
            ref = f"refs/pr/{num}"
        if num or tree != old:
            made = store.add_commit(repo, ref, tree, (head.id,), call.user.name, title, text)
        if ref.startswith("refs/pr/"):
            note_commit(call, ref, made)
    prefix = f"{call.base_url}/{repo.path}"
    pull = {"pullRequestUrl": f"{prefix}/discussions/{num}"} if num else {}
    return {"success": True, "commitOid": made.id, "commitUrl": f"{prefix}/commit/{made.id}", "hookOutput": "", **pull}
