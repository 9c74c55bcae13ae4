"""What an app stores outlives it: kept in a private repo of the embedded Hub, sealed, and read into an empty home."""

import io
import json
import os
import shutil
import tarfile
import uuid
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from persian import refused
from sample_adapters import make_folder
from test_run_folders import make_spec
from test_test_sets import made as left_test
from test_who_may import EVE, PEOPLE, run_of

from lora_hub import hub as hubs
from lora_hub import use_cases
from lora_hub.compare import find_here
from lora_hub.compare.test_sets import TestRow, folders
from lora_hub.compare.test_sets.results import compute_result
from lora_hub.core import events, run_lock, settings, store
from lora_hub.core.errors import DataError, HubError, SpecError
from lora_hub.core.schema import Answer
from lora_hub.people import policy
from lora_hub.ui.render import render_standing
from lora_hub.use_cases import keeping, packing

KEY = "a-key-of-more-than-32-characters-0123456789"
SECRET_ROW = "a row that nobody else may read"


@pytest.fixture
def repo(hub, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"lora-hub/kept-{uuid.uuid4().hex[:8]}"
    for key, value in (
        ("LORA_HUB_STATE", name),
        ("LORA_HUB_STATE_KEY", KEY),
        ("LORA_HUB_SERVICE_TOKEN", os.environ["HF_TOKEN"]),
    ):
        monkeypatch.setenv(key, value)
    return name


def keeper(repo: str, key: str = KEY) -> keeping.Keeper:
    return keeping.Keeper(hubs.StateRepo(repo, os.environ["HF_TOKEN"], key))


def move(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The app starts again on a disk that was wiped."""
    monkeypatch.setenv("LORA_HUB_HOME", str(folder))


def files_in(repo: str) -> dict[str, bytes]:
    api = HfApi()
    names = [name for name in api.list_repo_files(repo, repo_type="dataset") if name.startswith("sealed/")]
    return {name: Path(api.hf_hub_download(repo, name, repo_type="dataset")).read_bytes() for name in names}


def ended(owner: str, visibility: str = "private") -> str:
    run = run_of(
        owner,
        visibility,
        ("worker-7-1", "adapter", {"folder": "adapter"}),
        ("worker-7-1", "state", {"state": "succeeded"}),
    )
    folder = store.run_folder(run)
    make_folder(folder / "adapter", make_spec())
    store.write_jsonl(folder / "held_out.jsonl", [{"prompt": SECRET_ROW}])
    (folder / "checkpoints" / "step-1").mkdir(parents=True)
    (folder / "checkpoints" / "step-1" / "model.bin").write_bytes(bytes(1000))
    (folder / "lock").touch()
    (folder / "adapter" / "outside").symlink_to("/etc/passwd")
    return run


def test_a_new_home_has_what_the_old_one_had(
    repo: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wills, shared, going = ended("will"), ended("eve", "organization"), run_of("will")
    kept = use_cases.add_text(PEOPLE["write"], f"text,label\n{SECRET_ROW},spam\n", "rows.csv")
    os.utime(kept, (1_000_000_000, 1_000_000_000))
    policy.write(policy.Policy(hours=2))
    first, working = keeper(repo), store.own_run(going)
    first.look()
    sealed = files_in(repo)
    assert len(sealed) == 4 and HfApi().dataset_info(repo).private
    whole = b"".join(sealed.values()) + "".join(sealed).encode()
    assert not [one for one in (SECRET_ROW, wills, "will", "rows.csv", KEY) if one.encode() in whole]
    assert use_cases.look_at_standing(PEOPLE["write"]).kept.en == (
        f"Runs and files outlive a restart: 4 packages are kept in {repo}, encrypted."
    )
    head = HfApi().dataset_info(repo).sha
    first.look()
    assert HfApi().dataset_info(repo).sha == head, "nothing is new, so nothing is written"

    working.close()
    move(monkeypatch, tmp_path / "second")
    assert use_cases.list_runs(PEOPLE["admin"]) == []
    second = keeper(repo)
    second.look()
    assert HfApi().dataset_info(repo).sha == head, "what was just read is not written again"
    assert {run.id for run in use_cases.list_runs(PEOPLE["admin"])} == {wills, shared}
    assert {run.id for run in use_cases.list_runs(PEOPLE["write"])} == {wills, shared}
    assert [run.id for run in use_cases.list_runs(EVE)] == [shared], "another member still cannot see it"
    run = use_cases.refresh_run(PEOPLE["write"], wills)
    assert (run.owner, run.visibility, run.state) == ("will", "private", "succeeded")
    assert find_here(wills).folder == store.run_folder(wills) / "adapter"
    names = {file.name for file in store.run_folder(wills).rglob("*") if file.is_file()}
    assert names == {
        *("spec.json", "events.jsonl", "held_out.jsonl"),
        *("adapter_model.safetensors", "adapter_config.json", "lora_hub.json"),
    }
    again = use_cases.open_dataset(PEOPLE["write"], f"{kept.parent.name}/rows.csv")
    assert SECRET_ROW in again.read_text() and policy.read().hours == 2
    assert going not in store.list_run_ids(), "a run is kept when it has ended"

    # What changes and goes here changes and goes there, from the history too.
    use_cases.share_run(PEOPLE["write"], wills, "organization")
    use_cases.delete_run(EVE, shared)
    second.look()
    assert len(files_in(repo)) == 3 and len(HfApi().list_repo_commits(repo, repo_type="dataset")) == 1
    move(monkeypatch, tmp_path / "third")
    third = keeper(repo)
    third.look()
    assert [run.id for run in use_cases.list_runs(EVE)] == [wills]
    # a disk that is lost under the running app is no deletion
    shutil.rmtree(tmp_path / "third")
    third.look()
    assert [run.id for run in use_cases.list_runs(EVE)] == [wills] and len(files_in(repo)) == 3


def test_a_test_outlives_the_app_with_its_rows_and_answers(
    repo: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(test_id: str) -> Path:
        folder = settings.home() / "tests" / test_id
        asked = TestRow(row=0, inputs={"text": SECRET_ROW}, prompt=SECRET_ROW, reference="spam")
        folders.write_rows(folder, [asked])
        folders.write_answers(folder, {"base": [Answer(text="ham")]})
        task = make_spec().task
        folders.write_result(folder, compute_result(task, [asked], folders.read_answers(folder, 1), None))
        return folder

    done, going = left_test("will"), left_test("will", "running")
    folder = left(done)
    (folder / "cancel").touch()
    first = keeper(repo)
    with run_lock.take(settings.home() / "tests" / going):
        first.look()
    sealed = files_in(repo)
    assert len(sealed) == 1 and SECRET_ROW.encode() not in b"".join(sealed.values())
    before = use_cases.read_test(PEOPLE["write"], done)
    head = HfApi().dataset_info(repo).sha
    first.look()
    assert len(files_in(repo)) == 2, "the one that was going is lost by now, and can be resumed from there"
    assert HfApi().dataset_info(repo).sha != head

    move(monkeypatch, tmp_path / "second")
    second = keeper(repo)
    second.look()
    assert {one.id for one in use_cases.list_tests(PEOPLE["write"])} == {done, going}
    assert use_cases.list_tests(EVE) == [], "another member still cannot see it"
    again = use_cases.read_test(PEOPLE["write"], done)
    assert again == before
    assert all(one.agrees for one in use_cases.check_test(PEOPLE["write"], done))
    assert use_cases.refresh_test(PEOPLE["write"], going).state == "lost"
    # What changes and goes here changes and goes there.
    use_cases.share_test(PEOPLE["write"], done, "organization")
    use_cases.delete_test(PEOPLE["write"], going)
    second.look()
    assert len(files_in(repo)) == 1
    move(monkeypatch, tmp_path / "third")
    keeper(repo).look()
    assert use_cases.read_test(EVE, done).rows[0].prompt == SECRET_ROW


def test_a_run_that_a_job_trains_is_known_to_the_next_app(
    repo: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hired = ("worker-7-1", "hired", {"flavor": "t4-small", "namespace": "lora-hub", "job": "a1", "repo": "lora-hub/r"})
    run = run_of("will", "private", ("worker-7-1", "state", {"state": "running"}), hired)
    log = events.EventLog(store.events_file(run), "worker-7-1")
    first, working = keeper(repo), store.own_run(run)
    first.look()
    head = HfApi().dataset_info(repo).sha
    log.append("progress", phase="training", step=1, total=9)
    first.look()
    assert HfApi().dataset_info(repo).sha == head, "it is kept once, not with every word"
    move(monkeypatch, tmp_path / "next")
    keeper(repo).look()
    found = use_cases.refresh_run(PEOPLE["write"], run)
    assert found.state == "lost" and found.hired.is_under_way and "the job itself goes on" in found.error.message
    working.close()


def test_what_is_damaged_or_in_the_way_keeps_nothing_from_starting(
    repo: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, other = ended("will"), ended("eve")
    policy.write(policy.Policy(hours=2))
    first = keeper(repo)
    first.look()
    names = {place: hubs.StateRepo(repo, "", KEY).name_of(place) for place in (f"runs/{other}", "organization.json")}
    api = HfApi()
    for name, content in ((names[f"runs/{other}"], b"damaged"), ("f" * 40, b"")):
        api.upload_file(
            path_or_fileobj=content, path_in_repo=f"sealed/{name}", repo_id=repo, repo_type="dataset"
        ) if content else None
    move(monkeypatch, tmp_path / "second")
    policy.write(policy.Policy(hours=3))  # set before all was read: it stays
    second = keeper(repo)
    second.look()
    assert store.list_run_ids() == [good] and policy.read().hours == 3
    assert f"sealed/{names[f'runs/{other}']}" in files_in(repo), "what cannot be read is not thrown away"
    # another key reads nothing, and writes beside it
    move(monkeypatch, tmp_path / "third")
    before = len(files_in(repo))
    keeper(repo, "another-key-of-more-than-32-characters").look()
    assert store.list_run_ids() == [] and len(files_in(repo)) == before
    api.update_repo_settings(repo, repo_type="dataset", private=False)
    with refused(HubError, match="is public, and what this app stores is for its people alone"):
        keeper(repo).look()


def test_a_hub_that_is_down_is_told_and_tried_again(repo: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ended("will")
    broken = hubs.StateRepo(repo, "hf_not_a_token", KEY)
    one = keeping.Keeper(broken)
    one.start()
    assert one.wait(60)
    one.close()
    said = use_cases.look_at_standing(PEOPLE["write"]).kept.en
    assert said.startswith(f"Runs and files cannot be kept in {repo} at present: ") and store.list_run_ids() == [run]
    # what is new is kept when the app ends
    last = keeper(repo)
    last.start()
    assert last.wait(60)
    later = ended("will")
    last.close(60)
    assert len(files_in(repo)) == 2 and later in store.list_run_ids()
    assert json.loads((home / keeping.STATUS).read_text())["packages"] == 2
    for missing, said in (
        ("LORA_HUB_STATE_KEY", "LORA_HUB_STATE_KEY is not a text of 32 characters or more."),
        ("LORA_HUB_SERVICE_TOKEN", "LORA_HUB_SERVICE_TOKEN is not set."),
    ):
        monkeypatch.delenv(missing)
        assert use_cases.start_keeping() is None and said in keeping.what_is_kept().en
    monkeypatch.setenv("LORA_HUB_STATE", "no-slash")
    with refused(SpecError, match="LORA_HUB_STATE is 'no-slash', which is not of the form ORG/NAME"):
        settings.check()


def test_what_is_kept_is_said_of_each_kind_of_place(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keeping.what_is_kept() is None, "a machine of one's own"
    monkeypatch.setenv("SPACE_ID", "lora-hub/app")
    assert "on this Space's storage" in keeping.what_is_kept().en
    monkeypatch.delenv("LORA_HUB_HOME")
    assert "are lost when this Space restarts" in keeping.what_is_kept().en


def test_what_kind_of_space_this_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def place() -> str:
        return use_cases.look_at_standing(PEOPLE["write"]).place.en

    assert use_cases.look_at_standing(PEOPLE["write"]).place is None, "a machine of one's own"
    monkeypatch.setenv("SPACE_ID", "lora-hub/app")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert place().startswith("This Space has no GPU: it trains and answers on its CPUs.")
    driver = tmp_path / "nvidia-smi"
    driver.write_text("#!/bin/sh\necho Tesla T4\n")
    driver.chmod(0o755)
    assert place() == "This Space has a GPU of its own, Tesla T4: it trains and answers here."
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert place().startswith("This Space is on ZeroGPU: a question borrows a GPU.")
    told = render_standing.standing(use_cases.look_at_standing(PEOPLE["write"]), "fa")
    assert "ZeroGPU" in told and "قرض" in told


@pytest.mark.parametrize(
    "names",
    [
        ["runs/../../x"],
        ["tests/a/../../../x"],
        ["tests/a/spec.json", "runs/a/spec.json"],
        ["/etc/passwd"],
        ["hub/token"],
        ["runs/a/spec.json", "runs/b/spec.json"],
        ["people/will/datasets/0123456789abcdef/../../../../x"],
        ["organization.json.sh"],
        ["runs/a"],
        [],
    ],
)
def test_a_package_lies_in_its_own_place_alone(names: list[str], home: Path, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    before = {*tmp_path.rglob("*")}
    with refused(DataError, match="holds something else"):
        packing.unpack(packed.getvalue(), 1e6)
    assert {*tmp_path.rglob("*")} - before <= {home}
    with refused(DataError, match="holds something else"):
        packing.unpack(b"no archive", 1e6)


def test_a_package_is_no_larger_than_there_is_room(home: Path) -> None:
    run = ended("will")
    packed = packing.pack(f"runs/{run}")
    with refused(DataError, match="holds something else"):
        packing.unpack(packed, 100)
    assert events.app_log(store.events_file(run)) and packing.unpack(packed, 1e6) == f"runs/{run}"
