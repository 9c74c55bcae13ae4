"""What hardware can be hired for runs, what they would take there, and the choice of one.

list_offers([(spec, tokens_row)])         each flavor with its price and the estimate, the cheapest first
hire([(spec, tokens_row)], "t4-small")    a `Hired` to start the runs with, checked: an account, its right, the room
together([hired, hired])                  the same for runs that are known one by one
tell_price(hired), tell_spent(hired)      in words: before the start, and what it took
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass

from lora_hub import hub
from lora_hub.catalogue import bases, hardware
from lora_hub.core import settings
from lora_hub.core.errors import BaseError, HubUnreachableError, LoraHubError, SpecError
from lora_hub.core.messages import Message, _, _n, joined, several
from lora_hub.core.schema import Hired, TrainSpec
from lora_hub.hub import Job, endpoint
from lora_hub.runs.looking import list_runs
from lora_hub.training import recipe

# The folder of a job's repo that names the runs of several that are cancelled.
CANCELLED = "cancelled"
logger = logging.getLogger("lora_hub.runs")
# A run with its mean tokens a row; several are of one base, and trained by one job.
Work = Sequence[tuple[TrainSpec, float]]
# A job may take so many times its estimate, at least and at most so long; and so long where nobody knows what it takes.
PATIENCE, LEAST_SECONDS, MOST_SECONDS, UNKNOWN_SECONDS = 3.0, 1800.0, 86_400.0, 6 * 3600.0


@dataclass(frozen=True)
class Offer:
    """A flavor for runs. hourly: US dollars an hour. seconds, dollars: what they would take there; 0 where nobody
    knows how large their base is. fits: whether it has room for them. setup_seconds: of `seconds`, before the first of
    them begins."""

    flavor: str
    title: str
    hourly: float
    seconds: float = 0.0
    dollars: float = 0.0
    fits: bool = True
    setup_seconds: float = 0.0


def list_offers(work: Work, prices: dict[str, float] | None = None) -> list[Offer]:
    """Every flavor with one GPU or none, the cheapest first, those without room last. prices: today's, US dollars an
    hour; None: those of the catalogue."""
    costs = recipe.estimate_costs(work, prices)
    if not costs:
        return [Offer(one.flavor, one.title, one.dollars) for one in hardware.list_hardware(prices) if one.gpus <= 1]
    return [
        Offer(one.flavor, one.title, one.hourly, one.seconds, one.dollars, one.fits, one.setup_seconds) for one in costs
    ]


def hire(work: Work, flavor: str, *, minutes: float = 0.0) -> Hired:
    """The hardware to start runs with; nothing is hired yet. minutes: after which the job is ended; 0: three times the
    estimate. Raises SpecError where there is none of that name or it has no room, BaseError where the base cannot be
    had there, HubError where the Hub runs no jobs for whoever asks."""
    base = work[0][0].base
    if base.id != bases.BUILT_IN and bases.folder_of(base) is not None:
        raise BaseError(
            _("The base {base} lies in a folder of this machine, and hired hardware cannot reach it."),
            _("Train here, or choose a base of the Hub."),
            base=base.id,
        )
    with endpoint.connected():
        payer = hub.find_payer(settings.organization())
        offers = list_offers(work, hub.list_job_prices())
    found = next((offer for offer in offers if offer.flavor == flavor), None)
    if found is None:
        raise SpecError(
            _("There is no hardware {flavor!r} to hire."),
            _("Choose one of: {choices}."),
            flavor=flavor[:60],
            choices=several([offer.flavor for offer in offers if offer.fits], most=30),
        )
    if not found.fits:
        fits = [offer.flavor for offer in offers if offer.fits]
        raise SpecError(
            _("{flavor} has too little memory for this run."),
            _("Choose one of: {choices}.") if fits else _("Choose a smaller base."),
            flavor=flavor,
            choices=several(fits, most=30),
        )
    return Hired(
        flavor=flavor,
        hourly=found.hourly,
        expected_seconds=found.seconds,
        expected_dollars=found.dollars,
        most_seconds=minutes * 60 or _most_seconds(found.seconds),
        namespace=payer,
        shared_by=len(work),
        setup_seconds=found.setup_seconds,
    )


def _most_seconds(expected: float) -> float:
    return min(MOST_SECONDS, max(LEAST_SECONDS, PATIENCE * expected if expected else UNKNOWN_SECONDS))


def together(each: Sequence[Hired]) -> Hired:
    """What `hire` says of several runs, by what it says of each alone on the same hardware."""
    first = each[0]
    if len(each) == 1:
        return first
    seconds = 0.0
    if all(one.expected_seconds for one in each):
        seconds = first.setup_seconds + sum(one.expected_seconds - one.setup_seconds for one in each)
    return first.model_copy(
        update={
            "expected_seconds": seconds,
            "expected_dollars": math.ceil(seconds / 60) / 60 * first.hourly,
            "most_seconds": _most_seconds(seconds),
            "shared_by": len(each),
        }
    )


def release(hired: Hired, run_id: str) -> None:
    """Ends the job of a run that nobody follows, and removes its repo; other runs keep both. Raises
    HubUnreachableError; what the Hub refuses otherwise stays, with a line in the log."""
    if not hired.is_under_way and not hired.repo:
        return
    try:
        with endpoint.connected():
            if hired.is_under_way:
                end_job(hired, run_id)
            if hired.repo and not needs_repo(hired.repo, without=run_id):
                hub.remove_run_repo(hired.repo)
    except HubUnreachableError:
        raise
    except LoraHubError as error:
        logger.warning("the job %s or its repo %s stays: %s", hired.job, hired.repo, error)


def end_job(hired: Hired, run_id: str) -> Job | None:
    """Ends a run's part of its job: the job itself where no other run is trained by it. Returns the job as it stood
    before, None where the Hub does not know it any more. Raises HubError."""
    job = hub.read_job(hired.job, hired.namespace)
    if job is None or job.has_ended:
        return job
    if shares_job(hired, run_id):
        hub.send_files(hired.repo, {f"{CANCELLED}/{run_id}": b""})
    else:
        hub.cancel_job(hired.job, hired.namespace)
    return job


def shares_job(hired: Hired, run_id: str) -> bool:
    """Whether the run's job trains another one, too, that has not ended."""
    others = [run.hired for run in list_runs() if run.id != run_id and run.hired is not None]
    return any(other.is_under_way and other.job == hired.job for other in others)


def needs_repo(repo: str, *, without: str) -> bool:
    """Whether another run than `without` is carried by this repo: those of one job share it."""
    return any(run.hired is not None and run.hired.repo == repo for run in list_runs() if run.id != without)


def tell_price(hired: Hired) -> Message:
    """What the hardware costs and what the run will take there, before it is started."""
    ended = _(
        "It is ended after {most:.0f} min, ${limit:.2f}, at the latest.",
        most=hired.most_seconds / 60,
        limit=math.ceil(hired.most_seconds / 60) / 60 * hired.hourly,
    )
    price = {"flavor": hired.flavor, "hourly": hired.hourly, "payer": hired.namespace}
    if not hired.expected_seconds:
        unknown = _("{flavor} at ${hourly:.2f} an hour, paid by {payer}; how long it takes is not known.", **price)
        return joined(unknown, _for_all(hired), ended)
    known = _(
        "{flavor} at ${hourly:.2f} an hour, paid by {payer}: about {minutes:.0f} min, ${dollars:.2f}.",
        minutes=hired.expected_seconds / 60,
        dollars=hired.expected_dollars,
        **price,
    )
    return joined(known, _for_all(hired), ended)


def _for_all(hired: Hired) -> Message | None:
    if hired.shared_by == 1:
        return None
    return _("That is for {count} runs, which one job trains.", count=hired.shared_by)


def tell_spent(hired: Hired) -> Message | None:
    """What the run's jobs took and cost, beside the estimate; None while none of them has ended."""
    if not hired.jobs:
        return None
    took = _n(
        "{flavor}: {count} job took {minutes:.1f} min, ${dollars:.2f}.",
        "{flavor}: {count} jobs took {minutes:.1f} min, ${dollars:.2f}.",
        count=len(hired.jobs),
        flavor=hired.flavor,
        minutes=hired.seconds / 60,
        dollars=hired.dollars,
    )
    took = joined(took, _for_all(hired))
    if not hired.expected_seconds:
        return took
    estimated = _(
        "The estimate was {minutes:.1f} min, ${dollars:.2f}.",
        minutes=hired.expected_seconds / 60,
        dollars=hired.expected_dollars,
    )
    return joined(took, estimated)
