"""`auto` among the adapters of a question: the router's choice in its place, with its reason, or the base where none
fits."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from persian import refused
from sample_adapters import SCORES, make_folder, make_spec, watch_hub, write_log
from test_cli import call
from test_kept import WILL
from tiny_bases import save_adapter

from lora_hub import hub as hubs
from lora_hub import regions, use_cases
from lora_hub.answering import loading
from lora_hub.api.endpoints import Endpoints
from lora_hub.catalogue import bases
from lora_hub.compare import Comparer, Pane, kept, routing
from lora_hub.compare.routing import atlases
from lora_hub.core.errors import DataError, SpecError
from lora_hub.core.recent import Recent
from lora_hub.core.schema import AUTO, BASE, AdapterRef, BaseModel, PaneAnswer, Turn, ask_question
from lora_hub.hub.task_region import write_region
from lora_hub.models import LocalEngine, OpenShelf, OwnShelf, Put, Wanted
from lora_hub.people import LOCAL
from lora_hub.regions.fitting import fit_region
from lora_hub.ui.tabs.compare.compare_asking import Asking

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
BUILT_IN = bases.get_base("built-in")
SPAM, NEWS = "lora-hub/auto-spam", "lora-hub/auto-news"
TEXTS = {
    SPAM: (
        "You won a prize! Call now",
        "WINNER! Claim 500 pounds by text",
        "Free ringtones, reply YES",
        "Call to win cash",
    ),
    NEWS: (
        "The ministers met on Monday",
        "Shares fell after the report",
        "The team lost at home",
        "Rain hit the coast",
    ),
}


@pytest.fixture(scope="module")
def comparer() -> Comparer:
    return Comparer()


@pytest.fixture(scope="module")
def published(hub: Any, comparer: Comparer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, AdapterRef]:
    """Two adapters of the built-in base, whose regions are made of a few texts and reach far."""
    model, root, found = loading.load_base(BUILT_IN), tmp_path_factory.mktemp("auto"), {}
    with comparer.bases.hold([Pane(BASE, BUILT_IN)]) as (loaded, _names):
        states, tokens = regions.read_states(
            loaded.stack, loaded.tokenizer, [one for of in TEXTS.values() for one in of]
        )
    for place, name in enumerate(TEXTS):
        spec = make_spec(name.partition("/")[2], base=BUILT_IN)
        folder = make_folder(root / str(place), spec, place)
        save_adapter(model, folder, seed=place, strength=0.05)
        own = slice(4 * place, 4 * place + 4)
        here = (states[own], tokens[own])
        region = fit_region(*here, *here, states.mean(axis=0), states, BUILT_IN.fingerprint)
        assert region is not None
        write_region(folder, replace(region, limit=10.0))
        log = write_log(root / "events.jsonl")
        found[name] = hubs.publish_adapter(folder, spec=spec, scores=SCORES, run_id=f"run-{place}", log=log)
    return found


@pytest.fixture(autouse=True)
def only_these(published: dict[str, AdapterRef], monkeypatch: pytest.MonkeyPatch) -> None:
    everything = hubs.list_adapters  # other tests publish, too
    monkeypatch.setattr(
        "lora_hub.hub.list_adapters",
        lambda *given, **named: [one for one in everything(*given, **named) if one.repo_id in published],
    )


@pytest.fixture
def hub_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return watch_hub(monkeypatch)


@pytest.fixture
def none_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = hubs.fetch_region
    monkeypatch.setattr("lora_hub.hub.kept_region", lambda *which: replace(fetch(*which), limit=1e-9))
    monkeypatch.setattr(atlases, "_atlases", Recent(1))


@pytest.fixture
def ask(comparer: Comparer) -> Callable[..., list[PaneAnswer]]:
    def asked(names: list[str], **question: Any) -> list[PaneAnswer]:
        wanted = ask_question(**{"prompt": TEXTS[SPAM][0], "max_new_tokens": 3, "free_text": True, **question})
        done = [one for one in use_cases.ask(LOCAL, comparer, names, wanted) if one.done]
        return sorted(done, key=lambda one: one.pane)

    return asked


def test_the_routers_choice_answers_and_says_why(ask, published: dict[str, AdapterRef]) -> None:
    base, chosen = ask([AUTO], strengths={AUTO: 0.5})
    assert (base.name, base.note) == (BASE, None)
    assert (chosen.name, chosen.revision, chosen.strength) == (SPAM, published[SPAM].revision, 0.5)
    assert chosen.divergence is not None and chosen.divergence.kl > 0 and chosen.answer.tokens
    assert f"{SPAM} answers: the question lies nearest to its task" in chosen.to_json()["note"]
    assert f"Distances: {SPAM} 0." in chosen.note.en and f"; {NEWS} " in chosen.note.en
    assert "فاصله‌ها" in chosen.note.in_language("fa")
    other = ask([AUTO], prompt=TEXTS[NEWS][1], base=False)
    assert [one.name for one in other] == [NEWS]

    # beside others it is one more pane, in its place; an adapter that is named, too, is asked once
    assert [one.name for one in ask([AUTO, NEWS])] == [BASE, SPAM, NEWS]
    named = ask([NEWS, AUTO], prompt=TEXTS[NEWS][1])
    assert [one.name for one in named] == [BASE, NEWS] and "lies nearest" in named[1].note.en


def test_served_it_asks_the_hub_nothing_once_its_adapters_are_known(
    comparer: Comparer, published: dict[str, AdapterRef], hub_calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atlases, "_atlases", Recent(1))
    shelf, engine = OwnShelf("built-in"), LocalEngine(comparer.bases)

    def who_answers(text: str) -> str:
        asked = Wanted(AUTO, (Put(text=text),), most_tokens=2)
        return list(use_cases.ask_model(LOCAL, shelf, engine, AUTO, asked))[-1].model

    shelf.refresh()
    assert who_answers(TEXTS[SPAM][0]) == SPAM and who_answers(TEXTS[NEWS][0]) == NEWS
    assert hub_calls
    hub_calls.clear()
    assert who_answers(TEXTS[SPAM][1]) == SPAM and who_answers(TEXTS[NEWS][1]) == NEWS
    assert hub_calls == []
    # read anew, the regions come from what was fetched
    monkeypatch.setattr(atlases, "_atlases", Recent(1))
    assert who_answers(TEXTS[NEWS][2]) == NEWS and hub_calls == []
    # an app asks which adapters there are as whoever asks, and that not at each question
    shelf = OpenShelf()
    assert who_answers(TEXTS[NEWS][2]) == NEWS and hub_calls
    hub_calls.clear()
    assert who_answers(TEXTS[NEWS][3]) == NEWS and hub_calls == []


def test_what_is_known_of_adapters_without_regions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new version makes another list of adapters."""
    monkeypatch.setattr(atlases, "_read", lambda refs, base: (regions.Atlas({}), True))
    for name in range(900):
        atlases.atlas_of([AdapterRef(repo_id=f"org/{name}", revision="1")], BaseModel(id="tiny"))
    assert len(atlases._atlases) < 800
    atlases._atlases.clear()


def test_where_none_fits_the_base_alone_answers(ask, none_fits: None) -> None:
    for names, shown in (([AUTO], [BASE]), ([NEWS, AUTO], [BASE, NEWS])):
        told = ask(names, base=False, strengths={AUTO: 0.5})
        assert [one.name for one in told] == shown and [one.pane for one in told] == [*range(len(shown))]
        assert "No adapter fits, and the base answers" in told[0].note.en and "Distances: " in told[0].note.en
        assert told[0].answer.tokens and told[0].divergence is None and told[0].strength == 1


def test_a_comparison_with_it_is_kept_with_the_commit(
    ask, comparer: Comparer, published: dict[str, AdapterRef]
) -> None:
    question = ask_question(prompt=TEXTS[SPAM][1], max_new_tokens=3, free_text=True, strengths={AUTO: 0.5})
    chosen = use_cases.choose_adapter(LOCAL, comparer, [AUTO], question)
    assert chosen is not None and chosen.names == [SPAM] and chosen.question.strengths == {SPAM: 0.5}
    views = [one for one in use_cases.ask(LOCAL, comparer, chosen.adapters, chosen.question) if one.done]
    one = use_cases.keep_comparison(LOCAL, chosen.question, sorted(views, key=lambda view: view.pane), (1, 0))
    again = use_cases.open_comparison(LOCAL, one.id).comparison
    assert again == one and again.is_blind
    answer = again.answers[1]
    assert (answer.name, answer.revision) == (SPAM, published[SPAM].revision) and "lies nearest" in answer.note.en
    assert again.question.strengths == {SPAM: 0.5}
    assert "lies nearest" in kept.comparison_markdown(again, "en")
    assert use_cases.choose_adapter(LOCAL, comparer, [AUTO], question, cancelled=lambda: True) is None


def test_a_chat_goes_on_with_the_adapter_that_it_began_with(ask) -> None:
    assert [one.name for one in ask([AUTO], earlier={AUTO: ()})] == [BASE, SPAM]
    turns = (Turn(role="user", content="a"), Turn(role="assistant", content="b"))
    base, goes_on = ask([AUTO], prompt=TEXTS[NEWS][0], earlier={BASE: turns, SPAM: turns})
    assert goes_on.name == SPAM and "this chat began with it" in goes_on.note.en and base.note is None
    (alone,) = ask([AUTO], prompt=TEXTS[NEWS][0], earlier={BASE: turns})
    assert alone.name == BASE and "The base goes on" in alone.note.en


def test_a_chat_goes_on_with_its_turns_where_the_choice_is_named_by_hand_too(ask, comparer: Comparer) -> None:
    turns = (Turn(role="user", content="a"), Turn(role="assistant", content="b"))
    for names in ([AUTO, SPAM], [SPAM, AUTO]):
        (alone,) = ask(names, base=False, prompt=TEXTS[NEWS][0], earlier={SPAM: turns})
        assert alone.name == SPAM and "this chat began with it" in alone.note.en
    question = ask_question(prompt=TEXTS[SPAM][0], earlier={AUTO: turns, SPAM: ()})
    chosen = use_cases.choose_adapter(LOCAL, comparer, [AUTO, SPAM], question)
    assert chosen.names == [SPAM] and chosen.question.earlier == {SPAM: turns}


def test_what_auto_cannot_do_is_said(ask) -> None:
    with refused(SpecError, match="auto reads a bare question"):
        ask([AUTO], prompt="", inputs={"text": "x"})
    with refused(DataError, match="The prompt is empty"):
        ask([AUTO], prompt=" ")


def test_the_shell_and_the_endpoint_answer_alike(comparer: Comparer, home: Path) -> None:
    asked = ("compare", "--adapter", AUTO, "--prompt", TEXTS[SPAM][0], "--max-new-tokens", "3")
    told = call(*asked, "--keep", "--json", home=home)
    how = {"prompt": TEXTS[SPAM][0], "max_new_tokens": 3}
    *_growing, there = Endpoints(comparer, None).compare(LOCAL, [AUTO], **how, keep=True)
    shell = told["answers"]
    # kept under the choice's own name, as the page does
    for one in (told, there):
        again = use_cases.open_comparison(LOCAL, one["comparison"]).comparison
        assert [view.name for view in again.answers] == [BASE, SPAM] and not again.is_blind
    for answers in (shell, there["answers"]):
        assert [one["adapter"] for one in answers] == [BASE, SPAM] and "lies nearest" in answers[1]["note"]
    assert [one["text"] for one in shell] == [one["text"] for one in there["answers"]]
    said = call("compare", "--adapter", AUTO, "--test", "more.csv", home=home, expect=2)
    assert "auto finds the adapter for one question, not for a file" in said


def test_who_signed_in_is_answered_by_it_too(comparer: Comparer, published: dict[str, AdapterRef]) -> None:
    question = ask_question(prompt=TEXTS[SPAM][0], max_new_tokens=3)
    will = replace(WILL, token="")  # reads as everybody does
    chosen = use_cases.choose_adapter(will, comparer, [AUTO], question)
    assert chosen is not None
    done = [one for one in use_cases.ask(will, comparer, chosen.adapters, chosen.question) if one.done]
    assert {(one.name, one.revision) for one in done} == {(BASE, ""), (SPAM, published[SPAM].revision)}


def test_the_base_whose_adapters_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def listed(*names: str) -> None:
        refs = [AdapterRef(repo_id=f"lora-hub/x{place}", base=name) for place, name in enumerate(names)]
        monkeypatch.setattr("lora_hub.hub.list_adapters", lambda *_given, **_named: refs)

    for names, base in (
        ((), "built-in"),
        (("someone/model", "someone/model", "built-in"), "someone/model"),
        (("lora-hub/built-in", "built-in", "someone/model"), "built-in"),
        (("lora-hub/Tiny-1M", "../Tiny", "/etc", "Tiny-1M"), "built-in"),  # folders of somebody's machine
    ):
        listed(*names)
        assert routing.most_used_base() == base, names


def asking(comparer: Comparer, names: list[str], *, blind: bool = False, again: Asking | None = None) -> Iterator[Any]:
    """What the page is told, as one text a step."""
    how = [3, 0, 0, 1, 1, 0, "", "", False, "", "", blind, "", ""]
    page = SimpleNamespace(comparer=comparer, organization="lora-hub")
    one = again or Asking(page)
    for told in one.answer("en", names, True, True, TEXTS[SPAM][0], *how, person=LOCAL):
        yield "".join(part for part in told if isinstance(part, str))


def test_the_page_looks_then_shows_the_choice_as_a_pane(comparer: Comparer) -> None:
    one = Asking(SimpleNamespace(comparer=comparer, organization="lora-hub"))
    steps = [*asking(comparer, [AUTO], again=one)]
    assert "Looking for the adapter" in steps[0] and 'data-pane="auto"' not in "".join(steps)
    assert f'data-pane="{SPAM}"' in steps[-1] and "lies nearest" in steps[-1] and "Distances: " in steps[-1]
    (name,) = one.asked._kept
    patches = [told[-1] for told in one.answer_again("en", f"{name}\n{SPAM}\n1", person=LOCAL)]
    assert "lies nearest" in patches[-1], "a pane that is asked again is the one that was chosen"

    blind = "".join(asking(comparer, [AUTO], blind=True))
    assert "data-vote-key" in blind and SPAM not in blind and "lies nearest" not in blind
    assert "type a question" in caught(lambda: one.take_example("en", [AUTO], "", False, person=LOCAL))


def caught(work: Callable[[], Any]) -> str:
    with pytest.raises(DataError) as error:
        work()
    return str(error.value)


def test_the_page_says_that_the_base_alone_answers(comparer: Comparer, none_fits: None) -> None:
    last = [*asking(comparer, [AUTO])][-1]
    one = "".join(asking(comparer, [AUTO], blind=True))
    assert "One answer cannot be compared blind" in one and "data-vote-key" not in one
    assert last.count("data-pane=") == 1 and 'data-pane="base"' in last and "No adapter fits" in last
