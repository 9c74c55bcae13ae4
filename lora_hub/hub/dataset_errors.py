"""Why a dataset on the Hub cannot be had, in words for the person who asked for it, with what to do next.

The Hub's refusals (not there, private, gated, no such revision, a token that is none) and what `datasets` makes of a
stranger's files. No sentence here holds a token.
"""

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from lora_hub.core.errors import DataError, HubError
from lora_hub.core.messages import NOTHING, Message, _, joined, several
from lora_hub.hub.client import has_token, hub_kind, hub_url, open_api, told, unreachable, unreached
from lora_hub.hub.dataset_id import DatasetId

PUBLIC_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")


def clean_token(token: str) -> str:
    token = token.strip()
    if not re.fullmatch(r"[\x21-\x7e]*", token):  # the client would put it, whole, into its complaint
        raise HubError(
            _("The token has characters that no token of a Hub has."),
            _("Copy it again from the Hub's page of access tokens."),
        )
    return token


def check_host(wanted: DatasetId) -> None:
    ours = hub_url().partition("://")[2].partition("/")[0].lower()
    loopback = _is_here(ours) and _is_here(wanted.host)  # the port may be another one than when the address was copied
    if wanted.host and wanted.host not in (ours, *PUBLIC_HOSTS) and not loopback:
        raise DataError(
            _("That address is on {host}; the Hub in use is {hub}."),
            _("Start with HF_ENDPOINT set to that Hub, or download the file and upload it here."),
            host=wanted.host,
            hub=hub_url(),
        )


def _is_here(host: str) -> bool:
    return host.rpartition(":")[0] in ("127.0.0.1", "localhost", "[::1]")


@contextmanager
def explained(wanted: DatasetId, token: str) -> Iterator[None]:
    """The Hub's refusals, in words for a dataset. What is not about datasets is `client.told`'s."""
    from huggingface_hub import errors

    with told(_("hand out the dataset {repo}", repo=wanted.repo), wanted.repo, wanted.revision, DataError):
        try:
            yield
        except errors.GatedRepoError as error:
            raise DataError(
                _("The dataset {repo} is gated, and the account of this token has not been let in.")
                if token or has_token()
                else _("The dataset {repo} is gated, and without a token nobody is let in."),
                _("Accept its terms on its page, {page}, then try again with that account's token."),
                repo=wanted.repo,
                page=f"{hub_url()}/datasets/{wanted.repo}",
            ) from error
        except errors.RepositoryNotFoundError as error:
            if unreached(error):
                near = _near(open_api(token or None), wanted.repo)
                raise HubError(
                    _("The Hub at {hub} does not hold {repo}, and the Hub behind it cannot be reached."),
                    joined(near, _("Check the network, or download the file elsewhere and give its path.")),
                    hub=hub_url(),
                    repo=wanted.repo,
                ) from error
            raise _missing(wanted, token) from error
        except errors.RevisionNotFoundError as error:
            refs = open_api(token or None).list_repo_refs(wanted.repo, repo_type="dataset")
            known = [ref.name for ref in (*refs.branches, *refs.tags)]
            raise DataError(
                _("The dataset {repo} has no revision {revision!r}."),
                _("It has: {known}; or give a commit."),
                repo=wanted.repo,
                revision=wanted.revision,
                known=several(known),
            ) from error
        except errors.HfHubHTTPError as error:
            if error.response.status_code == 401:
                raise _bad_token(token) from error
            raise


def _bad_token(token: str) -> HubError:
    if hub_kind(hub_url()) == "embedded":
        return HubError(
            _("The embedded Hub at {hub} does not accept the token.")
            if token
            else _("The embedded Hub at {hub} does not accept HF_TOKEN."),
            _(
                "Leave it out for what is public or on this Hub; for the public Hub's private datasets start with "
                "LORA_HUB_HUB=public."
            ),
            hub=hub_url(),
        )
    message = (
        _("The Hub at {hub} does not accept the token.") if token else _("The Hub at {hub} does not accept HF_TOKEN.")
    )
    return HubError(message, _("Give a valid token of that Hub."), hub=hub_url())


def _missing(wanted: DatasetId, token: str) -> DataError | HubError:
    """Why a dataset is not there: a wrong token, a model's id, a private dataset, or a mistyped name."""
    from huggingface_hub.errors import HfHubHTTPError

    api, known = open_api(token or None), bool(token or has_token())
    if known:
        try:
            api.whoami()
        except HfHubHTTPError as error:
            if error.response.status_code == 401:
                return _bad_token(token)
    for kind, message in (
        ("model", _("{repo} is a model, not a dataset.")),
        ("space", _("{repo} is a Space, not a dataset.")),
    ):
        with suppress(HfHubHTTPError):
            api.repo_info(wanted.repo, repo_type=kind)
            return DataError(
                message, _("Give the id of a dataset, as on {page}."), repo=wanted.repo, page=f"{hub_url()}/datasets"
            )
    if known:
        message = _("There is no dataset {repo} on {hub} that this account may see.")
        private = _("If it is private, use the token of an account that may read it.")
    else:
        message = _("There is no dataset {repo} on {hub} that may be seen without a token.")
        private = _("If it is private, give a token that may read it (HF_TOKEN).")
    return DataError(message, joined(_near(api, wanted.repo), private), repo=wanted.repo, hub=hub_url())


def _near(api: Any, repo_id: str) -> Message:
    """Datasets under a name like this one, as far as the Hub can say."""
    from huggingface_hub.errors import HfHubHTTPError

    owner, _slash, name = repo_id.rpartition("/")
    known: list[str] = []
    with suppress(HfHubHTTPError):
        for words in dict.fromkeys(
            (name, re.split(r"[-_.]", name)[0])
        ):  # a mistyped end finds nothing, its beginning may
            known += [info.id for info in api.list_datasets(search=words, limit=50)]
        known += [info.id for info in api.list_datasets(author=owner, limit=500)] if owner else []
    by_name: dict[str, list[str]] = {}
    for one in dict.fromkeys(known):
        by_name.setdefault(one.rpartition("/")[2].lower(), []).append(one)
    near = [one for close in difflib.get_close_matches(name.lower(), by_name, 3, 0.7) for one in by_name[close]]
    near.sort(key=lambda one: one.rpartition("/")[0] != owner)
    return _("Did you mean {near}?", near=several(near[:3], "or")) if near else NOTHING


def no_data(api: Any, repo_id: str, also: list[str], wanted: DatasetId) -> DataError:
    page = f"{hub_url()}/datasets/{repo_id}"
    if wanted.folder:
        return DataError(
            _("The folder {folder!r} of {repo} holds no data files."),
            _("See {page} for what it has."),
            folder=wanted.folder,
            repo=repo_id,
            page=f"{page}/tree/main",
        )
    if any(path.endswith(".py") for path in also):
        converted = [
            ref.ref for ref in api.list_repo_refs(repo_id, repo_type="dataset").converts if ref.name == "parquet"
        ]
        hint = _(
            "Look for another copy of it that has files of data, or download what its script fetches and upload that "
            "file."
        )
        if converted:
            hint = _("The Hub has made Parquet files of it: open {page} and paste the address of the file you want.")
        return DataError(
            _("{repo} has no data in it, only a script that fetches them, and no code of a dataset is run here."),
            hint,
            repo=repo_id,
            page=f"{page}/tree/refs%2Fconvert%2Fparquet",
        )
    if not also:
        return DataError(
            _("The dataset {repo} is empty."), _("Choose another one, or upload a file to it first."), repo=repo_id
        )
    return DataError(
        _("The dataset {repo} holds no data files, only {files}."),
        _("Choose another one, or upload a file to it first."),
        repo=repo_id,
        files=several(also, most=5),
    )


@contextmanager
def of_builder(repo_id: str, commit: str, file: str) -> Iterator[None]:
    """Turns what `datasets` raises about a stranger's files into a sentence; the Hub's own errors pass through."""
    from datasets.exceptions import DatasetsError
    from httpx2 import HTTPError
    from huggingface_hub.errors import LocalEntryNotFoundError
    from pyarrow import ArrowException

    try:
        yield
    except (DataError, HubError, HTTPError, LocalEntryNotFoundError):
        raise
    except ConnectionError as error:
        raise unreachable() from error
    except (
        ArrowException,
        ValueError,
        TypeError,
        KeyError,
        RuntimeError,
        NotImplementedError,
        ImportError,
        OSError,
        DatasetsError,
    ) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        said = " ".join(str(error).split()) or type(error).__name__
        said = said if len(said) <= 300 else said[:300] + " ..."
        raise DataError(
            _("`datasets` cannot read {repo}: {reason}."),
            _("Paste the address of one of its files, as in {example}"),
            repo=repo_id,
            reason=said.rstrip("."),
            example=f"{hub_url()}/datasets/{repo_id}/blob/{commit[:7]}/{file}",
        ) from error
