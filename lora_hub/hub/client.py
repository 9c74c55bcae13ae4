"""The connection to the Hub, and what its refusals mean in words.

`huggingface_hub` is imported inside functions: it reads HF_ENDPOINT when it is imported, and `--help` must not wait for it.
"""

import difflib
import errno
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lora_hub import __version__, settings
from lora_hub.errors import AdapterError, HubError, LoraHubError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PRODUCTION = "production"
TRY_AGAIN = "Nothing is lost: try again later."


def open_api() -> "HfApi":
    """A client for the Hub in use, with the token of the environment."""
    from huggingface_hub import HfApi

    return HfApi(library_name="lora-hub", library_version=__version__)


def hub_url() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def describe_hub() -> dict[str, str]:
    """Which Hub, which organization, who: {"kind": "embedded" or "public", "url", "organization", "user"}.

    `user` is empty without a token. Raises HubError where the Hub cannot be reached or refuses the token.
    """
    from huggingface_hub import get_token

    url = hub_url()
    user = ""
    if get_token():
        with told("say who this token belongs to"):
            user = open_api().whoami()["name"]
    return {"kind": hub_kind(url), "url": url, "organization": settings.organization(), "user": user}


def hub_kind(url: str) -> str:
    """The embedded Hub is the one that listens on this machine's loopback address."""
    return "embedded" if re.match(r"https?://(127\.|localhost\b|\[::1\])", url) else "public"


def full_id(name: str) -> str:
    """A repo id, where a bare name means our organization's. Raises AdapterError for what can be no repo id."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    repo_id = name if "/" in name else f"{settings.organization()}/{name}"
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise AdapterError(f"{name!r} is not the name of an adapter.", "Give owner/name, or owner/name@version.") from error
    return repo_id


@contextmanager
def told(what: str, repo_id: str = "", revision: str = "", missing: type[LoraHubError] = AdapterError) -> Iterator[None]:
    """Turns what the client raises into a LoraHubError: one sentence and what next.

    `what`: the thing asked for, as in "The Hub would not <what>". `missing`: the kind of error where a repo, or a revision
    of it, is not there.
    """
    import httpx2
    from huggingface_hub import errors

    try:
        try:
            yield
        except RuntimeError as error:
            # The client wraps what ended an upload.
            if isinstance(error.__cause__, httpx2.HTTPError):
                raise error.__cause__ from None
            if "uploading" in str(error):
                raise HubError(f"An upload to {hub_url()} failed.", "Publish again; the adapter is safe in its run.") from error
            raise
    except LoraHubError:
        raise
    except (httpx2.TransportError, errors.OfflineModeIsEnabled, errors.RevisionResolutionError) as error:
        raise unreachable() from error
    except errors.LocalTokenNotFoundError as error:
        raise HubError("There is no token for this Hub.", "Set HF_TOKEN to a token with the right to write, then start again.") from error
    except errors.GatedRepoError as error:
        raise missing(f"{repo_id} is gated, and this account has not been let in.", f"Ask for access on {hub_url()}/{repo_id}, then try again.") from error
    except errors.RepositoryNotFoundError as error:
        if missing is AdapterError:
            raise AdapterError(f"There is no adapter {repo_id} on {hub_url()}.", _near_names(repo_id)) from error
        raise missing(f"There is no {repo_id} on {hub_url()} that this account may see.", "Check the name, and who the token belongs to.") from error
    except errors.RevisionNotFoundError as error:
        raise missing(f"{repo_id} has no version {revision!r}.", _versions_there(repo_id)) from error
    except errors.LocalEntryNotFoundError as error:
        raise unreachable() from error
    except errors.HFValidationError as error:
        raise missing(f"{repo_id!r} is not a repo id.", "Give owner/name in Latin letters, digits, '-', '_' and '.'.") from error
    except errors.HfHubHTTPError as error:
        raise refusal(error, what, repo_id) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HubError("The disk that holds the downloaded files is full.", "Free some space, or set HF_HOME to another disk.") from error
        raise


def check_listening() -> None:
    """Raises HubError at once where the embedded Hub is down: for a listing the client would try for 23 seconds first."""
    url = urlsplit(hub_url())
    if hub_kind(hub_url()) == "embedded":
        try:
            socket.create_connection((url.hostname or "", url.port or 80), timeout=5).close()
        except OSError as error:
            raise unreachable() from error


def unreachable() -> HubError:
    if hub_kind(hub_url()) == "embedded":
        return HubError(f"The embedded Hub at {hub_url()} does not answer.", f"Start the app again, or run `python -m lora_hub hub`. {TRY_AGAIN}")
    return HubError(f"The Hub at {hub_url()} cannot be reached.", f"Check the network. {TRY_AGAIN}")


def refusal(error: Any, what: str, repo_id: str) -> HubError:
    """The HubError for an answer of the Hub that is neither success nor "not found"."""
    status = error.response.status_code
    said = " ".join(str(error.server_message or error.response.headers.get("X-Error-Message") or "").split())[:300]
    said = f" It says: {said}" if said else ""
    if status == 401:
        return HubError("The Hub does not accept this token.", "Set HF_TOKEN to a valid token, then start again.")
    if status == 403:
        where = repo_id.partition("/")[0] or settings.organization()
        return HubError(
            f"This account may not {what} in {where!r}.{_what_account(where)}",
            "Use a token with the right to write there, or choose an organization that you belong to (--org, LORA_HUB_ORG).",
        )
    if status == 429:
        return HubError(f"The Hub asks to slow down and would not {what}.{said}", "Wait a few minutes, then try again.")
    if status in (413, 507):
        return HubError(f"The Hub has no room and would not {what}.{said}", "Free some space there, then try again.")
    if status >= 500:
        return HubError(f"The Hub at {hub_url()} failed (HTTP {status}) and did not {what}.{said}", TRY_AGAIN)
    return HubError(f"The Hub would not {what} (HTTP {status}).{said}", "Change what it says, then try again.")


def _what_account(where: str) -> str:
    """One sentence on why: not a member, or a token that may only read. Empty where the Hub will not say."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        account = open_api().whoami()
    except (HfHubHTTPError, OSError):
        return ""
    role = account.get("auth", {}).get("accessToken", {}).get("role", "")
    if role == "read":
        return " Its token may only read."
    organizations = [org["name"] for org in account.get("orgs", [])]
    if where not in (account["name"], *organizations):
        return f" It is {account['name']} and belongs to: {', '.join(organizations) or 'no organization'}."
    return ""


def _near_names(repo_id: str) -> str:
    """What the organization has under a name like this one."""
    owner, _, name = repo_id.partition("/")
    with told(f"list what {owner} has"):
        names = [info.id.partition("/")[2] for info in open_api().list_models(author=owner, limit=1000)]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or [known for known in names if name in known][:3]
    if near:
        return f"Did you mean {' or '.join(f'{owner}/{known}' for known in near)}?"
    return "`python -m lora_hub adapters` lists what there is."


def _versions_there(repo_id: str) -> str:
    with told(f"list the versions of {repo_id}", repo_id):
        tags = [tag.name for tag in open_api().list_repo_refs(repo_id).tags]
    return f"It has: {', '.join(sorted(tags))}." if tags else "It has no versions; leave the version out for the newest."
