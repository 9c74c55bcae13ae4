"""The process here of a run, or of several on one base, that a job trains elsewhere:
`python -m lora_hub.runs.jobs.follower RUN RUN ...`

It owns the runs like any worker: sends them to the Hub, starts their one job, tells what the job tells of each, brings
the adapters back and publishes them. A run that fails or is cancelled leaves the others alone. The process is no part
of the app and goes on without it. Where it is killed, the job goes on, and a run that is resumed is followed again. A
Hub that cannot be reached is waited for.
"""

import contextlib
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from lora_hub import hub
from lora_hub.core.errors import HubError, HubUnreachableError, LoraHubError
from lora_hub.core.messages import _, joined
from lora_hub.runs import hiring
from lora_hub.runs.group_worker import run_group
from lora_hub.runs.jobs import job_parcel
from lora_hub.runs.jobs.followed import FollowedRun
from lora_hub.runs.jobs.job_log import ENDED, JobLog, Text
from lora_hub.runs.owner import write_log
from lora_hub.runs.turns import Cancelled
from lora_hub.runs.worker import read_arguments

Got = TypeVar("Got")
# Seconds between two looks at the job, between two tries at a Hub that does not answer, and for as long as a job is
# asked to end.
LOOK_SECONDS, AGAIN_SECONDS, END_SECONDS = 5.0, 3.0, 10.0
SILENT_SECONDS = 60.0
# A Hub that has not answered for so long is not waited for any more: no job of ours goes on for longer.
GIVE_UP_SECONDS = 12 * 3600.0
LOST = "out of touch with the job"
WAITING = "waiting for the hired machine"


class Follower:
    """Follows the one job of these runs."""

    def __init__(self, members: Sequence[FollowedRun]) -> None:
        self._members = [one for one in members if one.goes_on and not one.is_trained]
        self._is_lost, self._lost_since = False, 0.0
        self._seconds = 0.0  # that the job had run when it was last looked at

    @property
    def _open(self) -> list[FollowedRun]:
        return [one for one in self._members if one.goes_on]

    def follow(self) -> None:
        """Until the job has ended and its adapters are here, or nobody is left: what became of each run, it has
        said."""
        if not self._open:
            return
        # A person ends the job with its runs. Whatever else goes wrong here, the job goes on.
        try:
            job_id = self._take_up() or self._start()
            self._listen(job_id)
            job = self._wait_for_end(job_id)
        except Cancelled:
            return
        except LoraHubError as error:
            self._fail(error)
            return
        for one in self._open:
            one.do(lambda one=one: one.take_home(job_id, job, lambda ask: self._patiently(ask, one)))

    def _take_up(self) -> str:
        """The job that is under way already; empty where there is none."""
        hired = self._open[0].hired
        if not hired.is_under_way:
            return ""
        job = self._patiently(lambda: hub.read_job(hired.job, hired.namespace))
        if job is None:
            self._report(ended=hired.job, seconds=0.0)
            return ""
        write_log(f"following the job {job.id} again")
        return job.id

    def _start(self) -> str:
        self._say_phase("sending the run to the Hub")
        first, hired = self._open[0], self._open[0].hired
        # What carries one run alone is never what carries it with others, who may need that one still.
        name = first.run_id if len(self._open) == 1 else f"{len(self._open)}-{first.run_id}"
        repo = self._patiently(lambda: hub.make_run_repo(hired.namespace, name))
        self._report(repo=repo)
        files = job_parcel.pack_program([one.spec for one in self._open])
        for one in self._open:
            one.do(lambda one=one: files.update(job_parcel.pack_run(one.now)))
        self._patiently(lambda: hub.send_files(repo, files))
        self._drop_cancelled()
        run_ids = [one.run_id for one in self._open]
        job = self._patiently(
            lambda: hub.start_job(
                hired.namespace,
                run_id=name,
                script=job_parcel.COMMAND,
                environment=job_parcel.environment(run_ids, repo),
                flavor=hired.flavor,
                seconds=hired.most_seconds,
            )
        )
        self._report(job=job.id, url=job.url, shared_by=len(run_ids))
        write_log(f"job {job.id} on {hired.flavor}: {job.url}")
        return job.id

    def _listen(self, job_id: str) -> None:
        """Tells what the job tells until it has ended."""
        self._say_phase(WAITING)
        runs, payer = {one.run_id: one for one in self._open}, self._open[0].hired.namespace
        log = JobLog(
            job_id,
            payer,
            {run_id: one.spec for run_id, one in runs.items()},
            {run_id: one.heard(job_id) for run_id, one in runs.items()},
        )
        looked, ended = -LOOK_SECONDS, math.inf
        try:
            while True:
                self._drop_cancelled()
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
                elif isinstance(told, tuple):
                    run_id, event = told
                    self._hear(runs[run_id], job_id, event, is_old=log.is_old(run_id, event))
                if time.monotonic() - looked >= LOOK_SECONDS:
                    looked = time.monotonic()
                    if self._look(job_id, payer):
                        ended = min(ended, looked)
        finally:
            log.close()

    def _hear(self, one: FollowedRun, job_id: str, event: object, *, is_old: bool) -> None:
        if not one.goes_on:  # it was cancelled here, which the job may not know yet
            return
        one.hear(event, is_old=is_old)
        if one.has_failed and len(self._open) > 1:
            one.do(lambda: one.end_failed(job_id, self._seconds))

    def _look(self, job_id: str, payer: str) -> bool:
        """Whether the job has ended. Says where it stands before its first word."""
        try:
            job = hub.read_job(job_id, payer)
        except HubUnreachableError as error:
            self._lose(error)
            return False
        self._found()
        self._seconds = job.seconds if job else self._seconds
        if job is not None and job.stage == "RUNNING":
            for one in self._open:
                if one.told_phase == WAITING:
                    one.say_phase("setting up the hired machine")
        return job is None or job.has_ended

    def _wait_for_end(self, job_id: str) -> hub.Job | None:
        """The job as it ended: its stage comes a moment after its last line."""
        payer = self._open[0].hired.namespace
        job = self._patiently(lambda: hub.read_job(job_id, payer))
        for _again in range(20):
            if job is None or job.has_ended:
                break
            time.sleep(0.5)
            job = self._patiently(lambda: hub.read_job(job_id, payer))
        return job

    def _drop_cancelled(self) -> None:
        """Ends those that are cancelled; the others go on. Raises Cancelled where nobody is left."""
        for one in self._open:
            if one.cancelled():
                one.do(lambda one=one: self._cancel(one))
        if not self._open:
            raise Cancelled

    def _cancel(self, one: FollowedRun) -> None:
        if one.hired.is_under_way:
            self._end_job(one)
        raise Cancelled

    def _end_job(self, one: FollowedRun) -> None:
        """The job ends, or its part for this run."""
        job_id, until = one.hired.job, time.monotonic() + END_SECONDS
        while True:
            try:
                is_shared = hiring.shares_job(one.hired, one.run_id)
                job = hiring.end_job(one.hired, one.run_id)
                # Else it was told, and takes its time.
                if job is None or job.has_ended or is_shared or time.monotonic() > until:
                    one.report("hired", ended=job_id, seconds=job.seconds if job else 0.0)
                    return
            except LoraHubError as error:
                if time.monotonic() > until:
                    write_log(f"the job goes on: {error}")
                    one.note(
                        _(
                            "Its job could not be told to end: {url}. Cancel it there; by itself it ends after "
                            "{minutes:.3g} min.",
                            url=one.hired.url,
                            minutes=one.hired.most_seconds / 60,
                        )
                    )
                    return
            time.sleep(0.5)

    def _fail(self, error: LoraHubError) -> None:
        """Ends all that are left with what went wrong here."""

        def end(one: FollowedRun) -> None:
            if not one.hired.is_under_way:
                raise error
            raise LoraHubError(
                joined(error.said, _("The job itself goes on.")),
                joined(error.advice, _("Resume the run: its job is followed again.")),
            ) from error

        for one in self._open:
            one.do(lambda one=one: end(one))

    def _patiently(self, ask: Callable[[], Got], one: FollowedRun | None = None) -> Got:
        """What the Hub answers, however long it does not. one: for whom it is asked; None: for all. Raises what it
        refuses with, and Cancelled."""
        while True:
            try:
                answer = ask()
                self._is_lost = False
                return answer
            except HubUnreachableError as error:
                self._lose(error)
                until = time.monotonic() + AGAIN_SECONDS
                while time.monotonic() < until:
                    one.check_cancelled() if one else self._drop_cancelled()
                    time.sleep(0.2)

    def _lose(self, error: HubUnreachableError) -> None:
        if not self._is_lost:
            self._is_lost, self._lost_since = True, time.monotonic()
            write_log(f"{error}")
            for one in self._open:
                one.say(LOST)
        elif time.monotonic() - self._lost_since > GIVE_UP_SECONDS:
            raise HubError(
                _("The Hub could not be reached for {hours:.0f} hours.", hours=GIVE_UP_SECONDS / 3600),
                _("See whether the network is there."),
            ) from error

    def _found(self) -> None:
        if self._is_lost:
            self._is_lost = False
            for one in self._open:
                one.say(one.told_phase)

    def _say_phase(self, name: str) -> None:
        self._drop_cancelled()
        for one in self._open:
            one.say_phase(name)

    def _report(self, **hired: object) -> None:
        for one in self._open:
            one.report("hired", **hired)


def _write_through(line: Text) -> None:
    """Writes a line of the job, which has its own time of day, to the run's log."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


def main(arguments: list[str]) -> int:
    run_ids, locks, _place = read_arguments(arguments)
    members = [FollowedRun(run_id, lock) for run_id, lock in zip(run_ids, locks, strict=True)]
    return run_group(members, work=lambda runs: Follower(runs).follow())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
