"""Simultaneous questions on several bases: one base in memory, nobody waits for ever, first come, first served."""

import shutil
import threading
import time
from pathlib import Path

import pytest
from persian import refused
from test_adapters_of_others import BASE_TEMPLATE, change
from tiny_bases import build, byte_tokenizer, save_adapter

from lora_hub import compare
from lora_hub.catalogue import bases
from lora_hub.compare import loaded_bases, panes
from lora_hub.core.errors import BaseError, DataError
from lora_hub.core.schema import Question
from lora_hub.data.prompts import template

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
PATIENCE = 60.0


@pytest.fixture(scope="module")
def adapters(tmp_path_factory) -> list[str]:
    """Adapters of three bases, two of each."""
    root = tmp_path_factory.mktemp("bases")
    made = []
    for seed in range(3):
        build("llama", seed).save_pretrained(root / f"base{seed}")
        byte_tokenizer(BASE_TEMPLATE).save_pretrained(root / f"base{seed}")
        for n in range(2):
            folder = save_adapter(build("llama", seed), root / f"a{seed}{n}", seed=10 * seed + n)
            change(folder, base_model_name_or_path=str(root / f"base{seed}"))
            made.append(str(folder))
    return made


def ask(comparer: compare.Comparer, *names: str, **options) -> list[str]:
    done = [
        event
        for event in comparer.stream(list(names), Question(prompt="hello", max_new_tokens=12, **options))
        if event.done
    ]
    return [event.answer.text for event in sorted(done, key=lambda event: event.pane)]


def in_threads(works: list) -> list:
    results: list = [None] * len(works)
    threads = [
        threading.Thread(target=lambda place=place: results.__setitem__(place, works[place]()))
        for place in range(len(works))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    return results


@pytest.mark.parametrize("room", [0, 1 << 40])
def test_visitors_of_several_bases_get_what_each_gets_alone(adapters, room: int, monkeypatch) -> None:
    monkeypatch.setattr(loaded_bases, "free_bytes", lambda: 1 << 40)
    alone = compare.Comparer()
    asked = [adapters[(n * 5) % 6] for n in range(12)]
    wanted = {name: ask(alone, name) for name in set(asked)}
    assert len({answers[1] for answers in wanted.values()}) == 6
    monkeypatch.setattr(loaded_bases, "free_bytes", lambda: room)
    comparer = compare.Comparer()
    most = [0]

    def visit(name: str) -> list[str]:
        found = ask(comparer, name)
        most[0] = max(most[0], len(comparer.bases._loaded))
        return found

    assert in_threads([lambda name=name: visit(name) for name in asked]) == [wanted[name] for name in asked]
    assert most[0] == (3 if room else 1) and not +comparer.bases._users


def test_a_base_that_answers_somebody_stays_and_who_waits_may_leave(adapters, monkeypatch) -> None:
    monkeypatch.setattr(loaded_bases, "free_bytes", lambda: 0)
    comparer = compare.Comparer()
    wanted = ask(comparer, adapters[0])
    first = comparer.stream([adapters[0]], Question(prompt="hello", max_new_tokens=12))
    next(first)
    stop = threading.Event()
    cancelled: list = []
    waiting = threading.Thread(
        target=lambda: cancelled.extend(
            comparer.stream(
                [adapters[2], adapters[3]], Question(prompt="hello", max_new_tokens=12), cancelled=stop.is_set
            )
        )
    )
    waiting.start()
    time.sleep(0.3)
    assert waiting.is_alive() and list(comparer.bases._loaded) == [
        panes.base_key(panes.resolve_adapter(adapters[0]).base)
    ]
    stop.set()
    waiting.join(PATIENCE)
    assert [(event.pane, event.answer.finish, event.done) for event in cancelled] == [
        (place, "cancelled", True) for place in range(3)
    ]
    rest = {event.pane: event.answer.text for event in first if event.done}
    assert [rest[0], rest[1]] == wanted
    other = ask(comparer, adapters[2])  # nobody asks the first base any more
    assert other != wanted and len(comparer.bases._loaded) == 1


def test_who_stops_reading_gives_base_and_places_back(adapters) -> None:
    comparer = compare.Comparer()
    events = comparer.stream([adapters[0]], Question(prompt="hello", max_new_tokens=100))
    next(events)
    assert +comparer.bases._users
    events.close()
    loaded = next(iter(comparer.bases._loaded.values()))
    assert not +comparer.bases._users and not loaded.stack._places._users
    assert ask(comparer, adapters[2])


def test_a_base_that_fails_to_load_keeps_nobody_waiting(adapters, tmp_path: Path) -> None:
    broken = shutil.copytree(Path(adapters[0]).parent / "base0", tmp_path / "broken")
    (broken / "tokenizer.json").write_text("{")
    folder = shutil.copytree(adapters[0], tmp_path / "of-the-broken")
    change(folder, base_model_name_or_path=str(broken))
    comparer = compare.Comparer()
    for _ in range(2):
        with refused(BaseError, match="of-the-broken cannot be asked without its base"):
            ask(comparer, str(folder))
    with refused(
        BaseError, match="^A file of the base '.*broken' is damaged"
    ):  # of the base alone its own error is all there is to say
        list(
            comparer.stream(
                [panes.Pane(panes.BASE, bases.get_base(str(tmp_path / "broken")))], Question(prompt="hello")
            )
        )
    assert ask(comparer, adapters[0]) and not comparer.bases._line._waiting


def test_a_question_that_cannot_fit_is_refused_before_a_tokenizer_reads_it(adapters, monkeypatch) -> None:
    monkeypatch.setattr(template, "encode_prompts", lambda *given: pytest.fail("it was tokenized"))
    with pytest.raises(DataError, match="2,000,000 characters long"):
        list(compare.Comparer().stream([adapters[0]], Question(prompt="a" * 2_000_000)))
