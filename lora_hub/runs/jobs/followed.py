"""A run that a job trains, as whoever follows the job sees it: what the job tells of it, and what is brought back.

run = FollowedRun(run_id, lock)
run.hear(event, is_old=False)     an event of the job becomes the run's
run.take_home(job_id, job, patiently)     after the job's end: the adapter, or why there is none
"""

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from typing import Any

from lora_hub import hub
from lora_hub.core import settings, store
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _, as_message
from lora_hub.core.schema import Event, Failure, Hired, RunState
from lora_hub.hub import endpoint
from lora_hub.runs import hiring
from lora_hub.runs.group_worker import Member
from lora_hub.runs.jobs import job_result
from lora_hub.runs.owner import write_log


class FollowedRun(Member):
    """hired: the run's hardware, with the job of this attempt. What the job has told last of its state, its failure and
    its adapter counts when it has ended. told_phase: what the job does for it."""

    needs_hub = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._state, self._failure, self._adapter = "", None, {}
        self.told_phase = ""

    @property
    def hired(self) -> Hired:
        return self.now.hired

    def say_phase(self, name: str) -> None:
        self.told_phase = name
        self.say(name)

    def hear(self, event: Event, *, is_old: bool) -> None:
        """is_old: it was told before, and is only to be remembered."""
        data = event.data
        if event.kind == "state":
            self._state = str(data["state"])
        elif event.kind == "error":
            self._failure = Failure(said=data["message"], advice=data.get("hint") or as_message(""))
        elif event.kind == "adapter":
            self._adapter = data
        elif not is_old:
            if event.kind == "progress":
                self.told_phase = str(data.get("phase", ""))
            self.report(event.kind, **data, heard=event.seq)

    def heard(self, job_id: str) -> int:
        """The number of the last event of the job that this run tells; -1: none."""
        heard, is_job = -1, False
        for event in store.read_events(self.run_id):
            if event.kind == "hired" and "job" in event.data:
                is_job = event.data["job"] == job_id
            elif is_job:
                heard = max(heard, int(event.data.get("heard", -1)))
        return heard

    @property
    def has_failed(self) -> bool:
        """Whether the job has said that the run has failed, and goes on with others."""
        return self._state == RunState.FAILED and self._failure is not None

    def end_failed(self, job_id: str, seconds: float) -> None:
        """Raises what the job has said of its failure. seconds: that the job has run so far."""
        self.report("hired", ended=job_id, seconds=seconds)
        raise LoraHubError(self._failure.said, self._failure.advice)

    def take_home(self, job_id: str, job: hub.Job | None, patiently: Callable[[Callable[[], None]], None]) -> None:
        """Brings the adapter of a job that has ended. patiently: does what asks the Hub, however long it does not
        answer. Raises LoraHubError where the job has ended otherwise than well."""
        self._check_end(job_id, job)
        self.check_cancelled()
        self.say_phase("bringing the adapter back")
        patiently(lambda: job_result.bring_adapter(self.hired.repo, self.folder, self.spec, self.run_id))
        best, stopped = int(self._adapter.get("best_step", 0)), str(self._adapter.get("stopped", ""))
        self.report("adapter", folder=store.ADAPTER, best_step=best, stopped=stopped)

    def _check_end(self, job_id: str, job: hub.Job | None) -> None:
        seconds = job.seconds if job else 0.0
        self.report("hired", ended=job_id, seconds=seconds)
        if self._state == RunState.SUCCEEDED:  # its last word: the adapter lies in the repo
            return
        if self._failure is not None:
            raise LoraHubError(self._failure.said, self._failure.advice)
        resume = _("Resume the run: a new job goes on from its last checkpoint, or begins anew where there is none.")
        if job is not None and job.stage == "CANCELED":
            raise LoraHubError(_("The job was cancelled on the Hub."), resume)
        most = self.hired.most_seconds
        if job is not None and ("timeout" in job.message.lower() or seconds >= most > 0):
            self.report("hired", most_seconds=min(2 * most, self.now.most_seconds or math.inf))
            raise LoraHubError(
                _("The job was ended after {minutes:.3g} min, as long as it was given.", minutes=most / 60),
                _(
                    "Resume the run: a new job goes on from its last checkpoint, or begins anew where there is none. "
                    "It is given {minutes:.3g} min.",
                    minutes=self.hired.most_seconds / 60,
                ),
            )
        raise LoraHubError(
            _(
                "The job ended without a result: {stage} {reason}.",
                stage=job.stage if job else "DELETED",
                reason=(job.message if job else "").rstrip("."),
            ),
            _("Its last lines are in the log below. Resume the run to start another job."),
        )

    def publish(self) -> None:
        with _publishing_token():
            super().publish()

    def tidy(self) -> None:
        """Brings the checkpoints of a job that has ended without an adapter, and removes its repo, unless another run
        is carried by it. Of a job that is under way nothing is touched: whoever resumes the run follows it again."""
        hired = self.now.hired
        if hired is None or not hired.repo or hired.is_under_way:
            return
        try:
            with endpoint.connected():
                if not self.is_trained:
                    job_result.bring_checkpoints(hired.repo, self.folder, self.run_id)
                # Said first: of two that end at once, one sees that nobody needs it any more.
                self.report("hired", repo="")
                if not hiring.needs_repo(hired.repo, without=self.run_id):
                    hub.remove_run_repo(hired.repo)
        except (LoraHubError, OSError) as error:
            write_log(f"the repo {hired.repo} stays: {error}")
            self.report("hired", repo=hired.repo)
            self.note(_("The private repo {repo} could not be removed from the Hub. Remove it there.", repo=hired.repo))


@contextlib.contextmanager
def _publishing_token() -> Iterator[None]:
    """Inside this block the Hub is asked with the token that the organization publishes with, where it has one for
    that; jobs are always a person's own."""
    own, token = os.environ.get("HF_TOKEN"), os.environ.get(settings.SERVICE_TOKEN)
    if not token:
        yield
        return
    os.environ["HF_TOKEN"] = token
    try:
        yield
    finally:
        os.environ["HF_TOKEN"] = own or ""
