"""Questions lie in their own task's region, and those of a task that isn't there in none."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from sample_adapters import make_folder, make_spec, publish

from lora_hub import hub as hubs
from lora_hub import regions
from lora_hub.answering.stack import AdapterStack
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks.catalogue import FOLDER, get_task
from lora_hub.compare import Comparer, Pane, routing
from lora_hub.core.errors import AdapterError, DataError
from lora_hub.core.schema import BASE as BASE_PANE
from lora_hub.hub.task_region import REGION_FILE, TaskRegion, read_region, write_region
from lora_hub.regions import fitting
from lora_hub.regions.everyday import everyday_texts
from lora_hub.regions.fitting import fit_region, generic_texts, upper_bound
from lora_hub.regions.kept import recall
from lora_hub.regions.placing import own_distance

BASE = bases.get_base("built-in")
SAMPLES = ("spam.csv", "sentiment-fa.csv", "topic.csv", "question-answering.jsonl", "translation-en-fa.csv")
ROWS = 140


def texts_of(name: str) -> list[str]:
    path = FOLDER / "samples" / name
    if name.endswith(".csv"):
        with path.open(encoding="utf-8") as file:
            return list(dict.fromkeys(row[0] for row in csv.reader(file)))[1:]
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    task = get_task("question-answering")
    return list(dict.fromkeys(regions.question_text(task, row) for row in rows))


@pytest.fixture(scope="module")
def comparer() -> Comparer:
    return Comparer()


@pytest.fixture(scope="module")
def read(comparer: Comparer) -> Iterator[tuple[AdapterStack, Any]]:
    with comparer.bases.hold([Pane(BASE_PANE, BASE)]) as (loaded, _names):
        yield loaded.stack, loaded.tokenizer


@pytest.fixture(scope="module")
def states_of(read: tuple[AdapterStack, Any]) -> dict[str, tuple[Any, Any]]:
    """The first rows of each sample as (states, tokens), those of all kinds (""), and everyday sentences."""
    texts = {name: texts_of(name)[:ROWS] for name in SAMPLES} | {
        "": generic_texts(),
        "everyday": [*everyday_texts()[0]],
    }
    states, tokens = regions.read_states(*read, [text for of in texts.values() for text in of])
    found, place = {}, 0
    for name, of in texts.items():
        found[name] = (states[place : place + len(of)], tokens[place : place + len(of)])
        place += len(of)
    return found


@pytest.fixture(scope="module")
def tasks(states_of: dict[str, tuple[Any, Any]]) -> dict[str, tuple[TaskRegion, Any, Any]]:
    """Of each sample: its region from 100 rows and 20 validation rows, and 20 other rows as (states, tokens)."""
    origin, found = states_of[""][0].mean(axis=0), {}
    for name in SAMPLES:
        states, tokens = states_of[name]
        everyday, named = states_of["everyday"][0], regions.base_name(BASE)
        region = fit_region(states[:100], tokens[:100], states[100:120], tokens[100:120], origin, everyday, named)
        assert region is not None
        found[name] = (region, states[120:], tokens[120:])
    return found


def test_questions_go_to_their_own_task_and_those_of_an_absent_one_to_the_base(
    tasks: dict[str, tuple[TaskRegion, Any, Any]],
) -> None:
    right = refused = rows = 0
    known = {name: region for name, (region, _states, _tokens) in tasks.items()}
    for name, (_region, states, tokens) in tasks.items():
        rows += len(states)
        right += sum(one[0].name == name and one[0].fits for one in regions.Atlas(known).place_all(states, tokens))
        others = {other: region for other, region in known.items() if other != name}
        refused += sum(not one[0].fits for one in regions.Atlas(others).place_all(states, tokens))
    assert right / rows >= 0.9, right / rows
    assert refused / rows >= 0.8, refused / rows


def test_what_is_the_bases_alone_is_read_once(
    tmp_path: Path, read: tuple[AdapterStack, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LORA_HUB_HOME", str(tmp_path))
    texts = texts_of("spam.csv")[:30]
    first = regions.make_region(*read, BASE, texts, [])
    (kept,) = (tmp_path / "cache" / "regions").iterdir()
    asked: list[int] = []
    read_everyday = fitting.read_everyday
    monkeypatch.setattr(fitting, "read_everyday", lambda *given: asked.append(1) or read_everyday(*given))
    second = regions.make_region(*read, BASE, texts, [])
    assert not asked and numpy.array_equal(first.direction, second.direction) and first.limit == second.limit
    kept.write_bytes(kept.read_bytes()[:1000])  # cut off: it is read again
    third = regions.make_region(*read, BASE, texts, [])
    assert asked and numpy.array_equal(first.direction, third.direction) and kept.stat().st_size > 1000


def test_what_is_kept_of_a_base_in_another_shape_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORA_HUB_HOME", str(tmp_path))
    told = ("base",), {"a": (2,)}, lambda: {"a": numpy.array([1.0, 2.0])}
    recall(*told)
    (kept,) = (tmp_path / "cache" / "regions").iterdir()
    whole = kept.read_text()
    others = ('{"a": [1, 2], "b": 3}', '{"a": [1]}', '{"a": ["x", "y"]}', '{"a": [NaN, 1]}')
    for damaged in ("null", "[1]", "[" * 99999, *others):
        kept.write_text(damaged)
        assert recall(*told)["a"].tolist() == [1.0, 2.0] and kept.read_text() == whole
    kept.write_text(json.dumps({"a": [3, 4]}))
    assert recall(*told)["a"].tolist() == [3.0, 4.0]


def test_a_region_holds_no_single_question_and_travels_as_vectors_alone(
    tmp_path: Path, states_of: dict[str, tuple[Any, Any]], read: tuple[AdapterStack, Any]
) -> None:
    texts = texts_of("spam.csv")
    region = regions.make_region(*read, BASE, texts[:100], texts[100:110])
    assert region is not None
    states, _tokens = states_of["spam.csv"]
    nearest = numpy.abs(region.centers[:, None] - states[None]).max(axis=2).min()
    assert nearest > 1e-3 and len(region.centers) <= 10
    path = write_region(tmp_path, region)
    again = read_region(tmp_path)
    assert again is not None and numpy.allclose(again.centers, region.centers, atol=1e-5)
    assert (again.limit, again.rows, again.base) == (region.limit, 100, BASE.fingerprint)
    assert numpy.allclose(again.direction, region.direction, atol=1e-4) and again.offset == region.offset
    # what people ask of all kinds is the base's, even where no other task is there to compete for it
    asked = ["My uncle wants to sell his boat; what should he ask for it?", "Name two rivers that flow into the sea."]
    asked += [
        "How do I keep mice out of the cellar?",
        "Write a few lines for a card to my aunt.",
        "I am so tired today.",
    ]
    placed = regions.Atlas({"spam": region}).place_all(*regions.read_states(*read, asked))
    assert sum(one[0].fits for one in placed) <= 1
    held = regions.Atlas({"spam": region}).place_all(*regions.read_states(*read, texts[110:140]))
    assert sum(one[0].fits for one in held) >= 27
    # a file that was written before this was known is read, and says nothing of it
    write_region(tmp_path, region)
    with safe_open(path, framework="numpy") as file:
        tensors, told = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    del tensors["direction"]
    save_file(tensors, tmp_path / REGION_FILE, told)
    older = read_region(tmp_path)
    assert older is not None and not older.direction.any() and older.offset == 0
    (found,) = regions.Atlas({"spam": older}).place_all(*regions.read_states(*read, texts[110:111]))
    assert found[0].fits and found[0].unlike == 0
    write_region(tmp_path, region)
    said = path.read_bytes()
    assert not any(text.encode() in said for text in texts_of("spam.csv"))
    assert read_region(tmp_path / "elsewhere") is None


def test_a_strangers_region_is_bounded_and_checked(
    tmp_path: Path, tasks: dict[str, tuple[TaskRegion, Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    region = tasks["spam.csv"][0]
    width = len(region.origin)
    bad = [
        replace(region, spread=region.spread[:, :-1]),
        replace(region, spread=-region.spread),
        replace(region, centers=numpy.full((2, width), numpy.nan)),
        replace(region, centers=numpy.zeros((65, width))),
        replace(region, centers=numpy.zeros(width)),
        replace(region, direction=numpy.zeros(width - 1)),
        replace(region, direction=numpy.full(width, numpy.nan)),
        replace(region, offset=float("nan")),
        replace(region, offset=1e9),
        replace(region, limit=float("nan")),
        replace(region, limit=0.0),
        # a question was infinitely far then, or its doubt no number
        replace(region, limit=5e-324),
        replace(region, shortest=5e-324, longest=5e-324),
        replace(region, rows=-1),
        replace(region, rows=10**40),
        replace(region, longest=region.shortest - 1),
    ]
    for one in bad:
        write_region(tmp_path, one)
        with pytest.raises(AdapterError, match=REGION_FILE):
            read_region(tmp_path)
    for tensors, told in (({"centers": numpy.zeros((1, 2000), numpy.float32)}, "{}"), ({}, "[1]"), ({}, "[" * 99999)):
        save_file(tensors or {"x": numpy.zeros(1)}, tmp_path / REGION_FILE, {"lora_hub": told})
        with pytest.raises(AdapterError, match=REGION_FILE):
            read_region(tmp_path)
    # types that numpy has not, or that are no numbers, ended every question to Auto as a bug
    for kind, size in (("F8_E4M3", 1), ("BF16", 2), ("I64", 8), ("BOOL", 1)):
        told = {"__metadata__": {"lora_hub": "{}"}} | {
            name: {"dtype": kind, "shape": [1, 1], "data_offsets": [place * size, place * size + size]}
            for place, name in enumerate(("centers", "spread", "origin"))
        }
        header = json.dumps(told).encode()
        (tmp_path / REGION_FILE).write_bytes(len(header).to_bytes(8, "little") + header + bytes(3 * size))
        with pytest.raises(AdapterError, match=f"{REGION_FILE}.*values that are not numbers"):
            read_region(tmp_path)
    (tmp_path / REGION_FILE).write_bytes(b"{" * 100)
    with pytest.raises(AdapterError, match=REGION_FILE):
        read_region(tmp_path)
    monkeypatch.setattr("lora_hub.hub.task_region.MOST_REGION_BYTES", 10)
    with pytest.raises(AdapterError, match="bytes"):
        read_region(tmp_path)


def test_few_or_equal_questions_have_no_region(read: tuple[AdapterStack, Any]) -> None:
    assert regions.make_region(*read, BASE, ["a", "b", "c"], []) is None
    assert regions.make_region(*read, BASE, ["the same"] * 50, []) is None
    same = numpy.ones((20, 8))
    assert fit_region(same, numpy.ones(20), same, numpy.ones(20), numpy.zeros(8), same, "x") is None


@pytest.mark.parametrize("validated", [0, 6])
def test_few_questions_make_a_region_that_holds_others_of_the_task(
    validated: int, states_of: dict[str, tuple[Any, Any]], read: tuple[AdapterStack, Any]
) -> None:
    """Of 54 rows in all; their own distances would be a limit far too tight."""
    (states, tokens), first = states_of["spam.csv"], 54 - validated
    origin = states_of[""][0].mean(axis=0)
    everyday = states_of["everyday"][0]
    region = fit_region(states[:first], tokens[:first], states[first:54], tokens[first:54], origin, everyday, "x")
    assert region is not None
    trained = numpy.quantile(own_distance(states[:first], tokens[:first], region), 0.99)
    within = own_distance(states[54:], tokens[54:], region) <= region.limit
    assert region.limit > 1.1 * trained and within.mean() >= 0.95, (region.limit, trained, within.mean())
    found = regions.Atlas({"spam": region}).place_all(states[54:], tokens[54:])
    assert numpy.mean([one[0].fits for one in found]) >= 0.95, "also by their lengths"
    asked, length = regions.read_states(*read, ["You won a prize! Call now"])  # shorter than any of them
    assert regions.Atlas({"spam": region}).place(asked[0], float(length[0]))[0].share <= 1.05
    other, lengths = states_of["sentiment-fa.csv"]
    assert not any(one[0].fits for one in regions.Atlas({"spam": region}).place_all(other, lengths))


def test_the_limit_of_few_holds_a_further_question_as_often_as_it_says() -> None:
    draw = numpy.random.default_rng(0)
    for few in (5, 12, 40):
        rows = draw.normal(1.2, 0.1, (2000, few + 1))
        held = numpy.mean([one[-1] <= upper_bound(one[:-1], 64, 0.99) for one in rows])
        assert 0.98 <= held <= 0.998, (few, held)
    many = draw.normal(1.2, 0.1, 64)
    assert upper_bound(many, 64, 0.99) == numpy.quantile(many, 0.99)


def test_the_organizations_adapters_are_routed_to(
    hub: Any,
    tmp_path: Path,
    tasks: dict[str, tuple[TaskRegion, Any, Any]],
    comparer: Comparer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything = hubs.list_adapters  # other tests publish, too
    monkeypatch.setattr(
        "lora_hub.hub.list_adapters",
        lambda *given, **named: [one for one in everything(*given, **named) if "/routed-" in one.repo_id],
    )
    assert routing.route(comparer.bases, "hello", BASE).adapter == ""
    names = {"spam.csv": "routed-spam", "topic.csv": "routed-news", "question-answering.jsonl": "routed-answers"}
    for seed, (file, name) in enumerate(names.items()):
        spec = make_spec(name, base=BASE)
        write_region(make_folder(tmp_path / f"adapter-{seed}", spec, seed), tasks[file][0])
        publish(tmp_path, name, seed=seed, spec=spec)
    publish(tmp_path, "routed-mute", seed=9, spec=make_spec("routed-mute", base=BASE))
    found = routing.route(comparer.bases, texts_of("topic.csv")[200], BASE)
    assert (
        found.adapter == "lora-hub/routed-news"
        and found.candidates[0].fits
        and found.silent == ("lora-hub/routed-mute",)
    )
    assert [one.distance for one in found.candidates] == sorted(one.distance for one in found.candidates)
    assert "lora-hub/routed-news answers" in routing.said(found).en
    none = routing.route(comparer.bases, texts_of("sentiment-fa.csv")[200], BASE)
    assert none.adapter == "" and len(none.candidates) == 3 and "the base answers" in routing.said(none).en
    with pytest.raises(DataError, match="empty"):
        routing.route(comparer.bases, "  ", BASE)
    # published again without one, the region of the version before is gone
    (tmp_path / "adapter-1" / REGION_FILE).unlink()
    publish(tmp_path, "routed-news", seed=1, spec=make_spec("routed-news", base=BASE))
    assert hubs.fetch_region("lora-hub/routed-news") is None
    # one that is damaged keeps nobody from asking the others
    assert routing.route(comparer.bases, texts_of("spam.csv")[200], BASE).silent == (
        "lora-hub/routed-news",
        "lora-hub/routed-mute",
    )


def test_a_question_between_two_tasks_needs_to_be_more_like_them(
    tasks: dict[str, tuple[TaskRegion, Any, Any]],
) -> None:
    region, states, tokens = tasks["spam.csv"]
    alone = regions.Atlas({"one": region}).place_all(states, tokens)
    twins = regions.Atlas({"one": region, "two": region}).place_all(states, tokens)
    assert {one[0].doubt for one in alone} == {0.0}
    # as far from both: eight standard deviations times log(1 / 0.88)
    assert [round(one[0].doubt, 3) for one in twins] == [1.023] * len(states)
    assert all(two[0].fits == (one[0].share <= 1 and one[0].unlike <= -1.023) for one, two in zip(alone, twins))
    assert sum(one[0].fits for one in twins) < sum(one[0].fits for one in alone)


def test_why_no_adapter_fits_is_told() -> None:
    def said(**told: float) -> str:
        near = {"adapter": "team/one", "distance": 0.5, "share": 0.9} | told
        further = routing.Candidate(adapter="team/two", distance=0.52, share=0.9)
        return routing.said(routing.Routed(base="built-in", candidates=(routing.Candidate(**near), further))).en

    assert "is 1.4 times as far from its task" in said(share=1.4)
    assert "is 1.1 times as far" in said(share=1.01), "as far, and no farther, would be no reason"
    assert "by 0.1 standard deviations" in said(unlike=0.01)
    assert "all questions of team/one, the nearest (by 1.3 standard deviations)" in said(unlike=1.34)
    assert "about as near to team/one (distance 0.50) as to team/two (0.52)" in said(unlike=-0.2, doubt=0.7)
