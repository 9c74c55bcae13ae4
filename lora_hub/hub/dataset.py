"""A dataset on the Hub becomes one file in our store, so that everything after it works as after an upload.

    endpoint.connect()                                   # the caller's; `datasets` reads HF_ENDPOINT at its import, too
    path = fetch_dataset("owner/name", token="")         # .../datasets/<fingerprint>/owner--name--1a2b3c4.parquet
    read_table(path)

Two roads. Where a split is one file, or several of JSON Lines, the files come as they are: our own reader knows odd
ones better than a builder. Everything else is streamed by `datasets` (no code of a repo ever runs) and written as
Parquet with class names for class numbers. A train and a test part are a zip of both. Nothing larger than
`settings.max_upload_bytes()` lands on the disk. A person's token is an argument: it goes to the Hub in use and nowhere
else, and the libraries' caches for it are in a temporary folder that is gone afterwards.
"""

import difflib
import io
import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from lora_hub.core import settings, store
from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _, _n, several
from lora_hub.hub import dataset_errors, dataset_rows
from lora_hub.hub.client import check_listening, hub_url, open_api, token_in_use
from lora_hub.hub.dataset_id import DatasetId, is_dataset_id, parse_dataset_id
from lora_hub.hub.dataset_rows import megabytes

__all__ = ["fetch_dataset", "is_dataset_id"]

# In a repo, but no data: what `datasets` and tools leave there beside what `archive_members` knows.
BESIDE = re.compile(r"(^|/)(dataset_dict|croissant)\.json$|(^|/)requirements\.txt$|\.(bib|cff|lock|css|js)$")
# Of a config in a card: what changes nothing for our own reader, which finds the dialect by itself.
PLAIN_KEYS = {"config_name", "data_files", "data_dir", "default", "sep", "delimiter", "encoding", "drop_labels"}
CLASSES_OR_MEDIA = ("class_label", '"image"', '"audio"', '"video"', '"pdf"')


@dataclass
class Repo:
    """A dataset's repo at a commit: `files` of data with their sizes in bytes, and what its card says of configs.
    `also`: the files that are no data; `typed`: the card gives class names or media; `most_bytes`: so much of it may
    come here."""

    id: str
    commit: str
    files: dict[str, int]
    also: list[str]
    configs: dict[str, dict] = field(default_factory=dict)
    typed: bool = False
    most_bytes: int = 0


def fetch_dataset(
    name: str,
    *,
    config: str = "",
    split: str = "",
    revision: str = "",
    token: str = "",
    progress: Callable[[Message], None] | None = None,
    owner: str = "",
    most_bytes: int = 0,
) -> Path:
    """The dataset as one kept file; its name tells the id and the commit.

    `name`: what `dataset_id` says, with config, split and revision in it or beside it. `token`: a person's own; empty:
    that of whoever asks. `progress` is told what is going on. `owner`: whose the file is then, where people sign in.
    `most_bytes`: that they may have, where that is less than anybody may. A train split with a test (or validation)
    split becomes a zip of both, one split a Parquet file, one file the file itself. Raises DataError (not there, not
    let in, no data, too large, several configs, no text) and HubError (unreachable, a token that is not accepted).
    """
    wanted = parse_dataset_id(name)
    wanted = replace(
        wanted, config=config or wanted.config, split=split or wanted.split, revision=revision or wanted.revision
    )
    tell, token = progress or (lambda said: None), dataset_errors.clean_token(token)
    dataset_errors.check_host(wanted)
    tell(_("Asking {hub} for {repo} ...", hub=hub_url(), repo=wanted.repo))
    with dataset_errors.explained(wanted, token):
        most = min(most_bytes or settings.max_upload_bytes(), settings.max_upload_bytes())
        repo = replace(_look(wanted, token), most_bytes=most)
        wanted = _check_config(wanted, repo, tell)
        with tempfile.TemporaryDirectory(prefix="lora-hub-dataset-") as folder:
            splits = _split_files(repo, wanted)
            if splits is not None:
                file = _download(repo, _choose(list(splits), repo, wanted, tell), splits, token, Path(folder), tell)
            else:
                file = _build(repo, wanted, token, Path(folder), tell)
            return store.add_dataset(file, _kept_name(repo, wanted, file), owner)


# --- what there is ---


def _look(wanted: DatasetId, token: str) -> Repo:
    from lora_hub.data.read import archive_members  # not above: is_dataset_id must not wait for polars

    api = open_api(token or None)
    check_listening()
    info = api.dataset_info(wanted.repo, revision=wanted.revision or None, files_metadata=True)
    if info.gated:
        api.auth_check(info.id, repo_type="dataset")
    sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or []}
    files = {
        path: size
        for path, size in sizes.items()
        if size and not archive_members.NOT_DATA.search(path.lower()) and not BESIDE.search(path.lower())
    }
    also = [path for path in sizes if path not in files and path != ".gitattributes"]
    if wanted.file:
        if wanted.file not in sizes:
            near = difflib.get_close_matches(wanted.file, files, 3, 0.3) or list(files)[:3]
            raise DataError(
                _("{dataset} has no file {file!r}."),
                _("It has: {names}.", names=near) if near else _("Look at its page for what it has."),
                dataset=info.id,
                file=wanted.file,
            )
        files = {wanted.file: sizes[wanted.file]}
    elif wanted.folder:
        files = {path: size for path, size in files.items() if path.startswith(f"{wanted.folder.strip('/')}/")}
    if not files:
        raise dataset_errors.no_data(api, info.id, also, wanted)
    card = info.card_data.to_dict() if info.card_data else {}
    listed = card.get("configs") if isinstance(card.get("configs"), list) else []
    configs = {
        str(entry["config_name"]): entry for entry in listed if isinstance(entry, dict) and entry.get("config_name")
    }
    kinds = json.dumps(card.get("dataset_info"), default=str)
    return Repo(info.id, info.sha, files, also, configs, any(word in kinds for word in CLASSES_OR_MEDIA))


def _check_config(wanted: DatasetId, repo: Repo, tell: Callable[[Message], None]) -> DatasetId:
    """With the config that is meant. Raises DataError where that is not clear."""
    if wanted.file or wanted.folder:
        return replace(wanted, config="")
    names = list(repo.configs)
    if wanted.config and wanted.config not in (names or ["default"]):
        raise DataError(
            _("{dataset} has no config {config!r}."),
            _("It has: {names}.", names=names) if names else _("It has only the default one: leave the config out."),
            dataset=repo.id,
            config=wanted.config,
        )
    if wanted.config or len(names) <= 1:
        return replace(wanted, config=wanted.config if names else "")
    default = next(
        (name for name, entry in repo.configs.items() if entry.get("default") is True),
        "default" if "default" in names else "",
    )
    if default:
        tell(_("Reading the config {config}, its owner's choice among {count}.", config=default, count=len(names)))
        return replace(wanted, config=default)
    raise DataError(
        _("{dataset} has {count} configs: {names}."),
        _("Choose one, as in {example}"),
        dataset=repo.id,
        count=len(names),
        names=names,
        example=f"{repo.id}:{names[0]}",
    )


def _split_files(repo: Repo, wanted: DatasetId) -> dict[str, list[str]] | None:
    """Split -> its files, of which there is one, where the files' names alone say so; else None, and `datasets` has to
    know."""
    from lora_hub.data.read import archive_members

    plain = all(set(entry) <= PLAIN_KEYS for entry in repo.configs.values()) and not repo.typed
    if wanted.file:
        return {"train": [wanted.file]}
    if len(repo.configs) > 1 or not plain:
        return None
    found: dict[str, list[str]] = {}
    for path in repo.files:
        split = archive_members.split_of(path) or ("train" if len(repo.files) == 1 else "")
        if split in found:
            return None
        found[split] = [path]
    if "" in found and "train" not in found and len(found) == 2:  # a file, and another one that says it is for testing
        found["train"] = found.pop("")
    return found if "" not in found and ("train" in found or len(found) == 1) else None


def _choose(names: list[str], repo: Repo, wanted: DatasetId, tell: Callable[[Message], None]) -> list[str]:
    """The split to train on and those that can be tested on, the best first. Raises DataError where it is not clear."""
    if wanted.split:
        if wanted.split not in names:
            raise DataError(
                _("{dataset} has no split {split!r}."),
                _("It has: {names}."),
                dataset=repo.id,
                split=wanted.split,
                names=names,
            )
        return [wanted.split]
    if len(names) == 1:
        return names

    from lora_hub.data.read import archive_members

    def called(name: str, pattern: re.Pattern) -> list[str]:
        return [name] if name in names else [each for each in names if pattern.search(each.lower())]

    train = called("train", archive_members.TRAIN)
    if len(train) != 1:
        of = wanted.config or "default"
        raise DataError(
            _("{dataset} has several splits, and which to train on is not clear: {names}."),
            _("Choose one, as in {example}"),
            dataset=repo.id,
            names=names,
            example=f"{repo.id}:{of}/{names[0]}",
        )
    tests = [
        found[0]
        for found in (called("test", archive_members.TEST), called("validation", archive_members.VALIDATION))
        if len(found) == 1
    ]
    tests = [name for name in dict.fromkeys(tests) if name not in train]
    left = [name for name in names if name not in (*train, *tests[:1])]
    if left:
        tell(
            _(
                "Reading {names}; leaving out {left}.",
                names=several([*train, *tests[:1]], "and"),
                left=several(left, most=10),
            )
        )
    return [*train, *tests]


def _check_size(repo: Repo, parts: list[str], size: int) -> None:
    if size > repo.most_bytes:
        raise DataError(
            _("{dataset} ({parts}) is {size}; the limit is {limit}."),
            _("Choose a smaller file, config or split (owner/name:config/split), or raise LORA_HUB_MAX_UPLOAD_MB."),
            dataset=repo.id,
            parts=several(parts, most=3),
            size=megabytes(size),
            limit=megabytes(repo.most_bytes),
        )


# --- the two roads ---


def _download(
    repo: Repo,
    names: list[str],
    splits: dict[str, list[str]],
    token: str,
    folder: Path,
    tell: Callable[[Message], None],
) -> Path:
    """The files as they are: one, or two in a zip. Several JSON Lines files of a split become one."""
    paths = [path for name in names[:2] for path in splits[name]]
    _check_size(repo, paths, sum(repo.files[path] for path in paths))
    parts, suffixes = [], []
    for name in names[:2]:
        files = []
        for path in splits[name]:
            tell(_("Downloading {file}, {size} ...", file=path, size=megabytes(repo.files[path])))
            bar = _bar(path, tell)
            got = open_api(token or None).hf_hub_download(
                repo.id, path, repo_type="dataset", revision=repo.commit, cache_dir=folder / "files", tqdm_class=bar
            )
            files.append(Path(got).resolve())  # the cache has links to the files
        if splits[name][0].lower().endswith((".parquet", ".pq")):
            dataset_rows.check_media_of_parquet(files[0], repo.id)
        parts.append(
            files[0] if len(files) == 1 else dataset_rows.join_lines(files, folder / f"part-{len(parts)}.jsonl")
        )
        suffixes.append(
            re.search(r"(\.[A-Za-z0-9]{1,8})?(\.(gz|bz2|xz|zst|lz4))?$", PurePosixPath(splits[name][0]).name)[0]
        )
    if len(parts) == 2:
        return dataset_rows.zip_pair(*parts, folder / "data.zip", suffixes)
    return parts[0].rename(folder / f"data{suffixes[0]}")


def _are_lines(paths: list[str]) -> bool:
    return all(path.lower().endswith((".jsonl", ".ndjson")) for path in paths)


def _bar(path: str, tell: Callable[[Message], None]) -> type:
    """A progress bar of the client's kind that tells in words instead of drawing."""
    from tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **{**options, "file": io.StringIO(), "mininterval": dataset_rows.TELL_SECONDS})

        def display(self, *args: Any, **options: Any) -> None:
            if self.total and self.n:
                tell(_("{file}: {done} of {size}", file=path, done=megabytes(self.n), size=megabytes(self.total)))

    return Bar


def _build(repo: Repo, wanted: DatasetId, token: str, folder: Path, tell: Callable[[Message], None]) -> Path:
    """Through `datasets`: the chosen config's splits, streamed."""
    from datasets import DownloadConfig, load_dataset_builder

    used = token or token_in_use()
    with dataset_errors.of_builder(repo.id, repo.commit, next(iter(repo.files))):
        builder = load_dataset_builder(
            f"hf://datasets/{repo.id}",
            wanted.config or None,
            revision=repo.commit,
            token=used,
            data_dir=wanted.folder or None,
            cache_dir=str(folder / "cache"),
            download_config=DownloadConfig(cache_dir=folder / "cache", token=used),
        )
        dataset_rows.check_media(builder.info.features, repo.id)
        listed = {
            str(split): [str(file).partition(f"@{repo.commit}/")[2] for file in files]
            for split, files in (builder.config.data_files or {}).items()
        }
        names = _choose(list(listed), repo, wanted, tell)
        files = [file for name in names[:2] for file in listed[name]]
        plain = set(repo.configs.get(wanted.config, {})) <= PLAIN_KEYS and not dataset_rows.has_class_names(
            builder.info.features
        )
        if (
            plain
            and set(files) <= set(repo.files)
            and all(len(listed[name]) == 1 or _are_lines(listed[name]) for name in names[:2])
        ):
            return _download(repo, names, listed, token, folder, tell)
        _check_size(repo, names[:2], sum(repo.files.get(file, 0) for file in files))
        streams = builder.as_streaming_dataset()
        for name in names:
            dataset_rows.check_media(streams[name].features, repo.id)
        return _stream(streams, names, folder, tell, repo.most_bytes)


def _stream(streams: Any, names: list[str], folder: Path, tell: Callable[[Message], None], room: int) -> Path:
    """The first split and the first of the others that has answers, as a zip; where there is one, its Parquet file.
    room: bytes that it may have."""
    train, test = folder / "train.parquet", folder / "test.parquet"
    tell(_("Reading {split} ...", split=names[0]))
    rows, unlabelled = dataset_rows.write_rows(streams[names[0]], train, room, tell)
    tell(_n("{split}: {count:,} row", "{split}: {count:,} rows", split=names[0], count=rows))
    for name in names[1:]:
        rows, empty = dataset_rows.write_rows(streams[name], test, room - train.stat().st_size, tell)
        if hidden := set(empty) - set(unlabelled):  # a test split whose answers its owner keeps is of no use here
            why = _n(
                "{split}: left out, {columns} is empty in its row",
                "{split}: left out, {columns} is empty in all of its {count:,} rows",
                count=rows,
            )
            tell(why.filled({"split": name, "columns": sorted(hidden)}))
            continue
        tell(_n("{split}: {count:,} row", "{split}: {count:,} rows", split=name, count=rows))
        return dataset_rows.zip_pair(train, test, folder / "data.zip", (".parquet", ".parquet"))
    return train


def _kept_name(repo: Repo, wanted: DatasetId, file: Path) -> str:
    """`owner--name[--config][--split or file]--1a2b3c4.ext`: no repo's name has two hyphens side by side, and the store
    neither changes a character of it nor cuts it (it keeps the last 100)."""
    config = "" if wanted.config == "default" else wanted.config
    parts = [
        repo.id.replace("/", "--"),
        config,
        wanted.split,
        PurePosixPath(wanted.file).name.partition(".")[0],
        wanted.folder,
    ]
    stem = "--".join(re.sub(r"[^\w.\-]+", "_", part) for part in parts if part)
    tail = f"--{repo.commit[:7]}{''.join(file.suffixes[-2:])}"
    return stem[: 100 - len(tail)] + tail
