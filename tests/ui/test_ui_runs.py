"""The Runs tab without a browser: plots of what a training tells, several runs, files, names, tags and filters."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from persian import refused
from small_data import sentiment_rows, write_csv
from test_run_folders import FAILED, WORKER, make_run, started

from lora_hub import runs, use_cases
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import store
from lora_hub.core.errors import RunError, SpecError
from lora_hub.core.run_reader import RunReader
from lora_hub.core.schema import Mend, Parent
from lora_hub.data.combining import OneFile, combine_files
from lora_hub.data.inspector import Inspector
from lora_hub.people import LOCAL, STRANGER, Person
from lora_hub.runs import pipeline, settings_file
from lora_hub.ui.frame import notices
from lora_hub.ui.frame.warm import Looker
from lora_hub.ui.render.runs import curves, measure_plots
from lora_hub.ui.tabs.finetune import from_run
from lora_hub.ui.tabs.finetune.asked import Asked
from lora_hub.ui.tabs.finetune.review import review
from lora_hub.ui.tabs.runs import runs_more, runs_watch

MEASURES = {
    "lr": [(step, 2e-4 * (1 - step / 40)) for step in range(1, 41)],
    "grad_norm": [(step, 1 + step % 3) for step in range(1, 41)],
    "tokens_second": [(step, 5000.0 + step) for step in range(1, 41)],
    "memory": [(step, 7.3e8) for step in range(1, 41)],
}


def told(**changes: Any) -> Any:
    """What the plots read of a run."""
    losses = {"train_losses": [(1, 3.0), (40, 1.0)], "eval_losses": [(0, 3.5), (40, 1.25)]}
    return SimpleNamespace(**{**losses, "measures": MEASURES, "planned_steps": 40, **changes})


def test_learning_rate_norm_speed_and_memory_have_a_plot_each() -> None:
    shown = measure_plots.measure_plots(MEASURES, 40, "en")
    assert shown.count("<figure") == 4 and "0.0002" in shown and "5,040" in shown and "730 MB" in shown
    # the ticks of a small rate are told apart
    ticks = re.findall(r'lh-tick-y" style="[^"]*">([^<]*)<', shown.partition("Gradient norm")[0])
    assert len(set(ticks)) == len(ticks) > 1
    persian = measure_plots.measure_plots(MEASURES, 40, "fa")
    assert "Gradient" not in persian and "per second" not in persian
    assert "۷۳۰" in persian and measure_plots.measure_plots({}, 40, "en") == ""


def test_a_plot_as_a_file_is_svg_that_stands_alone() -> None:
    for language in ("en", "fa"):
        svg = curves.run_svg(told(), '<b>"Spam"</b> & more', language)
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("svg") and "nan" not in svg and "<b>" not in svg
        several = curves.runs_svg([("One", MEASURES["memory"]), ("Two", []), ("Three", [(1, 2e9)])], "memory", language)
        assert ElementTree.fromstring(several).get("viewBox") and several.count("stroke-dasharray") >= 2
    assert "GB" in curves.runs_svg([("One", [(1, 2e9)])], "memory", "en")
    assert curves.run_svg(told(measures={}), "Old", "en").count("Gradient") == 0


# --- the tab's handlers ---


def page() -> Any:
    return SimpleNamespace(runs=RunReader())


def trained(owner: str = "local", visibility: str = "private", **changes: Any) -> str:
    """A run that told losses, and has ended."""
    return make_run(
        ("app-1", "submitted", {"owner": owner, "visibility": visibility}),
        started(),
        (WORKER, "metric", {"step": 1, "loss": 2.0, "lr": 0.01}),
        (WORKER, "metric", {"step": 1, "eval_loss": 1.5}),
        *FAILED,
        **changes,
    )


def test_a_run_is_taken_away_named_and_held_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_more, "inform", lambda said, language: None)
    doing, mine, other = runs_more.More(page()), trained(), trained(lr=0.5)
    buttons, taken, exporting, beside, others, naming, name, tags = doing.look(
        "en", f"{mine} failed", [other, "gone"], person=LOCAL
    )
    assert taken == "" and not exporting.visible  # it made no adapter
    offered = re.findall(r'data-put="lh-run-save" data-value="\S+ (\S+)"', buttons)
    assert offered == ["svg", "png", "metrics", "settings", "log"] and 'data-put="lh-start-from"' in buttons
    assert (beside.visible, naming.visible, others.value, name, tags) == (True, True, [other], "", "")
    shown = doing.draw_beside("en", f"{mine} failed", "loss", [other], person=LOCAL)
    assert "0.5" in shown and "Learning rate" in shown and "Epochs" not in shown and "Training loss" in shown
    assert doing.draw_beside("en", f"{mine} failed", "loss", [], person=LOCAL) == ""
    doing.keep("en", f"{mine} failed", "<b>Night</b>", "a، b,c", person=LOCAL)
    listed = runs_watch.draw(LOCAL, RunReader(), "fa", mine, search="night", filters=["tag b", "state failed"])[0]
    assert "&lt;b&gt;Night" in listed and "<b>Night" not in listed and other not in listed
    assert "No run fits" in runs_watch.draw(LOCAL, RunReader(), "en", mine, filters=["tag z"])[0]
    saved = json.loads(doing.save("en", f"{mine} png", person=LOCAL))
    assert saved["kind"] == "image/png" and ElementTree.fromstring(saved["text"]).tag.endswith("svg")
    assert json.loads(doing.save("en", f"{mine} metrics", person=LOCAL))["text"].startswith("\ufeffstep,loss")
    assert doing.save("en", "", person=LOCAL) == ""
    with refused(SpecError):
        doing.save("en", f"{mine} /etc/passwd", person=LOCAL)


def test_whoever_a_run_is_shared_with_reads_it_and_changes_nothing() -> None:
    rita = Person(id="rita", roles={"lora-hub": "read"}, token="")
    doing, shared, hidden = runs_more.More(page()), trained("eve", "organization"), trained("eve")
    buttons, taken, exporting, _beside, others, naming, *_rest = doing.look(
        "en", f"{shared} failed", [hidden], person=rita
    )
    assert taken == "" and not exporting.visible
    assert "metrics" in buttons and f"{shared} log" not in buttons and "lh-start-from" not in buttons
    assert not naming.visible and others.value == [] and hidden not in str(others.choices)
    assert doing.look("en", f"{hidden} failed", [], person=rita)[0] == ""
    assert "There is no run" in doing.draw_beside("en", f"{shared} x", "loss", [hidden], person=rita)
    with refused(RunError):
        doing.save("en", f"{hidden} metrics", person=rita)


def test_the_adapter_is_taken_away_by_whoever_made_it() -> None:
    whole = (WORKER, "adapter", {"folder": "/somewhere"}), (WORKER, "state", {"state": "succeeded"})
    made = make_run(("app-1", "submitted", {"owner": "eve", "visibility": "organization"}), started(), *whole)
    for name, role, may in (("eve", "write", True), ("will", "write", False), ("ada", "admin", True)):
        who = Person(id=name, roles={"lora-hub": role}, token="")
        _buttons, taken, exporting, *_rest = runs_more.More(page()).look("en", f"{made} x", [], person=who)
        assert (taken, exporting.visible) == ((made, True) if may else ("", False))


def test_no_run_is_chosen_or_the_chosen_one_is_gone() -> None:
    watch, mine = runs_watch.Watch(page()), trained()
    *_rest, stamp = watch.look("en", "", "all", "file", "", "", [], person=LOCAL)
    planned = watch.plan("en", stamp, "lora-hub", "", "", False, person=LOCAL)
    assert planned[0] == "" and runs_watch.shown_run(stamp) == "", "nothing is said of a run that nobody chose"
    listed, head, *_rest, stamp = watch.look("en", "gone", "all", "file", "", "", [], f"{mine} failed", person=LOCAL)
    assert mine in listed and "There is no run" in head and stamp == ""


def test_a_run_goes_back_into_the_form(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "reviews.csv", sentiment_rows(60))
    own = {"title": "Tone", "instruction": "Good or bad?", "inputs": ["text"], "output": "labels"}
    for task in (catalogue.get_task("sentiment"), catalogue.task_from_dict(own)):
        spec = runs.plan_run(
            data,
            task,
            bases.get_base("built-in"),
            mapping={"text": "text", "answer": "label"},
            mends=[Mend(kind="relabel", values={"good": "fine"})],
            effort="quick",
            overrides={"lr": "0.00321", "lora.targets": "q_proj,v_proj", "seed": "7"},
        ).spec
        asked, missing = from_run.asked_of(LOCAL, use_cases.refresh_run(LOCAL, store.create_run(spec)))
        assert not missing and asked.settings() == {"lr": "0.00321", "lora.targets": "q_proj, v_proj", "seed": "7"}
        view = review(LOCAL, Asked.from_json(asked.to_json()), "en", Inspector())
        assert view.spec is not None and view.spec == spec.model_copy(update={"task": view.spec.task})
        assert view.spec.task == spec.task
    # a training that went on from an adapter goes on from it again
    further = store.create_run(spec.model_copy(update={"parent": Parent(repo_id="lora-hub/a", version="v1")}))
    assert from_run.asked_of(LOCAL, use_cases.refresh_run(LOCAL, further))[0].parent == "lora-hub/a@v1"
    # what is somebody else's, or gone, is told
    eve = Person(id="eve", roles={"lora-hub": "write"}, token="")
    asked, missing = from_run.asked_of(eve, use_cases.refresh_run(LOCAL, store.create_run(spec)))
    assert asked.dataset == "" and asked.base == "built-in" and "reviews.csv" in missing[0].en
    odd = spec.task.model_copy(update={"template": "Say {text}"})
    run = use_cases.refresh_run(LOCAL, store.create_run(spec.model_copy(update={"task": odd})))
    assert "template" in from_run.asked_of(LOCAL, run)[1][0].en


def test_a_run_of_several_files_goes_into_the_form_and_through_its_settings_file(tmp_path: Path) -> None:
    """Each with its weight, and with a mapping and a delimiter that nobody would guess."""
    rows = [(f"win {n}, now", f"see {n}, later", ("spam", "ham")[n % 2]) for n in range(60)]
    one, other = tmp_path / "one.csv", tmp_path / "other.csv"
    one.write_text("text|body|label\n" + "".join("|".join(row) + "\n" for row in rows))
    other.write_text("label,text\n" + "".join(f'{label},"{text} again"\n' for text, _body, label in rows))
    base, spam = bases.get_base("built-in"), catalogue.get_task("spam")
    chosen = {"text": "body", "answer": "label"}
    kept = [
        OneFile(store.add_dataset(one), 2.0, chosen, {"delimiter": "|"}),
        OneFile(store.add_dataset(other), 0.5, reading={"delimiter": ","}),
    ]
    combined = combine_files(Inspector().read, kept, spam)
    file = store.add_text(combined.text, combined.name)
    spec = runs.plan_run(file, spam, base, effort="quick", overrides={"seed": "7"}, parts=combined.parts).spec
    assert [(part.weight, part.delimiter, part.mapping["text"]) for part in spec.dataset.parts] == [
        (2.0, "|", "body"),
        (0.5, ",", "text"),
    ]
    run = use_cases.refresh_run(LOCAL, store.create_run(spec))

    asked, missing = from_run.asked_of(LOCAL, run)
    assert not missing and [part["weight"] for part in asked.parts] == [2.0, 0.5]
    view = review(LOCAL, Asked.from_json(asked.to_json()), "en", Looker())
    assert view.error is None and view.spec == spec

    (tmp_path / "again.yaml").write_text(settings_file.to_yaml(run, shows_places=True))
    asked_again = pipeline.read_pipeline(tmp_path / "again.yaml")
    planned = pipeline._plan(asked_again.entries[0], asked_again, "", False, None, {})
    assert isinstance(planned, runs.Plan) and planned.spec == spec
    for wrong in ({"weight": 2}, {"file": "a", "map": [1]}, {"file": "a", "weight": "x"}, {"file": "a", "odd": 1}):
        with refused(SpecError):
            pipeline.make_pipeline({"tasks": [{"task": "spam", "data": [wrong, "b.csv"]}]})

    shutil.rmtree(kept[1].file.parent)
    asked, missing = from_run.asked_of(LOCAL, run)
    assert not asked.parts and asked.dataset.endswith(combined.name) and "other.csv" in missing[0].en


def test_a_browser_hears_of_ones_own_runs_that_end() -> None:
    going = make_run(("app-1", "submitted", {"owner": "eve"}), started())
    eve, will = (Person(id=name, roles={"lora-hub": "write"}, token="") for name in ("eve", "will"))
    with store.own_run(going):
        watched, timer, _news = notices.look_at_ended(page(), "en", "", eve)
        assert json.loads(watched) == [going] and timer.active
        assert notices.look_at_ended(page(), "en", watched, will)[0] == ""
    watched, timer, news = notices.look_at_ended(page(), "fa", watched, eve)
    (told_of,) = json.loads(news)["runs"]
    assert (watched, timer.active, told_of["id"]) == ("", False, going) and "اجرا" in told_of["said"]
    for odd in ("{", "7", '["../x", 3]', "x" * 10**6):
        assert notices.look_at_ended(page(), "en", odd, eve)[:1] == [""]
    assert notices.look_at_ended(page(), "en", watched, STRANGER)[0] == ""
