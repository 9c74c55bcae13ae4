"""Jobs of the Hub in use: commands that run on hired hardware, in the account of an organization or a person.

    payer = find_payer("lora-hub")                     whose account they run in, or why there are none
    job = start_job(payer, flavor="t4-small", ...)     with the token of whoever asks, as a secret of the job
    read_job(job.id, payer), read_job_lines(job.id, payer), cancel_job(job.id, payer)
    list_job_prices()                                      what the Hub asks for each flavor now

A job's token is a secret of the job and nothing else: it is in no command, label or variable that the Hub shows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lora_hub.core.errors import HubError
from lora_hub.core.messages import _
from lora_hub.hub.client import hub_url, is_shared, open_api, own_token, told

if TYPE_CHECKING:
    from huggingface_hub import JobInfo

# The image that jobs run in; what they need beside Python they install.
IMAGE = "python:3.11"
ENDED = ("COMPLETED", "CANCELED", "ERROR", "DELETED")
RUN_LABEL = "lora-hub-run"  # by the run that it trains a job is found again
RUNS_JOBS = ("admin", "write")
ANOTHER_TOKEN = _("Use a token with the right to run jobs, or train on this machine.")


@dataclass(frozen=True)
class Job:
    """stage: as the Hub names it (SCHEDULING, RUNNING, COMPLETED, ...). message: what it says of the end. seconds: that
    it has run."""

    id: str
    url: str
    stage: str
    message: str = ""
    seconds: float = 0.0

    @property
    def has_ended(self) -> bool:
        return self.stage in ENDED


def find_payer(organization: str) -> str:
    """Whose account the jobs of whoever asks run in: the organization's where they may, else their own. Raises HubError
    where there is no token, the Hub runs no jobs, or not for them."""
    if not own_token():
        raise HubError(
            _("Hired hardware needs your account on the Hub, and there is no token of yours."),
            _("Sign in at the top of the page.") if is_shared() else _("Set HF_TOKEN to a token that may run jobs."),
        )
    with _asked():
        api = open_api()
        account = api.whoami()
        if account.get("auth", {}).get("accessToken", {}).get("role") == "read":
            raise HubError(
                _("This token may only read, and hired hardware needs the right to run jobs."), ANOTHER_TOKEN
            )
        roles = {one["name"].lower(): one.get("roleInOrg") or "" for one in account.get("orgs", [])}
        payer = organization if roles.get(organization.lower()) in RUNS_JOBS else account["name"]
        next(iter(api.list_jobs(namespace=payer)), None)
        return payer


def list_job_prices() -> dict[str, float]:
    """US dollars an hour by flavor, as the Hub asks now; empty where it does not tell."""
    from huggingface_hub.errors import HfHubHTTPError

    with _asked():
        try:
            offered = open_api().list_jobs_hardware()
        except HfHubHTTPError as error:
            if error.response.status_code in (404, 501):
                return {}
            raise
    return {
        one.name: 60 * one.unit_cost_usd for one in offered if one.unit_label == "minute" and one.unit_cost_usd >= 0
    }


def start_job(payer: str, *, run_id: str, script: str, environment: dict[str, str], flavor: str, seconds: float) -> Job:
    """Starts a job of a run; where one of it is under way, that one is found. script: for `sh`. environment: anybody
    with a look at the job sees it. seconds: after which the Hub ends it. Raises HubError."""
    labels = {RUN_LABEL: run_id}
    with _asked():
        api = open_api()
        # The answer to a start may have been lost on its way, or whoever started it.
        for known in map(_job, api.list_jobs(namespace=payer, labels=labels)):
            if not known.has_ended:
                return known
        started = api.run_job(
            image=IMAGE,
            command=["sh", "-c", script],
            env=environment,
            secrets={"HF_TOKEN": own_token()},
            flavor=flavor,
            timeout=int(seconds),
            labels=labels,
            namespace=payer,
        )
    return _job(started)


def read_job(job_id: str, payer: str) -> Job | None:
    """The job as it stands; None where the Hub does not know it any more. Raises HubError."""
    from huggingface_hub.errors import HfHubHTTPError

    with _asked():
        try:
            return _job(open_api().inspect_job(job_id=job_id, namespace=payer))
        except HfHubHTTPError as error:
            if error.response.status_code == 404:
                return None
            raise


def read_job_lines(job_id: str, payer: str) -> Iterator[str]:
    """What the job says, from its first line, until it ends. Raises HubError."""
    with _asked():
        yield from open_api().fetch_job_logs(job_id=job_id, namespace=payer, follow=True)


def cancel_job(job_id: str, payer: str) -> None:
    """Ends a job. Raises HubError."""
    with _asked():
        open_api().cancel_job(job_id=job_id, namespace=payer)


def _job(info: "JobInfo") -> Job:
    stage = info.status.stage
    seconds = float((info.durations.running_secs if info.durations else None) or 0.0)
    if not seconds and info.started_at:
        seconds = max(0.0, ((info.finished_at or datetime.now(UTC)) - info.started_at).total_seconds())
    return Job(info.id, info.url, str(getattr(stage, "value", stage)), str(info.status.message or "")[:500], seconds)


@contextmanager
def _asked() -> Iterator[None]:
    """As `told`, and what the Hub's refusals mean for jobs."""
    from huggingface_hub.errors import HfHubHTTPError

    with told(_("run jobs"), missing=HubError):
        try:
            yield
        except HfHubHTTPError as error:
            status = error.response.status_code
            if status in (404, 501):
                raise HubError(
                    _("The Hub at {hub} runs no jobs.", hub=hub_url()),
                    _("Train on this machine, or use a Hub that does."),
                ) from error
            if status == 403:
                raise HubError(_("This account may not run jobs there."), ANOTHER_TOKEN) from error
            if status == 402:
                raise HubError(
                    _("The account has no credit left for hired hardware."),
                    _("Add some in its billing settings on the Hub, or train on this machine."),
                ) from error
            raise
