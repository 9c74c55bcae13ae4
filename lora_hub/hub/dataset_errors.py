"""Why a dataset on the Hub cannot be had, in words for the person who asked for it, with what to do next.

The Hub's refusals (not there, private, gated, no such revision, a token that is none) and what `datasets` makes of a
stranger's files. No sentence here holds a token.
"""

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from lora_hub.core.errors import DataError, HubError, names_fa
from lora_hub.core.messages import _, several
from lora_hub.core.schema import Text2
from lora_hub.hub.client import hub_kind, hub_url, open_api, told, unreachable, unreached
from lora_hub.hub.dataset_id import DatasetId

PUBLIC_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")


def clean_token(token: str) -> str:
    token = token.strip()
    if not re.fullmatch(r"[\x21-\x7e]*", token):  # the client would put it, whole, into its complaint
        raise HubError(
            _("The token has characters that no token of a Hub has."),
            _("Copy it again from the Hub's page of access tokens."),
        )  # fmt: skip
    return token


def check_host(wanted: DatasetId) -> None:
    ours = hub_url().partition("://")[2].partition("/")[0].lower()
    loopback = _is_here(ours) and _is_here(wanted.host)  # the port may be another one than when the address was copied
    if wanted.host and wanted.host not in (ours, *PUBLIC_HOSTS) and not loopback:
        raise DataError(
            _("That address is on {host}; the Hub in use is {hub_url}."),
            _("Start with HF_ENDPOINT set to that Hub, or download the file and upload it here."),
            host=wanted.host, hub_url=hub_url(),
        )  # fmt: skip


def _is_here(host: str) -> bool:
    return host.rpartition(":")[0] in ("127.0.0.1", "localhost", "[::1]")


@contextmanager
def explained(wanted: DatasetId, token: str) -> Iterator[None]:
    """The Hub's refusals, in words for a dataset. What is not about datasets is `client.told`'s."""
    from huggingface_hub import errors

    with told(f"hand out the dataset {wanted.repo}", wanted.repo, wanted.revision, DataError):
        try:
            yield
        except errors.GatedRepoError as error:
            raise DataError(
                _("The dataset {repo} is gated, and {token} has not been let in."),
                _("Accept its terms on its page, {hub_url}/datasets/{repo}, then try again with that account's token."),
                repo=wanted.repo, token=_who(token), hub_url=hub_url(),
            ) from error  # fmt: skip
        except errors.RepositoryNotFoundError as error:
            if unreached(error):
                near = _near(open_api(token or None), wanted.repo)
                raise HubError(
                    f"The Hub at {hub_url()} does not hold {wanted.repo}, and the Hub behind it cannot be reached.",
                    f"{near.en} Check the network, or download the file elsewhere and give its path.".strip(),
                    message_fa=f"مجموعه‌دادهٔ «{wanted.repo}» در هاب {hub_url()} نیست، و به هابِ پشت آن دسترسی نیست.",
                    hint_fa=f"{near.fa} شبکه را وارسی کنید، یا پرونده را جای دیگری دریافت کنید و نشانی‌اش را بدهید.".strip(),
                ) from error  # fmt: skip
            raise _missing(wanted, token) from error
        except errors.RevisionNotFoundError as error:
            refs = open_api(token or None).list_repo_refs(wanted.repo, repo_type="dataset")
            known = [ref.name for ref in (*refs.branches, *refs.tags)]
            raise DataError(
                _("The dataset {repo} has no revision {revision!r}."),
                _("It has: {known}; or give a commit."),
                repo=wanted.repo, revision=wanted.revision, known=several(known),
            ) from error  # fmt: skip
        except errors.HfHubHTTPError as error:
            if error.response.status_code == 401:
                raise _bad_token(token) from error
            raise


def _who(token: str) -> Text2:
    from huggingface_hub import get_token

    if token or get_token():
        return Text2(en="the account of this token", fa="به حساب این توکن")
    return Text2(en="without a token nobody", fa="بی‌توکن به هیچ‌کس")


def _bad_token(token: str) -> HubError:
    where, where_fa = ("the token", "این توکن") if token else ("HF_TOKEN", "HF_TOKEN")
    if hub_kind(hub_url()) == "embedded":
        return HubError(
            f"The embedded Hub at {hub_url()} does not accept {where}.",
            "Leave it out for what is public or on this Hub; for the public Hub's private datasets start with LORA_HUB_HUB=public.",
            message_fa=f"هابِ همراه در {hub_url()} {where_fa} را نمی‌پذیرد.",
            hint_fa="برای آنچه عمومی است یا در همین هاب است توکن ندهید؛ برای مجموعه‌داده‌های خصوصیِ هابِ عمومی برنامه را با LORA_HUB_HUB=public راه بیندازید.",
        )  # fmt: skip
    return HubError(
        f"The Hub at {hub_url()} does not accept {where}.", "Give a valid token of that Hub.",
        message_fa=f"هاب در {hub_url()} {where_fa} را نمی‌پذیرد.", hint_fa="توکنی معتبر از همان هاب بدهید.",
    )  # fmt: skip


def _missing(wanted: DatasetId, token: str) -> DataError | HubError:
    """Why a dataset is not there: a token that is none, a model's id, a private one, a name mistyped."""
    from huggingface_hub import get_token
    from huggingface_hub.errors import HfHubHTTPError

    api, known = open_api(token or None), bool(token or get_token())
    if known:
        try:
            api.whoami()
        except HfHubHTTPError as error:
            if error.response.status_code == 401:
                return _bad_token(token)
    for kind, kind_fa in (("model", "مدل"), ("space", "فضا (Space)")):
        with suppress(HfHubHTTPError):
            api.repo_info(wanted.repo, repo_type=kind)
            return DataError(
                f"{wanted.repo} is a {kind}, not a dataset.", f"Give the id of a dataset, as on {hub_url()}/datasets.",
                message_fa=f"«{wanted.repo}» {kind_fa} است، نه مجموعه‌داده.",
                hint_fa=f"شناسهٔ یک مجموعه‌داده را بدهید، مانند آنچه در {hub_url()}/datasets هست.",
            )  # fmt: skip
    if known:
        private = Text2(en="If it is private, use the token of an account that may read it.", fa="اگر خصوصی است، توکنِ حسابی را بدهید که اجازهٔ خواندنش را دارد.")
    else:
        private = Text2(en="If it is private, give a token that may read it (HF_TOKEN).", fa="اگر خصوصی است، توکنی بدهید که اجازهٔ خواندنش را دارد (HF_TOKEN).")
    near = _near(api, wanted.repo)
    return DataError(
        f"There is no dataset {wanted.repo} on {hub_url()} that {'this account may see' if known else 'may be seen without a token'}.",
        f"{near.en} {private.en}".strip(),
        message_fa=f"مجموعه‌داده‌ای به نام «{wanted.repo}» در {hub_url()} نیست که این حساب بتواند ببیند." if known else f"مجموعه‌داده‌ای به نام «{wanted.repo}» در {hub_url()} نیست که بی‌توکن دیده شود.",
        hint_fa=f"{near.fa} {private.fa}".strip(),
    )  # fmt: skip


def _near(api: Any, repo_id: str) -> Text2:
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
    if not near:
        return Text2(en="")
    return Text2(en=f"Did you mean {' or '.join(near[:3])}?", fa=f"شاید {names_fa(near[:3], between=' یا ')} را می‌خواستید.")


def no_data(api: Any, repo_id: str, also: list[str], wanted: DatasetId) -> DataError:
    page = f"{hub_url()}/datasets/{repo_id}"
    if wanted.folder:
        return DataError(
            _("The folder {folder!r} of {repo_id} holds no data files."),
            _("See {page}/tree/main for what it has."),
            folder=wanted.folder, repo_id=repo_id, page=page,
        )  # fmt: skip
    if any(path.endswith(".py") for path in also):
        converted = [ref.ref for ref in api.list_repo_refs(repo_id, repo_type="dataset").converts if ref.name == "parquet"]
        hint = "Look for another copy of it that has files of data, or download what its script fetches and upload that file."
        hint_fa = "نسخهٔ دیگری از آن بیابید که پروندهٔ داده داشته باشد، یا آنچه را اسکریپتش می‌گیرد دریافت کنید و همان پرونده را بدهید."
        if converted:
            hint_fa = f"هاب از آن پرونده‌های Parquet ساخته است: {page}/tree/refs%2Fconvert%2Fparquet را باز کنید و نشانیِ پرونده‌ای را که می‌خواهید این‌جا بچسبانید."
            hint = f"The Hub has made Parquet files of it: open {page}/tree/refs%2Fconvert%2Fparquet and paste the address of the file you want."
        return DataError(
            f"{repo_id} has no data in it, only a script that fetches them, and no code of a dataset is run here.", hint,
            message_fa=f"در «{repo_id}» داده‌ای نیست، فقط اسکریپتی که آن را می‌گیرد؛ و کدِ هیچ مجموعه‌داده‌ای این‌جا اجرا نمی‌شود.", hint_fa=hint_fa,
        )  # fmt: skip
    if not also:
        return DataError(
            _("The dataset {repo_id} is empty."),
            _("Choose another one, or upload a file to it first."),
            repo_id=repo_id,
        )  # fmt: skip
    return DataError(
        _("The dataset {repo_id} holds no data files, only {also}."),
        _("Choose another one, or upload a file to it first."),
        repo_id=repo_id, also=several(also, most=5),
    )  # fmt: skip


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
            _("`datasets` cannot read {repo_id}: {said}."),
            _("Paste the address of one of its files, as in {hub_url}/datasets/{repo_id}/blob/{commit}/{file}"),
            repo_id=repo_id, said=said.rstrip('.'), hub_url=hub_url(), commit=commit[:7], file=file,
        ) from error  # fmt: skip
