"""The process here of a run that is trained by a job elsewhere: `python -m lora_hub.runs.jobs.follower RUN`.

It owns the run like any worker: sends it to the Hub, starts its job, tells what the job tells, brings the adapter back
and publishes it. It is no part of the app and goes on without it. Where it is killed, the job goes on, and the run that
is resumed is followed again. A Hub that cannot be reached is waited for.
"""

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from lora_hub import hub
from lora_hub.core import settings, store
from lora_hub.core.errors import HubError, HubUnreachableError, LoraHubError
from lora_hub.core.messages import _, as_message, joined
from lora_hub.core.schema import Event, Failure, Hired, RunState
from lora_hub.hub import endpoint
from lora_hub.runs.jobs import job_parcel, job_result
from lora_hub.runs.jobs.job_log import ENDED, JobLog, Text
from lora_hub.runs.owner import write_log
from lora_hub.runs.turns import Cancelled, Ticket
from lora_hub.runs.worker import Worker, read_arguments

Got = TypeVar("Got")
# Seconds between two looks at the job, between two tries at a Hub that does not answer, and for as long as a job is
# asked to end.
LOOK_SECONDS, AGAIN_SECONDS, END_SECONDS = 5.0, 3.0, 10.0
SILENT_SECONDS = 60.0
# A Hub that has not answered for so long is not waited for any more: no job of ours goes on for longer.
GIVE_UP_SECONDS = 12 * 3600.0
LOST = "out of touch with the job"


class Follower(Worker):
    """hired: the run's hardware, with the job of this attempt. What the job has told last of its state, its failure and
    its adapter counts when it has ended."""

    needs_hub = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._state, self._failure, self._adapter = "", None, {}
        self._phase = ""
        self._is_lost, self._lost_since = False, 0.0

    def turn(self, ticket: Ticket | None) -> contextlib.AbstractContextManager[Any]:
        """It trains nothing here, and waits for nobody."""
        return contextlib.nullcontext()

    @property
    def hired(self) -> Hired:
        return self.now.hired

    def _work(self) -> None:
        if self.is_trained:
            return
        # A person ends the job with the run. Whatever else goes wrong here, the job goes on.
        try:
            job = self._take_up() or self._start()
            self._follow(job)
        except Cancelled:
            if self.hired.is_under_way:
                self._end_job()
            raise
        except LoraHubError as error:
            if not self.hired.is_under_way:
                raise
            raise LoraHubError(
                joined(error.said, _("The job itself goes on.")),
                joined(error.advice, _("Resume the run: its job is followed again.")),
            ) from error
        self._check_end(job)
        self._bring_back()

    def _take_up(self) -> str:
        """The job that is under way already; empty where there is none."""
        if not self.hired.is_under_way:
            return ""
        job = self._patiently(lambda: hub.read_job(self.hired.job, self.hired.namespace))
        if job is None:
            self.report("hired", ended=self.hired.job, seconds=0.0)
            return ""
        write_log(f"following the job {job.id} again")
        return job.id

    def _start(self) -> str:
        self.phase("sending the run to the Hub")
        hired, run = self.hired, self.now
        repo = self._patiently(lambda: hub.make_run_repo(hired.namespace, self.run_id))
        self.report("hired", repo=repo)
        files = job_parcel.pack(run)
        self._patiently(lambda: hub.send_files(repo, files))
        self.check_cancelled()
        job = self._patiently(
            lambda: hub.start_job(
                hired.namespace,
                run_id=self.run_id,
                script=job_parcel.COMMAND,
                environment=job_parcel.environment(self.run_id, repo),
                flavor=hired.flavor,
                seconds=hired.most_seconds,
            )
        )
        self.report("hired", job=job.id, url=job.url)
        write_log(f"job {job.id} on {hired.flavor}: {job.url}")
        return job.id

    def _follow(self, job_id: str) -> None:
        """Tells what the job tells until it has ended."""
        self._say_phase("waiting for the hired machine")
        log = JobLog(job_id, self.hired.namespace, self.spec, self._heard(job_id))
        looked, ended = -LOOK_SECONDS, math.inf
        try:
            while True:
                self.check_cancelled()
                told = log.next(0.5)
                # A Hub may hold the line long after the job's last word.
                if told is ENDED or (told is None and time.monotonic() - ended > SILENT_SECONDS):
                    return
                if isinstance(told, HubUnreachableError):
                    self._lose(told)
                elif isinstance(told, Exception):
                    raise told
                elif isinstance(told, Text):
                    _write_through(told)
                elif isinstance(told, Event):
                    self._hear(told, is_old=log.is_old(told))
                if time.monotonic() - looked >= LOOK_SECONDS:
                    looked = time.monotonic()
                    if self._look(job_id):
                        ended = min(ended, looked)
        finally:
            log.close()

    def _look(self, job_id: str) -> bool:
        """Whether the job has ended. Says where it stands before its first word."""
        try:
            job = hub.read_job(job_id, self.hired.namespace)
        except HubUnreachableError as error:
            self._lose(error)
            return False
        if self._is_lost:
            self._is_lost = False
            self.say(self._phase)
        if job is not None and job.stage == "RUNNING" and self._phase == "waiting for the hired machine":
            self._say_phase("setting up the hired machine")
        return job is None or job.has_ended

    def _hear(self, event: Event, *, is_old: bool) -> None:
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
                self._phase, self._is_lost = str(data.get("phase", "")), False
            self.report(event.kind, **data, heard=event.seq)

    def _heard(self, job_id: str) -> int:
        """The number of the last event of the job that this run tells; -1: none."""
        heard, is_job = -1, False
        for event in store.read_events(self.run_id):
            if event.kind == "hired" and "job" in event.data:
                is_job = event.data["job"] == job_id
            elif is_job:
                heard = max(heard, int(event.data.get("heard", -1)))
        return heard

    def _check_end(self, job_id: str) -> None:
        """Raises LoraHubError where the job has ended otherwise than well."""
        job = self._patiently(lambda: hub.read_job(job_id, self.hired.namespace))
        for _again in range(20):  # a job's stage comes a moment after its last line
            if job is None or job.has_ended:
                break
            time.sleep(0.5)
            job = self._patiently(lambda: hub.read_job(job_id, self.hired.namespace))
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
                _("The job was ended after {minutes:.3g} minutes, as long as it was given.", minutes=most / 60),
                _(
                    "Resume the run: a new job goes on from its last checkpoint, or begins anew where there is none. "
                    "It is given {minutes:.3g} minutes.",
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

    def _bring_back(self) -> None:
        self._say_phase("bringing the adapter back")
        self._patiently(lambda: job_result.bring_adapter(self.hired.repo, self.folder, self.spec, self.run_id))
        best, stopped = int(self._adapter.get("best_step", 0)), str(self._adapter.get("stopped", ""))
        self.report("adapter", folder=store.ADAPTER, best_step=best, stopped=stopped)

    def publish(self) -> None:
        with _publishing_token():
            super().publish()

    def tidy(self) -> None:
        """Brings the checkpoints of a job that has ended without an adapter, and removes its repo. Of a job that is
        under way nothing is touched: whoever resumes the run follows it again."""
        hired = self.now.hired
        if hired is None or not hired.repo or hired.is_under_way:
            return
        try:
            with endpoint.connected():
                if not self.is_trained:
                    job_result.bring_checkpoints(hired.repo, self.folder)
                hub.remove_run_repo(hired.repo)
            self.report("hired", repo="")
        except (LoraHubError, OSError) as error:
            write_log(f"the repo {hired.repo} stays: {error}")
            self.note(_("The private repo {repo} could not be removed from the Hub. Remove it there.", repo=hired.repo))

    def _end_job(self) -> None:
        job_id, payer, until = self.hired.job, self.hired.namespace, time.monotonic() + END_SECONDS
        while True:
            try:
                job = hub.read_job(job_id, payer)
                if job is None or job.has_ended:
                    self.report("hired", ended=job_id, seconds=job.seconds if job else 0.0)
                    return
                hub.cancel_job(job_id, payer)
                if time.monotonic() > until:  # it was told, and takes its time
                    self.report("hired", ended=job_id, seconds=job.seconds)
                    return
            except LoraHubError as error:
                if time.monotonic() > until:
                    write_log(f"the job goes on: {error}")
                    self.note(
                        _(
                            "Its job could not be told to end: {url}. Cancel it there; by itself it ends after "
                            "{minutes:.3g} minutes.",
                            url=self.hired.url,
                            minutes=self.hired.most_seconds / 60,
                        )
                    )
                    return
            time.sleep(0.5)

    def _patiently(self, ask: Callable[[], Got]) -> Got:
        """What the Hub answers, however long it does not. Raises what it refuses with, and Cancelled."""
        while True:
            try:
                found = ask()
                self._is_lost = False
                return found
            except HubUnreachableError as error:
                self._lose(error)
                until = time.monotonic() + AGAIN_SECONDS
                while time.monotonic() < until:
                    self.check_cancelled()
                    time.sleep(0.2)

    def _lose(self, error: HubUnreachableError) -> None:
        if not self._is_lost:
            self._is_lost, self._lost_since = True, time.monotonic()
            write_log(f"{error}")
            self.say(LOST)
        elif time.monotonic() - self._lost_since > GIVE_UP_SECONDS:
            raise HubError(
                _("The Hub could not be reached for {hours:.0f} hours.", hours=GIVE_UP_SECONDS / 3600),
                _("See whether the network is there."),
            ) from error

    def _say_phase(self, name: str) -> None:
        self._phase = name
        self.phase(name)


def _write_through(line: Text) -> None:
    """Writes a line of the job, which has its own time of day, to the run's log."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


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


if __name__ == "__main__":
    (followed,), (lock,), _place = read_arguments(sys.argv[1:])
    sys.exit(Follower(followed, lock).run())
