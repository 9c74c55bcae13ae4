"""What a change costs, as CONTRIBUTING.md says: a test adds each kind of thing in one place and sees it wherever it
has to appear. (A task: test_tasks; a format: test_data_formats; a finding: test_data_findings; a language:
test_messages.)"""

import ast
import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import gradio as gr
import pydantic
import pytest
from sample_adapters import make_spec
from trl import SFTConfig

from lora_hub import runs
from lora_hub.api import NAMES, Endpoints, mcp_door
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.compare import Comparer
from lora_hub.core import spec_fields, store
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import TrainSpec
from lora_hub.core.setting import Setting
from lora_hub.evaluation import metrics, minimum
from lora_hub.hub.card import card
from lora_hub.hub.endpoint import HubConnection
from lora_hub.hub.record import make_record
from lora_hub.people import LOCAL, Person
from lora_hub.runs import runners
from lora_hub.training import recipe, trainer_settings
from lora_hub.training.together_trainer import TogetherTrainer
from lora_hub.ui import app
from lora_hub.ui.frame import programs
from lora_hub.ui.frame.page import Labels, Page
from lora_hub.ui.frame.warm import Looker
from lora_hub.ui.render import render_data

OWN_TASK = {"title": "Greetings", "instruction": "Greet.", "output": "text", "metrics": ["first_letter", "chrf"]}


def test_a_metric_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match="first_letter"):
        catalogue.task_from_dict(OWN_TASK)
    first_letter = metrics.Metric(
        _("First letters"),
        metrics._hit_table(lambda text: text[:1]),
        metrics._mean,
        metrics._first_column,
        counts_rows=True,
        on_hub="first_letter_hit",
    )
    monkeypatch.setitem(metrics.METRICS, "first_letter", first_letter)
    # a task may name it
    task = catalogue.task_from_dict(OWN_TASK)
    with pytest.raises(SpecError, match="first_letter, chrf|exact_match, first_letter"):
        catalogue.task_from_dict({**OWN_TASK, "metrics": ["last_letter"]})
    # it scores, with an interval, judges a row, compares, and can be asked of an adapter
    answers, references = ["hello", "hi", "yo"], ["hey", "hullo", "bye"]
    scores = metrics.score(task, answers, references)
    assert scores["first_letter"].value == pytest.approx(66.67, abs=0.01)
    assert scores["first_letter"].low < 66 < scores["first_letter"].high
    assert [one.right for one in metrics.judge(task, answers, references)] == [True, True, False]
    found = metrics.compare_answers("first_letter", answers, ["x", "x", "x"], references)
    assert (found.better, found.worse) == (2, 0)
    minimum.check_metrics({"first_letter.low": 10.0}, task)
    # and stands on the page and in the card by its title
    assert render_data.metric_title("first_letter", "en") == "First letters"
    assert "First letters" in render_data.task_card(task, "en")
    spec = make_spec().model_copy(update={"task": task})
    made = make_record(spec, task, "run", {"base": scores, "adapter": scores}, {"eval_rows": 3}, 1, found)
    text = card.render_card(made, "owner/name")
    assert "| First letters |" in text and "first_letter_hit" in text


def test_a_hyperparameter_is_one_field(monkeypatch: pytest.MonkeyPatch) -> None:
    class Planted(TrainSpec):
        adam_beta2: Annotated[
            float,
            pydantic.Field(gt=0, lt=1),
            Setting(_("Beta 2"), _("AdamW's second moment."), trainer=("adam_beta2",), synonyms=("beta2",)),
        ] = 0.999

    fields = tuple(spec_fields.fields_of(Planted))
    planted = next(field for field in fields if field.key == "adam_beta2")
    assert (planted.kind, planted.title.en, planted.synonyms) == ("float", "Beta 2", ("beta2",))
    # all others are those of the form, each once
    assert {field.key for field in fields} - {field.key for field in spec_fields.FIELDS} == {"adam_beta2"}
    for place in (spec_fields, recipe):
        monkeypatch.setattr(place, "FIELDS", fields)
        monkeypatch.setattr(place, "TrainSpec", Planted)
    monkeypatch.setitem(recipe.SYNONYMS, "beta2", "adam_beta2")
    old = make_spec()
    # the shell's and the page's words for it, its range, its reason
    spec = recipe.make_spec(old.task, old.base, old.dataset, old.mapping, overrides={"beta2": "0.9"})
    assert spec.adam_beta2 == 0.9
    assert next(str(why) for key, value, why in recipe.explain(spec) if key == "adam_beta2") == "set by you"
    with pytest.raises(SpecError, match="adam_beta2 = 1.5 will not do: it must be less than 1"):
        recipe.make_spec(old.task, old.base, old.dataset, old.mapping, overrides={"adam_beta2": "1.5"})
    # and the trainer's argument, where a task is trained alone and beside others
    told = spec_fields.for_trainer(spec)
    assert told["adam_beta2"] == 0.9 and told["learning_rate"] == spec.lr and told["data_seed"] == spec.seed
    trainer = TogetherTrainer.__new__(TogetherTrainer)
    trainer.args = SFTConfig(output_dir="unused", use_cpu=True, report_to=[])
    options = trainer._optimized_by(SimpleNamespace(spec=spec))
    assert options["betas"] == (0.9, 0.9) and options["lr"] == spec.lr and options["weight_decay"] == spec.weight_decay
    assert trainer.args.adam_beta2 == 0.999


def test_training_alone_and_together_take_their_settings_from_one_table() -> None:
    lora = trainer_settings.make_lora_config(make_spec())
    for field in spec_fields.FIELDS:
        for name in field.trainer:
            assert hasattr(lora if field.key.startswith("lora.") else SFTConfig, name) or name in {
                one.name for one in dataclasses.fields(SFTConfig)
            }, name
    # no file of the trainer names one of these arguments by itself
    named = {name for field in spec_fields.FIELDS if "." not in field.key for name in field.trainer}
    for file in Path(trainer_settings.__file__).parent.glob("*.py"):
        given = {
            one.arg
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "SFTConfig"
            for one in node.keywords
        }
        assert not given & named, f"{file.name}: {given & named}"


def test_a_runner_is_one_file(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted runner is started, asked, cancelled and ended by its name, and nothing else knows it."""
    (tmp_path / "pigeon.py").write_text(
        "TOLD, trains_here = [], True\n"
        "def start(run_ids, log, environment=None, locks=(), ticket=None):\n"
        "    TOLD.append(('start', *run_ids))\n"
        "    return {'pigeon': 7}\n"
        "def is_working(handle, folder):\n    return ('kill', 7) not in TOLD\n"
        "def is_alive(handle):\n    return False\n"
        "def cancel(handle):\n    TOLD.append(('cancel', handle['pigeon']))\n"
        "def kill(handle):\n    TOLD.append(('kill', handle['pigeon']))\n"
    )
    spec = make_spec(base=bases.get_base("built-in"))
    with pytest.raises(SpecError, match="no runner 'pigeon'"):
        runs.start_runs([spec], runner="pigeon")
    assert store.list_run_ids() == []
    monkeypatch.setattr(runners, "__path__", [*runners.__path__, str(tmp_path)])
    run = runs.start_runs([spec], runner="pigeon")[0]
    told = runners.get_runner("pigeon").TOLD
    assert told == [("start", run.id)] and run.runner == "pigeon" and run.handle["pigeon"] == 7
    assert not runs.refresh_run(run.id).state.is_final
    ended = runs.cancel_run(run.id, wait=0)
    assert told[1:] == [("cancel", 7), ("kill", 7)] and ended.state == "cancelled"
    # to resume it is the same runner's
    assert runs.resume_run(run.id).runner == "pigeon" and told[-1] == ("start", run.id)
    # a version that does not know the runner lists the run as it is told
    monkeypatch.undo()
    monkeypatch.setenv("LORA_HUB_HOME", str(home))
    assert [one.state for one in runs.list_runs()] == ["queued"]


def test_a_tab_is_one_file_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn stands in a tab of its own, behind the others; page.js writes the id of the shown one into the
    address, and Back leads to every tab that is known."""

    def draw(page: Page, tab: gr.Tab) -> None:
        said = gr.Textbox(elem_id="lh-greeting")
        tab.select(lambda language: f"Hello in {language}", page.language, said)

    monkeypatch.setitem(app.TABS, "greetings", (_("Greetings"), draw))
    connection = HubConnection("embedded", "http://127.0.0.1:1", "lora-hub", "local", False)
    drawn = app.build(connection, Endpoints(Comparer(), Looker()), Labels()).get_config_file()
    parts = {one["id"]: one for one in drawn["components"]}
    tabs = [one for one in parts.values() if one["type"] == "tabitem"]
    assert [one["props"]["id"] for one in tabs] == [
        "finetune",
        "runs",
        "adapters",
        "compare",
        "tests",
        "matrix",
        "data",
        "greetings",
    ]
    tree = next(one for one in _nodes(drawn["layout"]) if one["id"] == tabs[-1]["id"])
    assert "lh-greeting" in {parts[one["id"]]["props"].get("elem_id") for one in _nodes(tree) if one["id"] in parts}
    selects = [one for one in drawn["dependencies"] if (tabs[-1]["id"], "select") in map(tuple, one["targets"])]
    assert len(selects) == 2, "its own event, and the timer that every tab starts or rests"
    assert [*app.tabs_here()][-1] == "greetings"
    silent = [one for one in drawn["dependencies"] if one["show_progress"] == "hidden"]
    assert silent and all(one["show_progress_on"] == [] for one in silent), "the browser writes its progress everywhere"


def test_a_function_for_programs_is_a_method_and_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class More(Endpoints):
        def greet(self, person: Person, name: str = "you") -> dict[str, str]:
            """Says hello.

            Args:
                name: to whom.
            """
            return {"said": f"Hello, {name}, from {person.id}"}

    for place in (programs, mcp_door):
        monkeypatch.setattr(place, "NAMES", (*NAMES, "greet"))
    more = More(Comparer(), Looker())
    blocks = app.build(HubConnection("embedded", "http://127.0.0.1:1", "lora-hub", "local", False), more, Labels())
    info = blocks.get_api_info()["named_endpoints"]
    assert [*info] == [f"/{name}" for name in (*NAMES, "greet")]
    told = [(one["parameter_name"], one["python_type"]["description"]) for one in info["/greet"]["parameters"]]
    assert told == [("name", "to whom.")]
    called = next(one for one in blocks.fns.values() if one.api_name == "greet")
    assert called.fn("Ada") == {"said": "Hello, Ada, from local"}
    tools = asyncio.run(mcp_door.McpDoor(None, more, lambda scope: LOCAL)._server.list_tools())
    assert tools[-1].name == "greet" and tools[-1].description.startswith("Says hello.")
    assert [*tools[-1].inputSchema["properties"]] == ["name"]


def _nodes(node: dict) -> Iterator[dict]:
    yield node
    for child in node.get("children", []):
        yield from _nodes(child)
