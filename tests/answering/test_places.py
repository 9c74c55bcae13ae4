"""Which adapter may be replaced: one that is answering keeps its slot, and requests are served first come, first
served."""

import threading
import time
from pathlib import Path

import pytest
from persian import refused
from tiny_bases import BASE, build, save_adapter

from lora_hub.answering.line import Line
from lora_hub.answering.stack import AdapterStack
from lora_hub.core.errors import AdapterError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
PATIENCE = 30.0


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("adapters")
    return {name: save_adapter(build("llama"), root / name, seed=seed) for seed, name in enumerate("abcd", 1)}


def until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_an_adapter_in_use_is_not_the_oldest(folders) -> None:
    stack = AdapterStack(build("llama"), BASE, max_slots=2)
    stack.attach(folders["a"], "a")
    stack.attach(folders["b"], "b")
    with stack.in_use([stack.adapter("a")]):
        stack.plan([stack.slot("b")])  # asked later than "a", and yet it goes
        stack.attach(folders["c"], "c")
        assert stack.names == ["a", "c"]
        with stack.in_use([stack.adapter("c")]):
            # all are in use: the one asked least recently gives way, and answers on with what it has
            stack.attach(folders["d"], "d")
            assert stack.names == ["d", "c"] and len(stack._places.alive) == 3
    stack.attach(folders["a"], "a")
    assert len(stack.names) == 2 and stack.nbytes == sum(adapter.nbytes for adapter in stack._places.attached)


def test_who_holds_adapters_keeps_them_and_others_wait_in_turn(folders) -> None:
    stack = AdapterStack(build("llama"), BASE, max_slots=2)
    order: list[str] = []

    def ask(name: str, wanted: str) -> None:
        with stack.hold({one: folders[one] for one in wanted}) as held:
            order.append(name)
            assert [held[one] for one in wanted] == [stack.adapter(one) for one in wanted]
            assert len(stack.names) <= 2

    with stack.hold({"a": folders["a"], "b": folders["b"]}) as held:
        kept = [stack.adapter(name) for name in "ab"]
        threads = []
        for number, wanted in enumerate(("cd", "a", "bc")):  # "a" is there, but those who came before it go first
            threads.append(threading.Thread(target=ask, args=(f"{number}", wanted)))
            threads[-1].start()
            until(lambda number=number: len(stack._places._line._waiting) == number + 1)
        time.sleep(0.2)
        assert order == [] and list(held.values()) == kept == [stack.adapter(name) for name in "ab"]
    for thread in threads:
        thread.join(PATIENCE)
    assert order == ["0", "1", "2"]
    assert not stack._places._users and len(stack.names) <= 2


def test_who_cancels_while_waiting_holds_nothing(folders) -> None:
    stack = AdapterStack(build("llama"), BASE, max_slots=1)
    stop = threading.Event()
    seen: list[object] = []

    def ask() -> None:
        with stack.hold({"b": folders["b"]}, cancelled=stop.is_set) as held:
            seen.append(held)

    with stack.hold({"a": folders["a"]}):
        waiting = [threading.Thread(target=ask) for _ in range(2)]  # the first of the line, and one behind it
        for thread in waiting:
            thread.start()
        time.sleep(0.2)
        assert seen == []
        stop.set()
        for thread in waiting:
            thread.join(PATIENCE)
        assert seen == [None, None] and stack.names == ["a"]
    assert not stack._places._users and not stack._places._line._waiting


def test_what_never_fits_is_refused_at_once_and_a_failure_frees_what_was_held(folders, tmp_path: Path) -> None:
    stack = AdapterStack(build("llama"), BASE, max_slots=2)
    with stack.hold({"a": folders["a"]}):
        with (
            refused(AdapterError, match="3 adapters at once are more"),
            stack.hold({name: folders[name] for name in "abc"}),
        ):
            pass
        with refused(AdapterError, match="no adapter"), stack.hold({"b": folders["b"], "x": tmp_path / "nowhere"}):
            pass
    assert not stack._places._users
    size = stack.adapter("a").nbytes
    tight = AdapterStack(build("llama"), BASE, max_bytes=size + size // 2)
    with refused(AdapterError, match="2 adapters at once are more"), tight.hold({"a": folders["a"], "b": folders["b"]}):
        pass


def test_memory_stays_within_the_bound_while_many_come_and_go(folders) -> None:
    """Also of adapters that are attached no more, but still held by somebody's plan."""
    probe = AdapterStack(build("llama"), BASE)
    probe.attach(folders["a"], "a")
    size = probe.nbytes
    stack = AdapterStack(build("llama"), BASE, max_slots=3, max_bytes=2 * size)
    most, wrong = [0], []

    def ask(seed: int) -> None:
        for turn in range(12):
            wanted = "abcd"[(seed + turn) % 4], "abcd"[(seed * 3 + turn * 2 + 1) % 4]
            with stack.hold({name: folders[name] for name in wanted}) as held:
                most[0] = max(most[0], stack._places.nbytes)
                if any(stack.adapter(name) is not held[name] for name in wanted):
                    wrong.append(wanted)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert wrong == [] and 0 < most[0] <= 2 * size and not stack._places._users


def test_a_line_serves_in_order_and_passes_over_who_has_gone() -> None:
    line, order = Line(), []
    stop = threading.Event()

    def come(name: int, cancelled=None) -> None:
        with line.turn(cancelled) as mine:
            order.append((name, mine))

    with line.turn() as mine:
        assert mine
        threads = []
        for name in range(4):
            threads.append(threading.Thread(target=come, args=(name, stop.is_set if name == 1 else None)))
            threads[-1].start()
            until(lambda name=name: len(line._waiting) == name + 2)
        stop.set()
        threads[1].join(PATIENCE)
        assert order == [(1, False)]
    for thread in threads:
        thread.join(PATIENCE)
    assert order[1:] == [(0, True), (2, True), (3, True)] and not line._waiting
