"""Writing: which files go to LFS, and commits as lines of JSON."""

import base64
import binascii
import re
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path

from .app import Call, HubFault, parse_json, refuse, refuse_revision, route
from .cards import index_head
from .discussions import check_pull, note_commit, open_discussion
from .store import Entry, Tree, git_oid, pointer

MAX_LINE = 48 * 1024 * 1024
MAX_REGULAR = 10 * 1024 * 1024
MAX_OPERATIONS = 25_000
BATCH_BYTES = 32 * 1024 * 1024
Operation = tuple[str, str, Entry | None]


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern:
    """A line of `.gitattributes` or `.gitignore` as a regular expression over whole paths."""
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.strip("/"))
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    start = "" if "/" in pattern.rstrip("/") else "(?:.*/)?"
    return re.compile(start + "".join(meaning.get(piece) or re.escape(piece) for piece in pieces) + "(?:/.*)?")


def _rules(lines: list[list[str]], path: str) -> Iterator[list[str]]:
    """The lines, in words, whose pattern fits a path; the last one, which decides, first."""
    said = [words for words in reversed(lines) if words and words[0][:1] not in ("", "#")]
    return (words for words in said if _pattern(words[0].lstrip("!")).fullmatch(path))


def is_lfs(attributes: str, path: str) -> bool:
    """What `.gitattributes` says about a path."""
    lines = _rules([line.split() for line in attributes.splitlines()], path)
    said = next((words for words in lines if {"filter=lfs", "-filter", "!filter"} & set(words)), [])
    return "filter=lfs" in said


def is_ignored(ignore: str, path: str) -> bool:
    return next(_rules([[line.strip()] for line in ignore.splitlines()], path), ["!"])[0][0] != "!"


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

    attributes, ignore = text(".gitattributes"), given if isinstance(given, str) else text(".gitignore")
    for file in call.field("files", list):
        path, size = (check_path(file.get("path")), file.get("size") or 0) if isinstance(file, dict) else (check_path(None), 0)
        refuse(not isinstance(size, int), 400, f"The size of {path!r} is not a number")
        mode, present = "lfs" if size > MAX_REGULAR or is_lfs(attributes, path) else "regular", tree.get(path)
        oid = None if present is None else present.sha256 if present.lfs else present.oid
        answer.append({"path": path, "uploadMode": mode, "shouldIgnore": is_ignored(ignore, path), "oid": oid})
    return {"files": answer}


def _lines(file: Path) -> Iterator[dict]:
    with open(file, "rb") as stream:
        for count, line in enumerate(iter(partial(stream.readline, MAX_LINE + 1), b""), 1):
            if len(line) > MAX_LINE or count > MAX_OPERATIONS:
                raise HubFault(413, f"A commit has at most {MAX_OPERATIONS} lines of {MAX_LINE} bytes; use LFS")
            try:
                if line.strip():
                    item = parse_json(line)
                    yield {"key": item["key"], **item["value"]}
            except (TypeError, KeyError) as error:
                raise HubFault(400, f"Line {count} of the commit is not a JSON object with key and value") from error


def read_operations(call: Call) -> tuple[dict, list[Operation]]:
    """The header and (what, path, entry) for each line; contents are in the store when this returns."""
    header, operations, waiting, size = {}, [], [], 0

    def settle() -> None:
        entries = call.store.add_files([data for _, data in waiting])
        operations.extend(("add", path, entry) for (path, _), entry in zip(waiting, entries, strict=True))
        waiting.clear()

    for line in _lines(call.body):
        key, path = line["key"], line.get("path")
        if key == "header":
            header = line
        elif key == "file":
            waiting.append((check_path(path), _content(line)))
            size += len(waiting[-1][1])
            if size > BATCH_BYTES or len(waiting) >= 4096:
                settle()
                size = 0
        elif key in ("lfsFile", "deletedFile", "deletedFolder"):
            path = check_path(path.rstrip("/") if isinstance(path, str) else path)
            if key != "lfsFile":
                settle()  # what was added on the lines before may be what is deleted here
            operations.append((key, path, _lfs_entry(call, line) if key == "lfsFile" else None))
        else:
            raise HubFault(400, f"Unknown operation {key!r} in the commit")
    settle()
    return header, operations


def _content(line: dict) -> bytes:
    try:
        text = line["content"]
        return base64.b64decode(text, validate=True) if line.get("encoding") == "base64" else text.encode()
    except (binascii.Error, KeyError, ValueError, TypeError, AttributeError) as error:
        raise HubFault(400, f"The content of {line.get('path')!r} cannot be read") from error


def _lfs_entry(call: Call, line: dict) -> Entry:
    """An LFS file that this repo holds already, or one that the caller may read elsewhere (a copy between repos)."""
    oid, size = line.get("oid"), line.get("size")
    refuse(not isinstance(oid, str) or not re.fullmatch("[0-9a-f]{64}", oid), 400, f"Invalid LFS oid: {oid!r}")
    for owner, held in call.store.db.execute("SELECT repo, size FROM objects WHERE sha256 = ?", (oid,)).fetchall():
        mine = owner == call.repo.id or call.accounts.can_read(call.user, call.store.get_repo(owner))
        if mine and size in (None, held):
            return Entry(git_oid(pointer(oid, held)), held, oid, 1)
    raise HubFault(400, f"LFS object {oid} of {size} bytes was not uploaded to {call.repo.full_name}")


def apply(tree: Tree, operations: list[Operation]) -> Tree:
    tree = dict(tree)
    for what, path, entry in operations:
        if entry:
            tree[path] = entry
            continue
        inside = [name for name in tree if name.startswith(f"{path}/")]
        gone = [path] if what == "deletedFile" and path in tree else inside
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
        if ref == "refs/heads/main":
            index_head(store, repo)
        elif ref.startswith("refs/pr/"):
            note_commit(call, ref, made)
    prefix = f"{call.base_url}/{repo.path}"
    pull = {"pullRequestUrl": f"{prefix}/discussions/{num}"} if num else {}
    return {"success": True, "commitOid": made.id, "commitUrl": f"{prefix}/commit/{made.id}", "hookOutput": "", **pull}
