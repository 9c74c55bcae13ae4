"""The shelf: searching and ordering a listing, collections, unpublishing and putting back, and what depends on an
adapter."""

import io
import json
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import HfApi, ModelInfo
from persian import refused
from sample_adapters import ORG, make_spec, publish

from lora_hub import hub as hubs
from lora_hub import use_cases
from lora_hub.core.errors import AdapterError, HubError, SpecError
from lora_hub.core.schema import AdapterRef, Answer, PaneAnswer, Question, Score
from lora_hub.hub import Wanted, filled_facts
from lora_hub.hub.adapter_facts import MOST_SCORES, MOST_TEXT, ref_of
from lora_hub.people import LOCAL, Person
from lora_hub.ui.render.shelf import render_adapters


def ref(name: str, score: float | None = None, **more) -> AdapterRef:
    metrics = {} if score is None else {"adapter": {"accuracy": Score(value=score, low=score, high=score)}}
    return AdapterRef(repo_id=f"{ORG}/{name}", metrics=metrics, **more)


SCORE = {"accuracy": {"value": 95.0, "low": 90.0, "high": 99.0}}
SHELF = [
    ref("spam-a", 91.0, task="spam", base="built-in", languages=("en",), size=2_000_000, owner="ada", updated="1"),
    ref("spam-b", 97.5, task="spam", base="owner/big", languages=("en", "fa"), size=9_000_000, owner="will"),
    ref("tone", None, task="sentiment", base="built-in", updated="3", title="لحنِ كتاب‌ها"),
]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, ["tone", "spam-a", "spam-b"]),
        ({"search": "SPAM will"}, ["spam-b"]),
        ({"search": "spam nothing"}, []),
        ({"search": "کتاب ها"}, ["tone"]),  # one word is typed in several ways
        ({"search": "دسته"}, ["spam-a", "spam-b"]),  # a task's title
        ({"task": "spam", "language": "fa"}, ["spam-b"]),
        ({"base": "built-in"}, ["tone", "spam-a"]),
        ({"base": f"{ORG}/built-in"}, ["tone", "spam-a"]),
        ({"base": "owner/big"}, ["spam-b"]),
        ({"owner": "Ada"}, ["spam-a"]),
        ({"min_score": 91}, ["spam-a", "spam-b"]),
        ({"max_mb": 2}, ["spam-a"]),
        ({"sort": "score"}, ["spam-b", "spam-a", "tone"]),
        ({"sort": "size"}, ["spam-a", "spam-b", "tone"]),
        ({"sort": "name"}, ["spam-a", "spam-b", "tone"]),
        ({"repo_ids": {f"{ORG}/tone"}}, ["tone"]),
    ],
)
def test_what_is_wanted_is_found_in_its_order(asked: dict, names: list[str]) -> None:
    found = use_cases.filter_adapters(LOCAL, SHELF, Wanted(**asked), {"spam": "دسته‌بندی"})
    assert [one.repo_id.partition("/")[2] for one in found] == names


@pytest.mark.parametrize("asked", [{"sort": "beauty"}, {"min_score": float("nan")}, {"max_mb": -1}])
def test_what_cannot_be_wanted_is_refused(asked: dict) -> None:
    with refused(SpecError):
        Wanted(**asked)


def test_a_thousand_adapters_are_filtered_at_once() -> None:
    many = [ref(f"adapter-{n}", float(n % 100), task="spam", title=f"Number {n}") for n in range(1000)]
    started = time.process_time()
    found = hubs.filter_adapters(many, Wanted(search="number 7", min_score=70, sort="score"))
    assert found and time.process_time() - started < 2, "20 ms on an idle machine"


def test_a_thousand_adapters_are_listed_with_one_request(monkeypatch: pytest.MonkeyPatch, hub) -> None:
    asked = []

    class Api:
        """A Hub of which anything else cannot be asked."""

        @staticmethod
        def list_models(**named: object) -> list[ModelInfo]:
            asked.append(named)
            ours = {"task": "spam", "title": "T", "base": "b", "metrics": {"adapter": SCORE}, "size": 9, "owner": "ada"}
            card = {"lora_hub": ours, "language": ["fa"]}
            files, tags = [{"rfilename": "adapter_config.json"}], ["lora-hub", "task:spam"]
            facts = {"cardData": card, "siblings": files, "tags": tags, "private": False, "downloads": 0, "sha": "0"}
            return [ModelInfo(id=f"{ORG}/a{n}", **facts) for n in range(1000)]

    monkeypatch.setattr("lora_hub.hub.listing.open_api", Api)
    found = hubs.list_adapters(wanted=Wanted(search="spam", language="fa", owner="ada", min_score=90, max_mb=1))
    assert len(found) == 1000 and len(asked) == 1


def test_what_strangers_say_on_a_card_is_bounded() -> None:
    long = "x" * 100_000
    many = {f"{n}{long}": {"value": 1.0, "low": 0.0, "high": 2.0} for n in range(1000)}
    ours = {
        "title": long,
        "base": long,
        "owner": long,
        "size": -5,
        "metrics": {"adapter": many | {"nan": {"value": float("nan"), "low": 0, "high": 1}}},
        "unpublished": ["no"],
    }
    card = {"lora_hub": ours, "language": [False, "fa", "<b>", 7, *["en"] * 9999]}
    info = SimpleNamespace(
        id="owner/evil",
        sha=None,
        card_data=card,
        tags=["lora-hub", f"task:{long}"],
        model_index=None,
        last_modified=None,
        downloads=None,
        private=False,
        safetensors=SimpleNamespace(parameters={"F16": 10, "F32": 1, "X": "many", "U8": -1}),
    )
    made = ref_of(info)
    assert len(made.model_dump_json()) < 20_000 and len(made.title) == len(made.task) == MOST_TEXT
    assert made.languages == ("no", "fa", "en") and made.size == 24 and not made.unpublished
    assert len(made.metrics["adapter"]) <= MOST_SCORES
    # nobody is the first on the shelf by a score that no score can be
    wrong = [(1e300, 0, 1e301), (101, 90, 102), (-5, -9, 1), (80, 90, 95), (80, 10, 20), (80, 10, float("inf"))]
    scores = {f"m{n}": dict(zip(("value", "low", "high"), one, strict=True)) for n, one in enumerate(wrong)}
    info.card_data = {"lora_hub": {"metrics": {"adapter": scores | {"right": {"value": 80, "low": 70, "high": 90}}}}}
    assert [*ref_of(info).metrics["adapter"]] == ["right"]
    info.card_data = {"eval_results": [SimpleNamespace(metric_type=str(n), metric_value=n) for n in (0.8, 81, 350, -1)]}
    assert [*ref_of(info).metrics["adapter"]] == ["0.8", "81"]


def test_the_card_tells_the_list_language_size_and_owner(tmp_path: Path, hub) -> None:
    publish(tmp_path, "told-by-its-card")
    listed = next(one for one in hubs.list_adapters() if one.repo_id == f"{ORG}/told-by-its-card")
    weights = (tmp_path / "adapter-0" / "adapter_model.safetensors").stat().st_size
    assert listed.size == weights and listed.owner == HfApi().whoami()["name"]
    assert hubs.list_adapters(wanted=Wanted(owner=listed.owner, search="told card")) == [listed]


def test_what_an_older_card_does_not_say_the_hub_does_and_is_asked_once(
    tmp_path: Path, hub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = publish(tmp_path, "of-an-older-version")
    api, weights = HfApi(), (tmp_path / "adapter-0" / "adapter_model.safetensors").stat().st_size
    card = Path(api.hf_hub_download(ref.repo_id, "README.md")).read_text()
    older = re.sub(r"^  (owner|size): .*\n", "", card, flags=re.M)
    assert older != card
    api.upload_file(path_or_fileobj=older.encode(), path_in_repo="README.md", repo_id=ref.repo_id)
    me = api.whoami()["name"]
    found = hubs.list_adapters(wanted=Wanted(owner=me, search="older version"))
    assert [(one.repo_id, one.owner) for one in found] == [(ref.repo_id, me)] and found[0].size
    bare = found[0].model_copy(update={"owner": "", "size": 0, "revision": ref.revision})
    full = bare.model_copy(update={"owner": me, "size": weights})
    assert filled_facts.fill_facts([bare]) == [full]
    # Kept: nobody is asked again. What the Hub does not know stays unknown, and a damaged file is as none.
    with monkeypatch.context() as patched:
        patched.setattr(filled_facts, "open_api", lambda: pytest.fail("the Hub was asked again"))
        assert filled_facts.fill_facts([bare])[0].owner == me
    gone = bare.model_copy(update={"repo_id": f"{ORG}/never-there"})
    (home / "cache" / filled_facts.FILE).write_text("[1]")
    assert filled_facts.fill_facts([gone, bare]) == [gone, full]
    monkeypatch.setattr(filled_facts, "MOST_ASKED", 0)
    (home / "cache" / filled_facts.FILE).unlink()
    assert filled_facts.fill_facts([bare]) == [bare]


def test_collections_are_made_filled_and_read(tmp_path: Path, hub) -> None:
    api = HfApi()
    for name in ("sorted-1", "sorted-2"):
        api.create_repo(f"{ORG}/{name}", exist_ok=True)
    made = use_cases.add_to_collection(LOCAL, ["sorted-1"], "Customer <b>service</b>")
    assert made.adapters == (f"{ORG}/sorted-1",) and made.title == "Customer <b>service</b>"
    # The same title, in other letters, is the same collection; an adapter that is in it stays.
    again = use_cases.add_to_collection(LOCAL, [f"{ORG}/sorted-1", "sorted-2"], "customer <B>service</b> ")
    assert again.slug == made.slug and again.adapters == (f"{ORG}/sorted-1", f"{ORG}/sorted-2")
    assert use_cases.add_to_collection(LOCAL, ["sorted-2"], made.slug).adapters == again.adapters
    assert made.slug in [one.slug for one in use_cases.list_collections(LOCAL)]
    assert use_cases.read_collection(LOCAL, made.slug).adapters == again.adapters
    assert use_cases.remove_from_collection(LOCAL, ["sorted-1"], made.slug).adapters == (f"{ORG}/sorted-2",)
    persian = use_cases.add_to_collection(LOCAL, ["sorted-1"], "نمونه‌ها")
    assert use_cases.read_collection(LOCAL, persian.slug).title == "نمونه‌ها"
    for wrong in ("", "x" * 61, f"{ORG}/no-such-000000000000000000000000"):
        with refused(HubError):
            use_cases.add_to_collection(LOCAL, ["sorted-1"], wrong)
    for wrong in ("../../api", "a", f"{ORG}/../x", "a/b/c", f"{ORG}/{'0' * 24}"):
        with refused(HubError):
            use_cases.read_collection(LOCAL, wrong)
    with refused((HubError, AdapterError)):
        use_cases.add_to_collection(LOCAL, ["no-such-adapter"], "Customer <b>service</b>")
    stranger = Person(id="will", roles={ORG: "write"}, token="hf_of_nobody")
    with refused(HubError):
        use_cases.add_to_collection(stranger, ["sorted-1"], made.slug)
    for one in (made, persian):
        api.delete_collection(one.slug)


def test_unpublished_is_off_the_shelf_until_it_is_put_back(tmp_path: Path, hub) -> None:
    api, name = HfApi(), "taken-off"
    before = publish(tmp_path, name)
    card = hubs.read_card(name)
    off = use_cases.unpublish_adapter(LOCAL, name)
    assert off.unpublished and off.private and off.versions == before.versions
    assert use_cases.unpublish_adapter(LOCAL, name).revision == off.revision, "done twice it is done once"
    assert before.repo_id not in [one.repo_id for one in hubs.list_adapters()]
    listed = next(one for one in hubs.list_adapters(unpublished=True) if one.repo_id == before.repo_id)
    assert listed.unpublished and listed.metrics == before.metrics and listed.title == before.title
    assert hubs.fetch_record(name, "v1")["task"]["id"] == "spam", "nothing is gone"
    with refused(HubError, match="was unpublished"):
        publish(tmp_path, name, seed=1)

    back = use_cases.put_back(LOCAL, name)
    assert not back.unpublished and not back.private and back.versions == before.versions
    assert use_cases.put_back(LOCAL, name).revision == back.revision
    assert before.repo_id in [one.repo_id for one in hubs.list_adapters()] and hubs.read_card(name) == card
    assert [one.title for one in api.list_repo_commits(before.repo_id)][:2] == [
        "Put it back on the shelf",
        "Take it off the shelf",
    ]
    # What was private before is private again, and one that nobody of ours made is left alone.
    api.update_repo_settings(before.repo_id, private=True)
    use_cases.unpublish_adapter(LOCAL, name)
    assert use_cases.put_back(LOCAL, name).private
    api.create_repo(f"{ORG}/somebodys", exist_ok=True)
    for change in (use_cases.unpublish_adapter, use_cases.put_back):
        with refused(HubError, match="not an adapter that LoRA Hub published"):
            change(LOCAL, "somebodys")
        with refused(AdapterError):
            change(LOCAL, "no-such-adapter")
        with refused((HubError, AdapterError)):
            change(Person(id="will", roles={ORG: "write"}, token="hf_of_nobody"), name)


def test_a_card_that_cannot_be_read_is_not_rewritten(tmp_path: Path, hub) -> None:
    api, name = HfApi(), f"{ORG}/its-card-is-gone"
    api.create_repo(name, exist_ok=True)
    record = json.dumps({"task": {"id": "spam"}}).encode()
    api.upload_file(repo_id=name, path_in_repo="lora_hub.json", path_or_fileobj=io.BytesIO(record))
    api.upload_file(repo_id=name, path_in_repo="README.md", path_or_fileobj=b"# No metadata\n")
    with refused(HubError, match="cannot be read"):
        use_cases.unpublish_adapter(LOCAL, name)
    assert not api.model_info(name).private


def test_what_depends_on_an_adapter_is_told_before_it_goes(tmp_path: Path, hub) -> None:
    api, name = HfApi(), "leaned-upon"
    published = publish(tmp_path, name, spec=make_spec(name))
    assert use_cases.find_dependents(LOCAL, name).tell() == []
    api.create_tag(published.repo_id, tag="production", revision=published.revision)
    child = f"{ORG}/its-child"
    api.create_repo(child, exist_ok=True)
    card = f"---\nbase_model: {published.repo_id}\n---\n"
    api.upload_file(repo_id=child, path_in_repo="README.md", path_or_fileobj=card.encode())
    held = use_cases.add_to_collection(LOCAL, [name], "Those that hold")
    view = PaneAnswer(pane=1, name=f"{published.repo_id}@v1", answer=Answer(text="spam", finish="stop"))
    kept = use_cases.keep_comparison(LOCAL, Question(prompt="Win a prize"), [view])
    found = use_cases.find_dependents(LOCAL, name)
    assert found.comparisons == (kept.id,)
    assert (found.production, found.adapters, found.collections) == ("v1", (child,), ("Those that hold",))
    ref = use_cases.get_adapter(LOCAL, name)
    drawn = render_adapters.made_from(ref, use_cases.list_made_from(LOCAL, name), "en")
    assert f'href="{ref.url.removesuffix(ref.repo_id)}{child}"' in drawn and f">{child}</a></bdi>." in drawn
    assert render_adapters.made_from(ref, (), "en") == ""
    said = " ".join(str(one) for one in found.tell())
    assert "It is in production: version v1." in said and child in said and "Those that hold" in said
    api.delete_collection(held.slug)
    with refused(AdapterError):
        use_cases.find_dependents(LOCAL, "no-such-adapter")
