"""Errors that a person on the page can meet have a Persian text: real ones are raised here, and the code is scanned for
the rest."""

import ast
import errno
import json
import re
from collections.abc import Callable
from pathlib import Path

import polars
import pytest
from persian import LETTER, check_persian
from sample_adapters import make_spec

from lora_hub import use_cases
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.compare import panes
from lora_hub.core import crash, spec_fields, store
from lora_hub.core.errors import DataError, LoraHubError, SpecError, reason_of
from lora_hub.core.messages import _
from lora_hub.core.schema import BaseModel, DatasetInfo, TrainSpec
from lora_hub.data import preview
from lora_hub.data.chats import convert
from lora_hub.data.columns import columns
from lora_hub.data.prompts import prepare
from lora_hub.data.prompts import split as splitting
from lora_hub.data.prompts.prepare import Example
from lora_hub.data.read import spreadsheets
from lora_hub.data.read.read import read_table
from lora_hub.data.tables import error_words
from lora_hub.data.tables.table import Table
from lora_hub.hub import client, endpoint, naming
from lora_hub.hub.dataset import fetch_dataset
from lora_hub.people import LOCAL
from lora_hub.runs import machine
from lora_hub.training import recipe
from lora_hub.ui.tabs.finetune import asked, task_list

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "lora_hub"
DIFFICULT = ROOT.parent / "shared" / "data" / "difficult"
KINDS = {
    "DataError",
    "SpecError",
    "BaseError",
    "RunError",
    "AdapterError",
    "HubError",
    "LoraHubError",
    "missing",
}  # `missing`: hub.client's
# local_hub is a process of its own, whose words go to its log.
SPEAKING = sorted(path for path in PACKAGE.rglob("*.py") if "local_hub" not in path.parts)
SPAM = catalogue.get_task("spam")
OWN = {"title": "Tone", "instruction": "Which tone is this?"}
TASK = {"title": "Tone", "labels": ["formal", "casual"], "instruction": "Which tone is this?"}


def file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


FILES: dict[str, tuple[str | bytes, dict[str, str], str]] = {
    "empty.csv": (b"", {}, "خالی"),
    "blank.csv": ("\n \n\n", {}, "خالی"),
    "header.csv": ("text,label\n", {}, "سطری ندارد"),
    "broken.jsonl": ('{"a": "b"}\n{"a": 1,}\n{"a"\n{"a": "c"}\n', {}, "خط ۲ .*خط ۳ .*«:» باید باشد"),
    "delimiter.csv": ("text,label\nx,y\n", {"delimiter": "abcdefg"}, "جداکننده.*«abcdefg»"),
    "ragged.csv": ('text,label\na,b\nc,d\ne,f,g,h\ni,"j\nk,l\n', {"delimiter": ","}, "خط ۴: ۴ سلول دارد و جدول ۲ سلول"),
    "bad.json": ('[{"a": 1} {"a": 2}]', {}, "خط ۱، کاراکتر ۱۱: اینجا «,» باید باشد"),
    "mixed.json": ('[{"a": 1}, 7, {"a": 2}]', {}, "سطر ۲"),
    "single.json": ("{" + '"nbformat": 4, "cells": []' + "}", {}, "دفترچه"),
    "encoding.csv": ("text,label\nسلام,b\n".encode(), {"encoding": "ascii"}, "خط ۲ بایت «0xd8»"),
    "no_encoding.csv": ("text,label\na,b\n", {"encoding": "klingon"}, "کدگذاری‌ای به نام «klingon»"),
    "locked.xls": (spreadsheets.OLE + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(512), {}, "رمز عبور"),
    "letter.xls": (
        spreadsheets.OLE + bytes(504) + "WordDocument".encode("utf-16-le") + bytes(512),
        {},
        "سند Word است، نه جدول",
    ),
    "picture.csv": (b"\x89PNG\r\n\x1a\n" + bytes(64), {}, "تصویر است، نه جدول"),
    "film.srt": ("1\n00:00:01,000 --> 00:00:02,000\nHello\n\n", {}, "زیرنویس"),
    "page.html": ("<!doctype html><html><body><p>Hello</p></body></html>", {}, "بدون جدول"),
    "damaged.zip": (b"PK\x03\x04" + bytes(40), {}, "خراب است"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    content, reading, said = FILES[name]
    with pytest.raises(DataError) as caught:
        read_table(file(tmp_path, name, content), **reading)
    check_persian(caught.value)
    assert re.search(said, caught.value.said.fa), caught.value.said.fa
    if name in caught.value.message:
        assert f"«{name}»" in caught.value.said.fa


@pytest.mark.skipif(not DIFFICULT.is_dir(), reason="the shared files are not here")
def test_difficult_files() -> None:
    refused = {}
    for path in sorted(DIFFICULT.iterdir()):
        try:
            read_table(path)
        except DataError as error:
            check_persian(error, *([path.name] if path.name in error.message else []))
            refused[path.name] = error.said.fa
    assert {"empty.csv", "header_only.csv", "broken.jsonl", "encrypted_no_password.xls"} <= set(refused)


def table(**values: list) -> Table:
    return Table(polars.DataFrame(values), "csv")


def examples(count: int) -> list[Example]:
    return [Example(i + 1, {"text": f"message {i}"}, ("ham", "spam")[i % 2]) for i in range(count)]


def spec_of(**overrides: object) -> TrainSpec:
    info = DatasetInfo(fingerprint="0" * 16, name="x.csv", rows=1000, columns=("text", "answer"), format="csv")
    effort = str(overrides.pop("effort", "balanced"))
    return recipe.make_spec(
        SPAM, BaseModel(id="x/y"), info, {"text": "text", "answer": "answer"}, effort=effort, overrides=overrides
    )


def _raise(error: LoraHubError) -> None:
    raise error


def _with_variable(name: str, value: str, call: Callable[[], object]) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        return call()


RAISED: dict[str, tuple[Callable[[], object], list[str]]] = {
    "missing column": (
        lambda: columns.check_mapping(table(a=["x"], b=["y"]), SPAM, {"text": "a"}),
        ["answer", "spam", "a»، «b"],
    ),
    "unknown column": (
        lambda: columns.check_mapping(table(text=["x"], b=["y"]), SPAM, {"text": "texxt"}),
        ["texxt", "text"],
    ),
    "unknown role": (lambda: columns.check_mapping(table(a=["x"]), SPAM, {"body": "a"}), ["body"]),
    "one column twice": (lambda: columns.check_mapping(table(a=["x"]), SPAM, {"text": "a", "answer": "a"}), ["a"]),
    "text alone": (lambda: columns.propose_mapping(table(a=["some text"] * 9), SPAM), ["a"]),
    "preferences": (
        lambda: columns.propose_mapping(table(prompt=["p"] * 9, chosen=["c"] * 9, rejected=["r"] * 9), SPAM),
        ["chosen"],
    ),
    "too few rows": (lambda: splitting.split_examples(examples(6), SPAM, held_out=0.2, max_held_out=100, seed=1), []),
    "no usable row": (
        lambda: prepare.build_examples(table(t=["a"], l=[""]), SPAM, {"text": "t", "answer": "l"}),
        ["text", "l"],
    ),
    "row 1 is no chat": (
        lambda: prepare.build_examples(
            table(m=['[{"role": "alien", "content": "x"}]']), catalogue.get_task("chat"), {"messages": "m"}
        ),
        ["alien"],
    ),
    "turn without role": (lambda: convert.to_messages([{"text": 1}, {}]), []),
    "unknown setting": (lambda: spec_of(epoch=3), ["epoch", "epochs"]),
    "unknown effort": (lambda: spec_of(effort="heroic"), ["heroic", "quick"]),
    "no number": (lambda: spec_of(lr="fast"), ["fast", "lr"]),
    "no such task": (lambda: catalogue.get_task("spamm"), ["spamm", "spam"]),
    "task without title": (lambda: catalogue.task_from_dict({"instruction": "x"}), ["title"]),
    "task with a label twice": (lambda: catalogue.task_from_dict({**TASK, "labels": "a, a"}), ["labels", "a"]),
    "task with a stranger": (lambda: catalogue.task_from_dict({**TASK, "template": "{text} {tune}"}), ["tune", "text"]),
    "task without its input": (lambda: catalogue.task_from_dict({**TASK, "template": "{instruction}"}), ["text"]),
    "task with an unknown field": (lambda: catalogue.task_from_dict({**TASK, "lables": ["a"]}), ["lables", "labels"]),
    "task with a bad length": (
        lambda: catalogue.task_from_dict({**TASK, "max_new_tokens": 100_000}),
        ["max_new_tokens", "100000"],
    ),
    "task that asks for its answer": (lambda: catalogue.task_from_dict({**TASK, "inputs": "answer"}), ["answer"]),
    "task without inputs left": (
        lambda: catalogue.task_from_dict({**TASK, "optional_inputs": "tune"}),
        ["optional_inputs", "inputs"],
    ),
    "no such base": (lambda: bases.get_base("built-inn"), ["built-inn", "built-in"]),
    "base too large": (
        lambda: machine.check_fits(spec_of().model_copy(update={"base": BaseModel(id="x/y", parameters=10**15)})),
        ["x/y"],
    ),
    "no such run": (lambda: store.read_run("no-such-run"), ["no-such-run"]),
    "nothing pasted": (lambda: store.add_text(" ", "pasted.csv"), []),
    "no such dataset id": (lambda: fetch_dataset("nobody/nothing-at-all"), ["nobody/nothing-at-all"]),
    "no such adapter": (lambda: panes.resolve_adapter("lora-hub/no-such-adapter"), ["lora-hub/no-such-adapter"]),
    "no adapter in the folder": (lambda: panes.resolve_adapter(str(ROOT)), [str(ROOT)]),
    "no Hub": (lambda: _raise(client.unreachable()), []),
    "no dataset id": (lambda: fetch_dataset("not an id"), ["not an id"]),
    "no letters in a name": (lambda: naming.repo_name(make_spec(), "🙂"), ["🙂"]),
    "no dataset of this app": (lambda: use_cases.open_dataset(LOCAL, "elsewhere/x.csv"), ["elsewhere/x.csv"]),
    "too many inputs for the page": (
        lambda: asked.read_task(asked.Asked(task=asked.OWN, own={**OWN, "inputs": "a, b, c, d, e, f, g"})),
        [],
    ),
    "too many tasks at once": (
        lambda: task_list.add_entry(
            [task_list.Entry(asked.Asked())] * task_list.MOST, asked.Asked(task="x"), spec_of()
        ),
        [],
    ),
    "a Hub of no kind": (lambda: _with_variable("LORA_HUB_HUB", "klingon", endpoint.wanted_kind), ["klingon"]),
    "disk full": (lambda: _raise(crash.explain_crash(OSError(errno.ENOSPC, "no space"))), []),
    "memory full": (lambda: _raise(crash.explain_crash(MemoryError())), []),
    "crash": (lambda: _raise(crash.explain_crash(RuntimeError("odd"))), []),
    "token of no Hub": (lambda: fetch_dataset("nobody/nothing-at-all", token="توکن"), []),
}


@pytest.mark.parametrize("name", RAISED)
def test_errors_of_the_page(name: str, hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home.mkdir()
    monkeypatch.setattr(machine, "gpu_flops", lambda: 0)
    call, named = RAISED[name]
    with pytest.raises(LoraHubError) as caught:
        call()
    check_persian(caught.value, *named)


def test_a_row_is_told_around_the_reason() -> None:
    with pytest.raises(DataError) as caught:
        RAISED["row 1 is no chat"][0]()
    assert caught.value.message.startswith("Row 1: Turn 1 ") and caught.value.said.fa.startswith("سطر ۱: نقش نوبت ۱ ")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("lr", 5, "حداکثر ۱ باشد"),
        ("lr", 0, "از ۰ بزرگ‌تر باشد"),
        ("lora.r", "0", "دست‌کم ۱"),
        ("dropout", "1.5", "از ۱ کوچک‌تر"),
        ("schedule", "zigzag", "«linear»، «cosine» یا «constant»"),
        ("batch", 2.5, "عددی صحیح"),
        ("batch", [3], "عددی صحیح"),
        ("lr", [3], "عدد"),
        ("lr", float("nan"), "باید عددی متناهی باشد"),
        ("rslora", "maybe", "نه «true» است و نه «false»"),
    ],
)
def test_values_that_a_form_can_send(key: str, value: object, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec_of(**{key: value})
    check_persian(caught.value, recipe.find_key(key))
    assert said in caught.value.said.fa


def test_the_missing_column_of_an_inspection_is_told_as_the_error_is() -> None:
    (found,) = preview.missing_columns(table(a=["x"], b=["y"]), SPAM, {"text": "a"}, {})
    assert "«answer»" in found.problem.said.fa and "«a»، «b»" in found.problem.advice.fa


def test_without_persian_the_english_is_shown() -> None:
    assert DataError("Broken.", "Mend it.").in_language("fa") == ("Broken.", "Mend it.")


def test_what_an_exception_says() -> None:
    said = [
        str(reason_of(error))
        for error in (
            ValueError(_("{count} rows", count=3)),
            OSError("no room.\nAt all"),
            KeyError(),
            DataError(_("It broke.")),
        )
    ]
    assert (
        said == ["3 rows", "no room", "KeyError", "It broke."]
        and reason_of(ValueError(_("it has no tokens"))).fa == "توکنی ندارد"
    )


@pytest.mark.parametrize("effort", recipe.EFFORTS)
def test_every_value_of_the_plan_says_why_in_both_languages(effort: str) -> None:
    spec = spec_of(effort=effort, seed=7)
    whys = {key: (why.en, why.fa) for key, _value, why in recipe.explain(spec)}
    assert list(whys) == [field.key for field in spec_fields.FIELDS]
    assert all(LETTER.search(fa) and not LETTER.search(en) for en, fa in whys.values())
    assert whys["seed"] == ("set by you", "به انتخاب شما") and whys["lora.dropout"] == ("default", "پیش‌فرض")


def error_calls(path: Path) -> list[ast.Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS
    ]


@pytest.mark.parametrize(
    "path", [path for path in SPEAKING if error_calls(path)], ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_what_an_error_says_is_a_message(path: Path) -> None:
    """tests/core/test_messages.py holds the catalogue to what the code says."""
    for call in error_calls(path):
        for text in call.args[:2]:
            is_text = isinstance(text, ast.JoinedStr) or (isinstance(text, ast.Constant) and text.value != "")
            assert not is_text, f"{path.relative_to(PACKAGE)}:{call.lineno}: a sentence that is no message, `_(...)`"


def test_some_files_raise_errors() -> None:
    """The test above reads something."""
    assert sum(len(error_calls(path)) for path in SPEAKING) > 250


@pytest.mark.parametrize(
    "text", ["", '{"a"', "{a: 1}", '{"a": 1,}', "[1 2]", '"x', '"\n"', '"\\q"', '"\\u12"', "[1] 2", "[1,]"]
)
def test_reasons_of_the_json_parser_are_known(text: str) -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(text)
    assert LETTER.search(error_words.json_reason(caught.value.msg).fa), caught.value.msg
