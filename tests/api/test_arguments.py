"""What programs send is checked before anything is done with it, by one rule for every function."""

import inspect
from typing import get_type_hints

import pytest

from lora_hub.api import NAMES, Arguments, Endpoints
from lora_hub.api.arguments import MOST_FIELDS, MOST_MENDS, MOST_NAME, Fields, Name
from lora_hub.core.errors import SpecError

NEEDED = {"dataset": "0123456789abcdef/a.csv", "run": "x", "adapters": ["a/b"], "text": "x", "test": "x", "tasks": [{}]}
NEEDED |= {"comparison": "0" * 16, "choice": "tie", "adapter": "a/b", "version": "v1"}


def said(name: str, given: dict) -> str:
    with pytest.raises(SpecError) as raised:
        Arguments(getattr(Endpoints, name))(given)
    return str(raised.value)


def test_what_is_right_goes_through_and_none_is_left_out() -> None:
    plan = Arguments(Endpoints.plan)
    given = {"dataset": "a/b", "overrides": {"epochs": 3}, "columns": {"text": "متن"}, "task": None}
    assert plan(given) == {"dataset": "a/b", "overrides": {"epochs": 3}, "columns": {"text": "متن"}}
    assert Arguments(Endpoints.compare)({"adapters": ["a/b"], "temperature": 1}) == {
        "adapters": ["a/b"],
        "temperature": 1.0,
    }
    assert Arguments(Endpoints.runs)({}) == {}
    # Half a character is one that is not known.
    assert Arguments(Endpoints.run)({"run": "a\ud800"}) == {"run": "a\ufffd"}


@pytest.mark.parametrize("name", NAMES)
def test_each_function_says_what_it_takes(name: str) -> None:
    takes = Arguments(getattr(Endpoints, name))
    assert f"{name} takes no 'person'. It takes " in said(name, {**needed(name), "person": "ada"})
    assert str(takes.misnamed()).startswith(f"{name} is not called with these arguments. It takes ")


def needed(name: str) -> dict:
    takes = inspect.signature(getattr(Endpoints, name)).parameters
    return {one: value for one, value in NEEDED.items() if one in takes}


def test_functions_about_a_training_take_the_same_and_say_so() -> None:
    shared = "dataset task own_task columns mends base effort overrides test_dataset".split()
    for name, own in (("plan", []), ("train", ["adapter", "publish", "private"])):
        function = getattr(Endpoints, name)
        signature, hints = inspect.signature(function), get_type_hints(function, include_extras=True)
        assert list(signature.parameters) == ["self", "person", *shared, *own, "hardware"]
        assert hints["dataset"] == Name and hints["own_task"] == Fields | None and hints["hardware"] == Name
        assert signature.parameters["dataset"].default is inspect.Parameter.empty
        assert signature.parameters["effort"].default == "balanced"
        told = inspect.getdoc(function).partition("Args:\n")[2].splitlines()
        assert [line.strip().partition(":")[0] for line in told] == [*shared, *own, "hardware"]
        assert ("also what it would cost" if name == "plan" else "train as a job") in told[-1]


@pytest.mark.parametrize(
    ("name", "wrong", "why"),
    [
        ("run", {"run": 5}, "'run' will not do: it must be a text"),
        ("run", {"run": ["a"]}, "it must be a text"),
        ("run", {"run": "x" * (MOST_NAME + 1)}, "it may have at most 1000 characters"),
        ("run", {"run": None}, "'run' will not do: it is missing"),
        ("inspect", {"text": ["a"]}, "'text' will not do: it must be a text"),
        ("inspect", {"columns": "text"}, "'columns' will not do: it must be a set of named fields"),
        ("inspect", {"columns": {"text": 5}}, "'columns.text' will not do: it must be a text"),
        ("inspect", {"mends": "duplicates"}, "'mends' will not do: it must be a list"),
        ("inspect", {"mends": ["a"] * (MOST_MENDS + 1)}, "it may have at most 30 entries"),
        ("inspect", {"own_task": [1]}, "it must be a set of named fields"),
        ("inspect", {"own_task": {"title": "a" * MOST_FIELDS}}, "it may have at most 100,000 characters"),
        ("plan", {"overrides": {"lora.targets": ["x"] * 100_000}}, "it may have at most 100,000 characters"),
        ("compare", {"adapters": "a/b"}, "'adapters' will not do: it must be a list"),
        ("compare", {"inputs": {"text": ["b"]}}, "'inputs.text' will not do: it must be a text"),
        ("compare", {"temperature": float("nan")}, "it must be a finite number"),
        ("compare", {"temperature": -1}, "it must be at least 0"),
        ("compare", {"max_new_tokens": -1}, "it must be at least 0"),
        ("compare", {"seed": 2**70}, "it must be less than"),
        ("vote", {"place": -1}, "it must be at least 0"),
        ("vote", {"choice": ["one"]}, "'choice' will not do: it must be a text"),
        ("test", {"rows": 1001}, "it must be at most 1000"),
        ("start_test", {"adapters": ["a/b"] * 201}, "it may have at most 200 entries"),
        ("collections", {"add": "a/b"}, "'add' will not do: it must be a list"),
        ("train", {"publish": 5}, "it must be true or false"),
    ],
)
def test_what_is_wrong_is_named(name: str, wrong: dict, why: str) -> None:
    told = said(name, {**needed(name), **wrong})
    assert told.startswith(f"{name}: ") and why in told and len(told) < 400, told


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep: list = []
    for _level in range(100_000):
        deep = [deep]
    assert "it is no plain JSON" in said("inspect", {"own_task": {"title": deep}})
