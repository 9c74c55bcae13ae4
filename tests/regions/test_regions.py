"""Questions lie in their own task's region, and those of a task that isn't there in none."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from safetensors.numpy import save_file
from sample_adapters import make_folder, make_spec, publish

from lora_hub import hub as hubs
from lora_hub import regions
from lora_hub.answering import loading
from lora_hub.answering.stack import AdapterStack
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks.catalogue import FOLDER, get_task
from lora_hub.compare import Comparer, routing
from lora_hub.core.errors import AdapterError, DataError
from lora_hub.hub.task_region import REGION_FILE, TaskRegion, read_region, write_region
from lora_hub.regions.fitting import fit_region

BASE = bases.get_base("built-in")


def texts_of(name: str) -> list[str]:
    path = FOLDER / "samples" / name
    if name.endswith(".csv"):
        with path.open(encoding="utf-8") as file:
            return list(dict.fromkeys(row[0] for row in csv.reader(file)))[1:]
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    task = get_task("question-answering")
    return list(dict.fromkeys(regions.question_text(task, row) for row in rows))


@pytest.fixture(scope="module")
def read() -> Iterator[tuple[AdapterStack, Any]]:
    stack = AdapterStack(loading.load_base(BASE), BASE)
    yield stack, loading.load_tokenizer(BASE)
    stack.close()


@pytest.fixture(scope="module")
def tasks(read: tuple[AdapterStack, Any]) -> dict[str, tuple[TaskRegion, Any, Any]]:
    """Of each sample: its region from 100 rows and 20 validation rows, and 20 other rows as (states, tokens)."""
    found = {}
    for name in ("spam.csv", "sentiment-fa.csv", "topic.csv", "question-answering.jsonl", "translation-en-fa.csv"):
        texts = texts_of(name)
        region = regions.make_region(*read, BASE, texts[:100], texts[100:120])
        assert region is not None
        found[name] = (region, *regions.read_states(*read, texts[120:140]))
    return found


def test_questions_go_to_their_own_task_and_those_of_an_absent_one_to_the_base(
    tasks: dict[str, tuple[TaskRegion, Any, Any]],
) -> None:
    right = refused = rows = 0
    known = {name: region for name, (region, _states, _tokens) in tasks.items()}
    for name, (_region, states, tokens) in tasks.items():
        rows += len(states)
        right += sum(one[0].name == name and one[0].fits for one in regions.place_all(states, tokens, known))
        others = {other: region for other, region in known.items() if other != name}
        refused += sum(not one[0].fits for one in regions.place_all(states, tokens, others))
    assert right / rows >= 0.9, right / rows
    assert refused / rows >= 0.8, refused / rows


def test_a_region_holds_no_single_question_and_travels_as_vectors_alone(
    tmp_path: Path, tasks: dict[str, tuple[TaskRegion, Any, Any]], read: tuple[AdapterStack, Any]
) -> None:
    region = tasks["spam.csv"][0]
    states, _tokens = regions.read_states(*read, texts_of("spam.csv")[:100])
    nearest = numpy.abs(region.centers[:, None] - states[None]).max(axis=2).min()
    assert nearest > 1e-3 and len(region.centers) <= 10
    path = write_region(tmp_path, region)
    again = read_region(tmp_path)
    assert again is not None and numpy.allclose(again.centers, region.centers, atol=1e-5)
    assert (again.limit, again.rows, again.base) == (region.limit, 100, BASE.fingerprint)
    said = path.read_bytes()
    assert not any(text.encode() in said for text in texts_of("spam.csv"))
    assert read_region(tmp_path / "elsewhere") is None


def test_a_strangers_region_is_bounded_and_checked(
    tmp_path: Path, tasks: dict[str, tuple[TaskRegion, Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    region = tasks["spam.csv"][0]
    width = len(region.origin)
    bad = [
        replace(region, origin=region.origin[:-1]),
        replace(region, spread=region.spread[:, :-1]),
        replace(region, spread=-region.spread),
        replace(region, centers=numpy.full((2, width), numpy.nan)),
        replace(region, centers=numpy.zeros((65, width))),
        replace(region, centers=numpy.zeros(width)),
        replace(region, limit=float("nan")),
        replace(region, limit=0.0),
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
    assert fit_region(same, numpy.ones(20), same, numpy.ones(20), numpy.zeros(8), "x") is None


def test_the_organizations_adapters_are_routed_to(
    hub: Any, tmp_path: Path, tasks: dict[str, tuple[TaskRegion, Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = hubs.list_adapters  # other tests publish, too
    monkeypatch.setattr(
        "lora_hub.hub.list_adapters",
        lambda *given, **named: [one for one in everything(*given, **named) if "/routed-" in one.repo_id],
    )
    comparer = Comparer()
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
