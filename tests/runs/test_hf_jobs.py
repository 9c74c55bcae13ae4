"""Runs on hired hardware: jobs of the embedded Hub, which really run, followed through a killed follower, a lost line
and the end of their time."""

import io
import json
import os
import re
import shutil
import signal
import socket
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sample_adapters import make_spec
from small_data import sentiment_rows, write_csv
from test_local_hub import ACCOUNTS, TOKENS, Server, start_server
from test_run_folders import make_run

from lora_hub import hub, runs, use_cases
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.cli import main
from lora_hub.core import store
from lora_hub.core.errors import AdapterError, BaseError, HubError, HubUnreachableError, SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import Event, Hired, RunState, TrainSpec
from lora_hub.hub.jobs import Job
from lora_hub.people import LOCAL, Person
from lora_hub.runs import run_json
from lora_hub.runs.jobs import follower as follower_module
from lora_hub.runs.jobs import job_log, job_parcel, job_result, job_wire
from lora_hub.runs.jobs.followed import FollowedRun
from lora_hub.runs.jobs.follower import Follower
from lora_hub.runs.jobs.job_log import ENDED, JobLog
from lora_hub.runs.jobs.job_worker import JobWorker

ORG, TOKEN = "lora-hub", TOKENS["alice"]
TASK = catalogue.get_task("sentiment")


class Line:
    """A line to a server that can be cut and mended: bytes pass as they come, so that streams stream."""

    def __init__(self, target: str) -> None:
        self.target = (urlsplit(target).hostname, urlsplit(target).port)
        self.is_cut, self._open = False, set()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self) -> None:
        self.is_cut = True
        for one in list(self._open):
            one.close()

    def mend(self) -> None:
        self.is_cut = False

    def close(self) -> None:
        self._door.close()
        self.cut()

    def _serve(self) -> None:
        while True:
            try:
                near, _address = self._door.accept()
            except OSError:
                return
            if self.is_cut:
                near.close()
                continue
            far = socket.create_connection(self.target)
            self._open |= {near, far}
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(one, other), daemon=True).start()

    def _pass(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while some := one.recv(65536):
                other.sendall(some)
        except OSError:
            pass
        for end in (one, other):
            self._open.discard(end)
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("jobs-hub")
    (folder / "accounts.json").write_text(json.dumps(ACCOUNTS))
    started = start_server(folder / "hub", "--accounts", str(folder / "accounts.json"), "--jobs")
    yield started
    started.kill()
    assert "Traceback" not in started.log, started.log[-4000:]
    assert not any(token in started.log for token in TOKENS.values())


@pytest.fixture
def line(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    """The Hub with jobs is the Hub in use, at the end of a line."""
    from huggingface_hub import constants

    made = Line(server.url)
    for name in ("LORA_HUB_HUB", "LORA_HUB_CONNECTED_TO"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", made.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(constants, "ENDPOINT", made.url)
    yield made
    made.close()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "reviews.csv", sentiment_rows(160))


def plan(data: Path, publish_to: str = "", **overrides: str) -> runs.Plan:
    wanted = {"steps": "60", "evaluations": "6", "max_held_out": "20", "patience": "0", **overrides}
    return runs.plan_run(
        data, TASK, bases.get_base("built-in"), effort="quick", overrides=wanted, publish_to=publish_to
    )


def work_of(planned: runs.Plan) -> tuple[TrainSpec, float]:
    return planned.spec, planned.estimate.tokens_row


def eventually(true: Callable[[], object], seconds: float = 120) -> None:
    """Waits for it. What asks the Hub may find that its connection was cut."""
    until = time.monotonic() + seconds
    while True:
        with suppress(HubUnreachableError):
            if true():
                return
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.1)


def start(planned: runs.Plan, who: Person = LOCAL, **changed: object) -> str:
    hired = use_cases.hire(who, [work_of(planned)], "t4-small").model_copy(update=changed)
    return use_cases.start_run(who, planned.spec, hired=hired).id


def workers(run_id: str) -> list[int]:
    """The processes of the run's job."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"lora_hub.runs.jobs.job_worker" in words and run_id.encode() in words:
            found.append(int(file.parent.name))
    return found


def repos(server: Server, run_id: str) -> list[str]:
    return [one.id for one in server.api().list_datasets(author=ORG) if run_id in one.id]


def test_a_run_outlives_its_follower_its_line_and_its_time_and_comes_back_published(
    server: Server, line: Line, home: Path, data: Path
) -> None:
    planned = plan(data, publish_to=ORG)
    run_id = start(planned, most_seconds=45)
    look = lambda: runs.refresh_run(run_id)  # noqa: E731
    # It is priced before the start: a T4 at 0.40 dollars an hour, three minutes of boot among the time.
    hired = look().hired
    assert (hired.flavor, hired.hourly, hired.namespace) == ("t4-small", 0.4, ORG)
    assert hired.expected_seconds > 180 and hired.expected_dollars == pytest.approx(
        -(-hired.expected_seconds // 60) / 60 * 0.4
    )
    eventually(lambda: any("heard" in event.data for event in store.read_events(run_id)))
    run = look()
    job, repo = run.hired.job, run.hired.repo
    assert run.state == "running" and repo.startswith(f"{ORG}/lora-hub-run-") and repos(server, run_id) == [repo]
    assert server.api().repo_info(repo, repo_type="dataset").private
    info = server.api().inspect_job(job_id=job, namespace=ORG)
    assert info.labels["lora-hub-run"] == run_id and info.flavor == "t4-small" and info.secrets == {"HF_TOKEN": None}
    # What follows it is killed, as with the machine that the app runs on. The job goes on, and the run says so.
    os.kill(run.handle["pid"], signal.SIGKILL)
    eventually(lambda: look().state is RunState.LOST)
    assert look().error.message == "The process here that followed the run's job has ended; the job itself goes on."
    assert server.api().inspect_job(job_id=job, namespace=ORG).status.stage == "RUNNING"
    # The app that starts again follows it again: the same job, over a line that is lost for a while.
    line.cut()
    assert use_cases.take_up_hired() == [run_id]
    eventually(lambda: look().phase == "out of touch with the job")
    assert look().state == "running" and look().attempt == 2
    line.mend()
    # It stands still once it has a checkpoint, until its time is up.
    kept, sent = (
        store.run_folder(run_id) / store.CHECKPOINTS,
        f"runs/{run_id}/{store.CHECKPOINTS}/checkpoint-10/trainer_state.json",
    )
    given = 45.0
    while True:
        eventually(lambda: look().state.is_final or sent in hub.look_into(repo), 600)
        assert look().state.is_final or look().attempt > 2 or look().hired.job == job
        for process in workers(run_id):
            os.kill(process, signal.SIGSTOP)
        run = runs.wait_for_run(run_id)
        assert run.state == "failed" and run.error.message.startswith(f"The job was ended after {given / 60:.3g} min")
        assert f"It is given {2 * given / 60:.3g} min." in run.error.hint
        assert given - 20 <= run.hired.jobs[run.hired.job] <= given + 60  # a busy machine ends it late
        eventually(lambda: not repos(server, run_id) and not look().hired.repo)
        if (kept / "checkpoint-10" / "optimizer.pt").is_file():
            break
        # A busy machine has not come so far. The next job is given twice as long.
        given *= 2
        use_cases.resume_run(LOCAL, run_id)
    jobs = list(run.hired.jobs)
    assert jobs[0] == job
    # Resumed, a new job goes on from there, and the adapter is published.
    seen: list[int] = []
    use_cases.resume_run(LOCAL, run_id)
    run = runs.wait_for_run(run_id, lambda now: seen.append(now.step))
    assert run.state == "succeeded" and run.error is None, runs.read_log(run_id)
    assert run.adapter.repo_id.startswith(f"{ORG}/") and server.api().model_info(run.adapter.repo_id).id
    assert run.step == 60 and run.hired.job not in jobs and min(step for step in seen) >= 10
    assert [*run.hired.jobs] == [*jobs, run.hired.job] and run.hired.dollars == pytest.approx(
        sum(-(-seconds // 60) for seconds in run.hired.jobs.values()) / 60 * 0.4
    )
    told = run_json.run_result(run)["hired"]
    assert (told["flavor"], told["job"], told["dollars"]) == ("t4-small", run.hired.job, run.hired.dollars)
    assert str(told["spent"]).startswith(f"t4-small: {len(jobs) + 1} jobs took ") and "The estimate was " in str(
        told["spent"]
    )
    eventually(lambda: not repos(server, run_id))
    # Everything is there as after a run of this machine.
    assert run.metrics["adapter"]["accuracy"].value >= 0 and len(runs.read_held_out(run_id).rows) == run.eval_rows
    config = json.loads((store.run_folder(run_id) / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(bases.folder_of(run.spec.base))
    told = [(step, loss) for step, loss in run.eval_losses]
    assert len({step for step, _loss in told}) == len(told), "each look once, though it was heard twice"
    # It trained in a folder of its own, and no token is anywhere.
    log = runs.read_log(run_id, 1000)
    assert f"run {run_id}" in log and "rows," in log
    for folder in (store.run_folder(run_id), server.folder):
        for file in folder.rglob("*"):
            assert not file.is_file() or TOKEN.encode() not in file.read_bytes(), file
    assert not [name for name in store.list_run_ids() if name != run_id]


def test_a_cancelled_run_ends_its_job_and_leaves_nothing(
    server: Server, line: Line, home: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is alice's, who has signed in; the app's own token would not do."""
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_app")
    alice = Person(id="alice", roles={ORG: "admin"}, token=TOKEN)
    run_id = start(plan(data), alice)
    eventually(lambda: runs.refresh_run(run_id).hired.job)
    run = runs.refresh_run(run_id)
    job = run.hired.job
    # Nobody starts it twice, whatever became of the answer to the first start.
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    again = hub.start_job(ORG, run_id=run_id, script="exit 1", environment={}, flavor="t4-small", seconds=60)
    assert again.id == job
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_app")
    assert run.owner == "alice" and 0 < run.hired.most_seconds <= run.most_seconds
    assert use_cases.cancel_run(alice, run_id).state == "cancelled"
    assert server.api().inspect_job(job_id=job, namespace=ORG).status.stage == "CANCELED"
    eventually(lambda: not repos(server, run_id) and not workers(run_id))
    assert list(runs.refresh_run(run_id).hired.jobs) == [job]


def test_a_pipeline_is_one_job_in_which_each_run_has_its_own_end(
    server: Server, line: Line, home: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """One trains to its end, the data of one is no longer what was planned on, and one is cancelled on its way."""
    write_csv(data.parent / "gone.csv", sentiment_rows(60, 1))
    write_csv(data.parent / "long.csv", sentiment_rows(120, 2))
    quick = {"steps": 30, "evaluations": 3, "max_held_out": 20, "patience": 0}
    tasks = [
        {"task": "sentiment", "data": "reviews.csv", "set": quick},
        {"task": "sentiment", "data": "gone.csv", "set": quick},
        {"task": "sentiment", "data": "long.csv", "set": {**quick, "steps": 900}},
    ]
    file = data.parent / "pipeline.yaml"
    file.write_text(json.dumps({"effort": "quick", "tasks": tasks}), encoding="utf-8")
    hire, cancelled = use_cases.hire, []

    def spoil(person: Person, work: list[tuple[TrainSpec, float]], flavor: str, **named: float) -> Hired:
        alone = [hire(person, [one], flavor).expected_seconds for one in work]
        together = hire(person, work, flavor, **named)
        assert max(alone) < together.expected_seconds < sum(alone) - 300 and together.shared_by == 3
        store.dataset_file(work[1][0].dataset).write_bytes(b"text,label\none,good\n")
        return together

    def cancel_the_last() -> None:
        eventually(lambda: len(runs.list_runs()) == 3)
        run_id = max(runs.list_runs(), key=lambda run: run.spec.steps).id
        eventually(lambda: runs.refresh_run(run_id).step > 0)
        cancelled.append(runs.cancel_run(run_id, wait=60))

    monkeypatch.setattr(use_cases, "hire", spoil)
    person = threading.Thread(target=cancel_the_last)
    person.start()
    status = main(["pipeline", str(file), "--hardware", "t4-small", "--json"])
    person.join()
    told = capsys.readouterr()
    result = json.loads(told.out)
    trained, spoilt, ended = (runs.refresh_run(row["run"]) for row in result["runs"])
    log = runs.read_log(trained.id, 1000)
    assert status == 3 and [row["state"] for row in result["runs"]] == ["succeeded", "failed", "cancelled"], log
    assert "That is for 3 runs, which one job trains." in told.err and "2 of 3 did not succeed" in told.out
    # One job and one process here, which told each run its own.
    assert {run.hired.job for run in (trained, spoilt, ended)} == {trained.hired.job}
    assert len({run.handle["pid"] for run in (trained, spoilt, ended)}) == 1
    assert trained.step == 30 and 0 < ended.step < 900 and len(runs.read_held_out(trained.id).rows) == trained.eval_rows
    assert "no longer in" in spoilt.error.message and [one.state for one in cancelled] == ["cancelled"]
    assert log.count("cancelled") >= 2, "the job has heard it, too"
    # The cost of all stands beside the estimate of all; it is that of the run which stayed to the end.
    assert result["hired"]["job"] == trained.hired.job and result["hired"]["shared_by"] == 3
    assert result["hired"]["dollars"] == trained.hired.dollars >= ended.hired.dollars > 0
    assert "1 job took" in str(result["hired"]["spent"]) and "The estimate was" in str(result["hired"]["spent"])
    eventually(lambda: not repos(server, trained.id) and not workers(trained.id))


def test_a_deleted_run_takes_its_job_with_it(server: Server, line: Line, home: Path, data: Path) -> None:
    run_id = start(plan(data))
    eventually(lambda: runs.refresh_run(run_id).hired.job)
    run = runs.refresh_run(run_id)
    os.kill(run.handle["pid"], signal.SIGKILL)
    eventually(lambda: runs.refresh_run(run_id).state is RunState.LOST)
    line.cut()
    with pytest.raises(HubError, match="cannot be reached"):
        use_cases.delete_run(LOCAL, run_id)
    line.mend()
    use_cases.delete_run(LOCAL, run_id)
    assert server.api().inspect_job(job_id=run.hired.job, namespace=ORG).status.stage == "CANCELED"
    assert store.list_run_ids() == [] and not repos(server, run_id)


def test_a_job_that_fails_says_why_and_leaves_nothing(server: Server, line: Line, home: Path, data: Path) -> None:
    planned = plan(data)
    other = write_csv(data.parent / "other.csv", [("one", "good")])
    run_id = None
    # The file that travels is no longer the one that was planned on.
    kept = store.dataset_file(planned.spec.dataset)
    kept.write_bytes(other.read_bytes())
    run_id = start(planned)
    run = runs.wait_for_run(run_id)
    assert run.state == "failed" and run.error.message and len(run.hired.jobs) == 1, runs.read_log(run_id)
    assert "no longer in" in run.error.message
    eventually(lambda: not repos(server, run_id))


def test_nothing_is_hired_where_it_cannot_be(line: Line, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = plan(data)
    spec, tokens = work_of(planned)
    with pytest.raises(SpecError, match="There is no hardware 'abacus' to hire"):
        runs.hire([(spec, tokens)], "abacus")
    folder = bases.get_base("built-in").model_copy(update={"id": "/srv/base", "folder": "/srv/base"})
    with pytest.raises(BaseError, match="lies in a folder of this machine"):
        runs.hire([(spec.model_copy(update={"base": folder}), tokens)], "t4-small")
    large = max(bases.list_bases(), key=lambda base: base.parameters)
    with pytest.raises(SpecError, match="too little memory"):
        runs.hire([(spec.model_copy(update={"base": large}), tokens)], "t4-small")
    with pytest.raises(SpecError, match="No hardware was chosen"):
        runs.start_runs([spec], runner="hf_jobs")
    assert store.list_run_ids() == []
    # Whoever may not run jobs for the organization pays for their own.
    dora = Person(id="dora", roles={ORG: "contributor"}, token=TOKENS["dora"])
    assert use_cases.hire(dora, [(spec, tokens)], "t4-small").namespace == "dora"
    assert use_cases.hire(LOCAL, [(spec, tokens)], "t4-small", minutes=5).most_seconds == 300
    monkeypatch.setenv("HF_TOKEN", "")
    with pytest.raises(HubError, match="there is no token of yours"):
        runs.hire([(spec, tokens)], "t4-small")


def test_a_hub_without_jobs_says_so(data: Path, capsys: pytest.CaptureFixture) -> None:
    asked = ["train", str(data), "--task", "sentiment", "--hardware", "t4-small", "--set", "steps=4"]
    assert main(asked) == 1 and store.list_run_ids() == []
    assert "runs no jobs. Train on this machine, or use a Hub that does." in capsys.readouterr().err
    assert main([*asked, "--hardware-minutes", "0"]) == 2 and "number of minutes" in capsys.readouterr().err
    planned = plan(data)
    with pytest.raises(HubError, match="runs no jobs"):
        runs.hire([work_of(planned)], "t4-small")


def test_a_job_has_the_person_s_token_and_the_organization_publishes_with_its_own(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    from lora_hub.core import settings
    from lora_hub.people import policy

    will = Person(id="will", roles={ORG: "write"}, token="hf_of_will")
    policy.write(policy.Policy(publish_as="service"))
    monkeypatch.setenv(settings.SERVICE_TOKEN, "hf_of_the_space")
    given = use_cases.training.child_environment(will, publishes=True, hires=True)
    assert (given["HF_TOKEN"], given[settings.SERVICE_TOKEN]) == ("hf_of_will", "hf_of_the_space")
    given = use_cases.training.child_environment(will, publishes=False, hires=True)
    assert (given["HF_TOKEN"], given[settings.SERVICE_TOKEN]) == ("hf_of_will", "")
    assert not any("hf_of" in word for word in job_parcel.environment(["run-1"], "lora-hub/lora-hub-run-1").values())


def test_a_job_that_may_not_be_looked_at_any_more_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a person's token has expired: nothing is removed under the job, and who resumes the run follows it."""
    job = {
        "flavor": "t4-small",
        "namespace": ORG,
        "job": "a1",
        "repo": f"{ORG}/lora-hub-run-1",
        "url": "https://hub/a1",
    }
    run_id = make_run(("app-1", "hired", job))

    def refuse(*asked: object) -> Iterator[str]:
        raise HubError(_("The Hub does not accept this token."), _("Sign in again."))
        yield

    monkeypatch.setattr(hub, "read_job", lambda *asked: Job("a1", "https://hub/a1", "RUNNING"))
    monkeypatch.setattr(hub, "read_job_lines", refuse)
    monkeypatch.setattr(hub, "remove_run_repo", lambda repo: pytest.fail("the job needs it"))
    followed = FollowedRun(run_id)
    Follower([followed]).follow()
    assert not followed.goes_on
    run = runs.refresh_run(run_id)
    assert run.state == "failed" and run.hired.is_under_way and run.hired.repo
    assert run.error.message == "The Hub does not accept this token. The job itself goes on."
    assert run.error.hint == "Sign in again. Resume the run: its job is followed again."


def test_a_hub_that_stays_away_is_not_waited_for_for_ever(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = make_run(("app-1", "hired", {"flavor": "t4-small", "namespace": ORG, "job": "a1", "repo": f"{ORG}/x"}))

    def away(*asked: object) -> Job:
        raise HubUnreachableError(_("The Hub cannot be reached."))

    monkeypatch.setattr(hub, "read_job", away)
    monkeypatch.setattr(follower_module, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(follower_module, "GIVE_UP_SECONDS", 0.1)
    Follower([FollowedRun(run_id)]).follow()
    run = runs.refresh_run(run_id)
    assert run.state == "failed" and run.hired.is_under_way
    assert run.error.message == "The Hub could not be reached for 0 hours. The job itself goes on."


def test_a_token_that_expired_while_a_job_trained_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = JobWorker(make_run(), f"{ORG}/x")

    def refuse(*asked: object) -> None:
        raise HubError(_("The Hub does not accept this token."), _("Sign in again."))

    monkeypatch.setattr(hub, "send_files", refuse)
    with pytest.raises(HubError, match="could not be handed back .* does not accept this token") as told:
        worker.publish()
    assert "goes on from its last checkpoint" in told.value.hint
    # What is trained, and lies only there, is not told as trained.
    worker.report("adapter", folder=store.ADAPTER, best_step=1, stopped="")
    assert not worker.told(worker.publish) and worker.now.state == "failed"


def test_a_checkpoint_goes_back_as_often_as_it_is_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[list[str], list[str]]] = []
    monkeypatch.setattr(hub, "send_files", lambda repo, files, gone=(): sent.append((sorted(files), [*gone])))
    run_id = make_run()
    worker, kept, place = JobWorker(run_id, f"{ORG}/x"), store.run_folder(run_id) / "checkpoints", f"runs/{run_id}"
    kept.mkdir()
    for content in (b"1", b"2"):  # of a training together with others: one file, which is replaced
        (kept / "together.pt").write_bytes(content)
        os.utime(kept / "together.pt", (1, int(content)))
        worker.report("metric", step=1, loss=1.0)
        worker.report("metric", step=2, loss=1.0)
    assert sent == [([f"{place}/checkpoints/together.pt"], [])] * 2
    for step in (4, 8):
        (kept / f"checkpoint-{step}").mkdir()
        (kept / f"checkpoint-{step}" / "optimizer.pt").touch()
        worker.report("metric", step=step, loss=1.0)  # not whole yet
        (kept / f"checkpoint-{step}" / "trainer_state.json").touch()
    (kept / "together.pt").unlink()
    worker.report("metric", step=9, loss=1.0)
    whole = [
        f"{place}/checkpoints/checkpoint-{n}/{name}" for n in (4, 8) for name in ("optimizer.pt", "trainer_state.json")
    ]
    assert sent[2][0] == whole[:2] and sent[3] == (whole[2:], [f"{place}/checkpoints/together.pt"])
    tried = ["sweep/0/checkpoints/together.pt", "sweep/1/checkpoints/together.pt", "sweep/1/dropped"]
    for name in tried:  # of settings that are tried at once
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        (kept / name).touch()
    worker.report("sweep", number=1, dropped=2)
    assert sent[4] == ([f"{place}/checkpoints/{name}" for name in tried], [])
    monkeypatch.setattr(store, "dataset_file", lambda info: tmp_path / info.name)
    run = store.read_run(run_id)
    assert {f"{place}/checkpoints/{name}" for name in tried} <= job_parcel.pack_run(run).keys(), "they go along again"


def test_one_of_several_is_cancelled_through_the_repo_they_share(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last one ends the job itself, and only who needs it no more removes the repo."""
    shared = {"flavor": "t4-small", "namespace": ORG, "job": "a1", "repo": f"{ORG}/x", "shared_by": 2}
    first, second = (make_run(("app-1", "hired", shared)) for _run in range(2))
    told: list[object] = []
    monkeypatch.setattr(hub, "read_job", lambda *asked: Job("a1", "https://hub/a1", "RUNNING", seconds=90.0))
    monkeypatch.setattr(hub, "send_files", lambda repo, files: told.extend(files))
    monkeypatch.setattr(hub, "cancel_job", lambda job, payer: told.append(job))
    monkeypatch.setattr(hub, "remove_run_repo", told.append)
    monkeypatch.setattr(hub, "look_into", lambda repo: {})
    monkeypatch.setattr(follower_module, "END_SECONDS", 0.0)
    for run_id in (first, second):
        store.ask_cancel(run_id)
        Follower([FollowedRun(run_id)]).follow()
    assert told == [f"cancelled/{first}", "a1", f"{ORG}/x"]
    assert [runs.refresh_run(one).state for one in (first, second)] == ["cancelled"] * 2
    assert runs.refresh_run(first).hired.jobs == {"a1": 90.0}


# --- what strangers could have written ---


@pytest.fixture
def spec() -> TrainSpec:
    return make_spec()


def event(kind: str, seq: int = 0, **told: object) -> str:
    return f"{job_wire.MARK}mine " + json.dumps(
        {"source": "worker-1", "seq": seq, "at": 1.0, "kind": kind, "data": told}
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Epoch 1",
        job_wire.MARK,
        job_wire.MARK + "mine []",
        job_wire.MARK + 'mine {"source": "x"',
        event("progress", phase="training").replace("mine ", "another "),
        event("handle", handle={"pid": 1}),
        event("hired", repo="somebody/else"),
        event("submitted", owner="ada"),
        event("shared", visibility="public"),
        event("state", state="golden"),
        event("metric", step="many", loss=1),
        event("metric", step=-1, loss=1),
        event("metric", step=10**40, loss=1),
        event("metric", loss=1),
        event("progress", phase="x" * 1000),
        event("progress", phase="training", step=[1]),
        event("exam", metrics={"adapter": {"accuracy": {"value": "high"}}}),
        event("exam", metrics=[1]),
        event("exam", note={"sentence": "{a:>9999999}", "values": {"a": 1}}),
        event("exam", note={"sentence": "{a}", "values": {"a": {"sentence": "{b:999999}", "values": {"b": 1}}}}),
        event("progress", seq=-1, phase="training"),
        event("exam", note="x" * 70_000),
    ],
)
def test_what_is_no_word_of_a_training_is_no_event(line: str, spec: TrainSpec) -> None:
    assert job_wire.read_line(line, {"mine": spec}) is None


def test_an_event_says_only_what_is_a_job_s_to_tell(spec: TrainSpec) -> None:
    _run, read = job_wire.read_line(
        event("adapter", 3, folder="/etc", best_step=5, published={"repo_id": "somebody/else"}), {"mine": spec}
    )
    assert read.data == {"best_step": 5}
    _run, read = job_wire.read_line(event("metric", 4, step=5, loss=0.5, owner="ada"), {"mine": spec})
    assert read.data == {"step": 5, "loss": 0.5} and read.seq == 4
    whole = {"step": 5, "loss": 0.5, "lr": 0.01, "grad_norm": 1.5, "tokens_second": 900.0, "memory": 10**9}
    assert job_wire.read_line(event("metric", 4, **whole), {"mine": spec})[1].data == whole
    assert job_wire.read_line(event("metric", 4, step=5, loss=0.5, memory="much"), {"mine": spec}) is None
    _run, long = job_wire.read_line(event("error", 5, message="no " * 5000), {"mine": spec})
    assert len(str(long.data["message"]["values"]["text"])) == job_wire.MOST_WORDS
    known = Event(source="worker-1", seq=0, at=1.0, kind="progress", data={"phase": "training", "step": 1, "total": 4})
    assert job_wire.read_line(job_wire.to_line("mine", known), {"mine": spec}) == ("mine", known)


def test_a_log_that_comes_again_is_passed_on_once(spec: TrainSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["a", event("progress", 0, phase="training"), "b", "c\x1b[2J", event("metric", 1, step=1, loss=1), "d"]
    tries = iter([lines[:4], [*lines, "x" * 5000]])

    def told(job: str, payer: str) -> Iterator[str]:
        part = next(tries)
        yield from part
        if len(part) == 4:
            raise hub.client.unreachable()

    monkeypatch.setattr(hub, "read_job_lines", told)
    monkeypatch.setattr(job_log, "AGAIN_SECONDS", 0.0)

    def listen(log: JobLog) -> list[object]:
        found = []
        while (one := log.next(5)) is not ENDED:
            if one is not None and not isinstance(one, Exception):
                found.append(one[1].seq if isinstance(one, tuple) else str(one))
        return found

    assert listen(JobLog("job", ORG, {"mine": spec})) == ["a", 0, "b", "c[2J", 1, "d", "x" * 2000]
    # Of one that never stops talking, as much as a training says is heard.
    monkeypatch.setattr(job_log, "MOST_NOTES", 3)
    tries = iter([[event("exam", place, note=f"note {place}") for place in range(9)]])
    assert listen(JobLog("job", ORG, {"mine": spec})) == [0, 1, 2]
    # Another that follows it goes on behind what was heard, and is told once more what is only remembered.
    tries = iter([[*lines, "e"]])
    assert listen(JobLog("job", ORG, {"mine": spec}, {"mine": 1})) == [0, 1, "d", "e"]


def test_a_log_of_several_runs_comes_again_once_for_each(spec: TrainSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    def of(run_id: str, seq: int) -> str:
        return event("progress", seq, phase="training").replace("mine ", f"{run_id} ")

    lines = ["a", of("one", 0), "b", of("two", 0), "c", of("gone", 0), of("one", 1), "d", of("two", 1), "e"]
    monkeypatch.setattr(hub, "read_job_lines", lambda job, payer: iter(lines))
    log = JobLog("job", ORG, {"one": spec, "two": spec}, {"one": 1, "two": 0})
    found = []
    while (told := log.next(5)) is not ENDED:
        if told is not None:
            found.append((told[0], told[1].seq, log.is_old(*told)) if isinstance(told, tuple) else str(told))
    # What was heard is only remembered, what a third says is not ours, and the log goes on after the last old word.
    old = [("one", 0, True), ("two", 0, True), ("one", 1, True)]
    assert found == [*old, "d", ("two", 1, False), "e"]


def sent(run_id: str, files: dict[str, bytes]) -> str:
    repo = hub.make_run_repo(ORG, run_id)
    hub.send_files(repo, files)
    return repo


def test_only_an_adapter_of_this_run_comes_back(
    spec: TrainSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = {"peft_type": "LORA", "r": spec.lora.r, "base_model_name_or_path": "/x", "target_modules": ["q_proj"]}
    good = {
        "runs/mine/result/adapter_config.json": json.dumps(config).encode(),
        "runs/mine/result/adapter_model.safetensors": b"\x02\x00\x00\x00\x00\x00\x00\x00{}",
        "runs/mine/result/lora_hub.json": json.dumps({"version": 1, "run": "another"}).encode(),
        "runs/mine/result/../spec.json": b"{}",
    }
    good.pop("runs/mine/result/../spec.json")
    repo, folder = sent("run-of-another", good), tmp_path / "run"
    folder.mkdir()
    with pytest.raises(AdapterError, match="no adapter of this run"):
        job_result.bring_adapter(repo, folder, spec, "mine")
    monkeypatch.setattr(hub, "read_adapter_record", lambda folder: {"version": 1, "run": "mine"})
    monkeypatch.setattr(hub, "parts_of", lambda record, is_own: None)
    kept = {**config, "r": 2 * spec.lora.r}  # the rank of another one of the settings that were tried
    hub.send_files(repo, {"runs/mine/result/adapter_config.json": json.dumps(kept).encode()})
    with pytest.raises(AdapterError, match="no adapter of this run"):
        job_result.bring_adapter(repo, folder, spec, "mine")
    job_result.bring_adapter(repo, folder, spec.model_copy(update={"sweep": 8}), "mine")
    shutil.rmtree(folder / "adapter")
    hub.send_files(repo, {"runs/mine/result/adapter_config.json": b'{"r": "many"}'})
    with pytest.raises(AdapterError, match="r = "):
        job_result.bring_adapter(repo, folder, spec, "mine")
    hub.send_files(
        repo, {"runs/mine/result/adapter_model.bin": b"pickle"}, ["runs/mine/result/adapter_model.safetensors"]
    )
    hub.send_files(repo, {"runs/mine/result/adapter_config.json": json.dumps(config).encode()})
    with pytest.raises(AdapterError, match="no adapter_model.safetensors"):
        job_result.bring_adapter(repo, folder, spec, "mine")
    monkeypatch.setitem(job_result.ADAPTER, "adapter_config.json", 10)
    with pytest.raises(AdapterError, match="more than it can have"):
        job_result.bring_adapter(repo, folder, spec, "mine")
    assert list(folder.iterdir()) == [], "nothing of it is left"
    hub.remove_run_repo(repo)
    hub.remove_run_repo(repo)
    assert hub.look_into(repo) == {}


def test_checkpoints_come_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        "checkpoint-4/trainer_state.json",
        "checkpoint-4/optimizer.pt",
        "together.pt",
        "sweep/1/checkpoints/together.pt",
        "sweep/1/dropped",
        "sweep/1/adapter/x",
        "notes.txt",
        "checkpoint-4/a/b",
        ".x/y",
    ]
    repo = sent("run-with-checkpoints", {f"runs/mine/checkpoints/{name}": b"1" for name in names})
    job_result.bring_checkpoints(repo, tmp_path, "mine")
    came = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    assert came == {f"checkpoints/{name}" for name in names[:5]}
    monkeypatch.setattr(job_result, "MOST_FILES", 1)
    with pytest.raises(Exception, match="more than a training leaves"):
        job_result.bring_checkpoints(repo, tmp_path, "mine")
    hub.remove_run_repo(repo)


def test_a_job_gets_the_program_and_nothing_that_lies_beside_it() -> None:
    with zipfile.ZipFile(io.BytesIO(job_parcel._code())) as archive:
        names = set(archive.namelist())
    assert {"lora_hub/runs/jobs/job_worker.py", "lora_hub/built_in/model/model.safetensors"} <= names
    assert all(name.startswith("lora_hub/") for name in names)
    assert not [name for name in names if "making/" in name or name.endswith((".env", ".pyc", ".log"))]


def test_what_a_job_installs_is_what_runs_here() -> None:
    pinned = (Path(job_parcel.__file__).parents[3] / "requirements.txt").read_text().splitlines()
    names = {re.split(r"[\[=]", line)[0] for line in pinned if "==" in line and not line.startswith("#")}
    at_home = names - {*job_parcel.LIBRARIES}  # a new one belongs here if no training imports it, else there
    assert at_home <= {
        "gradio",
        "spaces",
        "itsdangerous",
        "httpx",
        "mcp",
        "cryptography",
        "choix",
        "cma",
        "scipy",
        "gguf",
        "plotly",
    }
    assert {*job_parcel.LIBRARIES} - names == {"pydantic", "PyYAML"}


def test_hired_time_is_paid_by_the_minute_begun() -> None:
    hired = Hired(flavor="t4-small", hourly=0.6, job="b", jobs={"a": 61.0, "b": 60.0})
    assert (hired.seconds, hired.dollars, hired.is_under_way) == (121.0, pytest.approx(0.03), False)
    assert Hired(flavor="t4-small", job="c", jobs={"a": 1.0}).is_under_way
