"""Why a dataset on the Hub cannot be had, in words for the person who asked for it, with what to do next.

The Hub's refusals (not there, private, gated, no such revision, a token that is none) and what `datasets` makes of a
stranger's files. No sentence here holds a token.
"""

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from lora_hub import __version__
from lora_hub.errors import DataError, HubError
from lora_hub.hub.client import hub_kind, hub_url, told, unreachable
from lora_hub.hub.dataset_id import DatasetId

PUBLIC_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")


def open_api(token: str) -> Any:
    """The client with a person's token; empty: what the environment has."""
    from huggingface_hub import HfApi

    return HfApi(library_name="lora-hub", library_version=__version__, token=token or None)


def clean_token(token: str) -> str:
    token = token.strip()
    if not re.fullmatch(r"[\x21-\x7e]*", token):  # the client would put it, whole, into its complaint
        raise HubError("The token has characters that no token of a Hub has.", "Copy it again from the Hub's page of access tokens.")
    return token


def check_host(wanted: DatasetId) -> None:
    ours = hub_url().partition("://")[2].partition("/")[0].lower()
    loopback = hub_kind(hub_url()) == "embedded" and hub_kind(f"http://{wanted.host}") == "embedded"
    if wanted.host and wanted.host not in (ours, *PUBLIC_HOSTS) and not loopback:
        raise DataError(f"That address is on {wanted.host}; the Hub in use is {hub_url()}.", "Start with HF_ENDPOINT set to that Hub, or download the file and upload it here.")


@contextmanager
def explained(wanted: DatasetId, token: str) -> Iterator[None]:
    """The Hub's refusals, in words for a dataset. What is not about datasets is `client.told`'s."""
    from huggingface_hub import errors

    with told(f"hand out the dataset {wanted.repo}", wanted.repo, wanted.revision, DataError):
        try:
            yield
        except errors.GatedRepoError as error:
            raise DataError(f"The dataset {wanted.repo} is gated, and {_who(token)} has not been let in.",
                            f"Accept its terms on its page, {hub_url()}/datasets/{wanted.repo}, then try again with that account's token.") from error  # fmt: skip
        except errors.RepositoryNotFoundError as error:
            raise _missing(wanted, token) from error
        except errors.RevisionNotFoundError as error:
            refs = open_api(token).list_repo_refs(wanted.repo, repo_type="dataset")
            known = [ref.name for ref in (*refs.branches, *refs.tags)]
            raise DataError(f"The dataset {wanted.repo} has no revision {wanted.revision!r}.", f"It has: {', '.join(known[:20])}; or give a commit.") from error
        except errors.HfHubHTTPError as error:
            status = error.response.status_code
            if status == 401:
                raise _bad_token(token) from error
            if status == 424:  # the embedded Hub could not ask the one behind it
                raise HubError(f"The embedded Hub does not hold {wanted.repo}, and the Hub behind it cannot be reached.",
                               f"{_near(open_api(token), wanted.repo)} Check the network, or download the file elsewhere and give its path.".strip()) from error  # fmt: skip
            raise


def _who(token: str) -> str:
    from huggingface_hub import get_token

    return "the account of this token" if token or get_token() else "without a token nobody"


def _bad_token(token: str) -> HubError:
    where = "the token" if token else "HF_TOKEN"
    if hub_kind(hub_url()) == "embedded":
        return HubError(f"The embedded Hub at {hub_url()} does not accept {where}.",
                        "Leave it out for what is public or on this Hub; for the public Hub's private datasets start with LORA_HUB_HUB=public.")  # fmt: skip
    return HubError(f"The Hub at {hub_url()} does not accept {where}.", "Give a valid token of that Hub.")


def _missing(wanted: DatasetId, token: str) -> DataError | HubError:
    """Why a dataset is not there: a token that is none, a model's id, a private one, a name mistyped."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import HfHubHTTPError

    api, known = open_api(token), bool(token or get_token())
    if known:
        try:
            api.whoami()
        except HfHubHTTPError as error:
            if error.response.status_code == 401:
                return _bad_token(token)
    for kind in ("model", "space"):
        with suppress(HfHubHTTPError):
            api.repo_info(wanted.repo, repo_type=kind)
            return DataError(f"{wanted.repo} is a {kind}, not a dataset.", f"Give the id of a dataset, as on {hub_url()}/datasets.")
    private = "If it is private, use the token of an account that may read it." if known else "If it is private, give a token that may read it (HF_TOKEN)."
    near = _near(api, wanted.repo)
    return DataError(f"There is no dataset {wanted.repo} on {hub_url()} that {'this account may see' if known else 'may be seen without a token'}.", f"{near} {private}".strip())


def _near(api: Any, repo_id: str) -> str:
    """Datasets under a name like this one, as far as the Hub can say."""
    from huggingface_hub.errors import HfHubHTTPError

    owner, _, name = repo_id.rpartition("/")
    known: list[str] = []
    with suppress(HfHubHTTPError):
        for words in dict.fromkeys((name, re.split(r"[-_.]", name)[0])):  # a mistyped end finds nothing, its beginning may
            known += [info.id for info in api.list_datasets(search=words, limit=50)]
        known += [info.id for info in api.list_datasets(author=owner, limit=500)] if owner else []
    by_name: dict[str, list[str]] = {}
    for one in dict.fromkeys(known):
        by_name.setdefault(one.rpartition("/")[2].lower(), []).append(one)
    near = [one for close in difflib.get_close_matches(name.lower(), by_name, 3, 0.7) for one in by_name[close]]
    near.sort(key=lambda one: one.rpartition("/")[0] != owner)
    return f"Did you mean {' or '.join(near[:3])}?" if near else ""


def no_data(api: Any, repo_id: str, also: list[str], wanted: DatasetId) -> DataError:
    page = f"{hub_url()}/datasets/{repo_id}"
    if wanted.folder:
        return DataError(f"The folder {wanted.folder!r} of {repo_id} holds no data files.", f"See {page}/tree/main for what it has.")
    if any(path.endswith(".py") for path in also):
        converted = [ref.ref for ref in api.list_repo_refs(repo_id, repo_type="dataset").converts if ref.name == "parquet"]
        hint = "Look for another copy of it that has files of data, or download what its script fetches and upload that file."
        if converted:
            hint = f"The Hub has made Parquet files of it: open {page}/tree/refs%2Fconvert%2Fparquet and paste the address of the file you want."
        return DataError(f"{repo_id} has no data in it, only a script that fetches them, and no code of a dataset is run here.", hint)
    if not also:
        return DataError(f"The dataset {repo_id} is empty.", "Choose another one, or upload a file to it first.")
    return DataError(f"The dataset {repo_id} holds no data files, only {', '.join(also[:5])}.", "Choose another one, or upload a file to it first.")


@contextmanager
def of_builder(repo_id: str, commit: str, file: str) -> Iterator[None]:
    """What a builder makes of a stranger's files: told in words. What the Hub says passes through."""
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
    except (ArrowException, ValueError, TypeError, KeyError, RuntimeError, NotImplementedError, ImportError, OSError, DatasetsError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        said = " ".join(str(error).split()) or type(error).__name__
        said = said if len(said) <= 300 else said[:300] + " ..."
        raise DataError(
            f"`datasets` cannot read {repo_id}: {said.rstrip('.')}.",
            f"Paste the address of one of its files, as in {hub_url()}/datasets/{repo_id}/blob/{commit[:7]}/{file}",
        ) from error
