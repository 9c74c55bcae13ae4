"""Files that people write by hand or strangers publish may contain any value anywhere. Each reader uses it, or says in
plain words which file, field and value is wrong, never in the words of Python or a library."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sample_adapters import make_folder, make_spec

from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.compare import panes
from lora_hub.core.errors import AdapterError, LoraHubError, SpecError
from lora_hub.core.schema import DatasetInfo
from lora_hub.core.spec_fields import FIELDS
from lora_hub.hub import adapter_config
from lora_hub.local_hub.accounts import Accounts
from lora_hub.runs import pipeline
from lora_hub.training import recipe

ODD: list[Any] = [None, [], {}, [1], ["a", None], {"a": 1}, {"en": None}, 0, -1, 1.5, float("nan"), float("inf"), True]
ODD += ["", "x", "nan", [[1]], {"a": {"b": [1]}}, "a" * 300, 10**30, "\0", [{}], "2020-99-99"]
# Words of Python's, pydantic's and PyYAML's.
THEIRS = re.compile(
    r"argument|NoneType|object of type|recursion|Text2|pydantic|\binstance\b|Input should|TypeError|KeyError|has no "
    r"attribute|unhashable|validation error|<class|\bdict\b|\btuple\b|constructor"
)
TASK = {
    "id": "tone",
    "title": "Tone",
    "instruction": "Which tone is this?",
    "inputs": ["text"],
    "optional_inputs": [],
    "output": "labels",
    "labels": ["formal", "casual"],
    "answer": "Tone",
    "template": "{instruction}\n{text}",
    "metrics": ["accuracy"],
    "max_new_tokens": 5,
    "prompt_language": "en",
    "sample": "",
}
ENTRY = {"task": "spam", "data": "x.csv", "map": {"text": "a"}, "test": "t.csv", "name": "n", "set": {"epochs": 1}}
ENTRY |= {"mend": ["duplicates"], "min": {"accuracy": 90}, "private": True, "encoding": "utf-8", "skip_broken": True}
PIPELINE = {"base": "built-in", "org": "x", "effort": "quick", "tasks": [ENTRY]}
ACCOUNTS = {
    "users": {"ann": {"token": "hf_a", "fullname": "Ann", "email": "a@b"}, "bob": {"token": "hf_b"}},
    "orgs": {"o": {"members": {"ann": "admin"}, "private_by_default": False, "fullname": "O"}},
    "oauth": {"app": {"secret": "s", "redirect": ["http://x"], "fullname": "f"}},
}
CONFIG = {"r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], "base_model_name_or_path": "x/y", "peft_type": "LORA"}
CONFIG |= {"rank_pattern": {}, "use_dora": False, "layers_to_transform": None, "task_type": "CAUSAL_LM"}


def places(value: Any, path: tuple = ()) -> list[tuple]:
    """The places in a value, the whole of it first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


def with_value(whole: Any, path: tuple, value: Any) -> Any:
    if not path:
        return value
    made = copy.deepcopy(whole)
    inside = made
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    return made


def hold(whole: Any, read: Callable[[Any], Any]) -> int:
    """Reads the value with each odd one in each place; how many were refused."""
    refused = 0
    for path in places(whole):
        for value in ODD:
            try:
                read(with_value(whole, path, value))
            except LoraHubError as error:
                refused += 1
                assert not THEIRS.search(str(error)), (path, value, str(error))
                assert re.search(r"[.?]$", error.message) and len(str(error)) < 1_500, (path, value, str(error))
    return refused


def test_a_task(tmp_path: Path) -> None:
    def read(value: Any) -> None:
        (tmp_path / "task.json").write_text(json.dumps(value))
        catalogue.get_task(str(tmp_path / "task.json"))

    assert hold(TASK, read) > 100
    for text in ("null", "title: 2020-99-99\ninstruction: [1]", "title: !!timestamp x", "? [a]\n: b", "title: .nan"):
        (tmp_path / "task.yaml").write_text(text)
        with pytest.raises(SpecError) as told:
            catalogue.get_task(str(tmp_path / "task.yaml"))
        assert not THEIRS.search(str(told.value)), text
    (tmp_path / "task.yaml").write_text("title: 2020-01-01\ninstruction: x\nlabels: [2020-01-01, 2020-99-99]")
    task = catalogue.get_task(str(tmp_path / "task.yaml"))
    assert task.title.en == "2020-01-01" and task.labels == ("2020-01-01", "2020-99-99")


def test_a_pipeline() -> None:
    assert hold(PIPELINE, pipeline.make_pipeline) > 100


def test_the_accounts(tmp_path: Path) -> None:
    def read(value: Any) -> None:
        (tmp_path / "accounts.json").write_text(json.dumps(value))
        Accounts(tmp_path, tmp_path / "accounts.json", "o")

    assert hold(ACCOUNTS, read) > 100
    with pytest.raises(SpecError, match=r"cannot be used: 'members' in entry 1 of 'orgs' is not a mapping of names"):
        read(with_value(ACCOUNTS, ("orgs", "o", "members"), ["ann"]))
    with pytest.raises(SpecError, match=r"cannot be used: entry 2 of 'users' has no 'token'"):
        read(with_value(ACCOUNTS, ("users", "bob"), {}))


def test_an_adapters_configuration(tmp_path: Path) -> None:
    def read(value: Any) -> None:
        (tmp_path / "adapter_config.json").write_text(json.dumps(value))
        adapter_config.base_of_config(adapter_config.read_config(tmp_path), "some/adapter")

    assert hold(CONFIG, read) > 50
    for text, said in (("[" * 5_000, "it is nested too deeply."), ('{"r": ', "line 1, column"), ("\ud800", "UTF-8")):
        (tmp_path / "adapter_config.json").write_bytes(text.encode("utf-8", "surrogatepass"))
        with pytest.raises(AdapterError, match=said):
            adapter_config.read_config(tmp_path)


def test_an_adapters_record(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "some-adapter", make_spec())
    whole = json.loads((folder / "lora_hub.json").read_text())
    record = {key: whole[key] for key in ("version", "task", "base", "dataset", "spec", "metrics", "calibrations")}

    def read(value: Any) -> None:
        (folder / "lora_hub.json").write_text(json.dumps(value))
        panes.resolve_adapter(str(folder))

    assert hold(record, read) > 100
    with pytest.raises(
        AdapterError, match=r"lora_hub.json of .*some-adapter is damaged: task.title = 7: it must be a text"
    ):
        read(with_value(record, ("task", "title"), 7))


def test_the_settings() -> None:
    info = DatasetInfo(fingerprint="0" * 16, name="x", rows=100, columns=("text", "label"), format="csv")
    task, base = catalogue.get_task("spam"), bases.get_base("built-in")

    def spec(overrides: dict) -> None:
        recipe.make_spec(task, base, info, {"text": "text", "answer": "label"}, overrides=overrides)

    for field in FIELDS:
        for value in [*ODD, "inf", "-1", "1e999", "true", "a, b", "٣"]:
            try:
                spec({field.key: value})
            except SpecError as error:
                assert not THEIRS.search(str(error)) and (field.key in str(error) or "language" in str(error)), str(
                    error
                )
    for key in ("lora.alpha", "lr", "epochs", "weight_decay"):
        with pytest.raises(
            SpecError, match=rf"{key} = nan will not do: it must be a finite number\. Give another value"
        ):
            spec({key: "nan"})


TWICE = {
    "task.yaml": (
        "title: x\ninstruction: y\nlabels: [a, b]\ntitle: z\n",
        catalogue.get_task,
        "'title' twice; .* line 4",
    ),
    "task.json": ('{"title": "x",\n"instruction": "y",\n"title": "z"}', catalogue.get_task, "'title' twice; .* line 3"),
    "in it.yaml": ("title: {en: x, en: y}\ninstruction: y\n", catalogue.get_task, "'en' twice; .* line 1"),
    "pipeline.yaml": (
        "base: built-in\ntasks:\n  - {task: spam, data: x}\n  - {task: spam, data: x, data: y}\n",
        lambda file: pipeline.read_pipeline(Path(file)),
        "'data' twice; .* line 4",
    ),
    "accounts.yaml": (
        "users:\n  ann: {token: hf_a}\n  ann: {token: hf_b}\n",
        lambda file: Accounts(Path(file).parent, Path(file), "o"),
        "line 3 gives a key for the second time",
    ),
    "accounts.json": (
        '{"users": {"ann": {"token": "hf_a"}, "ann": {"token": "hf_b"}}}',
        lambda file: Accounts(Path(file).parent, Path(file), "o"),
        "an object has a key twice",
    ),
}


@pytest.mark.parametrize("name", TWICE)
def test_a_key_that_stands_twice_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    text, read, said = TWICE[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(SpecError, match=said) as told:
        read(str(tmp_path / name))
    assert name in str(told.value) and "hf_" not in str(told.value)


def test_a_merge_may_stand_twice_and_a_key_beside_its_value(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("a: &a {title: x}\n<<: *a\ninstruction: title\n")
    with pytest.raises(SpecError, match="no field 'a'"):
        catalogue.get_task(str(tmp_path / "t.yaml"))
