"""What a person types or pastes for a dataset on the Hub, taken apart. Standard library only: the shell asks at once.

| written | means |
|---|---|
| `owner/name`, `name`, `datasets/owner/name`, `hf://datasets/owner/name` | the dataset as it is now |
| `...@revision` | at a branch, tag or commit |
| `...:config`, `...:config/split` | one of its configs; one of its splits |
| `hf://datasets/owner/name/file.csv` | one file of it |
| `https://HOST/datasets/owner/name` and below it `/viewer/config/split`, `/tree/REV[/folder]`, `/blob/REV/file`,
`/resolve/REV/file` | what that page shows |

The address of a page only says what is meant: its HOST is never asked, the Hub in use is.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _

_NAME = r"[A-Za-z0-9][\w.-]{0,95}"
_REPO = re.compile(rf"(?:{_NAME}/)?{_NAME}", re.ASCII)
_ID = re.compile(
    rf"(?P<hf>hf:/{{1,2}})?(?P<kind>datasets/)?(?P<repo>(?:{_NAME}/)?{_NAME})(?:@(?P<revision>[^\s:@\\]+))?"
    r"(?::(?P<config>[^\s/:@\\]+)(?:/(?P<split>[^\s/:@\\]+))?)?(?:@(?P<revision_too>[^\s:@\\]+))?",
    re.ASCII,
)
# pathlib makes one slash of two, and what comes from a command line may have been a Path
_PAGE = re.compile(r"https?:/{1,2}(?P<rest>[^\s/]+/datasets/\S+)", re.IGNORECASE)
_HF_FILE = re.compile(
    rf"hf:/{{1,2}}datasets/(?P<repo>{_NAME}/{_NAME})(?:@(?P<revision>[^\s/@]+))?/(?P<file>\S.*)", re.ASCII
)
_PARTS = ("viewer", "tree", "blob", "resolve", "raw", "commit", "commits", "discussions", "settings", "embed")
_FILE = re.compile(
    r"\.(csv|tsv|psv|tab|txt|json|jsonl|ndjson|parquet|pq|arrow|feather|xls[xmb]?|ods|gz|zip|html?|md|pdf|ya?ml|py|log|dat)$",
    re.I,
)


@dataclass(frozen=True)
class DatasetId:
    """`repo`: owner/name, or the bare name of a canonical dataset. `file`, `folder`: of the repo; `host`: of a pasted
    page. What was not said is empty."""

    repo: str
    revision: str = ""
    config: str = ""
    split: str = ""
    file: str = ""
    folder: str = ""
    host: str = ""


def is_dataset_id(text: str) -> bool:
    """Whether this, written where a file is expected, is a dataset on the Hub: its form fits, and no such path is here.

    Without `datasets/` or `hf://`, what ends like a data file (`data/spam.csv`) is a path that was mistyped.
    """
    text = text.strip()
    if len(text) > 1000:
        return False
    match = _ID.fullmatch(text)
    if match and not match["kind"]:
        if match["hf"] or _FILE.search(match["repo"]):
            return False
    elif not match and not _PAGE.fullmatch(text) and not _HF_FILE.fullmatch(text):
        return False
    try:
        return not Path(text).exists()
    except OSError:  # a name that this file system cannot hold
        return True


def parse_dataset_id(text: str) -> DatasetId:
    """Raises DataError for what is no dataset's id or page."""
    text = text.strip()
    if match := _PAGE.fullmatch(text):
        return _of_page("https://" + match["rest"], text)
    if match := _ID.fullmatch(text):
        if not match["hf"] or match["kind"]:
            return DatasetId(
                match["repo"],
                match["revision"] or match["revision_too"] or "",
                match["config"] or "",
                match["split"] or "",
            )
    if match := _HF_FILE.fullmatch(text):
        return DatasetId(match["repo"], unquote(match["revision"] or ""), file=match["file"])
    raise DataError(
        _("{text!r} is not the id of a dataset.") if text else _("No dataset is named."),
        _("Give owner/name, owner/name@revision, owner/name:config, or paste the address of its page on the Hub."),
        text=text[:200],
    )


def _of_page(address: str, text: str) -> DatasetId:
    url = urlsplit(address)
    parts = [unquote(part) for part in url.path.split("/") if part][1:]
    canonical = len(parts) == 1 or parts[1] in _PARTS  # an old dataset without an owner
    repo, rest = "/".join(parts[: 1 if canonical else 2]), parts[1 if canonical else 2 :]
    if not _REPO.fullmatch(repo):
        raise DataError(
            _("{text!r} is not the address of a dataset."),
            _("Open the dataset's page on the Hub and copy the address from there."),
            text=text[:200],
        )
    what, rest = (rest[0], rest[1:]) if rest else ("", [])
    host = url.netloc.rpartition("@")[2].lower()
    if what == "viewer":
        config, split = [*rest, "", ""][:2]
        return DatasetId(repo, config=config, split=split, host=host)
    if what not in ("tree", "blob", "resolve", "raw", "commit") or not rest:
        return DatasetId(repo, host=host)
    # A reference such as refs/convert/parquet is one quoted segment; people's tools unquote it.
    size = 3 if rest[0] == "refs" and len(rest) > 2 else 1
    revision, path = "/".join(rest[:size]), "/".join(rest[size:])
    return DatasetId(repo, revision, **{"folder" if what in ("tree", "commit") else "file": path}, host=host)
