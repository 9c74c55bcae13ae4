"""The list of tasks that are trained together, and runs that were, without a browser."""

import json
import re
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from persian import refused
from test_run_folders import make_spec
from test_ui_review import asked_about, look, messy_file, spam_file, spec_for

from lora_hub.core import settings
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import as_message, read_message
from lora_hub.core.schema import Failure, Run, RunState
from lora_hub.data.inspector import Inspector
from lora_hub.people import LOCAL
from lora_hub.runs import worker
from lora_hub.training.recipe import Estimate
from lora_hub.ui.render.runs import render_groups, render_runs
from lora_hub.ui.render.runs.run_names import name_runs
from lora_hub.ui.tabs.finetune import render_tasks, task_list
from lora_hub.ui.tabs.finetune.asked import Asked
from lora_hub.ui.tabs.finetune.task_list import Entry, read_entries

EVIL = "<img src=x onerror=alert(1)>\"'&"


def entry_for(folder: Path, **more) -> tuple[Asked, list[Entry]]:
    asked = asked_about(spam_file(folder), **more)
    return asked, task_list.add_entry([], asked, look(asked).spec)


# --- the list ---


def test_the_form_goes_on_the_list_and_comes_back_from_the_browser(tmp_path):
    asked, entries = entry_for(tmp_path)
    assert (entries[0].rows, entries[0].adapter) == (60, "spam-built-in")
    assert read_entries(json.loads(json.dumps([entry.to_json() for entry in entries]))) == entries
    other = asked_about(messy_file(tmp_path), name="mine")
    both = task_list.add_entry(entries, other, look(other).spec)
    assert [entry.adapter for entry in both] == ["spam-built-in", "mine"]
    # The same again is not another task; the base, spaces and fields of no use make no difference.
    assert task_list.add_entry(both, asked, look(asked).spec) == both
    for same in ({"base": "another"}, {"name": " "}, {"own": {"title": "x"}}, {"overrides": {"lr": " "}}):
        assert task_list.is_listed(both, Asked(**{**asked.__dict__, **same})), same
    for different in (
        {"effort": "thorough"},
        {"name": "b"},
        {"columns": {"text": "kind"}},
        {"overrides": {"lr": "1e-3"}},
        {"skip_broken": True},
    ):
        assert not task_list.is_listed(both, Asked(**{**asked.__dict__, **different})), different


def test_the_list_says_what_all_of_it_takes_on_this_machine() -> None:
    told = Estimate(100, 60.0, 50.0, 900 * 10**6, 30.0, 6.0, 800 * 10**6, 50.0, 0.0, 100 * 10**6)
    asked = Asked(task="spam", dataset="0" * 16 + "/a.csv", base="built-in")
    entries = [Entry(replace(asked, name=name), 60, name, estimate=told) for name in ("a", "b")]
    assert read_entries(json.loads(json.dumps([entry.to_json() for entry in entries]))) == entries
    both = task_list.takes(entries)
    assert (both.seconds, both.memory_bytes) == (86.0, 10**9)
    assert task_list.takes(entries, told).seconds == 122.0 and task_list.takes(entries[:1]) is None
    assert "All in one go: about 1 min 26 s and up to 1.0 GB of memory." in render_tasks.task_list(entries, "en")
    assert task_list.takes([entries[0], replace(entries[1], message="gone")]) is None
    moved = [entry.to_json() for entry in entries]
    moved[1]["asked"]["base"] = "another"
    assert [entry.estimate for entry in read_entries(moved)] == [told, None]
    for evil in (
        None,
        5,
        {"seconds": 1},
        {**asdict(told), "seconds": -1},
        {**asdict(told), "steps": "1"},
        {**asdict(told), "seconds": 1e-320},
    ):
        assert read_entries([{**entries[0].to_json(), "estimate": evil}])[0].estimate is None


def test_strange_lists_do_no_harm_and_all_have_one_base(tmp_path):
    asked, entries = entry_for(tmp_path)
    kept = entries[0].to_json()
    for nonsense in (None, 5, "x", {}, [5, None, {}, {"asked": 3}, {"asked": {"task": "spam"}}]):
        assert read_entries(nonsense) == []
    assert read_entries([{**kept, "rows": "many", "message": 5, "more": 1}, kept]) == [
        Entry(asked, 0, entries[0].adapter)
    ]
    second = {**kept, "asked": {**kept["asked"], "name": "b", "base": "somebody/else"}}
    assert [entry.asked.base for entry in read_entries([kept, second])] == ["built-in"] * 2
    assert (
        task_list.on_base_of(entries, Asked(base="x")).base == "built-in"
        and task_list.on_base_of([], Asked(base="x")).base == "x"
    )
    many = [Entry(Asked(task="spam", dataset="d", name=str(place))) for place in range(task_list.MOST + 3)]
    assert len(read_entries([entry.to_json() for entry in many])) == task_list.MOST
    with refused(SpecError, match="at most"):
        task_list.add_entry(many[: task_list.MOST], asked, spec_for(tmp_path))


def test_what_train_counts_and_says(tmp_path):
    asked, entries = entry_for(tmp_path)
    other = asked_about(messy_file(tmp_path))
    ready, empty, half = look(other), look(Asked()), look(Asked(task="topic"))

    def stands(entries: list[Entry], asked: Asked, view, language: str = "en") -> tuple:
        stand = task_list.stand(entries, asked, view, language)
        return stand.count, stand.can_add, stand.can_train, task_list.train_words(stand.count, entries, language)

    assert stands([], other, ready) == (1, True, True, "Train") and stands([], Asked(), empty) == (
        0,
        False,
        False,
        "Train",
    )
    assert stands(entries, Asked(), empty) == (1, False, True, "Train 1 task")
    assert stands(entries, other, ready) == (2, True, True, "Train 2 tasks")
    assert stands(entries, asked, look(asked)) == (1, False, True, "Train 1 task")
    assert stands(entries, other, ready, "fa")[3] == "آموزش ۲ وظیفه"
    assert "step 2" in task_list.stand(entries, Asked(task="topic"), half, "en").reason
    broken = [Entry(asked, message="gone"), *task_list.add_entry([], other, ready.spec)]
    assert stands(broken, Asked(), empty)[0] == 1 and stands(broken[:1], Asked(), empty)[:3] == (0, False, False)


def test_a_task_that_cannot_be_trained_any_more_is_told_and_the_others_are_planned(tmp_path):
    asked, entries = entry_for(tmp_path)
    other = asked_about(messy_file(tmp_path), base="built-in")
    entries = task_list.add_entry(entries, other, look(other).spec)
    ready, planned = task_list.plan_entries(LOCAL, entries, "en", Inspector())
    assert [view.spec.dataset.name for view in ready] == ["messages.csv", "messy.csv"] and planned == entries
    shutil.rmtree(settings.datasets_dir() / asked.dataset.partition("/")[0])
    ready, planned = task_list.plan_entries(LOCAL, entries, "en", Inspector())
    assert [view.spec.dataset.name for view in ready] == ["messy.csv"]
    assert "messages.csv" in planned[0].message and "again" in planned[0].hint and planned[1] == entries[1]
    shown = render_tasks.task_list(planned, "en")
    assert shown.count("lh-entry-wrong") == 1 and "Cannot be trained any more." in shown and 'role="alert"' in shown
    # What comes back is trained again.
    asked_about(spam_file(tmp_path))
    ready, planned = task_list.plan_entries(LOCAL, planned, "en", Inspector())
    assert [view.spec.dataset.name for view in ready] == ["messages.csv", "messy.csv"] and planned == entries


def test_what_is_edited_keeps_its_place(tmp_path):
    asked, entries = entry_for(tmp_path)
    other = asked_about(messy_file(tmp_path))
    entries = task_list.take_up(task_list.add_entry(entries, other, look(other).spec), entries[0])
    assert read_entries(json.loads(json.dumps([entry.to_json() for entry in entries]))) == entries
    assert [entry.edited for entry in entries] == [True, False] and task_list.waiting(entries) == entries[1:]
    # The form has it: it counts once, and the plan of the list leaves it alone.
    assert task_list.stand(entries, asked, look(asked), "en").count == 2
    assert task_list.add_words(entries, "en") == "Save task" and task_list.add_words(entries[1:], "en") == "Add task"
    ready, planned = task_list.plan_entries(LOCAL, entries, "en", Inspector())
    assert [view.spec.dataset.name for view in ready] == ["messy.csv"] and planned == entries
    shown = render_tasks.task_list(entries, "en")
    assert shown.count("being edited") == 1 and "Keep as it was" in shown
    changed = Asked(**{**asked.__dict__, "name": "changed"})
    saved = task_list.add_entry(entries, changed, look(changed).spec)
    assert [entry.adapter for entry in saved] == ["changed", entries[1].adapter]
    assert not any(entry.edited for entry in saved)
    assert task_list.put_down(entries)[0] == Entry(asked, entries[0].rows, entries[0].adapter)
    two = [{**entry.to_json(), "edited": True} for entry in entries]
    assert [entry.edited for entry in read_entries(two)] == [True, False], "one at a time"


@pytest.mark.parametrize("language", ["en", "fa"])
def test_the_list_shows_title_data_rows_adapter_and_a_way_out(tmp_path, language):
    _, entries = entry_for(tmp_path)
    shown = render_tasks.task_list(entries, language)
    assert {"en": "Spam detection", "fa": "تشخیص هرزنامه"}[language] in shown and {"en": "60 rows", "fa": "۶۰ سطر"}[
        language
    ] in shown
    assert "messages.csv" in shown and "spam-built-in" in shown and f'data-remove="{entries[0].id}"' in shown
    assert render_tasks.task_list([], language) == ""
    evil = Entry(Asked(task="own", own={"title": EVIL}, dataset=f"x/{EVIL}"), adapter=EVIL, message=EVIL, hint=EVIL)
    assert "<img" not in render_tasks.task_list([evil], language)


# --- runs of a group ---


def run_of(spec, run_id: str, group: list[str], **more) -> Run:
    return Run(
        id=run_id, spec=spec, handle={"pid": 1, "group": group} if group else {"pid": 1}, state=RunState.RUNNING, **more
    )


def test_runs_of_a_group_stand_together_newest_group_first(tmp_path):
    spec = spec_for(tmp_path)
    old, new = ["a1", "a2"], ["b1", "b2", "gone"]
    known = [
        run_of(spec, "b2", new),
        run_of(spec, "alone", []),
        run_of(spec, "b1", new),
        run_of(spec, "a2", []),
        run_of(spec, "a1", old),
    ]
    # a2 was resumed alone: its own handle no longer names the group, the other's does.
    assert [[run.id for run in group] for group in render_groups.beside_each_other(known)] == [
        ["b1", "b2"],
        ["alone"],
        ["a1", "a2"],
    ]
    shown = render_runs.runs_list(known, "b1", "en")
    assert shown.count('class="lh-group"') == 2 and re.findall(r'data-id="(\w+)"', shown) == [
        "b1",
        "b2",
        "alone",
        "a1",
        "a2",
    ]
    assert "2 in one go" in shown and shown.count("aria-current") == 1
    strange = run_of(spec, "odd", []).model_copy(update={"handle": {"group": 5}})
    assert render_groups.groups_of([strange]) == {}


def test_a_run_says_what_it_was_trained_with_and_how(tmp_path):
    spec = spec_for(tmp_path)
    others = [run_of(spec.model_copy(update={"name": EVIL}), "b", ["a", "b"]), run_of(spec, "c", [])]
    run = run_of(spec, "a", ["a", "b"])
    shown = render_runs.run_head(run, "en", others)
    assert "Started in one go with" in shown and 'data-id="b"' in shown and "<img" not in shown
    for mode, words in (("together", "Trained together with"), ("in turn", "one after another")):
        assert words in render_runs.run_head(run.model_copy(update={"mode": mode}), "en", others)
    assert "همراه با" in render_runs.run_head(run, "fa", others) and "lh-companions" not in render_runs.run_head(
        run, "fa"
    )


def test_what_the_worker_says_of_a_run_is_persian_on_the_persian_page(tmp_path):
    notes = (worker.too_long_note("held-out", [4, 9, 12, 13, 14, 1500], 64), as_message("An older one's note."))
    broken = Failure(said=as_message("Broken."), advice=as_message("Mend it."))
    run = run_of(spec_for(tmp_path), "a", []).model_copy(update={"notes": notes, "error": broken})
    english, persian = render_runs.run_head(run, "en"), render_runs.run_head(run, "fa")
    assert "6 held-out rows are longer than 64 tokens and were left out: rows 4, 9, 12, 13, 14, ..." in english
    assert (
        "۶ سطر آزمون از ۶۴ توکن طولانی‌تر است و کنار گذاشته شد: سطرهای ۴، ۹، ۱۲، ۱۳، ۱۴ و ..." in persian
        and "held-out" not in persian
    )
    assert all("An older one" in shown and "Broken." in shown and "Mend it." in shown for shown in (english, persian))
    older = {
        "message": "Broken.",
        "hint": "Mend it.",
        "message_fa": "«a<b>» در 3 سطر خراب است.",
        "hint_fa": "درستش کنید.",
    }
    named = run.model_copy(
        update={"notes": (as_message("«متن»: 3"),)}
    )  # an English page's digits are English, whatever is named
    assert "3</p>" in render_runs.run_head(named, "en")
    failed = run.model_copy(
        update={"error": Failure(said=read_message(older, "message"), advice=read_message(older, "hint"))}
    )
    assert "«<bdi>a&lt;b&gt;</bdi>» در ۳ سطر خراب است." in render_runs.run_head(
        failed, "fa"
    ) and "Broken." in render_runs.run_head(failed, "en")


def test_every_phase_of_the_worker_has_its_words():
    files = [
        Path(worker.__file__).parents[1] / f"{name}.py"
        for name in (
            "runs/owner",
            "runs/worker",
            "runs/group_worker",
            "training/alone",
            "training/together",
            "training/together_trainer",
            "training/together_watch",
        )
    ]
    sources = [file.read_text(encoding="utf-8") for file in files]
    phases = {name for source in sources for name in re.findall(r"phase(?:\(|=)f?\"([^\"(]+?)(?: \(|\")", source)}
    phases = {one for one in phases if "{" not in one} | {f"scoring the {who}" for who in worker.SCORED.values()}
    assert {"training", "reading the data", "scoring the base", "scoring the adapter"} <= phases
    for name in phases:
        shown = render_runs.phase_words(f"{name} (3 of 40)", "fa")
        assert shown.endswith(" (۳ از ۴۰)") and not re.search("[a-z]", shown), name


def test_what_was_typed_of_a_task_of_ones_own_is_work_that_an_edit_must_not_throw_away():
    untouched = {"title": "", "inputs": "text", "answer": "", "output": "labels", "instruction": ""}
    assert (
        not task_list.is_begun(Asked())
        and not task_list.is_begun(Asked(task="spam"))
        and task_list.is_begun(Asked(dataset="ab/x.csv"))
    )
    assert not task_list.is_begun(Asked(task="own", own=untouched)) and not task_list.is_begun(
        Asked(task="own", own={**untouched, "output": "text"})
    )
    assert task_list.is_begun(Asked(task="own", own={**untouched, "instruction": "Which tone?"}))
    assert not task_list.is_begun(Asked(task="spam", own={**untouched, "instruction": "Which tone?"}))


def test_a_run_with_a_name_says_its_task():
    spec = make_spec(name="my-first")
    names = name_runs([Run(id="a", spec=spec), Run(id="b", spec=make_spec())])
    assert names["a"].title("en") == "my-first" and names["a"].facts("en")[0] == spec.task.title.en
    assert names["b"].facts("en")[0] == (spec.base.title or spec.base.id)


def test_a_run_that_gets_a_name_leaves_the_others_their_numbers():
    spec = make_spec()
    runs = [Run(id=one, spec=spec, created=place) for place, one in enumerate("abc", start=1)]
    titles = [name.title("en") for name in name_runs(runs).values()]
    renamed = name_runs([runs[0].model_copy(update={"name": "First try"}), *runs[1:]])
    assert [renamed[one].title("en") for one in "abc"] == ["First try", *titles[1:]]
