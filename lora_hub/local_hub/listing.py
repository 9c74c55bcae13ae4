"""Lists of repositories by author, search, tags and order; and the full info of one."""

import json

from .calls import Call, route
from .cards import read_facts
from .faults import refuse
from .spaces import state
from .store import Repo, iso

# there are no likes here
SORTS = {"createdAt": "created", "downloads": "downloads"} | dict.fromkeys(
    ("", "lastModified", "likes", "trendingScore"), "modified"
)
BRIEF = set(
    (
        "author sha lastModified createdAt private gated disabled downloads likes tags pipeline_tag library_name sdk"
    ).split()
)
MORE = {"full": {"siblings", "cardData"}, "cardData": {"cardData"}, "config": {"config"}}


def describe(call: Call, repo: Repo, names: set[str], blobs: bool = False) -> dict:
    """The info of a repo at its head, reduced to `names` if given. `blobs`: with details of its files."""
    info = {
        "author": repo.namespace,
        "sha": repo.head,
        "lastModified": iso(repo.modified),
        "createdAt": iso(repo.created),
        "likes": 0,
        "private": bool(repo.private),
        "gated": repo.gated or False,
        "disabled": False,
        "downloads": repo.downloads,
        **repo.known,
    }
    if repo.type == "space" and (not names or "runtime" in names):
        info["runtime"] = state(call, repo)
    if not names or "siblings" in names:
        tree = call.store.read_tree(call.store.get_commit(repo, repo.head).tree)
        info["siblings"] = [
            entry.json(rfilename=path, blobId=entry.oid) if blobs else {"rfilename": path}
            for path, entry in sorted(tree.items())
        ]
    return {"_id": repo.uid, "id": repo.full_name, **{name: info[name] for name in info if not names or name in names}}


@route("GET", "/api/{type}s/{repo}/revision/{rev}", "read")
@route("GET", "/api/{type}s/{repo}", "read")
def info(call: Call, rev: str = "main") -> dict:
    repo, (commit, tree) = call.repo, call.tree(rev)
    if commit.id != repo.head:
        facts = json.dumps(read_facts(call.store, repo.type, tree, repo.sdk))
        repo = repo._replace(head=commit.id, modified=commit.time / 1000, facts=facts)
    return describe(call, repo, set(call.query.getlist("expand")), call.flag("blobs"))


@route("GET", "/api/{type}s", "any")
def listing(call: Call, type: str) -> list[dict]:
    asked, db, role = call.query.getlist, call.store.db, call.accounts.role
    mine = json.dumps(
        [name for (name,) in db.execute("SELECT DISTINCT namespace FROM repos WHERE private") if role(call.user, name)]
    )
    wanted = [("type = ?", type), ("(private = 0 OR namespace IN (SELECT value FROM json_each(?)))", mine)]
    wanted += [("namespace = ? COLLATE NOCASE", name) for name in asked("author")]
    wanted += [
        ("instr(lower(namespace || '/' || name), ?) > 0", word) for word in " ".join(asked("search")).lower().split()
    ]
    wanted += [
        ("EXISTS (SELECT 1 FROM repo_tags WHERE tag = ? AND repo = repos.id)", tag.lower())
        for tag in asked("filter") + asked("pipeline_tag")
    ]
    wanted += [("(gated != '') = ?", call.flag("gated"))] if "gated" in call.query else []
    texts, values = zip(*wanted, strict=True)
    refuse((sort := call.query.get("sort", "")) not in SORTS, 400, f"Cannot sort by {sort!r}")
    order = f"ORDER BY {SORTS[sort]} DESC, id DESC"
    # the ids come from the index alone; full rows, which contain the cards, are only read for one page
    ids = db.execute(f"SELECT id FROM repos WHERE {' AND '.join(texts)} {order}", values).fetchall()
    page = json.dumps([id for (id,) in call.paged(ids, 1000)])
    names = set(asked("expand")) or BRIEF.union(*(MORE[name] for name in MORE if call.flag(name)))
    return [
        describe(call, repo, names)
        for repo in call.store.repos(f"id IN (SELECT value FROM json_each(?)) {order}", page)
    ]
