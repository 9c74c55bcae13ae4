"""The connection to the Hub, and what its refusals mean in words.

`huggingface_hub` is imported inside functions: it reads HF_ENDPOINT when it is imported, and `--help` must not wait for it.
"""

import difflib
import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from lora_hub import __version__
from lora_hub.core import settings
from lora_hub.core.errors import AdapterError, HubError, LoraHubError, names_fa
from lora_hub.core.schema import Text2
from lora_hub.hub import endpoint

if TYPE_CHECKING:
    from huggingface_hub import HfApi

PRODUCTION = "production"
TRY_AGAIN = "Nothing is lost: try again later."
TRY_AGAIN_FA = "چیزی از دست نرفته است: کمی بعد دوباره بیازمایید."


def open_api(token: str | None = None) -> "HfApi":
    """A client for the Hub in use, with the token of the environment, or one that is given. An embedded Hub that has ended
    meanwhile is started again. Raises HubError where it cannot be."""
    from huggingface_hub import HfApi

    endpoint.wake()
    return HfApi(endpoint=hub_url(), token=token, library_name="lora-hub", library_version=__version__)


def hub_url() -> str:
    from huggingface_hub import constants

    return constants.ENDPOINT


def describe_hub() -> dict[str, str]:
    """Which Hub, which organization, who: {"kind": "embedded", "public" or "other", "url", "organization", "user"}.

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
    """"embedded" for the one that this process is connected to, "public" for huggingface.co, "other" for a team's."""
    return endpoint.kind_of(url)


def full_id(name: str) -> str:
    """A repo id, where a bare name means our organization's. Raises AdapterError for what can be no repo id."""
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    repo_id = name if "/" in name else f"{settings.organization()}/{name}"
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise AdapterError(
            f"{name!r} is not the name of an adapter.", "Give owner/name, or owner/name@version.",
            message_fa=f"«{name}» نام آداپتور نیست.", hint_fa="نام را به شکل owner/name یا owner/name@version بدهید.",
        ) from error  # fmt: skip
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
                raise HubError(
                    f"An upload to {hub_url()} failed.", "Publish again; the adapter is safe in its run.",
                    message_fa=f"فرستادن به {hub_url()} ناکام ماند.", hint_fa="دوباره منتشر کنید؛ آداپتور در اجرای خود به‌سلامت مانده است.",
                ) from error  # fmt: skip
            raise
    except LoraHubError:
        raise
    except (httpx2.TransportError, errors.OfflineModeIsEnabled, errors.RevisionResolutionError) as error:
        raise unreachable() from error
    except errors.LocalTokenNotFoundError as error:
        raise HubError(
            "There is no token for this Hub.", "Set HF_TOKEN to a token with the right to write, then start again.",
            message_fa="برای این هاب توکنی نیست.", hint_fa="توکنی را که اجازهٔ نوشتن دارد در HF_TOKEN بگذارید و برنامه را از نو راه بیندازید.",
        ) from error  # fmt: skip
    except errors.GatedRepoError as error:
        raise missing(
            f"{repo_id} is gated, and this account has not been let in.", f"Ask for access on {hub_url()}/{repo_id}, then try again.",
            message_fa=f"«{repo_id}» با اجازه باز می‌شود، و به این حساب اجازه داده نشده است.",
            hint_fa=f"در {hub_url()}/{repo_id} اجازه بخواهید و دوباره بیازمایید.",
        ) from error  # fmt: skip
    except errors.RepositoryNotFoundError as error:
        if upstream := unreached(error):
            raise missing(
                f"There is no {repo_id} on {hub_url()}, and {upstream}, which it asks for what others have, cannot be reached.",
                f"Check the name and the network. {TRY_AGAIN}",
                message_fa=f"«{repo_id}» در {hub_url()} نیست، و به {upstream}، که آنچه را از دیگران است از آن می‌پرسد، دسترسی نیست.",
                hint_fa=f"نام و شبکه را وارسی کنید. {TRY_AGAIN_FA}",
            ) from error  # fmt: skip
        if missing is AdapterError:
            near = _near_names(repo_id)
            raise AdapterError(
                f"There is no adapter {repo_id} on {hub_url()}.", near.en,
                message_fa=f"آداپتوری به نام «{repo_id}» در {hub_url()} نیست.", hint_fa=near.fa,
            ) from error  # fmt: skip
        raise missing(
            f"There is no {repo_id} on {hub_url()} that this account may see.", "Check the name, and who the token belongs to.",
            message_fa=f"در {hub_url()} چیزی به نام «{repo_id}» نیست که این حساب بتواند ببیند.",
            hint_fa="نام را وارسی کنید، و اینکه توکن از آنِ کیست.",
        ) from error  # fmt: skip
    except errors.RevisionNotFoundError as error:
        there = _versions_there(repo_id)
        raise missing(
            f"{repo_id} has no version {revision!r}.", there.en,
            message_fa=f"«{repo_id}» نسخه‌ای به نام «{revision}» ندارد.", hint_fa=there.fa,
        ) from error  # fmt: skip
    except errors.LocalEntryNotFoundError as error:
        raise unreachable() from error
    except errors.HFValidationError as error:
        raise missing(
            f"{repo_id!r} is not a repo id.", "Give owner/name in Latin letters, digits, '-', '_' and '.'.",
            message_fa=f"«{repo_id}» شناسهٔ مخزن نیست.", hint_fa="شناسه را به شکل owner/name بدهید، با حروف لاتین، رقم، «-»، «_» و «.».",
        ) from error  # fmt: skip
    except errors.HfHubHTTPError as error:
        raise refusal(error, what, repo_id) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise HubError(
                "The disk that holds the downloaded files is full.", "Free some space, or set HF_HOME to another disk.",
                message_fa="دیسکی که پرونده‌های دریافتی در آن است پر است.", hint_fa="جایی در آن باز کنید، یا HF_HOME را به دیسک دیگری ببرید.",
            ) from error  # fmt: skip
        raise


def check_listening() -> None:
    """Raises HubError at once where a Hub of our own or a team's is down: for a listing the client would try for 23 seconds
    first. One behind a proxy is not looked at."""
    url = urlsplit(hub_url())
    host = url.hostname or ""
    if hub_kind(hub_url()) == "public" or (getproxies().get(url.scheme) and not proxy_bypass(host)):
        return
    try:
        socket.create_connection((host, url.port or (443 if url.scheme == "https" else 80)), timeout=5).close()
    except OSError as error:
        raise unreachable() from error


def unreached(error: Any) -> str:
    """The Hub that an embedded one could not ask about a repo that it does not hold; empty where that is not why it is missing."""
    return str(error.response.headers.get("X-Upstream-Unreachable", ""))


def unreachable() -> HubError:
    if hub_kind(hub_url()) == "embedded":
        return HubError(
            f"The embedded Hub at {hub_url()} does not answer.", f"It is started again by whoever asks it next. {TRY_AGAIN}",
            message_fa=f"هابِ همراه در {hub_url()} پاسخ نمی‌دهد.",
            hint_fa=f"هر که بار دیگر از آن بپرسد آن را از نو راه می‌اندازد. {TRY_AGAIN_FA}",
        )  # fmt: skip
    return HubError(
        f"The Hub at {hub_url()} cannot be reached.", f"Check the network. {TRY_AGAIN}",
        message_fa=f"به هاب در {hub_url()} دسترسی نیست.", hint_fa=f"شبکه را وارسی کنید. {TRY_AGAIN_FA}",
    )  # fmt: skip


def refusal(error: Any, what: str, repo_id: str) -> HubError:
    """The HubError for an answer of the Hub that is neither success nor "not found"."""
    status = error.response.status_code
    said = " ".join(str(error.server_message or error.response.headers.get("X-Error-Message") or "").split())[:300]
    said_fa = f" پاسخ هاب: {said}" if said else ""
    said = f" It says: {said}" if said else ""
    if status == 401:
        return HubError(
            "The Hub does not accept this token.", "Set HF_TOKEN to a valid token, then start again.",
            message_fa="هاب این توکن را نمی‌پذیرد.", hint_fa="توکنی معتبر در HF_TOKEN بگذارید و برنامه را از نو راه بیندازید.",
        )  # fmt: skip
    if status == 403:
        where = repo_id.partition("/")[0] or settings.organization()
        return forbidden(what, where, _what_account(where))
    if status == 429:
        return HubError(
            f"The Hub asks to slow down and would not {what}.{said}", "Wait a few minutes, then try again.",
            message_fa=f"هاب می‌خواهد آهسته‌تر بروید و این درخواست را نپذیرفت.{said_fa}", hint_fa="چند دقیقه صبر کنید و دوباره بیازمایید.",
        )  # fmt: skip
    if status in (413, 507):
        return HubError(
            f"The Hub has no room and would not {what}.{said}", "Free some space there, then try again.",
            message_fa=f"هاب جا ندارد و این درخواست را نپذیرفت.{said_fa}", hint_fa="جایی در آن باز کنید و دوباره بیازمایید.",
        )  # fmt: skip
    if status >= 500:
        return HubError(
            f"The Hub at {hub_url()} failed (HTTP {status}) and did not {what}.{said}", TRY_AGAIN,
            message_fa=f"هاب در {hub_url()} خطا داد (HTTP {status}) و درخواست انجام نشد.{said_fa}", hint_fa=TRY_AGAIN_FA,
        )  # fmt: skip
    return HubError(
        f"The Hub would not {what} (HTTP {status}).{said}", "Change what it says, then try again.",
        message_fa=f"هاب این درخواست را نپذیرفت (HTTP {status}).{said_fa}", hint_fa="آنچه را می‌گوید عوض کنید و دوباره بیازمایید.",
    )  # fmt: skip


def forbidden(what: str, where: str, why: Text2) -> HubError:
    """This account may not do it in that namespace. `why`: a sentence after a space, or nothing."""
    return HubError(
        f"This account may not {what} in {where!r}.{why.en}",
        "Use a token with the right to write there, or choose an organization that you belong to (--org, LORA_HUB_ORG).",
        message_fa=f"این حساب در «{where}» چنین اجازه‌ای ندارد.{why.fa}",
        hint_fa="توکنی به کار ببرید که آن‌جا اجازهٔ نوشتن دارد، یا سازمانی برگزینید که عضو آن هستید (LORA_HUB_ORG).",
    )  # fmt: skip


def member_trouble(account: dict[str, Any], where: str) -> Text2 | None:
    """Why an account, as `whoami` tells it, makes no repos in a namespace: a sentence after a space. None where it does, or
    where only the Hub can tell."""
    token = account.get("auth", {}).get("accessToken", {}).get("role", "")
    if token == "read":
        return Text2(en=" Its token may only read.", fa=" توکن آن فقط اجازهٔ خواندن دارد.")
    name, organizations = account["name"], [one["name"] for one in account.get("orgs", [])]
    roles = {one["name"].lower(): one.get("roleInOrg") or "" for one in account.get("orgs", [])}
    if where.lower() == name.lower() or token == "fineGrained" or roles.get(where.lower(), "read") != "read":
        return None
    if where.lower() in roles:
        return Text2(en=f" It is {name}, who may only read there.", fa=f" این حساب «{name}» است که آن‌جا فقط اجازهٔ خواندن دارد.")
    belongs_fa = f"عضو این سازمان‌هاست: {names_fa(organizations)}" if organizations else "عضو هیچ سازمانی نیست"
    return Text2(
        en=f" It is {name} and belongs to: {', '.join(organizations) or 'no organization'}.", fa=f" این حساب «{name}» است و {belongs_fa}."
    )


def _what_account(where: str) -> Text2:
    """One sentence on why: not a member, or a token that may only read. Empty where the Hub will not say."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        account = open_api().whoami()
    except (HfHubHTTPError, OSError):
        return Text2(en="")
    return member_trouble(account, where) or Text2(en="")


def _near_names(repo_id: str) -> Text2:
    """What the organization has under a name like this one."""
    owner, _, name = repo_id.partition("/")
    with told(f"list what {owner} has"):
        names = [info.id.partition("/")[2] for info in open_api().list_models(author=owner, limit=1000)]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or [known for known in names if name in known][:3]
    if near:
        near = [f"{owner}/{known}" for known in near]
        return Text2(en=f"Did you mean {' or '.join(near)}?", fa=f"شاید {names_fa(near, between=' یا ')} را می‌خواستید.")
    return Text2(en="`python -m lora_hub adapters` lists what there is.", fa="زبانهٔ «آداپتورها» آنچه را هست نشان می‌دهد.")


def _versions_there(repo_id: str) -> Text2:
    with told(f"list the versions of {repo_id}", repo_id):
        tags = [tag.name for tag in open_api().list_repo_refs(repo_id).tags]
    if tags:
        return Text2(en=f"It has: {', '.join(sorted(tags))}.", fa=f"نسخه‌های آن: {names_fa(sorted(tags))}.")
    return Text2(en="It has no versions; leave the version out for the newest.", fa="نسخه‌ای ندارد؛ برای تازه‌ترین، نسخه را ننویسید.")
