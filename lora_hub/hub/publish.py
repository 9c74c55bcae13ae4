"""Puts adapters, and the built-in base that they need, on the Hub: one commit with all files, then a version tag.

A publish that fails half way shows nothing: the commit is one, the tag comes after it, and the same publish tried again
goes on where it stopped. The same content published twice is the same version.
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_hub import bases, card, events, settings
from lora_hub.errors import AdapterError, BaseError, HubError
from lora_hub.hub.client import PRODUCTION, TRY_AGAIN, full_id, hub_url, open_api, told
from lora_hub.hub.fetch import CONFIG, RECORD, WEIGHTS, read_adapter_record
from lora_hub.hub.listing import ref_of
from lora_hub.record import make_record, public_base
from lora_hub.schema import AdapterRef, BaseModel, Scores, TrainSpec

if TYPE_CHECKING:
    from huggingface_hub import HfApi

LOG = "training_log.jsonl"
CARD = "README.md"
BASE_TAG = "lora-hub-base"
MAX_NAME = 60
# Persian letters as they are read aloud, near enough for a name in an address; vowels that are not written stay away.
LATIN = {
    "ا": "a", "آ": "a", "أ": "a", "إ": "e", "ب": "b", "پ": "p", "ت": "t", "ث": "s", "ج": "j", "چ": "ch", "ح": "h", "خ": "kh", "د": "d", "ذ": "z",
    "ر": "r", "ز": "z", "ژ": "zh", "س": "s", "ش": "sh", "ص": "s", "ض": "z", "ط": "t", "ظ": "z", "ع": "a", "غ": "gh", "ف": "f", "ق": "gh",
    "ک": "k", "ك": "k", "گ": "g", "ل": "l", "م": "m", "ن": "n", "و": "v", "ه": "h", "ة": "h", "ی": "i", "ي": "i", "ى": "a", "ئ": "i", "ؤ": "o",
    "\u200c": "-",
}  # fmt: skip


def publish_adapter(
    folder: Path,
    *,
    spec: TrainSpec,
    scores: dict[str, Scores],
    run_id: str,
    org: str = "",
    name: str = "",
    private: bool = False,
    log: Path | None = None,
    versions: dict[str, str] | None = None,
    examples: list[dict] | None = None,
) -> AdapterRef:
    """Publishes an adapter's folder as `{org}/{name}` and tags it as its next version.

    `scores`: {"base": ..., "adapter": ...}, per cent. `log`: events as JSON lines, of which the losses are published.
    `versions`: the libraries' versions. `examples`: held-out rows {prompt, reference, base, adapter}; they tell the language,
    and stand on the card only where `spec.share_rows`. Raises HubError (no right, name taken, Hub down, token refused) and
    AdapterError (the folder holds no adapter).
    """
    folder = Path(folder)
    org = org or settings.organization()
    repo_id = f"{org}/{repo_name(spec, name)}"
    config = _read_config(folder)
    record = _public_record(folder, spec, scores, run_id, versions or {})
    with told(f"publish {repo_id}", repo_id, missing=HubError):
        api = open_api()
        there = _claim(api, repo_id, spec, private)
        base_repo, base_revision = _base_on_hub(spec.base, org)
        config |= {"base_model_name_or_path": base_repo or card.short_name(spec.base), "revision": base_revision or None}
        readme = card.render_card(
            record,
            repo_id,
            base_repo=base_repo,
            base_revision=base_revision,
            architecture=_architecture(spec.base),
            languages=languages_of(spec, examples or []),
            examples=examples if spec.share_rows else None,
        )
        files: dict[str, bytes | Path] = {
            CONFIG: _json(config),
            WEIGHTS: folder / WEIGHTS,
            CARD: readme.encode(),
            RECORD: _json(record),
            LOG: _losses(log),
        }
        # The log of an earlier version must not pass for this one's.
        gone = {LOG} & there if not files[LOG] else set()
        commit = _commit(api, repo_id, files, f"Publish {card.card_title(spec)}", gone)
        tags = _tag_version(api, repo_id, commit)
    return AdapterRef(
        repo_id=repo_id,
        revision=commit,
        base=_base_id(spec.base),
        task=spec.task.id,
        title=card.card_title(spec),
        metrics=scores,
        versions=tuple(tags),
        private=private,
        url=f"{hub_url()}/{repo_id}",
    )


def publish_base(base: BaseModel, org: str = "") -> str:
    """Puts the built-in base at `{org}/built-in`, where it is not there yet, and returns the repo's id.

    Raises BaseError for another base, HubError where the Hub refuses or another repo has the name.
    """
    return _push_base(base, org or settings.organization())[0]


def promote(repo_id: str, revision: str) -> None:
    """Moves the tag `production` to a version. Raises AdapterError where there is no such version, HubError otherwise."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

    repo_id = full_id(repo_id)
    with told(f"promote {repo_id}", repo_id, revision):
        api = open_api()
        commit = api.model_info(repo_id, revision=revision).sha or ""
        before = next((tag.target_commit for tag in api.list_repo_refs(repo_id).tags if tag.name == PRODUCTION), "")
        if before == commit:
            return
        if before:
            api.delete_tag(repo_id, tag=PRODUCTION)
        try:
            api.create_tag(repo_id, tag=PRODUCTION, revision=commit)
        except (HfHubHTTPError, httpx2.TransportError):
            if before:  # the Hub has no "move": what was in production has to stay there
                api.create_tag(repo_id, tag=PRODUCTION, revision=before)
            raise


def repo_name(spec: TrainSpec, name: str = "") -> str:
    """The repo's name: the one given, the spec's, or task and base. Raises HubError where nothing of a given one is left."""
    given = name or spec.name
    found = slugify(given) if given else slugify(f"{spec.task.id}-{card.short_name(spec.base).lower()}")
    if not found:
        raise HubError(f"The name {given!r} has no letters or digits that an address can hold.", "Choose a name in Latin or Persian letters.")
    if found.lower() == bases.BUILT_IN:
        raise HubError(f"The name {found!r} is the built-in base's.", "Choose another name (--name).")
    return found


def slugify(text: str) -> str:
    """Letters, digits, `-`, `_` and `.` only, as the Hub wants them; Persian letters become Latin ones."""
    latin = "".join(LATIN.get(char, char) for char in unicodedata.normalize("NFC", text))
    digits = "".join(str(unicodedata.digit(char)) if char.isdigit() else char for char in unicodedata.normalize("NFKD", latin))
    words = re.sub(r"[^A-Za-z0-9_.]+", "-", "".join(char for char in digits if not unicodedata.combining(char)))
    words = re.sub(r"-{2,}", "-", re.sub(r"\.{2,}", ".", words))[:MAX_NAME].strip("-.")
    return words.removesuffix(".git").strip("-.")


def languages_of(spec: TrainSpec, examples: list[dict]) -> tuple[str, ...]:
    """The base's languages whose script the held-out rows are written in; none where no rows were given.

    Scripts tell Persian from English, not English from French: a language is named only if the base knows it.
    """
    text = " ".join(f"{row.get('prompt', '')} {row.get('reference', '')}" for row in examples)
    letters = max(1, sum(char.isalpha() for char in text))
    arabic = sum("\u0600" <= char <= "\u06ff" and char.isalpha() for char in text) / letters
    latin = sum("a" <= char.lower() <= "z" for char in text) / letters
    spoken = {"fa": arabic > 0.1, "en": latin > 0.5}
    return tuple(code for code in spec.base.languages if spoken.get(code))


def _read_config(folder: Path) -> dict[str, Any]:
    for file in (CONFIG, WEIGHTS):
        if not (folder / file).is_file() or not (folder / file).stat().st_size:
            raise AdapterError(f"{folder.name} holds no adapter: {file} is missing or empty.", "Train the adapter again, or give another folder.")
    try:
        return dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise AdapterError(f"{CONFIG} of the adapter in {folder.name} is damaged.", "Train the adapter again.") from error


def _public_record(folder: Path, spec: TrainSpec, scores: dict[str, Scores], run_id: str, versions: dict[str, str]) -> dict[str, Any]:
    """The run's record, or one made of the arguments; what was found in the test file may quote its rows and stays here."""
    record = read_adapter_record(folder) or make_record(spec, spec.task, run_id, scores, {}, 0)
    if record["spec"].get("test_dataset"):
        record["spec"]["test_dataset"] |= {"problems": [], "source": "upload"}
    record["spec"]["publish_to"] = ""
    record["dataset"]["problems"] = []
    if re.fullmatch(r"hub:[\w.-]+/[\w.-]+", spec.dataset.source, re.ASCII):
        record["dataset"]["source"] = spec.dataset.source
    return record | ({"libraries": versions} if versions else {})


def _base_id(base: BaseModel) -> str:
    """The base's id as it may be known elsewhere: a folder's name, not its path."""
    return public_base(base).id


def _architecture(base: BaseModel) -> str:
    config = Path(base.folder) / "config.json"
    if not base.folder or not config.is_file():
        return ""
    named = json.loads(config.read_text(encoding="utf-8")).get("architectures") or [""]
    return str(named[0])


def _losses(log: Path | None) -> bytes:
    """The losses of a run's events, step by step. Other events tell of this machine and may quote rows."""
    if log is None or not log.is_file():
        return b""
    with log.open(encoding="utf-8", errors="replace") as file:
        metrics = [event.data for event in events.parse_lines(file) if event.kind == "metric"]
    return "".join(json.dumps(data, sort_keys=True) + "\n" for data in metrics).encode()


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _claim(api: "HfApi", repo_id: str, spec: TrainSpec, private: bool) -> set[str]:
    """Makes the repo, or finds that it is ours to go on with; returns the files in it.

    Raises HubError where it is somebody else's, for another task or base, or too public.
    """
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        info = api.model_info(repo_id)
    except (RepositoryNotFoundError, RevisionNotFoundError):  # the latter: somebody makes it just now
        api.create_repo(repo_id, private=private, exist_ok=True)
        return set()
    another = "Choose another name (--name)."
    files = {sibling.rfilename for sibling in info.siblings or []} - {".gitattributes"}
    if files and RECORD not in files:
        raise HubError(f"{repo_id} is there already and is not an adapter of LoRA Hub.", another)
    if private and not info.private:
        raise HubError(f"{repo_id} is public, and a private adapter was asked for.", f"{another[:-1]}, or make that repo private on the Hub first.")
    there = ref_of(info)
    if there.task and (there.task, there.base) != (spec.task.id, _base_id(spec.base)):
        raise HubError(f"{repo_id} is there already, for the task {there.task} on the base {there.base}.", another)
    return files


def _base_on_hub(base: BaseModel, org: str) -> tuple[str, str]:
    """(repo, commit) of the base; ("", "") for a local folder, which stays where it is."""
    if base.id == bases.BUILT_IN:
        return _push_base(base, org)
    return (base.id, base.revision) if card.is_hub_id(base) else ("", "")


def _push_base(base: BaseModel, org: str) -> tuple[str, str]:
    from huggingface_hub.errors import RepositoryNotFoundError

    if base.id != bases.BUILT_IN:
        raise BaseError(f"The base {base.id} is not the project's to publish.", "Only the built-in base is published.")
    folder, repo_id = Path(base.folder or bases.built_in_folder()), f"{org}/{bases.BUILT_IN}"
    files: dict[str, bytes | Path] = {CARD: card.render_base_card(base, repo_id).encode()}
    files |= {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith((".", CARD))}
    with told(f"publish {repo_id}", repo_id, missing=HubError):
        api = open_api()
        try:
            info = api.model_info(repo_id, files_metadata=True)
        except RepositoryNotFoundError:
            api.create_repo(repo_id, exist_ok=True)
        else:
            found = {sibling.rfilename: sibling for sibling in info.siblings or []}
            if set(found) - {".gitattributes"} and BASE_TAG not in (info.tags or []):
                raise HubError(f"{repo_id} is there already and is not the built-in base.", "Choose another organization (--org).")
            if all(name in found and _same(content, found[name]) for name, content in files.items()):
                return repo_id, info.sha or ""
        return repo_id, _commit(api, repo_id, files, "The built-in base of LoRA Hub")


def _same(content: bytes | Path, sibling: Any) -> bool:
    """Whether a file on the Hub has these bytes: by sha256 where it is in LFS, else by git's hash of a blob."""
    data = content if isinstance(content, bytes) else content.read_bytes()
    if sibling.lfs is not None:
        return bool(sibling.lfs.sha256 == hashlib.sha256(data).hexdigest())
    return bool(sibling.blob_id == hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest())


def _commit(api: "HfApi", repo_id: str, files: dict[str, bytes | Path], message: str, gone: Set[str] = frozenset()) -> str:
    """One commit of all files that are not there as they are, and without `gone`; returns the head. An empty file is not sent."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import HfHubHTTPError

    operations: list[Any] = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=content if isinstance(content, bytes) else str(content))
        for name, content in files.items()
        if not isinstance(content, bytes) or content
    ]
    operations += [CommitOperationDelete(path_in_repo=name) for name in sorted(gone)]
    try:
        return str(api.create_commit(repo_id, operations, commit_message=message).oid)
    except ValueError as error:
        if isinstance(error, HfHubHTTPError):
            raise
        # The client's own check of the card, before anything is sent.
        raise HubError(f"The Hub does not take the card of {repo_id}: {' '.join(str(error).split())[:300]}", "Change the name or title that it speaks of.") from error


def _tag_version(api: "HfApi", repo_id: str, commit: str) -> list[str]:
    """Tags a commit as the next version, unless it has a version already; returns all of the repo's tags, newest first."""
    from huggingface_hub.errors import HfHubHTTPError

    for _ in range(10):  # somebody else may take the number in between
        tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo_id).tags}
        numbers = sorted((int(tag[1:]) for tag in tags if re.fullmatch(r"v[1-9]\d*", tag)), reverse=True)
        names = [f"v{number}" for number in numbers]
        if any(tags[name] == commit for name in names):
            return names
        version = f"v{numbers[0] + 1 if numbers else 1}"
        try:
            api.create_tag(repo_id, tag=version, revision=commit)
            return [version, *names]
        except HfHubHTTPError as error:
            if error.response.status_code != 409:
                raise
    raise HubError(f"{repo_id} is being published by others at the same time; this content has no version yet.", f"{TRY_AGAIN}")
