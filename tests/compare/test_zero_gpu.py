"""On ZeroGPU a question is answered in another process, for as long as it needs: what travels there and back."""

import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from test_compare_bases import adapters, ask  # noqa: F401

from lora_hub.compare import Comparer, borrow, find_here, zero_gpu
from lora_hub.core.errors import DataError
from lora_hub.core.schema import BaseModel, Question


def travelling(*given: Any) -> Iterator[Any]:
    """`zero_gpu.answer` as `spaces` calls it: what goes in and out is pickled."""
    for told in zero_gpu.answer(*pickle.loads(pickle.dumps(given))):
        yield pickle.loads(pickle.dumps(told))


def test_answers_and_errors_travel(adapters: list[str]) -> None:  # noqa: F811
    there = Comparer(elsewhere=travelling)
    assert ask(there, *adapters[:2]) == ask(Comparer(), *adapters[:2])
    assert not there.bases._loaded, "nothing is loaded in the process that borrows"
    with pytest.raises(DataError) as here:
        list(Comparer().stream(adapters[:1], Question(prompt="x" * 20_000)))
    with pytest.raises(DataError) as away:
        list(there.stream(adapters[:1], Question(prompt="x" * 20_000)))
    assert str(away.value) == str(here.value) and away.value.in_language("fa") == here.value.in_language("fa")


def test_a_cancelled_question_ends(adapters: list[str]) -> None:  # noqa: F811
    told = list(Comparer(elsewhere=travelling).stream(adapters[:2], Question(prompt="hello"), cancelled=lambda: True))
    assert {one.pane: one.answer.finish for one in told} == dict.fromkeys(range(3), "cancelled")


@pytest.mark.parametrize(
    ("parameters", "question", "seconds"),
    [
        (1e6, {}, 18),  # 10 to start, 128 tokens at 15 a second
        (1e6, {"max_new_tokens": 1}, 15),
        (1.7e9, {}, 25),  # 3.4 GB at 0.5 GB a second
        (1.7e9, {"max_new_tokens": 600, "most": 300}, 36),
        (70e9, {"max_new_tokens": 4000}, 120),
    ],
)
def test_the_seconds_follow_from_the_question(
    adapters: list[str],  # noqa: F811
    parameters: float,
    question: dict[str, Any],
    seconds: int,
) -> None:
    most = question.pop("most", 0)
    pane = replace(find_here(adapters[0]), base=BaseModel(id="a/b", parameters=int(parameters)))
    assert zero_gpu.seconds_of([pane, pane], Question(**question), "", most) == seconds


def test_spaces_is_the_package_and_not_our_folder() -> None:
    """Gradio imports it by this name in a Space; there the function that it decorates is borrowed for."""
    import spaces

    assert "site-packages" in spaces.__file__ and callable(spaces.gradio_auto_wrap)
    assert borrow() is zero_gpu.answer, "elsewhere it is left alone"
