"""A person's data: seen and deleted by themselves, file by file or all of it, and by admins; by nobody else."""

import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from persian import refused
from test_run_folders import make_run, make_spec

from lora_hub import runs, use_cases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import settings, store
from lora_hub.core.errors import AccessError, DataError, HubError, RunError
from lora_hub.core.schema import DataPart
from lora_hub.data.combining import OneFile
from lora_hub.data.inspector import Inspector
from lora_hub.people import LOCAL, Person
from lora_hub.use_cases import collecting, datasets


def person(name: str, role: str = "write") -> Person:
    return Person(id=name, roles={"lora-hub": role}, token=f"hf_of_{name}")


WILL, EVE, ADA = person("will"), person("eve"), person("ada", "admin")
WORKER = "worker-7-1"


def add(who: Person, folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(f"text,label\n{text},x\n")
    kept = use_cases.add_dataset(who, folder / name)
    return f"{kept.parent.name}/{name}"


def run_of(who: Person, file: str = "", state: str = "succeeded", adapter: str = "") -> str:
    """A run that was made of one of their files."""
    owner, info = "" if who is LOCAL else who.id, make_spec().dataset
    info = info.model_copy(update={"owner": owner, "fingerprint": file.partition("/")[0] or info.fingerprint})
    ref = {"repo_id": adapter, "revision": "c" * 40, "base": "b", "task": "spam"}
    published = [(WORKER, "adapter", {"published": ref})] if adapter else []
    return make_run(
        ("app-1", "submitted", {"owner": who.id}), *published, (WORKER, "state", {"state": state}), dataset=info
    )


@pytest.mark.parametrize("who", [WILL, LOCAL], ids=["will", "local"])
def test_a_file_is_listed_and_deleted_by_its_owner(who: Person, tmp_path: Path) -> None:
    mine, other = add(who, tmp_path, "mine.csv", "a"), add(EVE, tmp_path, "hers.csv", "b")
    again = add(who, tmp_path, "same.csv", "a")
    run_id = run_of(who, mine)
    listed = {one.id: one for one in use_cases.list_datasets(who)}
    assert listed.keys() == {mine, again} and listed[mine].runs == (run_id,) and listed[mine].size == 15
    for name in (other, "0" * 16 + "/x.csv", mine.replace("mine", "another"), f"{mine.partition('/')[0]}/../x"):
        with refused(DataError, match="no file"):
            use_cases.delete_dataset(who, name)
    with refused(DataError, match="no dataset of this app"):
        use_cases.delete_dataset(who, "../../runs/x")
    going = run_of(who, mine, "running")
    with store.own_run(going), refused(RunError, match="have not ended"):
        use_cases.delete_dataset(who, mine)
    use_cases.delete_run(who, going)
    use_cases.delete_dataset(who, mine)
    assert [one.id for one in use_cases.list_datasets(who)] == [again], "the same bytes under another name"
    use_cases.delete_dataset(who, again)
    assert use_cases.list_datasets(who) == [] and not list(
        settings.datasets_dir("" if who is LOCAL else who.id).iterdir()
    )
    assert [one.id for one in use_cases.list_datasets(EVE)] == [other] and use_cases.refresh_run(who, run_id)


def test_files_that_became_one_dataset_name_the_runs_made_of_them(tmp_path: Path) -> None:
    first = add(WILL, tmp_path, "first.csv", "a")
    part = DataPart(name="first.csv", fingerprint=first.partition("/")[0], rows=1)
    info = make_spec().dataset.model_copy(update={"owner": WILL.id, "parts": (part,)})
    run_id = make_run(("app-1", "submitted", {"owner": WILL.id}), dataset=info)
    (listed,) = use_cases.list_datasets(WILL)
    assert listed.id == first and listed.runs == listed.together == (run_id,)


@pytest.mark.parametrize("who", [WILL, LOCAL], ids=["will", "local"])
def test_what_files_were_put_together_to_belongs_to_its_runs(who: Person, tmp_path: Path) -> None:
    """Not to what the person brought; without a run it goes once it is superseded, and before long anyway."""
    owner, inspector = "" if who is LOCAL else who.id, Inspector()
    first, second, third = (add(who, tmp_path, f"{name}.csv", name) for name in ("one", "two", "three"))

    def combine(*names: str) -> Path:
        files = [OneFile(use_cases.open_dataset(who, name)) for name in names]
        return use_cases.combine_datasets(who, inspector, files, catalogue.get_task("spam"))[0]

    def listed() -> dict[str, bool]:
        return {one.name: one.combined for one in use_cases.list_datasets(who)}

    brought = dict.fromkeys(("one.csv", "two.csv", "three.csv"), False)
    tried, trained = combine(first, second), combine(first, second, third)
    assert tried.is_file() and trained.is_file() and listed() == brought
    info = make_spec().dataset
    parts = [DataPart(name=name, fingerprint=name.partition("/")[0], rows=1) for name in (first, second, third)]
    run_id = make_run(
        dataset=info.model_copy(update={"owner": owner, "fingerprint": trained.parent.name, "parts": tuple(parts)})
    )
    assert listed() == brought | {trained.name: True}
    then = time.time() - 3601
    for file in [tried, trained, *(use_cases.open_dataset(who, name) for name in (first, second, third))]:
        os.utime(file, (then, then))
        os.utime(file.parent, (then, then))
    combine(second, third)
    assert not tried.parent.exists() and trained.is_file()
    assert collecting.collect_unused(time.time() + 99 * 86400) == (0 if who is LOCAL else 1), "only that without a run"
    assert listed() == brought | {trained.name: True}
    damaged = make_run()
    (store.run_folder(damaged) / "spec.json").write_text("{")
    (store.run_folder(run_id) / "spec.json").rename(tmp_path / "spec.json")
    assert collecting.collect_leftovers(time.time() + 9) == 0, "what a damaged run was made of is not known"
    (tmp_path / "spec.json").rename(store.run_folder(run_id) / "spec.json")
    shutil.rmtree(store.run_folder(damaged))
    tried = combine(first, second)
    use_cases.add_dataset(who, tried)  # named where it lies, as the shell does
    assert listed() == brought | {trained.name: True}
    again = use_cases.add_dataset(who, shutil.copy(tried, tmp_path))  # downloaded, say, and brought back
    shutil.rmtree(store.run_folder(run_id))
    collecting.collect_leftovers(time.time() + 9)
    assert not trained.exists() and again == tried and listed() == brought | {tried.name: False}


def test_a_combined_file_that_is_needed_or_brought_meanwhile_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the runs are listed somebody starts from it; or brings the very same file just before it goes."""
    folder, list_runs = settings.datasets_dir(), collecting.runs.list_runs
    kept, other = (runs.keep_combined(f"text,label\n{name},x\n", f"{name}.csv") for name in ("a", "b"))
    for file in (kept, other):
        os.utime(file, (1, 1))
    monkeypatch.setattr(collecting.runs, "list_runs", lambda: runs.still_needed(kept) and list_runs())
    before = time.time() - 60
    assert collecting.collect_combined(before, folder) == 1 and kept.is_file() and not other.parent.exists()
    copy, mark_brought = shutil.copy(kept, tmp_path), runs.mark_brought
    monkeypatch.setattr(
        datasets.runs, "mark_brought", lambda file: runs.remove_combined(file, time.time() + 9) and mark_brought(file)
    )
    assert use_cases.add_dataset(LOCAL, copy) == kept and kept.is_file() and not runs.is_combined(kept)
    monkeypatch.setattr("lora_hub.hub.fetch_dataset", lambda *given, **named: again)
    monkeypatch.setattr(datasets.runs, "mark_brought", mark_brought)
    again = runs.keep_combined("text,label\nc,x\n", "c.csv")
    assert use_cases.fetch_dataset(LOCAL, "o/c") == again and not runs.is_combined(again), "the Hub has the same one"


def test_all_of_it_goes_and_nothing_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("lora_hub.hub.delete_adapter", lambda name, version="": asked.append(name))
    files = {who.id: add(who, tmp_path, "rows.csv", who.id) for who in (WILL, EVE, LOCAL)}
    mine = [run_of(WILL, files[WILL.id], adapter="lora-hub/one"), run_of(WILL, files[WILL.id], "failed")]
    others = [run_of(who, files[who.id], adapter="lora-hub/two") for who in (EVE, LOCAL)]
    found = use_cases.look_at_data(WILL)
    assert (found.owner, set(found.runs), found.adapters) == ("will", set(mine), ("lora-hub/one",))
    assert [one.id for one in found.files] == [files[WILL.id]] and found.size > 1000
    assert use_cases.delete_data(WILL) == found
    assert asked == [] and set(store.list_run_ids()) == set(others) and not (settings.people_dir() / "will").exists()
    assert use_cases.look_at_data(WILL).runs == () and use_cases.delete_data(WILL).files == ()
    for who in (EVE, LOCAL):
        assert [one.id for one in use_cases.look_at_data(who).files] == [files[who.id]]
    assert use_cases.delete_data(LOCAL, adapters=True).adapters == ("lora-hub/two",) and asked == ["lora-hub/two"]
    assert [one.id for one in use_cases.list_datasets(EVE)] == [files[EVE.id]] and use_cases.list_datasets(LOCAL) == []


def test_anothers_data_is_for_admins(tmp_path: Path) -> None:
    file, run_id = add(WILL, tmp_path, "rows.csv", "a"), run_of(WILL)
    local = run_of(LOCAL)
    for ask in (use_cases.look_at_data, use_cases.delete_data):
        with refused(AccessError, match="Only admins of lora-hub"):
            ask(EVE, "will")
        with refused(AccessError, match="whoever sits at the machine"):
            ask(ADA, "local")
        with refused(AccessError, match="whoever sits at the machine"):
            ask(person("local", "admin"))
        for wrong in ("../will", "a/b", ".."):
            with refused(DataError, match="nobody's name"):
                ask(ADA, wrong)
    assert use_cases.look_at_data(ADA, "will").runs == (run_id,)
    assert [one.id for one in use_cases.delete_data(ADA, " will ").files] == [file]
    assert store.list_run_ids() == [local] and use_cases.list_datasets(WILL) == []


def test_nothing_goes_where_not_all_may_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that trains, or a Hub that refuses, ends it before anything is deleted."""
    file, done = add(WILL, tmp_path, "rows.csv", "a"), run_of(WILL, adapter="lora-hub/one")
    going = run_of(WILL, state="running")

    def refuse(*_: object) -> None:
        raise HubError(make_spec().task.title.en)

    monkeypatch.setattr("lora_hub.hub.delete_adapter", refuse)
    with store.own_run(going), refused(RunError, match=f"have not ended: {going}"):
        use_cases.delete_data(WILL)
    with pytest.raises(HubError):
        use_cases.delete_data(WILL, adapters=True)
    assert {done, going} == set(store.list_run_ids()) and [one.id for one in use_cases.list_datasets(WILL)] == [file]
    use_cases.read_dataset(WILL, SimpleNamespace(read=lambda file: 1), use_cases.open_dataset(WILL, file))
