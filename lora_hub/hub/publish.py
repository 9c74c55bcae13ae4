"""Puts adapters, and the built-in base that they need, on the Hub: one commit with all files, then a version tag.

A publish that fails half way shows nothing: the commit is one, the tag comes after it, and the same publish tried again
goes on where it stopped. The same content published twice is the same version.
"""

import contextlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora_hub.catalogue import bases
from lora_hub.core import events, settings
from lora_hub.core.errors import AdapterError, BaseError, HubError
from lora_hub.core.languages import arabic_share, languages
from lora_hub.core.messages import _
from lora_hub.core.schema import AdapterRef, BaseModel, HeldOutRow, Scores, TrainSpec
from lora_hub.hub import adapter_config
from lora_hub.hub.adapter_config import CONFIG_FILE, RECORD_FILE, WEIGHTS_FILE
from lora_hub.hub.card import card, card_metadata, figures
from lora_hub.hub.card.eval_results import RESULTS_FILE, results_file
from lora_hub.hub.card.production_part import with_production
from lora_hub.hub.card.versions_part import MOST_VERSIONS
from lora_hub.hub.client import TRY_AGAIN, hub_url, open_api, told
from lora_hub.hub.contents import CARD, base_files, changes, check_base_repo, files_of, look
from lora_hub.hub.fetch import fetch_record, read_adapter_record
from lora_hub.hub.naming import repo_name, version_number
from lora_hub.hub.production import read_promotions
from lora_hub.hub.promotion import PROMOTIONS
from lora_hub.hub.record import make_record, public_base, without_place
from lora_hub.hub.rights import check_publishing
from lora_hub.hub.task_region import REGION_FILE, read_region
from lora_hub.works_in import marks, tell_base

if TYPE_CHECKING:
    from huggingface_hub import HfApi

LOG = "training_log.jsonl"
TRIES = 10  # against others who publish into the same repo at the same moment


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
    examples: Sequence[HeldOutRow] | None = None,
) -> AdapterRef:
    """Publishes an adapter's folder as `{org}/{name}` and tags it as its next version.

    Where this account may only propose, it is a pull request, whose address the answer has, and no version yet.
    `private`: only the organization sees it; else as the organization has it by default. `scores`: {"base": ...,
    "adapter": ...}, per cent. `log`: events as JSON lines, of which the losses are published. `examples`: held-out rows
    {prompt, reference, base, adapter}; they tell the language, and stand on the card only where `spec.share_rows`.
    Raises HubError (no right, name taken, Hub down, token refused) and
    AdapterError (the folder holds no adapter).
    """
    folder = Path(folder)
    org = org or settings.organization()
    repo_id = f"{org}/{repo_name(spec, name)}"
    config = adapter_config.read_config(folder)
    weights = adapter_config.weights_file(folder, _("The adapter in {folder}", folder=folder.name))
    record = _public_record(folder, spec, scores, run_id)
    region = read_region(folder)
    with told(_("publish {repo}", repo=repo_id), repo_id, missing=HubError):
        api = open_api()
        claim = check_publishing(spec, org=org, name=name, private=private)
        if claim.info is None:
            # Where nobody asks for a private one, the organization's own way counts.
            api.create_repo(repo_id, private=private or None, exist_ok=True)
        base_repo, base_revision = _base_on_hub(spec.base, org)
        config |= {
            "base_model_name_or_path": base_repo or card_metadata.short_name(spec.base),
            "revision": base_revision or None,
        }
        facts = card.facts_of(
            record,
            repo_id,
            base_repo=base_repo,
            base_revision=base_revision,
            architecture=_architecture(spec.base),
            languages=languages_of(spec, examples or []),
            owner=claim.owner,
            size=weights.stat().st_size,
            second=card.second_language(spec, examples or []),
            examples=examples,
            has_figure=bool(figures.draw(spec.task, examples or [], scores)),
            works_in=marks(config, spec.base, quantization=spec.quantization, on_hub=bool(base_repo)),
            told_base=tell_base(spec.base) | ({"is_folder": False} if base_repo else {}),
            earlier=_earlier(api, repo_id, record) if claim.info is not None else (),
        )
        readme = card.render(facts)
        readme = with_production(readme, read_promotions(claim.info))
        files: dict[str, bytes | Path] = {
            CONFIG_FILE: _json(config),
            WEIGHTS_FILE: weights,
            CARD: readme.encode(),
            RECORD_FILE: _json(record),
            LOG: _losses(log),
            REGION_FILE: folder / REGION_FILE if region else b"",
            RESULTS_FILE: results_file(facts, hub_url()),
            **_figures(facts, scores),
        }
        title = f"Publish {card_metadata.card_title(spec)}"
        if claim.by_pull_request:
            commit, proposed = _propose(api, repo_id, files, title)
            tags = []
        else:
            commit, proposed = _commit(api, repo_id, files, title), ""
            commit, tags = _tag_version(api, repo_id, commit)
        private = bool(api.model_info(repo_id).private)
    return AdapterRef(
        repo_id=repo_id,
        revision=commit,
        base=_base_id(spec.base),
        task=spec.task.id,
        title=card_metadata.card_title(spec),
        metrics=scores,
        versions=tuple(tags),
        private=private,
        languages=languages_of(spec, examples or []),
        size=weights.stat().st_size,
        owner=claim.owner,
        url=proposed or f"{hub_url()}/{repo_id}",
        pull_request=proposed,
    )


def _figures(facts: card_metadata.Facts, scores: dict[str, Scores]) -> dict[str, bytes | Path]:
    """The pictures of the card, one in each of its languages; empty for those that it does not have."""
    drawn: dict[str, bytes | Path] = {figures.figure_name(language): b"" for language in languages()}
    for language in filter(None, ("en", facts.second)):
        drawn[figures.figure_name(language)] = figures.draw(facts.spec.task, facts.examples, scores, language)
    return drawn


def _earlier(api: "HfApi", repo_id: str, record: dict[str, Any]) -> tuple[tuple[str, dict[str, Any]], ...]:
    """The versions before the one of this record, with what is known of each, the newest first. One whose record is
    damaged or missing is left out; so are those that are this one."""
    tags = {version_number(tag.name): tag.name for tag in api.list_repo_refs(repo_id).tags}
    found: list[tuple[str, dict[str, Any]]] = []
    for number in sorted(filter(None, tags), reverse=True)[: MOST_VERSIONS + 1]:
        with contextlib.suppress(AdapterError):
            told = fetch_record(repo_id, tags[number])
            if told is not None and (found or told != record):
                found.append((tags[number], told))
    return tuple(found[:MOST_VERSIONS])


def languages_of(spec: TrainSpec, examples: Sequence[HeldOutRow]) -> tuple[str, ...]:
    """The base's languages whose script the held-out rows are written in; none where no rows were given.

    Scripts tell Persian from English, not English from French: a language is named only if the base knows it.
    """
    text = " ".join(f"{row.prompt} {row.reference}" for row in examples)
    letters = max(1, sum(char.isalpha() for char in text))
    latin = sum("a" <= char.lower() <= "z" for char in text) / letters
    spoken = {"fa": arabic_share(text) > 0.1, "en": latin > 0.5}
    return tuple(code for code in spec.base.languages if spoken.get(code))


def _public_record(folder: Path, spec: TrainSpec, scores: dict[str, Scores], run_id: str) -> dict[str, Any]:
    """The run's record, or one made of the arguments; what was found in the test file may quote its rows and stays
    here.

    The libraries' versions are those that trained, as the record has them; without a record nobody knows them.
    """
    record = read_adapter_record(folder) or make_record(spec, spec.task, run_id, scores, {}, 0) | {"libraries": {}}
    if record["spec"].get("test_dataset"):
        record["spec"]["test_dataset"] |= {"problems": [], "source": "upload"}
    record["spec"] |= {"publish_to": "", "publish_private": False}
    record["dataset"]["problems"] = []
    if re.fullmatch(r"hub:[\w.-]+/[\w.-]+", spec.dataset.source, re.ASCII):
        record["dataset"]["source"] = spec.dataset.source
    return dict(without_place(record, spec.base))


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


def _base_on_hub(base: BaseModel, org: str) -> tuple[str, str]:
    """(repo, commit) of the base; ("", "") for a local folder, which stays where it is. Of one that was read from a
    file: the repo of the original weights, if it is known."""
    if base.id == bases.BUILT_IN:
        return push_base(base, org)
    if base.origin is not None:
        return base.origin.hub_id, ""
    return (base.id, base.revision) if card_metadata.is_hub_id(base) else ("", "")


def push_base(base: BaseModel, org: str) -> tuple[str, str]:
    if base.id != bases.BUILT_IN:
        raise BaseError(
            _("The base {base} is not the project's to publish."),
            _("Only the built-in base is published."),
            base=base.id,
        )
    repo_id = f"{org}/{bases.BUILT_IN}"
    with told(_("publish {repo}", repo=repo_id), repo_id, missing=HubError):
        api = open_api()
        there = look(api, repo_id)
        if there is None:
            api.create_repo(repo_id, exist_ok=True)
        else:
            check_base_repo(there, repo_id)
        return repo_id, _commit(api, repo_id, base_files(base, repo_id), "The built-in base of LoRA Hub")


def _commit(api: "HfApi", repo_id: str, files: dict[str, bytes | Path], message: str) -> str:
    """One commit of the files that are not there as they are; returns the head."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.errors import HfHubHTTPError

    for _attempt in range(TRIES):
        there = look(api, repo_id)
        head = there.sha if there else None
        changed, gone = changes(files, there)
        if head and not changed and not gone:
            return head
        contents = {name: content if isinstance(content, bytes) else str(content) for name, content in files.items()}
        operations: list[Any] = [
            CommitOperationAdd(path_in_repo=name, path_or_fileobj=contents[name]) for name in changed
        ]
        operations += [CommitOperationDelete(path_in_repo=name) for name in gone]
        try:
            # What is left out is only right on top of this head: two publishers must not mix their files.
            return str(api.create_commit(repo_id, operations, commit_message=message, parent_commit=head).oid)
        except HfHubHTTPError as error:
            if error.response.status_code != 412:
                raise
        except ValueError as error:  # the client's own check of the card, before anything is sent
            said = " ".join(str(error).split())[:300].rstrip(" .:")
            raise HubError(
                _("The Hub does not take the card of {repo}: {reason}."),
                _("Change the name or title that it speaks of."),
                repo=repo_id,
                reason=said,
            ) from error
    raise HubError(_("{repo} is being published by others at the same time."), TRY_AGAIN, repo=repo_id)


def _propose(api: "HfApi", repo_id: str, files: dict[str, bytes | Path], title: str) -> tuple[str, str]:
    """(commit, address) of a pull request with these files."""
    from huggingface_hub import CommitOperationAdd

    operations = [
        CommitOperationAdd(path_in_repo=name, path_or_fileobj=content if isinstance(content, bytes) else str(content))
        for name, content in files.items()
        if content != b""
    ]
    made = api.create_commit(repo_id, operations, commit_message=title, create_pr=True)
    return str(made.oid), str(made.pr_url)


def _tag_version(api: "HfApi", repo_id: str, commit: str) -> tuple[str, list[str]]:
    """Tags a commit as the next version, unless it is one already; returns the version's commit and the names of all
    versions, newest first. A commit that only records a promotion makes no version."""
    from huggingface_hub.errors import HfHubHTTPError

    for _attempt in range(TRIES):  # somebody else may take the number in between
        tags = {tag.name: tag.target_commit for tag in api.list_repo_refs(repo_id).tags}
        numbers = sorted(filter(None, map(version_number, tags)), reverse=True)
        names = [f"v{number}" for number in numbers]
        if any(tags[name] == commit for name in names):
            return commit, names
        if names and _is_version(api, repo_id, tags[names[0]], commit):
            return tags[names[0]], names
        version = f"v{numbers[0] + 1 if numbers else 1}"
        try:
            api.create_tag(repo_id, tag=version, revision=commit)
            return commit, [version, *names]
        except HfHubHTTPError as error:
            if error.response.status_code != 409:
                raise
    raise HubError(
        _("{repo} is being published by others at the same time; this content has no version yet."),
        TRY_AGAIN,
        repo=repo_id,
    )


def _is_version(api: "HfApi", repo_id: str, version: str, commit: str) -> bool:
    """Whether a commit has the files of a version's, apart from what a promotion writes."""
    held = [files_of(api.model_info(repo_id, revision=one, files_metadata=True)) for one in (version, commit)]
    if not any(PROMOTIONS in files for files in held):
        return False
    first, second = (
        {name: file.lfs.sha256 if file.lfs else file.blob_id for name, file in files.items()} for files in held
    )
    return all(first.get(name) == second.get(name) for name in {*first, *second} - {CARD, PROMOTIONS})
