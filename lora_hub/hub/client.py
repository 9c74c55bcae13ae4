"""The connection to the Hub, and what its refusals mean in words.

`huggingface_hub` is imported inside functions: it reads HF_ENDPOINT when it is imported, and `--help` must not wait for
it.
"""

import difflib
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from lora_hub import __version__
from lora_hub.core import settings
from lora_hub.core.errors import AdapterError, HubError, HubUnreachableError, LoraHubError
from lora_hub.core.messages import NOTHING, Message, _, joined, several
from lora_hub.hub import endpoint
from lora_hub.people import Person

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PRODUCTION = "production"
# Whoever looks whether the Hub is there waits for so long.
LOOK_SECONDS = 2.0
TRY_AGAIN = _("Nothing is lost: try again later.")
PUBLISH_AGAIN = _("Publish again; the adapter is safe in its run.")
# Answers that may be others a moment later.
PASSING = (429, 500, 502, 503, 504)


# Who the Hub is asked as, in this thread of the work: use cases say so, and everything below them obeys.
_ASKING: ContextVar[Person | None] = ContextVar("asking", default=None)


@contextmanager
def acting_as(person: Person) -> Iterator[None]:
    """Within the block the Hub is asked with this person's own token, or without any where they have none; never with
    the environment's, which is the app's. Only the person at this machine uses the environment's token."""
    before = _ASKING.set(person)
    try:
        yield
    finally:
        _ASKING.reset(before)


def token_in_use() -> str | bool | None:
    """As the client takes it: None for the environment's, False for none at all."""
    person = _ASKING.get()
    return None if person is None or person.is_local else person.token or False


def has_token() -> bool:
    """Whether requests to the Hub carry a token."""
    return bool(own_token())


def own_token() -> str:
    """The token that requests to the Hub carry; empty where there is none. Whoever passes it on passes it as a
    secret."""
    from huggingface_hub import get_token

    token = token_in_use()
    return (get_token() if token is None else token) or ""


def is_shared() -> bool:
    """Whether several people share this app: what one of them may read on the Hub must not reach another by a cache."""
    person = _ASKING.get()
    return person is not None and not person.is_local


def may_only_propose(account: str) -> bool:
    """Whether somebody else's account, the app's own, would write for a contributor: it may more than they may."""
    person = _ASKING.get()
    return person is not None and person.is_signed_in and person.role == "contributor" and account != person.id


def open_api(token: str | None = None) -> "HfApi":
    """A client for the Hub in use, with the token of whoever asks, or one that is given. An embedded Hub that has ended
    meanwhile is started again. Raises HubError where it cannot be."""
    from huggingface_hub import HfApi

    endpoint.wake()
    used = token_in_use() if token is None else token
    return HfApi(endpoint=hub_url(), token=used, library_name="lora-hub", library_version=__version__)


def hub_url() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def hub_kind(url: str) -> str:
    """The kind of a Hub: "embedded" for the one that this process is connected to, "public" for huggingface.co, "other"
    for a team's."""
    return endpoint.kind_of(url)


def owned(name: str, org: str = "") -> str:
    """owner/name or owner/name@version, where a bare name means that organization's; org: ours unless given."""
    return name if "/" in name.partition("@")[0] else f"{org or settings.organization()}/{name}"


def full_id(name: str) -> str:
    """A repo id, where a bare name means our organization's. Raises AdapterError for what can be no repo id."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    repo_id = owned(name)
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise AdapterError(
            _("{name!r} is not the name of an adapter."),
            _("Give owner/name, or owner/name@version."),
            name=name,
        ) from error
    return repo_id


@contextmanager
def told(
    what: Message,
    repo_id: str = "",
    revision: str = "",
    missing: type[LoraHubError] = AdapterError,
    again: Message = PUBLISH_AGAIN,
) -> Iterator[None]:
    """Turns what the client raises into a LoraHubError: one sentence and what next.

    `what`: the thing asked for, as in "The Hub would not <what>". `missing`: the kind of error where a repo, or a
    revision of it, is not there. `again`: what to do where an upload failed.
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
                raise HubError(
                    _("An upload to {hub} failed."),
                    again,
                    hub=hub_url(),
                ) from error
            raise
    except LoraHubError:
        raise
    except (httpx2.TransportError, errors.OfflineModeIsEnabled, errors.RevisionResolutionError) as error:
        raise unreachable() from error
    except errors.LocalTokenNotFoundError as error:
        raise HubError(
            _("There is no token for this Hub."),
            _("Sign in at the top of the page.")
            if is_shared()
            else _("Set HF_TOKEN to a token with the right to write, then start again."),
        ) from error
    except errors.GatedRepoError as error:
        raise missing(
            _("{repo} is gated, and this account has not been let in."),
            _("Ask for access on {hub}/{repo}, then try again."),
            repo=repo_id,
            hub=hub_url(),
        ) from error
    except errors.RepositoryNotFoundError as error:
        if upstream := unreached(error):
            raise missing(
                _(
                    "There is no {repo} on {hub}, and {upstream}, which it asks for what others have, cannot be "
                    "reached."
                ),
                joined(_("Check the name and the network."), TRY_AGAIN),
                repo=repo_id,
                hub=hub_url(),
                upstream=upstream,
            ) from error
        if missing is AdapterError:
            raise AdapterError(
                _("There is no adapter {repo} on {hub}."), _near_names(repo_id), repo=repo_id, hub=hub_url()
            ) from error
        raise missing(
            _("There is no {repo} on {hub} that this account may see."),
            _("Check the name, and who the token belongs to."),
            repo=repo_id,
            hub=hub_url(),
        ) from error
    except errors.RevisionNotFoundError as error:
        raise missing(
            _("{repo} has no version {revision!r}."), _versions_there(repo_id), repo=repo_id, revision=revision
        ) from error
    except errors.LocalEntryNotFoundError as error:
        raise unreachable() from error
    except errors.HFValidationError as error:
        raise missing(
            _("{repo!r} is not a repo id."),
            _("Give owner/name in Latin letters, digits, '-', '_' and '.'."),
            repo=repo_id,
        ) from error
    except errors.HfHubHTTPError as error:
        raise refusal(error, what, repo_id) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HubError(
                _("The disk that holds the downloaded files is full."),
                _("Free some space, or set HF_HOME to another disk."),
            ) from error
        raise


def check_seen(repo_id: str) -> None:
    """Asks the Hub whether this person may see a repo, where several people share the app: the client would hand out
    from its cache what it fetched for somebody else."""
    if is_shared():
        open_api().model_info(repo_id)


def check_listening() -> None:
    """Raises HubError at once where a Hub of our own or a team's is down: for a listing the client would try for 23
    seconds first. One behind a proxy is not looked at."""
    url = urlsplit(hub_url())
    host = url.hostname or ""
    if hub_kind(hub_url()) == "public" or (getproxies().get(url.scheme) and not proxy_bypass(host)):
        return
    try:
        socket.create_connection((host, url.port or (443 if url.scheme == "https" else 80)), timeout=5).close()
    except OSError as error:
        raise unreachable() from error


def reaches_hub() -> bool:
    """Whether the Hub in use accepts connections, within two seconds. An embedded one that has ended is not: it comes
    back for whoever needs it."""
    url = urlsplit(hub_url())
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    if getproxies().get(url.scheme) and not proxy_bypass(host):
        proxy = urlsplit(getproxies()[url.scheme])
        host, port = proxy.hostname or "", proxy.port or 80
    try:
        socket.create_connection((host, port), timeout=LOOK_SECONDS).close()
    except OSError:
        return False
    return True


def unreached(error: Any) -> str:
    """The Hub that an embedded one stands in front of and could not ask about a repo; empty where that is not why the
    repo is missing."""
    return str(error.response.headers.get("X-Upstream-Unreachable", ""))


def unreachable() -> HubUnreachableError:
    if hub_kind(hub_url()) == "embedded":
        return HubUnreachableError(
            _("The embedded Hub at {hub} does not answer."),
            joined(_("It is started again by whoever asks it next."), TRY_AGAIN),
            hub=hub_url(),
        )
    return HubUnreachableError(
        _("The Hub at {hub} cannot be reached."), joined(_("Check the network."), TRY_AGAIN), hub=hub_url()
    )


def refusal(error: Any, what: Message, repo_id: str) -> HubError:
    """The HubError for an answer of the Hub that is neither success nor "not found"."""
    status = error.response.status_code
    said = " ".join(str(error.server_message or error.response.headers.get("X-Error-Message") or "").split())[:300]
    if status == 401:
        return HubError(
            _("The Hub does not accept this token."),
            _("Sign out and sign in again.") if is_shared() else _("Set HF_TOKEN to a valid token, then start again."),
        )
    if status == 403:
        where = repo_id.partition("/")[0] or settings.organization()
        return forbidden(what, where, _what_account(where))
    if status == 429:
        message, hint = _("The Hub asks to slow down and would not {what}."), _("Wait a few minutes, then try again.")
    elif status in (413, 507):
        message, hint = _("The Hub has no room and would not {what}."), _("Free some space there, then try again.")
    elif status >= 500:
        message, hint = _("The Hub at {hub} failed (HTTP {status}) and did not {what}."), TRY_AGAIN
    else:
        message, hint = (
            _("The Hub would not {what} (HTTP {status})."),
            _("Change what the Hub complains of, then try again."),
        )
    answered = _("It says: {answer}", answer=said) if said else NOTHING
    kind = HubUnreachableError if status in PASSING else HubError
    return kind(joined(message.filled({"what": what, "hub": hub_url(), "status": str(status)}), answered), hint)


def forbidden(what: Message, where: str, why: Message) -> HubError:
    """This account may not do it in that namespace. `why`: a sentence, or nothing."""
    return HubError(
        joined(_("This account may not {what} in {where!r}.", what=what, where=where), why),
        _(
            "Use a token with the right to write there, or choose an organization that you belong to (--org, "
            "LORA_HUB_ORG)."
        ),
    )


def member_trouble(account: dict[str, Any], where: str) -> Message | None:
    """Why an account (as `whoami` describes it) cannot create repos in a namespace, in a sentence. None where it can,
    or where only the Hub can tell."""
    token = account.get("auth", {}).get("accessToken", {}).get("role", "")
    if token == "read":
        return _("Its token may only read.")
    name, organizations = account["name"], [one["name"] for one in account.get("orgs", [])]
    roles = {one["name"].lower(): one.get("roleInOrg") or "" for one in account.get("orgs", [])}
    if where.lower() == name.lower() or token == "fineGrained" or roles.get(where.lower(), "read") != "read":
        return None
    if where.lower() in roles:
        return _("It is {name}, who may only read there.", name=name)
    if not organizations:
        return _("It is {name} and belongs to no organization.", name=name)
    return _("It is {name} and belongs to: {organizations}.", name=name, organizations=organizations)


def _what_account(where: str) -> Message:
    """One sentence on why: not a member, or a token that may only read. Empty where the Hub will not say."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        account = open_api().whoami()
    except (HfHubHTTPError, OSError):
        return NOTHING
    return member_trouble(account, where) or NOTHING


def _near_names(repo_id: str) -> Message:
    """What the organization has under a name like this one."""
    owner, _rest, name = repo_id.partition("/")
    with told(_("list what {owner} has", owner=owner)):
        names = [info.id.partition("/")[2] for info in open_api().list_models(author=owner, limit=1000)]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or [known for known in names if name in known][:3]
    if near:
        near = [f"{owner}/{known}" for known in near]
        return _("Did you mean {near}?", near=several(near, "or"))
    return _("`python -m lora_hub adapters` lists what there is.")


def _versions_there(repo_id: str) -> Message:
    with told(_("list the versions of {repo}", repo=repo_id), repo_id):
        tags = [tag.name for tag in open_api().list_repo_refs(repo_id).tags]
    if tags:
        return _("It has the versions {tags}.", tags=sorted(tags))
    return _("It has no versions; leave the version out for the newest.")
