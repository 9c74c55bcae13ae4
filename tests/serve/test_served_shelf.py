"""Names of models: the organization's adapters of a base, their versions, and nothing else; what was asked before is
asked without the Hub."""

import time
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from persian import refused
from sample_adapters import SCORES, make_folder, make_spec, watch_hub, write_log
from tiny_bases import save_adapter

from lora_hub import hub as hubs
from lora_hub.answering import loading
from lora_hub.catalogue import bases
from lora_hub.compare import Pane
from lora_hub.core.errors import HubError
from lora_hub.core.schema import AdapterRef
from lora_hub.models import NoModel, OpenShelf, OwnShelf, kept_panes
from lora_hub.models import open_shelf as module
from lora_hub.people import LOCAL

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
BUILT_IN = bases.get_base("built-in")
NAME = "served-spam"


def publish(folder: Path, name: str, seed: int) -> AdapterRef:
    spec = make_spec(name, base=BUILT_IN)
    save_adapter(
        loading.load_base(BUILT_IN), make_folder(folder / f"{name}-{seed}", spec, seed), seed=seed, strength=0.05
    )
    log = write_log(folder / "events.jsonl")
    return hubs.publish_adapter(folder / f"{name}-{seed}", spec=spec, scores=SCORES, run_id=f"run-{seed}", log=log)


@pytest.fixture(scope="module")
def versions(hub: Any, tmp_path_factory: pytest.TempPathFactory) -> list[AdapterRef]:
    folder = tmp_path_factory.mktemp("served")
    return [publish(folder, NAME, seed) for seed in (1, 2)]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is fetched from the Hub from now on."""
    found: list[str] = []
    fetch = hubs.fetch_adapter
    monkeypatch.setattr("lora_hub.hub.fetch_adapter", lambda name: found.append(name) or fetch(name))
    return found


def test_names_and_versions(versions: list[AdapterRef], asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = versions
    shelf = OwnShelf("built-in")
    shelf.refresh()
    (one,) = [one for one in shelf.names(LOCAL) if one.name == NAME]
    assert (one.repo, one.revision, one.task) == (f"lora-hub/{NAME}", second.revision, "spam") and one.created > 1e9
    newest = shelf.pane(LOCAL, NAME)
    assert newest.revision == second.revision and newest.task.labels == ("ham", "spam")
    assert shelf.pane(LOCAL, f"lora-hub/{NAME}") is newest
    assert shelf.pane(LOCAL, f"{NAME}@v1").revision == first.revision
    assert shelf.pane(LOCAL, f"{NAME}@v1") is shelf.pane(LOCAL, f"{NAME}@v1") and len(asked) == 2
    assert shelf.base(LOCAL).folder is None and shelf.base(LOCAL).base.id == BUILT_IN.id

    # nothing of what is known is asked of the Hub again, and an unknown name looks at the organization once
    looked: list[str] = []
    monkeypatch.setattr("lora_hub.hub.list_adapters", lambda *_given, **_named: looked.append("") or [])
    monkeypatch.setattr(shelf, "_looked", 0.0)
    for name in ("none", "other/none", "../x", "a/b/c", "x" * 300, f"{NAME}@", "none@v1", "", "base", "/tmp"):
        with pytest.raises(NoModel):
            shelf.pane(LOCAL, name)
    assert len(looked) == 1
    with refused(NoModel, match="There is no model"):
        shelf.pane(LOCAL, NAME)  # it was unpublished meanwhile


def test_a_version_that_is_not_there(versions: list[AdapterRef]) -> None:
    shelf = OwnShelf("built-in")
    shelf.refresh()
    with refused(NoModel, match="has no version"):
        shelf.pane(LOCAL, f"{NAME}@v9")


def test_a_new_version_is_served_once_it_is_seen(versions: list[AdapterRef], tmp_path: Path) -> None:
    shelf = OwnShelf("built-in")
    publish(tmp_path, "served-new", 3)
    before = shelf.pane(LOCAL, "served-new")  # nobody had looked yet
    after = publish(tmp_path, "served-new", 4)
    assert shelf.pane(LOCAL, "served-new") is before
    shelf.refresh()
    assert shelf.pane(LOCAL, "served-new").revision == after.revision != before.revision


def test_only_those_that_are_named(versions: list[AdapterRef], tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "mine", make_spec("mine", base=BUILT_IN), 5)
    save_adapter(loading.load_base(BUILT_IN), folder, seed=5)
    shelf = OwnShelf("built-in", adapters=(str(folder), f"{NAME}@v1"))
    shelf.refresh()
    assert [one.name for one in shelf.names(LOCAL)] == ["mine", NAME]
    assert shelf.pane(LOCAL, "mine").folder == folder and shelf.pane(LOCAL, NAME).revision == versions[0].revision
    assert [one.repo_id for one in shelf.candidates(LOCAL, BUILT_IN)] == [f"lora-hub/{NAME}"]
    for name in ("served-new", str(folder), "lora-hub/served-new"):
        with pytest.raises(NoModel):
            shelf.pane(LOCAL, name)


@pytest.fixture
def hub_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return watch_hub(monkeypatch)


def test_what_was_asked_once_is_asked_without_the_hub_and_renewed_behind_the_scenes(
    versions: list[AdapterRef], tmp_path: Path, hub_calls: list[str]
) -> None:
    publish(tmp_path, "served-moving", 6)
    publish(tmp_path, "served-gone", 7)
    publish(tmp_path, "served-hidden", 8)
    api = HfApi()
    api.create_tag("lora-hub/served-moving", tag="production", revision="v1")
    shelf = OwnShelf("built-in")
    shelf.refresh()
    names = ("served-moving", "served-moving@production", "served-moving@v1", "served-gone", "served-hidden@v1")
    before = {name: shelf.pane(LOCAL, name) for name in names}
    assert hub_calls
    hub_calls.clear()

    newest = publish(tmp_path, "served-moving", 9)
    api.delete_tag("lora-hub/served-moving", tag="production")
    api.create_tag("lora-hub/served-moving", tag="production", revision="v2")
    api.delete_repo("lora-hub/served-gone")
    hubs.unpublish_adapter("lora-hub/served-hidden")
    hub_calls.clear()
    assert {name: shelf.pane(LOCAL, name) for name in names} == before and hub_calls == []

    shelf.refresh()
    hub_calls.clear()
    after = {name: shelf.pane(LOCAL, name) for name in names[:3]}
    assert [one.revision for one in after.values()] == [newest.revision, newest.revision, before[names[0]].revision]
    assert hub_calls == [], "new versions were fetched before they were asked"
    shelf._looked = time.monotonic()
    for name in names[3:]:
        with pytest.raises(NoModel):
            shelf.pane(LOCAL, name)
    api.delete_tag("lora-hub/served-moving", tag="production")
    shelf.refresh()
    with refused(NoModel, match="has no version"):
        shelf.pane(LOCAL, "served-moving@production")
    # the Hub is away: what is here goes on
    monkeypatch_down(shelf, names[0])


def monkeypatch_down(shelf: OwnShelf, name: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lora_hub.hub.list_adapters", lambda *_given, **_named: (_ for _ in ()).throw(HubError("away")))
        with pytest.raises(HubError):
            shelf.refresh()
        assert shelf.pane(LOCAL, name).folder.is_dir()


def test_the_disk_is_bounded_and_what_is_in_use_stays(
    versions: list[AdapterRef], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lora_hub.hub.cached_adapters.IN_USE_SECONDS", 0.0)
    refs = [publish(tmp_path, f"disk-{place}", 10 + place) for place in range(4)]
    shelf = OwnShelf("built-in", adapters=[ref.repo_id for ref in refs])
    shelf.refresh()
    panes = [shelf.pane(LOCAL, ref.repo_id) for ref in refs]
    size = sum(file.stat().st_size for file in panes[0].folder.iterdir())
    other = fetch_other(versions)
    shelf._most_disk = 2 * size + size // 2
    shelf.pane(LOCAL, refs[0].repo_id)  # asked last
    with shelf.using(panes[1]):
        shelf.trim([panes[2].folder.resolve()])
    assert [pane.folder.is_dir() for pane in panes] == [False, True, True, False] and other.is_dir()
    shelf.trim()
    assert panes[1].folder.is_dir(), "nothing new has come"
    assert shelf.pane(LOCAL, refs[3].repo_id).folder.is_dir()
    shelf.trim()
    assert [pane.folder.is_dir() for pane in panes] == [False, False, True, True]


def fetch_other(versions: list[AdapterRef]) -> Path:
    """The folder of an adapter that somebody else fetched."""
    return hubs.fetch_adapter(f"{versions[0].repo_id}@v1")[0]


def test_an_app_asks_anew_what_somebody_may_read(
    versions: list[AdapterRef], asked: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shelf = OpenShelf()
    assert NAME in [one.name for one in shelf.names(LOCAL)]
    assert shelf.pane(LOCAL, NAME) is shelf.pane(LOCAL, NAME) and len(asked) == 1
    monkeypatch.setattr(module, "SEEN_SECONDS", -1.0)
    shelf.pane(LOCAL, NAME)
    assert len(asked) == 2
    for name in (str(tmp_path), "none-such", "~/x"):
        with pytest.raises(NoModel):
            shelf.pane(LOCAL, name)


def test_a_thousand_adapters_take_little(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    refs = [
        AdapterRef(repo_id=f"lora-hub/a{place}", revision=f"{place:040x}", base="built-in") for place in range(1000)
    ]
    monkeypatch.setattr("lora_hub.hub.list_adapters", lambda *_given, **_named: refs)
    shelf = OwnShelf("built-in")
    tracemalloc.start()
    shelf.refresh()
    taken, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 2e6 and len(shelf.names(LOCAL)) == 1000


def test_of_the_folders_that_were_asked_for_longest_ago_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_panes, "MOST_FOLDERS", 3)
    panes = kept_panes.Panes()
    folders = [tmp_path / str(number) for number in range(9)]
    for folder in folders:  # a commit a folder, as new versions bring them
        folder.mkdir()
        panes.get(("a", folder.name), lambda folder=folder: Pane("a", BUILT_IN, folder=folder))
    panes.get(("a", "6"), lambda: pytest.fail("it is known"))
    assert list(panes.last_use()) == [folders[7], folders[8], folders[6]]
