"""A run's folder in difficult conditions: two owners, cut writes, full disks, clocks set back, files of other
versions."""

import errno
import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from persian import check_persian, check_sentence

from lora_hub import cli, runs
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import crash, disk, events, processes, run_lock, settings, store
from lora_hub.core.errors import LoraHubError, RunError
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import DatasetInfo, Run, RunState, TrainSpec, Wait
from lora_hub.runs import control, run_states, turns
from lora_hub.runs.runners import local
from lora_hub.training import recipe
from lora_hub.ui.render.runs import render_runs

ROOT = Path(__file__).parents[2]
WORKER = "worker-7-1"


def make_spec(**changes: object) -> TrainSpec:
    info = DatasetInfo(fingerprint="0" * 16, name="x.csv", rows=100, columns=("text", "answer"), format="csv")
    spec = recipe.make_spec(
        catalogue.get_task("spam"), bases.get_base("built-in"), info, {"text": "text", "answer": "answer"}
    )
    return spec.model_copy(update=changes)


def make_run(*told: tuple[str, str, dict], **changes: object) -> str:
    """A run that nobody owns, with these events: (source, kind, data)."""
    run_id = store.create_run(make_spec(**changes))
    logs: dict[str, events.EventLog] = {}
    for source, kind, data in (
        ("app-1", "submitted", {"owner": "local"}),
        ("app-1", "state", {"state": "queued", "attempt": 1}),
        *told,
    ):
        logs.setdefault(source, events.EventLog(store.events_file(run_id), source)).append(kind, **data)
    return run_id


def started() -> tuple[str, str, dict]:
    return (WORKER, "state", {"state": "running"})


FAILED = (
    (WORKER, "error", {"message": "The loss became nan.", "hint": "Lower it."}),
    (WORKER, "state", {"state": "failed"}),
)


def fold(*told: tuple[str, str, dict]) -> Run:
    folding = events.Folding()
    for seq, (source, kind, data) in enumerate(told):
        folding.add({"source": source, "seq": seq, "at": 100.0 + seq, "kind": kind, "data": data})
    return folding.run("r", make_spec())


# --- the fold ---


@pytest.mark.parametrize("handle", [{}, {"handle": {"pid": 7, "created": 1.0}}])
def test_a_late_queued_overwrites_nothing(handle: dict) -> None:
    late = ("app-2", "state", {"state": "queued", **handle})
    assert fold(started(), late).state is RunState.RUNNING
    failed = fold(started(), *FAILED, late)
    assert failed.state is RunState.FAILED and failed.error.message == "The loss became nan." and failed.ended == 102.0
    assert failed.handle == handle.get("handle", {})
    assert fold(started(), (WORKER, "state", {"state": "succeeded"}), late).state is RunState.SUCCEEDED


def test_the_first_end_that_a_worker_tells_is_the_end_of_an_attempt() -> None:
    for later in ("lost", "cancelled", "running", "succeeded", "failed"):
        assert fold(started(), *FAILED, ("app-9", "state", {"state": later})).state is RunState.FAILED
    assert fold(started(), ("app-9", "state", {"state": "lost"}), *FAILED).state is RunState.FAILED
    assert fold(started(), ("app-9", "state", {"state": "lost"}), started()).state is RunState.RUNNING


def test_a_resume_is_an_attempt_of_its_own_and_the_old_worker_is_no_longer_heard() -> None:
    again = ("app-2", "state", {"state": "queued", "attempt": 2})
    run = fold(started(), *FAILED, again)
    assert (run.state, run.error, run.attempt, run.ended) == (RunState.QUEUED, None, 2, 0.0)
    run = fold(started(), *FAILED, again, ("worker-8-1", "state", {"state": "running"}), *FAILED)
    assert run.state is RunState.RUNNING and run.error is None
    # The time between the attempts is no work.
    run = fold(
        started(),
        *FAILED,
        again,
        ("worker-8-1", "state", {"state": "running"}),
        ("worker-8-1", "state", {"state": "succeeded"}),
    )
    assert run.seconds == 3.0
    # As versions wrote it that had no attempts: the second worker is the one that counts.
    old = fold(
        started(),
        *FAILED,
        ("worker-8-1", "state", {"state": "running"}),
        ("app-2", "state", {"state": "queued", "handle": {"pid": 8, "created": 2.0}}),
    )
    assert old.state is RunState.RUNNING and old.error is None and old.attempt == 2


def test_what_a_newer_version_tells_is_counted_and_the_rest_is_shown() -> None:
    odd = [
        (WORKER, "voted", {}),
        (WORKER, "state", {"state": "paused"}),
        (WORKER, "state", {}),
        (WORKER, "metric", {"loss": 1.0}),
        (WORKER, "metric", {"step": "x", "loss": 1.0}),
        (WORKER, "exam", {"metrics": {"base": {"accuracy": {"worth": 3}}}}),
        (WORKER, "exam", {"metrics": 3}),
        (WORKER, "handle", {"handle": 3}),
        (WORKER, "adapter", {"published": {"repo": "x"}}),
        (WORKER, "progress", {"step": [1]}),
    ]
    for one in odd:
        run = fold(started(), one, (WORKER, "metric", {"step": 4, "loss": 0.5}))
        assert run.state is RunState.RUNNING and run.train_losses == ((4, 0.5),), one
        assert "1 of this run's events" in run.notes[0].en and "newer" in run.notes[0].en, one
        check_sentence(run.notes[0].fa)
    assert fold(started()).notes == ()


def test_a_resumed_curve_goes_back_to_its_checkpoint() -> None:
    told = [(WORKER, "metric", {"step": step, "loss": float(step)}) for step in (1, 2, 3, 4)]
    assert fold(*told, (WORKER, "metric", {"step": 3, "loss": 30.0})).train_losses == ((1, 1.0), (2, 2.0), (3, 30.0))
    long = fold(*[(WORKER, "metric", {"step": step, "loss": float(step)}) for step in range(1, 72_001)]).train_losses
    assert (
        1000 <= len(long) <= 2001
        and long[-1][0] == 72_000
        and [step for step, _ in long] == sorted(step for step, _ in long)
    )
    assert sum(loss for _, loss in long[:-1]) / len(long[:-1]) == pytest.approx(36_000, rel=0.01)


# --- writing ---


def test_a_cut_line_spoils_only_itself() -> None:
    """A kill or a power cut after any byte: nothing after it is lost, and the whole line counts although its end is
    missing."""
    run_id = make_run(started(), (WORKER, "metric", {"step": 3, "loss": 0.25, "note": "گزارش"}))
    path = store.events_file(run_id)
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(last, len(whole) + 1):
        for filler in (b"", b"\x00" * 5):
            path.write_bytes(whole[:cut] + filler)
            before = store.read_run(run_id)
            events.EventLog(path, WORKER).append("state", state="succeeded")
            after = store.read_run(run_id)
            assert after.state is RunState.SUCCEEDED, (cut, filler)
            assert after.train_losses == before.train_losses == (((3, 0.25),) if cut >= len(whole) - 1 else ()), (
                cut,
                filler,
            )
            # What is missing is said, and where nothing is, nothing is.
            is_missing = last < cut < len(whole) - 1 or (filler and cut in (last, len(whole)))
            assert ["of this run's events.jsonl cannot be read" in note.en for note in after.notes] == (
                [True] if is_missing else []
            ), (cut, filler)
            assert path.read_bytes().endswith(b"\n")


def short_disk(monkeypatch: pytest.MonkeyPatch, room: list[int]) -> None:
    """A disk with `room[0]` bytes left, whose writes are cut short as a real one's are."""
    write = os.write

    def limited(descriptor: int, data: bytes) -> int:
        if len(data) and room[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(events.os, "write", limited)


def test_a_full_disk_leaves_the_file_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = make_run(started())
    path = store.events_file(run_id)
    before, room = path.read_bytes(), [20]
    short_disk(monkeypatch, room)
    with pytest.raises(OSError, match="No space"):
        events.EventLog(path, WORKER).append("metric", step=1, loss=1.0)
    assert path.read_bytes() == before
    room[0] = 10_000
    events.EventLog(path, WORKER).append("metric", step=1, loss=1.0)
    assert store.read_run(run_id).train_losses == ((1, 1.0),)


def test_the_last_words_have_room_on_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = make_run(started())
    reserve = store.keep_reserve(run_id)
    assert reserve.stat().st_size >= 4096
    room = [5]
    short_disk(monkeypatch, room)
    unlink = Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda self, **options: (unlink(self, **options), room.__setitem__(0, 5000)))
    log = events.EventLog(store.events_file(run_id), WORKER, reserve)
    with pytest.raises(OSError):  # what is only news does not get it
        log.append("progress", phase="training", step=1, total=2)
    assert reserve.exists()
    told = crash.explain_crash(OSError(errno.ENOSPC, "No space left on device"))
    log.append("error", message=told.message, hint=told.hint)
    log.append("state", state="failed")
    run = runs.refresh_run(run_id)
    assert run.state is RunState.FAILED and "is full" in run.error.message and not reserve.exists()


def test_what_cannot_be_written_is_told_in_one_way(tmp_path: Path) -> None:
    """A full and a read-only disk, met by whoever writes and by whoever explains a crash: one sentence each, with its
    own advice."""
    home = settings.home()
    full, readonly = (
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EROFS, "Read-only file system", str(home / "runs" / "x")),
    )
    assert (
        crash.explain_crash(full).message
        == disk.explain_disk(full, home).message
        == f"The disk that holds {home} is full."
    )
    assert "resume the run" in crash.explain_crash(full).hint and "LORA_HUB_HOME" in disk.explain_disk(full, home).hint
    assert (
        crash.explain_crash(readonly).message == disk.explain_home(readonly).message
        and "cannot be written" in crash.explain_crash(readonly).message
    )
    for error in (crash.explain_crash(full), crash.explain_crash(readonly)):
        check_persian(error)


def test_a_run_that_cannot_be_written_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    short_disk(monkeypatch, [30])
    with pytest.raises(LoraHubError, match="is full"):
        runs.start_runs([make_spec()])
    assert runs.list_runs() == [] and not list(settings.runs_dir().glob("*"))


def test_two_runs_of_one_second_never_share_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["aaaa", "x", "y", "aaaa", "x", "y", "bbbb", "x", "y"])
    monkeypatch.setattr(store.secrets, "token_hex", lambda size: next(drawn))
    monkeypatch.setattr(store.time, "strftime", lambda *_: "20260101-000000")
    held: list[Path] = []
    first, second = store.create_run(make_spec()), store.create_run(make_spec(seed=7), held.append)
    assert (first[-4:], second[-4:]) == ("aaaa", "bbbb") and store.read_spec(first).seed != store.read_spec(
        second
    ).seed == 7
    assert sorted(path.name for path in settings.runs_dir().iterdir()) == sorted([first, second])


def test_a_process_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(local.subprocess, "Popen", no_room)
    with pytest.raises(LoraHubError, match="No process could be started: Resource") as caught:
        runs.start_runs([make_spec()])
    check_persian(caught.value)
    (run,) = runs.list_runs()
    assert run.state is RunState.FAILED and "No process" in run.error.message


# --- whose it is ---


def test_without_an_owner_a_run_that_has_not_ended_is_lost_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = make_run(started(), (WORKER, "metric", {"step": 8, "eval_loss": 1.0}))
    size = store.events_file(run_id).stat().st_size
    run = runs.refresh_run(run_id)
    assert run.state is RunState.LOST and "killed" in run.error.message and "checkpoint, step 8" in run.error.hint
    assert "چک‌پوینت، گام ۸" in run.error.advice.fa
    assert store.events_file(run_id).stat().st_size == size, "a look writes nothing"
    assert "no checkpoint yet" in runs.refresh_run(make_run(started())).error.hint
    other_boot = make_run((WORKER, "handle", {"handle": {"pid": 1, "boot": "another", "ticks": 1}}), started())
    assert "restarted" in runs.refresh_run(other_boot).error.message
    monkeypatch.setattr(disk, "FULL_DISK_BYTES", 1 << 60)
    assert "is full" in runs.refresh_run(run_id).error.message


def test_what_was_said_before_the_end_counts() -> None:
    """Killed between two writes: a true error is not "killed", and what is done is done."""
    error, adapter = FAILED[0], (WORKER, "adapter", {"folder": "adapter", "best_step": 3})
    assert runs.refresh_run(make_run(started(), error)).error.message == "The loss became nan."
    assert runs.refresh_run(make_run(started(), error)).state is RunState.FAILED
    assert runs.refresh_run(make_run(started(), adapter)).state is RunState.SUCCEEDED
    publishing = runs.refresh_run(make_run(started(), adapter, publish_to="lora-hub"))
    assert publishing.state is RunState.LOST and "only publishing is left" in publishing.error.hint
    asked = make_run(started())
    store.ask_cancel(asked)
    assert runs.refresh_run(asked).state is RunState.CANCELLED


@pytest.mark.parametrize("shift", [-86_400.0, 86_400.0])
def test_the_clock_decides_nothing(shift: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set back a day, a dead run is dead and an owned one is alive; a process is known by its ticks and this boot."""
    dead, owned = make_run(started()), make_run(started())
    lock = run_lock.take(store.run_folder(owned))
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + shift)
    assert runs.refresh_run(dead).state is RunState.LOST and runs.refresh_run(owned).state is RunState.RUNNING
    lock.close()
    assert runs.refresh_run(owned).state is RunState.LOST
    mine = processes.identify(os.getpid())
    assert processes.is_alive(mine)
    for other in ({"ticks": mine["ticks"] + 1}, {"ticks": mine["ticks"] - 1}, {"boot": "another"}, {"pid": 2**22 + 1}):
        assert not processes.is_alive({**mine, **other})
    assert not processes.is_alive({})


def test_a_zombie_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    handle = processes.identify(child.pid)
    assert processes.is_alive(handle)
    child.stdin.close()
    until = time.monotonic() + 20
    while processes.is_alive(handle) and time.monotonic() < until:
        time.sleep(0.05)
    assert Path(f"/proc/{child.pid}").exists() and not processes.is_alive(handle)
    child.wait()


def test_a_lock_goes_to_the_child_and_dies_with_it(tmp_path: Path) -> None:
    lock = run_lock.take(tmp_path)
    code = (
        "import sys; from lora_hub.core import run_lock; lock = run_lock.adopt(int(sys.argv[1])); print('has it', "
        "flush=True); input()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(lock.descriptor)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=[lock.descriptor],
        cwd=ROOT,
    )
    lock.close()
    assert child.stdout.readline() == b"has it\n"
    assert run_lock.is_held(tmp_path) and run_lock.take(tmp_path, patience=0) is None
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert not run_lock.is_held(tmp_path)
    with run_lock.take(tmp_path) as again:
        assert again.is_open and run_lock.is_held(tmp_path)
    child.stdin.close()
    child.stdout.close()


RESUME = """
import sys, time
from pathlib import Path
from lora_hub import runs
from lora_hub.core.errors import RunError
Path(sys.argv[2]).touch()
while not Path(sys.argv[3]).exists():
    pass
try:
    runs.resume_run(sys.argv[1])
    print("resumed")
except RunError as error:
    print("refused:", error)
"""


def test_of_several_resumes_at_once_one_goes_on(tmp_path: Path) -> None:
    run_id = make_run(started(), *FAILED)
    go = tmp_path / "go"
    with turns.take_turn(["held by the test"], lambda: False):  # so that the worker waits, and costs nothing
        askers = [
            subprocess.Popen(
                [sys.executable, "-c", RESUME, run_id, str(tmp_path / f"ready-{n}"), str(go)],
                stdout=subprocess.PIPE,
                text=True,
                cwd=ROOT,
            )
            for n in range(4)
        ]
        wait_until(lambda: len(list(tmp_path.glob("ready-*"))) == len(askers))
        go.touch()
        said = sorted(asker.communicate(timeout=120)[0].strip() for asker in askers)
        assert [one.partition(":")[0] for one in said] == ["refused"] * 3 + ["resumed"], said
        assert sum('"attempt":2' in line for line in store.events_file(run_id).read_text().splitlines()) == 1
        assert count_workers(run_id) == 1
        wait_until(lambda: runs.refresh_run(run_id).waits is not None)
        run = runs.refresh_run(run_id)
        assert (
            run.state is RunState.QUEUED
            and run.attempt == 2
            and run.waits == Wait(place=1, before=("held by the test",), slots=1)
        )
        with pytest.raises(RunError, match="is queued"):
            runs.resume_run(run_id)
        assert runs.cancel_run(run_id).state is RunState.CANCELLED
        # Ended, it can be resumed at once, although its process may still be ending.
        assert runs.resume_run(run_id).attempt == 3
        assert runs.cancel_run(run_id).state is RunState.CANCELLED
    wait_until(lambda: count_workers(run_id) == 0)


def test_a_resume_that_waited_out_another_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one's run was cancelled at once: it is final again, and is not what was to be resumed."""
    run_id = make_run(started(), *FAILED)
    own = store.own_run

    def resumed_and_cancelled_meanwhile(run_id: str) -> object:
        log = events.app_log(store.events_file(run_id))
        log.append("state", state=RunState.QUEUED, attempt=2)
        log.append("state", state=RunState.CANCELLED)
        return own(run_id)

    monkeypatch.setattr(store, "own_run", resumed_and_cancelled_meanwhile)
    with pytest.raises(RunError, match="resumed by somebody else a moment ago, and is cancelled"):
        runs.resume_run(run_id)
    assert store.read_run(run_id).attempt == 2 and count_workers(run_id) == 0


def test_a_cancel_ends_no_attempt_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = make_run(started())

    class Runner:
        def cancel(self, handle: dict) -> None:
            events.app_log(store.events_file(run_id)).append("state", state=RunState.QUEUED, attempt=2)

        def kill(self, handle: dict) -> None:
            pytest.fail("somebody else's attempt was killed")

    monkeypatch.setattr(control, "get_runner", lambda name: Runner())
    with store.own_run(run_id), pytest.raises(RunError, match="somebody has resumed it meanwhile"):
        runs.cancel_run(run_id, wait=5)


def test_a_worker_killed_at_its_start_is_lost_and_one_without_a_lock_is_refused(tmp_path: Path) -> None:
    with turns.take_turn(["held by the test"], lambda: False):
        run = runs.start_runs([make_spec()])[0]
        assert run.state is RunState.QUEUED and run.handle["pid"]
        second = subprocess.run(
            [sys.executable, "-m", "lora_hub.runs.worker", run.id],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=120,
        )
        assert second.returncode and "A process works on the run" in second.stderr
        os.kill(run.handle["pid"], signal.SIGKILL)
        wait_until(lambda: not processes.is_alive(run.handle))
        assert runs.refresh_run(run.id).state is RunState.LOST


def count_workers(run_id: str) -> int:
    import psutil

    found = 0
    for process in psutil.process_iter(["cmdline", "status"]):
        command = process.info["cmdline"] or []
        found += (
            "lora_hub.runs.worker" in command and run_id in command and process.info["status"] != psutil.STATUS_ZOMBIE
        )
    return found


def wait_until(condition, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


# --- the line ---

STAND = """
import sys
from lora_hub.runs import turns
def tell(wait):
    print("waits", wait.place, *wait.before, wait.slots, flush=True)
with turns.take_turn([sys.argv[1]], lambda: False, tell):
    print("trains", flush=True)
    input()
"""


class Standing:
    """A process in the line."""

    def __init__(self, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", STAND, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def said(self) -> str:
        return self.process.stdout.readline().strip()

    def end(self, kill: bool = False) -> None:
        if kill:
            self.process.kill()
        else:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.mark.parametrize("slots", [1, 2])
def test_first_come_first_served_and_the_dead_stand_in_nobodys_way(slots: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORA_HUB_SLOTS", str(slots))
    training = []
    for number in range(slots):
        training.append(Standing(f"t{number}"))
        assert training[-1].said() == "trains"
    names = " ".join(f"t{number}" for number in range(slots))
    first = Standing("a")
    assert first.said() == f"waits 1 {names} {slots}"
    second = Standing("b")
    assert second.said() == f"waits 2 {names} a {slots}"
    third = Standing("c")
    assert third.said() == f"waits 3 {names} a b {slots}"
    first.end(kill=True)
    assert second.said() == f"waits 1 {names} {slots}"
    training[0].end(kill=True)  # killed in the middle of its training
    assert second.said() == "trains"
    for one in (*training[1:], second):
        one.end()
    while (said := third.said()) != "trains":
        assert said.startswith("waits")
    third.end()
    assert [name for name in os.listdir(settings.runs_dir() / ".line") if name.isdigit()] == []


def test_who_is_cancelled_leaves_the_line() -> None:
    with turns.take_turn(["first"], lambda: False):
        with pytest.raises(turns.Cancelled), turns.take_turn(["second"], lambda: True):
            pass
        assert len([name for name in os.listdir(settings.runs_dir() / ".line") if name.isdigit()]) == 1


# --- damaged ones ---


def spoil(run_id: str, how: str) -> None:
    folder = store.run_folder(run_id)
    spec = folder / "spec.json"
    data = json.loads(spec.read_text())
    if how in ("empty", "zeros", "cut", "no UTF-8", "a list"):
        spec.write_bytes(
            {
                "empty": b"",
                "zeros": b"\0" * 900,
                "cut": spec.read_bytes()[:300],
                "no UTF-8": b"\xff\xfe" * 50,
                "a list": b"[1]",
            }[how]
        )
    elif how == "newer":
        spec.write_text(json.dumps({**data, "version": 2, "optimizer": {"name": "x"}}))
    elif how == "newer field":
        spec.write_text(json.dumps({**data, "optimizer": "x"}))
    elif how == "bad value":
        spec.write_text(json.dumps({**data, "lr": -3}))
    elif how == "missing":
        spec.unlink()
    elif how == "folder":
        spec.unlink()
        spec.mkdir()
    elif how == "events are a folder":
        store.events_file(run_id).unlink()
        store.events_file(run_id).mkdir()


SAID = {
    "empty": "is empty",
    "zeros": "is empty",
    "cut": "cut off or no JSON",
    "no UTF-8": "cut off or no JSON",
    "a list": "is damaged",
    "newer": "newer version of LoRA Hub (version 2",
    "newer field": "newer version of LoRA Hub (it has optimizer",
    "bad value": "lr: it must be greater than 0",
    "missing": "has no spec.json",
    "folder": "cannot be read: Is a directory",
    "events are a folder": "cannot be read: Is a directory",
}


@pytest.mark.parametrize("how", SAID)
def test_one_damaged_run_is_one_damaged_line(how: str, capsys: pytest.CaptureFixture) -> None:
    adapter = (WORKER, "adapter", {"folder": "adapter", "best_step": 3})
    good, bad, other = (
        make_run(started(), *FAILED),
        make_run(started(), adapter, name="mine"),
        make_run(started(), adapter),
    )
    reader = RunReader()
    assert len(runs.list_runs(reader)) == 3
    spoil(bad, how)
    for listed in (runs.list_runs(reader), runs.list_runs()):
        by_id = {run.id: run for run in listed}
        assert (
            set(by_id) == {good, bad, other}
            and by_id[good].state is RunState.FAILED
            and by_id[other].state is RunState.SUCCEEDED
        )
        damaged = by_id[bad]
        assert damaged.state is RunState.DAMAGED and SAID[how] in damaged.error.message, damaged.error
        check_persian(LoraHubError(damaged.error.said, damaged.error.advice))
        assert damaged.created > 0
        for language in ("en", "fa"):
            assert bad in render_runs.runs_list(listed, bad, language) and render_runs.run_head(damaged, language)
    if how not in ("events are a folder",):
        assert damaged.adapter_folder == "adapter", "what can be read is shown"
        for act in (runs.resume_run, runs.publish_run, store.read_spec):
            with pytest.raises(RunError) as caught:
                act(bad)
            assert SAID[how] in caught.value.message
    if how in ("newer", "newer field", "bad value"):
        assert damaged.spec.name == "mine" and damaged.spec.task.id == "spam"
    with pytest.raises(RunError):
        runs.cancel_run(bad)
    assert cli.main(["runs", "--json"]) == 0
    rows = {row["run"]: row for row in json.loads(capsys.readouterr().out)["runs"]}
    assert (
        rows[bad]["state"] == "damaged"
        and SAID[how] in rows[bad]["error"]["message"]
        and rows[good]["state"] == "failed"
    )
    assert cli.main(["runs"]) == 0
    assert SAID[how] in capsys.readouterr().out
    assert cli.main(["runs", "show", bad]) == 0


def test_a_damaged_run_that_is_put_right_is_a_run_again() -> None:
    run_id, reader = make_run(started(), *FAILED), RunReader()
    spec = store.run_folder(run_id) / "spec.json"
    text = spec.read_bytes()
    spec.write_bytes(text[:50])
    assert runs.list_runs(reader)[0].state is RunState.DAMAGED
    spec.write_bytes(text)
    assert runs.list_runs(reader)[0].state is RunState.FAILED


def test_compare_finds_its_base_past_a_damaged_run() -> None:
    from lora_hub.answering import adapter_base
    from lora_hub.core.errors import AdapterError
    from lora_hub.core.schema import BaseModel

    spoil(make_run(started()), "cut")
    with pytest.raises(AdapterError):
        adapter_base.base_of_record("x", BaseModel(id="mine", fingerprint="1" * 64))


def test_what_is_no_run_is_not_listed() -> None:
    run_id = make_run(started())
    for name in ("empty", ".making", "UPPER"):
        (settings.runs_dir() / name).mkdir()
    (settings.runs_dir() / "a-file").write_text("x")
    (settings.runs_dir() / "dangling").symlink_to("nowhere")
    assert store.list_run_ids() == [run_id]


def test_listing_needs_no_writable_home() -> None:
    """As a user who may read and not write; root may write anywhere, so a process without that right looks."""
    run_id = make_run(started())
    code = (
        "import json, sys; from lora_hub import runs; print(json.dumps([[run.id, run.state] for run in "
        "runs.list_runs()]))"
    )
    home = settings.home()
    for folder in [home, *home.rglob("*")]:
        folder.chmod(0o555 if folder.is_dir() else 0o444)
    try:
        drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        for parent in home.parents:
            if os.geteuid() == 0 and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o055)
        seen = subprocess.run(
            [*drop, sys.executable, "-B", "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120
        )
        if drop and seen.returncode and ("Permission denied" in seen.stderr or "setpriv" in seen.stderr):
            pytest.skip(f"no other user can run this Python here: {seen.stderr[-200:]}")
        assert json.loads(seen.stdout) == [[run_id, "lost"]], seen.stderr
    finally:
        for folder in [home, *home.rglob("*")]:
            folder.chmod(0o755)


def test_a_look_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(started())
    make_run(started(), *FAILED)

    def files() -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_size)
            for path in [settings.home(), *settings.home().rglob("*")]
        }

    before = files()
    assert len(runs.list_runs()) == 2
    assert files() == before


# --- reading again ---


def test_only_what_is_new_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id, reader = make_run(started()), RunReader()
    added: list[str] = []
    add = events.Folding.add
    monkeypatch.setattr(events.Folding, "add", lambda self, event: (added.append(event["kind"]), add(self, event)))
    lock = run_lock.take(store.run_folder(run_id))
    first = runs.refresh_run(run_id, reader)
    assert added == ["submitted", "state", "state"]
    assert runs.refresh_run(run_id, reader) is first and len(added) == 3
    log = events.EventLog(store.events_file(run_id), WORKER)
    log.append("metric", step=1, loss=2.0)
    assert runs.refresh_run(run_id, reader).train_losses == ((1, 2.0),) and len(added) == 4
    # A half-written line waits for its end.
    whole = (events.to_line(log.append("metric", step=2, loss=1.0)) + "\n").encode()
    path = store.events_file(run_id)
    text = path.read_bytes()
    path.write_bytes(text[: -len(whole) // 2])
    runs.refresh_run(run_id, reader)
    with path.open("ab") as file:
        file.write(text[-len(whole) // 2 :])
    assert runs.refresh_run(run_id, reader).train_losses == ((1, 2.0), (2, 1.0))
    lock.close()


def test_another_file_is_read_anew() -> None:
    run_id, reader = make_run(started(), *FAILED), RunReader()
    path = store.events_file(run_id)
    text = path.read_text()
    assert runs.refresh_run(run_id, reader).state is RunState.FAILED
    path.write_text("\n".join(text.splitlines()[:2]) + "\n")  # shorter
    assert runs.refresh_run(run_id, reader).state is RunState.LOST
    other = path.with_name("other")
    other.write_text(text)
    other.replace(path)  # another inode
    assert runs.refresh_run(run_id, reader).state is RunState.FAILED
    changed = text.replace("The loss became nan.", "The loss became one.")
    path.write_text(changed + text)  # longer, and not the same at its beginning
    assert runs.refresh_run(run_id, reader).error.message in ("The loss became one.", "The loss became nan.")
    path.unlink()
    assert runs.refresh_run(run_id, reader).state is RunState.LOST


def test_a_removed_run_is_forgotten() -> None:
    kept, gone, reader = make_run(started()), make_run(started()), RunReader()
    assert len(runs.list_runs(reader)) == 2
    store.remove_run(gone)
    assert [run.id for run in runs.list_runs(reader)] == [kept] and list(reader._known) == [kept]


# --- what is said of each state ---


def test_runs_before_mine_that_i_may_not_see_are_counted() -> None:
    def said(*before: str, place: int, slots: int = 1) -> str:
        run = Run(id="r", spec=make_spec(), waits=Wait(place=place, before=before, slots=slots))
        return run_states.describe(run).in_language("en")

    assert "Training now: 1 run of others. Then: mine." in said("", "mine", place=2)
    assert "Training now: mine. Then: 2 runs of others." in said("mine", "", "", place=3)


@pytest.mark.parametrize("language", ["en", "fa"])
def test_each_state_says_what_why_and_what_next(language: str) -> None:
    base = Run(id="r", spec=make_spec(), step=5, total_steps=10, eval_losses=((0, 3.0), (4, 2.0)))
    waits = Wait(place=2, before=("run-a", "run-b", "run-c"), slots=2)
    states = {
        "queued": (base, ["started"], ["شروع"]),
        "waiting": (
            base.model_copy(update={"waits": waits}),
            ["Place 2", "LORA_HUB_SLOTS = 2", "now: run-a, run-b", "Then: run-c"],
            ["جایگاه ۲", "run-a", "run-c", "LORA_HUB_SLOTS = 2"],
        ),
        "cancelling": (
            base.model_copy(update={"state": RunState.RUNNING, "cancelling": True}),
            ["next step", "Resume"],
            ["گام بعد"],
        ),
        "cancelled": (
            base.model_copy(update={"state": RunState.CANCELLED}),
            ["step 5 of 10", "last checkpoint, step 4"],
            ["گام ۵ از ۱۰", "گام ۴"],
        ),
        "succeeded": (base.model_copy(update={"state": RunState.SUCCEEDED}), ["Publish"], ["منتشر"]),
    }
    for name, (run, english, persian) in states.items():
        head = render_runs.run_head(run, language)
        for words in english if language == "en" else persian:
            assert words in head.replace("<bdi>", "").replace("</bdi>", ""), (name, words, head)
        check_sentence(run_states.describe(run).fa)
    assert ("cancelling" if language == "en" else "در حال لغو") in render_runs.state_badge(
        states["cancelling"][0], language
    )


def test_all_rows_are_accounted_for_on_the_page() -> None:
    run = Run(id="r", spec=make_spec(), file_rows=400, train_rows=310, validation_rows=28, eval_rows=52, left_out=10)
    assert (
        "400 rows: 310 trained on, 28 choose the checkpoint (validation), 52 scored (test), 10 left out"
        in render_runs.run_head(run, "en")
    )
    shown = render_runs.run_head(run, "fa")
    assert all(number in shown for number in ("۴۰۰", "۳۱۰", "۲۸", "۵۲", "۱۰"))


def test_before_the_first_step_no_share_is_shown() -> None:
    run = Run(id="r", spec=make_spec(), state=RunState.RUNNING, started=time.time(), phase="tokenizing (500 of 1000)")
    assert "0%</b>" not in render_runs.run_head(
        run, "en"
    ) and "turning the rows into tokens (500 of 1000)" in render_runs.run_head(run, "en")


def test_a_training_that_gained_nothing_over_its_start_is_told_so() -> None:
    from lora_hub.core.parent_noun import Parent

    spec = make_spec(parent=Parent(repo_id="org/spam", version="v2"))
    run = Run(id="r", spec=spec, eval_losses=((0, 0.11), (10, 0.2), (20, 0.12)))
    said = run_states.start_was_better(run)
    assert "org/spam@v2 was better before the first step (loss 0.1100)" in said.en and "0.1200 at the best" in said.en
    check_sentence(said.fa)
    better = run.model_copy(update={"eval_losses": ((0, 0.11), (10, 0.1))})
    alone = run.model_copy(update={"spec": make_spec()})
    assert run_states.start_was_better(better) is None and run_states.start_was_better(alone) is None


def test_advice_to_train_longer_only_where_the_loss_still_fell() -> None:
    def advised(*losses: float, **changes: object) -> str:
        pairs = tuple((10 * place, loss) for place, loss in enumerate(losses))
        step = pairs[-1][0]
        run = Run(id="r", spec=make_spec(epochs=3, steps=0), step=step, total_steps=step, eval_losses=pairs).model_copy(
            update=changes
        )
        said = run_states.train_longer(run)
        if said:
            check_sentence(said.fa)
        return said.en if said else ""

    assert "Try 6 epochs" in advised(3, 2, 1) and "(2.0000, then 1.0000)" in advised(3, 2, 1)
    assert "Try 40 steps" in advised(3, 2, 1, spec=make_spec(steps=20))
    assert (
        not advised(3, 2, 1.999)
        and not advised(3, 1, 1.5)
        and not advised(3, 2, 1, stopped="patience")
        and not advised(3, 2, 1, total_steps=90)
    )
    assert not advised(3, 1)
    assert not advised(3, 0.0005, 0.0004), "nothing is left to learn"
    assert not advised(3, 2, 1, validation_rows=4) and advised(3, 2, 1, validation_rows=10), "so few say nothing"


def test_early_stops_are_told() -> None:
    said = run_states.stopped_early("patience", 108, 160, 3, 81, 0.1234)
    assert (
        "step 108 of 160" in said.en
        and "did not fall for 3 evaluations" in said.en
        and "step 81, loss 0.1234" in said.en
    )
    check_sentence(said.fa)
    check_sentence(run_states.stopped_early("learnt", 40, 160, 3, 40, 0.004).fa)


def test_the_log_of_a_group_member_that_was_resumed_alone_has_both() -> None:
    first = make_run((WORKER, "handle", {"handle": {"pid": 1, "boot": "x", "ticks": 1, "group": ["FIRST", "r"]}}))
    second = make_run(
        (WORKER, "handle", {"handle": {"pid": 1, "boot": "x", "ticks": 1, "group": [first, "r"]}}),
        ("app-2", "handle", {"handle": {"pid": 2, "boot": "x", "ticks": 2}}),
    )
    store.log_file(first).write_text("of both\n")
    assert runs.read_log(second) == "of both"
    store.log_file(second).write_text("of it alone\n")
    assert runs.read_log(second) == "of both\nof it alone"
    store.remove_run(first)
    assert runs.read_log(second) == "of it alone"


def test_garbage_is_collected_again_once_the_libraries_are_loaded() -> None:
    with pytest.raises(KeyError), processes.uncollected():
        with processes.uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()
    gc.unfreeze()
