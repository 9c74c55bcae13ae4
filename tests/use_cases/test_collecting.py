"""What nobody needs is removed: checkpoints of runs that have succeeded, refused files, what was left half done. And a
run is not deleted under whoever publishes it."""

import contextlib
import itertools
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from persian import refused
from test_run_folders import make_run, make_spec

from lora_hub import runs, use_cases
from lora_hub.core import run_lock, settings, store
from lora_hub.core.errors import AccessError, DataError, RunError
from lora_hub.people import LOCAL, Person, limits, policy
from lora_hub.runs.owner import Owner
from lora_hub.use_cases import collecting

WILL = Person(id="will", roles={"lora-hub": "write"}, token="hf_of_will")
WORKER = "worker-7-1"


def run_in(state: str, *more: tuple, **changes: object) -> str:
    """A run of that state, with a checkpoint and an adapter."""
    run_id = make_run((WORKER, "state", {"state": state}), *more, **changes)
    for name in ("checkpoints/checkpoint-5", "adapter"):
        (store.run_folder(run_id) / name).mkdir(parents=True)
        (store.run_folder(run_id) / name / "adapter_model.safetensors").write_bytes(b"x" * 1000)
    return run_id


def has_checkpoints(run_id: str) -> bool:
    return (store.run_folder(run_id) / "checkpoints").exists()


def age(*paths: Path, hours: float = 2) -> None:
    then = time.time() - hours * 3600
    for top in paths:
        for path in (*top.rglob("*"), top):
            os.utime(path, (then, then))


def test_checkpoints_go_with_success_and_nothing_else() -> None:
    """The worker removes them while the run is still its own; what it could not, the app does."""
    for state, told in (
        ("succeeded", ()),
        ("failed", ((WORKER, "error", {"message": "no", "hint": ""}),)),
        ("cancelled", ()),
    ):
        run_id = make_run((WORKER, "state", {"state": "running"}))
        (store.run_folder(run_id) / "checkpoints").mkdir()
        owner = Owner(run_id)
        for _source, kind, data in told:
            owner.report(kind, **data)
        owner.report("state", state=state)
        owner.end()
        assert runs.refresh_run(run_id).state == state and has_checkpoints(run_id) is (state != "succeeded")


def test_older_checkpoints_of_runs_that_succeeded_are_collected() -> None:
    done, ending = run_in("succeeded"), run_in("succeeded")
    kept = [run_in(state) for state in ("failed", "cancelled", "running")]
    with store.own_run(ending):  # its worker does it itself
        assert collecting.collect_checkpoints() == 1
        assert not has_checkpoints(done) and has_checkpoints(ending)
    assert collecting.collect_checkpoints() == 1 and not has_checkpoints(ending)
    assert all(map(has_checkpoints, kept)) and collecting.collect_checkpoints() == 0
    assert (store.run_folder(done) / "adapter" / "adapter_model.safetensors").is_file()
    assert runs.refresh_run(done).state == "succeeded"


def test_what_was_left_half_done_goes_after_a_while(tmp_path: Path) -> None:
    upload = tmp_path / "rows.csv"
    upload.write_text("text,label\na,b\n")
    kept = use_cases.add_dataset(LOCAL, upload)
    tests = settings.home() / "tests"
    (tests / "spam-3-ab" / "answers").mkdir(parents=True)
    left = [
        settings.runs_dir() / ".spam-1.77.abcd",
        store.uploads_dir() / "0a1b",
        tests / ".spam-1-ab.gone",
        tests / ".spam-2-ab",
        tests / "spam-3-ab" / "answers" / ".0.jsonl.77.abcd",
        kept.with_name(".rows.csv.0a1b"),
        use_cases.add_dataset(WILL, upload).with_name(".rows.csv.0a1b"),
    ]
    for place, path in enumerate(left):
        if place < 4:
            path.mkdir(parents=True)
            (path / "spec.json").write_text("{}")
        else:
            path.write_text("text,la")
    assert collecting.collect_leftovers(time.time() - 3600) == 0, "somebody may be writing it"
    line, turn = settings.runs_dir() / ".line", tests / ".turn"  # whose turn it is
    line.mkdir(), turn.touch()
    age(*left, kept.parent, line, turn)
    assert collecting.collect_leftovers(time.time() - 3600) == len(left)
    assert not any(path.exists() for path in left) and kept.is_file() and line.is_dir() and turn.is_file()


def test_a_file_that_cannot_be_read_is_not_kept(tmp_path: Path) -> None:
    upload, used = tmp_path / "rows.csv", tmp_path / "used.csv"
    upload.write_text("text,label\na,b\n"), used.write_text("text,label\nc,d\n")

    def refuse(*_: object, **__: object) -> None:
        raise DataError(make_spec().task.title.en)

    broken, fine = SimpleNamespace(read=refuse, inspect=refuse), SimpleNamespace(read=lambda *_, **__: 1)
    for person in (LOCAL, WILL):
        kept, trained = use_cases.add_dataset(person, upload), use_cases.add_dataset(person, used)
        owner = "" if person is LOCAL else person.id
        info = make_spec().dataset.model_copy(update={"owner": owner, "fingerprint": trained.parent.name})
        make_run(dataset=info)
        for file in (kept, trained):
            with pytest.raises(DataError):
                use_cases.read_dataset(person, broken, file)
            age(file.parent)
        # Read with another encoding, say: it is a dataset like any other.
        assert use_cases.read_dataset(person, fine, kept) == 1
        age(kept.parent)
        assert collecting.collect_leftovers(time.time() - 3600) == 0 and kept.is_file()
        with pytest.raises(DataError):
            use_cases.inspect_dataset(person, broken, kept, None)
        assert collecting.collect_leftovers(time.time() - 3600) == 0, "they may be looking for its encoding"
        age(kept.parent)
        assert collecting.collect_leftovers(time.time() - 3600) == 1
        assert not kept.exists() and trained.is_file(), "a run was made of it"
    with pytest.raises(DataError):
        use_cases.read_dataset(LOCAL, broken, upload)
    assert [*tmp_path.glob(".*")] == [], "whoever names a file of their own keeps it as it is"


def test_who_sits_at_the_machine_removes_what_they_want(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without sign-in the client's cache and the files are theirs, also where nothing has used them for long."""
    upload = tmp_path / "rows.csv"
    upload.write_text("text,label\na,b\n")
    kept = use_cases.add_dataset(LOCAL, upload)
    age(kept.parent, hours=24 * 100)
    monkeypatch.setattr("lora_hub.hub.drop_adapters", lambda before: pytest.fail("the cache is theirs"))
    assert collecting.collect_all(time.time()) == {"checkpoints": 0, "leftovers": 0} and kept.is_file()


def test_a_run_is_not_deleted_under_whoever_publishes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = (WORKER, "adapter", {"folder": "adapter", "best_step": 5, "stopped": ""})
    run_id = run_in("succeeded", trained)
    said = []

    def publish(run: object, *_: object, **__: object) -> str:
        with refused(RunError, match="is being published at this moment") as told:
            use_cases.delete_run(LOCAL, run_id)
        said.append(str(told.value))
        assert store.run_folder(run_id).is_dir()
        return "published"

    monkeypatch.setattr("lora_hub.runs.publishing.publish_adapter", publish)
    assert use_cases.publish_run(LOCAL, run_id) == "published" and len(said) == 1
    # The other way round: whoever deletes it has it alone.
    lock = run_lock.take_from_publishers(store.run_folder(run_id))
    with lock, refused(RunError, match="is being deleted"):
        use_cases.publish_run(LOCAL, run_id)
    use_cases.delete_run(LOCAL, run_id)
    with refused(RunError, match="There is no run"):
        use_cases.publish_run(LOCAL, run_id)
    assert list(settings.runs_dir().glob("*")) == []


def test_a_run_is_not_deleted_under_whoever_resumes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = run_in("failed")
    monkeypatch.setattr(run_lock, "ENDING_SECONDS", 0.0)
    with store.own_run(run_id), refused(RunError, match="A process works on the run"):  # it has not said a word yet
        use_cases.delete_run(LOCAL, run_id)
    assert has_checkpoints(run_id)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: (_ for _ in ()).throw(OSError(5, "cut off")))
    with pytest.raises(OSError, match="cut off"):
        use_cases.delete_run(LOCAL, run_id)
    monkeypatch.undo()
    assert store.list_run_ids() == [], "one that was cut off is in no list"


# --- room ---


def test_of_two_uploads_at_once_one_finds_the_last_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Room is taken before a file is read, whichever way it comes; what fails gives it back."""
    policy.write(policy.Policy(disk_mb=0.01, upload_mb=0.008))
    text = "text,label\n" + "some row of it,a\n" * 400  # 6,811 bytes: one fits, two do not
    upload = tmp_path / "rows.csv"
    upload.write_text(text)
    store_it, said, numbers, both = store.add_dataset, [], itertools.count(), threading.Barrier(2, timeout=30)

    def add(*arguments: object, **named: object) -> Path:
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.5)  # the other one comes as far as this, where nothing keeps it from that
        return store_it(*arguments, **named)

    def ask(what: Callable[[], object]) -> None:
        try:
            said.append(what())
        except AccessError as error:
            said.append(error)

    def fetch(name: str, *, owner: str = "", most_bytes: int = 0, **named: object) -> Path:
        file = tmp_path / f"{next(numbers)}.csv"
        file.write_text(text + f"row {file.name},a\n")
        return store.add_dataset(file, "fetched.csv", owner)

    monkeypatch.setattr("lora_hub.hub.fetch_dataset", fetch)
    ways = (
        lambda: use_cases.add_dataset(WILL, upload),
        lambda: use_cases.add_text(WILL, text + "a,b\n", "pasted.csv"),
        lambda: use_cases.fetch_dataset(WILL, "some/rows"),
    )
    folder = settings.datasets_dir("will")
    for first in ways:
        for second in ways:
            said.clear(), both.reset()
            with monkeypatch.context() as slow:
                slow.setattr(store, "add_dataset", add)
                threads = [threading.Thread(target=ask, args=(what,)) for what in (first, second)]
                [thread.start() for thread in threads], [thread.join() for thread in threads]
            fine, wrong = sorted(said, key=lambda one: isinstance(one, AccessError))
            assert fine.is_file() and "does not fit" in str(wrong), said
            assert limits.bytes_below(folder) < 10_000 and not list(folder.glob(".*")), "the room is given back"
            shutil.rmtree(folder)

    monkeypatch.setattr(store, "add_dataset", lambda *_: (_ for _ in ()).throw(DataError(make_spec().task.title.en)))
    for _try in range(3):
        with pytest.raises(DataError):
            use_cases.add_dataset(WILL, upload)
    assert limits.bytes_below(folder) == 0
