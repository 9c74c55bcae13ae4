"""The Fine-tune form without a browser: its contents become columns, problems, mends and a plan, and nothing in it is
lost."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from small_data import write_csv
from test_parents import finished_run

from lora_hub import runs, use_cases
from lora_hub.catalogue import machine_speed
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import store
from lora_hub.core.errors import DataError, HubError
from lora_hub.core.schema import Mend
from lora_hub.core.spec_fields import FIELDS
from lora_hub.data.inspector import Inspector
from lora_hub.people import LOCAL
from lora_hub.ui.frame.page import Labels
from lora_hub.ui.frame.warm import Looker
from lora_hub.ui.render import render_own_data
from lora_hub.ui.tabs.finetune import asked as asked_module
from lora_hub.ui.tabs.finetune import data_reading, form
from lora_hub.ui.tabs.finetune.asked import Asked
from lora_hub.ui.tabs.finetune.data_room import Room
from lora_hub.ui.tabs.finetune.data_ways import Ways
from lora_hub.ui.tabs.finetune.review import review


def spam_file(folder: Path, rows: int = 60) -> Path:
    lines = ["message,kind"]
    for place in range(rows):
        lines.append(
            f"win a free prize number {place} now,spam" if place % 2 else f"see you at lunch on day {place},ham"
        )
    file = folder / "messages.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def spec_for(folder: Path, **more):
    kept = store.add_dataset(spam_file(folder))
    view = look(Asked(task="spam", dataset=asked_module.dataset_id(kept), effort="quick", **more))
    assert view.ready, view.reason
    return view.spec


def look(asked: Asked, language: str = "en", opened: str = ""):
    return review(LOCAL, asked, language, Inspector(), opened)


# --- the data room ---


def messy_file(folder: Path, name: str = "messy.csv") -> Path:
    """60 rows; the last four repeat the first ones, and one label is written in two ways."""
    rows = [
        (f"win a free prize number {place} now", "spam") if place % 2 else (f"see you at lunch on day {place}", "ham")
        for place in range(56)
    ]
    rows[10] = (rows[10][0], "Ham")
    file = folder / name
    file.write_text(
        "message,kind\n" + "".join(f"{text},{label}\n" for text, label in [*rows, *rows[:4]]), encoding="utf-8"
    )
    return file


def asked_about(file: Path, **more) -> Asked:
    return Asked(
        **{"task": "spam", "dataset": asked_module.dataset_id(store.add_dataset(file)), "effort": "quick", **more}
    )


def test_settings_at_their_default_are_folded(tmp_path):
    chosen, _fold, default = look(asked_about(messy_file(tmp_path))).settings.partition('data-key="defaults"')
    assert "<code>lr</code>" in chosen and "<code>seed</code>" in default and "default</span>" not in chosen


def test_one_figure_is_told_for_the_memory_and_rare_facts_are_folded(tmp_path):
    view = look(asked_about(messy_file(tmp_path)))
    [told] = re.findall(r"needs about ([\d.]+ [GM]B)", view.base)
    assert told in view.plan and f">{told}<" in view.bases
    assert '<details class="lh-fold lh-works"' in view.plan and "of 5 other programs" in view.plan


def test_a_mend_takes_the_card_away_counts_its_rows_and_can_be_undone(tmp_path):
    asked = asked_about(messy_file(tmp_path))
    before = look(asked)
    assert 'data-code="duplicates"' in before.problems and "60 rows" in before.data and "lh-done" not in before.problems
    drop = {"kind": "drop", "values": {"code": "duplicates"}}
    after = look(Asked(**{**asked.__dict__, "mends": [drop]}))
    assert 'data-code="duplicates"' not in after.problems and "56 of 60 rows" in after.data
    assert "Left out: repeated rows" in after.problems and "<b>4 rows</b>" in after.problems
    assert after.spec.dataset.mends == (Mend(**drop),) and after.spec.dataset.rows == 56
    again = look(Asked(**{**asked.__dict__, "mends": [drop, drop]}))
    assert (
        "no row any more" in again.problems
        and again.problems.count("data-undo=") == 2
        and "data-undo-all" in again.problems
    )


def test_clicks_become_mends_and_nonsense_becomes_none():
    drop = {"kind": "drop", "values": {"code": "duplicates"}}
    name = {"kind": "relabel", "values": {"a": "b"}}
    once = json.dumps(form.changed_mends("[]", {"add": drop}))
    both = json.dumps(form.changed_mends(once, {"add": name}))
    assert json.loads(both) == [drop, name]
    assert form.changed_mends(both, {"undo": drop}) == [name] and form.changed_mends(both, {"all": True}) == []
    assert form.changed_mends(both, {"add": drop}) == [name, drop]
    for nonsense in (None, 5, {"add": "x"}, {"add": {"kind": 5}}, {"undo": {}}, {"add": {**drop, "more": 1}}):
        assert form.changed_mends(once, nonsense) == [drop]
    assert form.changed_mends("not json", {"add": drop}) == [drop]


def test_a_mend_that_cannot_be_done_any_more_can_be_taken_back(tmp_path):
    view = look(asked_about(messy_file(tmp_path), mends=[{"kind": "of-another-version", "values": {}}]))
    assert (
        "lh-bad" in view.problems and "data-undo-all" in view.problems and not view.ready and "<table" in view.preview
    )


def test_the_rows_of_a_problem_are_shown_with_their_numbers(tmp_path):
    shown = look(asked_about(messy_file(tmp_path)), opened="duplicates").problems
    assert 'aria-expanded="true"' in shown and "Hide rows" in shown
    assert (
        shown.count('<th scope="row">') == 4
        and '<th scope="row">57</th>' in shown
        and "win a free prize number 1 now" in shown
    )
    assert "Hide rows" not in look(asked_about(messy_file(tmp_path)), opened="no-such-problem").problems


def test_labels_are_listed_with_fields_and_numbers_get_suggestions(tmp_path):
    shown = look(asked_about(messy_file(tmp_path))).problems
    assert shown.count("data-label=") == 3 and 'data-label="Ham" value=""' in shown and "Labels (3)" in shown
    numbers = tmp_path / "stars.csv"
    numbers.write_text(
        "review,label\n"
        + "".join(f"the film number {place} was {'fine' if place % 2 else 'dull'},{place % 2}\n" for place in range(60))
    )
    asked = asked_about(numbers, task="sentiment")
    assert 'data-label="0" value="negative"' in look(asked).problems
    renamed = look(Asked(**{**asked.__dict__, "mends": [{"kind": "relabel", "values": {"0": "bad", "1": "good"}}]}))
    assert renamed.spec.task.labels == ("bad", "good") and "<mark>bad</mark>" in renamed.prompts


def test_problems_and_mends_are_told_in_the_language_of_the_page(tmp_path):
    shown = look(asked_about(messy_file(tmp_path)), "fa").problems
    assert "سطر" in shown and "نمایش سطرها" in shown and "کنار گذاشتن این سطرها" in shown
    words_of_it = re.sub(r"<bdi[^>]*>.*?</bdi>|<[^>]+>|«[^»]*»", " ", shown)
    left = [word for word in re.findall(r"[A-Za-z]{4,}", words_of_it) if word not in ("spam",)]
    assert left == []


def test_every_setting_says_why_in_the_language_of_the_page(tmp_path):
    asked = asked_about(messy_file(tmp_path))
    english, persian = look(asked).settings, look(asked, "fa").settings
    assert "settings at their default" in english and "تنظیم با مقدار پیش‌فرض" in persian
    whys = re.findall("<span>(.*?)</span>", persian)
    assert persian.count("<code>") == len(FIELDS) > len(whys) > 5 and all(re.search("[آ-ی]", why) for why in whys)


def test_how_it_was_read_is_said(tmp_path):
    file = tmp_path / "naïve.csv"
    file.write_bytes(
        b"text;label\n"
        + "".join(
            f"the “small café” at number {place} is closed today;{'a' if place % 2 else 'b'}\n" for place in range(60)
        ).encode("cp1252")
    )
    view = look(asked_about(file, task="topic"))
    assert "windows-1252" in view.data and "separator ;" in view.data and view.read_as.encoding == "windows-1252"
    chosen = look(asked_about(file, task="topic", encoding="utf-16"))
    assert "windows-1252" not in chosen.data and not chosen.ready


# --- the form ---


def test_a_form_becomes_a_plan(tmp_path):
    kept = store.add_dataset(spam_file(tmp_path))
    asked = Asked(
        task="spam", dataset=asked_module.dataset_id(kept), effort="quick", overrides={"lora.r": "4"}, name="mine"
    )
    view = look(asked)
    assert view.ready and view.reason == ""
    assert [role for role, _, _ in view.roles] == ["text", "answer"]
    assert (
        view.spec.mapping == {"text": "message", "answer": "kind"}
        and view.spec.lora.r == 4
        and view.spec.name == "mine"
    )
    assert "<mark>ham</mark>" in view.prompts and "set by you" in view.settings and "fits this machine" in view.base
    assert "Median" in view.lengths
    assert (
        runs.plan_run(kept, view.spec.task, view.spec.base, effort="quick").spec.dataset.fingerprint == kept.parent.name
    )


def test_each_base_tells_what_it_takes_here_and_one_is_proposed(tmp_path):
    asked = asked_about(spam_file(tmp_path), effort="balanced", base="built-in")
    before = look(asked).bases
    assert "data-base=" in before and "trains in" not in before  # this machine was not measured
    machine_speed.keep_speed(machine_speed.Speed({128: 1e11, 2048: 1e11}, 3e10))
    told = look(asked).bases
    suited = told.partition("<details")[0]
    assert "SmolLM2 135M" in suited and 'data-base="SmolLM2-135M-Instruct"' in suited and "min here" in suited
    assert "slow here" in told and "from the Hub" in told
    assert "آموزش اینجا" in look(asked, "fa").bases
    machine_speed.keep_speed(machine_speed.Speed({128: 1e9, 2048: 1e9}, 3e9))
    chosen = look(replace(asked, effort="quick")).bases.partition("<details")[0]
    assert "Built-in" in chosen and "data-base" not in chosen


def test_costs_elsewhere_are_told_exactly_where_this_machine_is_too_small(tmp_path, monkeypatch):
    asked = asked_about(spam_file(tmp_path))
    fits = look(asked)
    assert fits.ready and "lh-costs" not in fits.plan and "$" not in fits.plan
    # The base would fit, but not this run of it; it is said and may be tried.
    needed = runs.plan_run(
        use_cases.open_dataset(LOCAL, asked.dataset), fits.spec.task, fits.spec.base, effort=asked.effort
    ).estimate.memory_bytes
    monkeypatch.setattr("lora_hub.runs.machine_memory", lambda: needed - 1)
    tight = look(asked)
    assert "lh-costs" in tight.plan and "$" in tight.plan and "this machine has" in tight.plan
    # The base is too large: what it would take elsewhere is what is left to say.
    monkeypatch.setattr("lora_hub.runs.machine_memory", lambda: 1 << 20)
    large = look(asked)
    assert (
        not large.ready
        and large.spec is None
        and "step 4" in large.reason
        and "lh-costs" in large.plan
        and "too large" in large.base
    )
    assert "lh-costs" not in look(Asked(task="spam")).plan, "nothing is known of a run without data"


def test_an_unknown_hub_id_is_told_when_it_is_typed(tmp_path, hub):
    looker = Looker()
    asked = asked_about(spam_file(tmp_path), base="nobody/no-such-base")
    view = review(LOCAL, asked, "en", looker)
    assert not view.ready and "nobody/no-such-base" in view.base and "lh-bad" in view.base and "step 4" in view.reason
    assert "«<bdi>nobody/no-such-base</bdi>»" in review(LOCAL, asked, "fa", looker).base
    assert "<img" not in review(LOCAL, asked_about(spam_file(tmp_path), base="a/<img src=x>"), "en", looker).base
    # What cannot be asked is not forbidden: it may lie on this disk.
    silent = Looker()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "lora_hub.hub.check_base",
            lambda base: (_ for _ in ()).throw(HubError("The Hub does not answer.", "Try again.")),
        )
        unsure = review(LOCAL, asked, "en", silent)
        assert unsure.spec is not None and "does not answer" in unsure.base


@pytest.mark.parametrize(("name", "said"), [("!!!", "no letters or digits"), ("Built-in", "built-in base&#x27;s")])
def test_a_name_that_will_not_do_is_told_beside_its_field(tmp_path, name, said):
    asked = asked_about(spam_file(tmp_path))
    good, bad = look(asked), look(Asked(**{**asked.__dict__, "name": name}))
    assert good.name == "" and good.ready
    assert said in bad.name and not bad.ready and bad.spec is None and bad.error is not None
    # Everything else is shown as it is without the name.
    assert (bad.plan, bad.problems, bad.settings) == (good.plan, good.problems, good.settings)
    assert "--name" not in bad.name


def test_the_files_field_names_the_file_that_is_in_use():
    assert data_reading.file_label(Asked(dataset="ab/متن.csv"), "en") == "Dataset: \u2068متن.csv\u2069"
    assert data_reading.file_label(Asked(), "fa").startswith("مجموعه‌داده: ")


def test_all_rows_of_a_finding_can_be_reached(tmp_path):
    file = tmp_path / "twice.csv"
    rows = [
        f"message number {place} {'win' if place % 2 else 'lunch'},{'spam' if place % 2 else 'ham'}"
        for place in range(70)
    ]
    file.write_text("\n".join(["text,label", *rows, *rows]) + "\n")
    asked = asked_about(file)
    first, second, beyond = (
        review(LOCAL, asked, "en", Inspector(), code).problems
        for code in ("duplicates", "duplicates@2", "duplicates@x")
    )
    assert first.count('<th scope="row"') == 50 and "1 to 50 of 70" in first and 'data-rows="duplicates@2"' in first
    assert second.count('<th scope="row"') == 20 and "51 to 70 of 70" in second and 'data-rows="duplicates@1"' in second
    assert beyond == first


def test_what_is_missing_is_said_in_the_order_of_the_steps(tmp_path):
    assert "step 1" in look(Asked()).reason
    assert "step 2" in look(Asked(task="spam")).reason
    file = spam_file(tmp_path)
    assert "Say which column" in look(asked_about(file, task="question-answering")).reason
    assert "step 4" in look(asked_about(file, base="no-such-base")).reason
    setting = look(asked_about(file, overrides={"lr": "fast"}))
    assert not setting.ready and "not a number" in setting.reason
    assert "'2.5' is not a whole number" in look(asked_about(file, overrides={"lora.r": "2.5"})).reason


def test_no_column_that_was_chosen_is_told_as_what_was_chosen(tmp_path):
    asked = asked_about(spam_file(tmp_path), columns={"answer": ""})
    view = look(asked)
    shown = re.sub("<[^>]+>", "", view.problems)
    assert "“(none)” is chosen for answer, which the task spam needs.Choose the column in step 2." in shown
    assert "No column was found" not in shown and not view.ready
    assert view.reason == "Say which column is answer (step 2)." and view.preview
    assert "«(هیچ)»" in re.sub("<[^>]+>", "", look(asked, "fa").problems)


def test_a_column_chosen_twice_is_told_and_can_be_chosen_again(tmp_path):
    view = look(asked_about(spam_file(tmp_path), columns={"text": "message", "answer": "message"}))
    assert not view.ready and "step 3" in view.reason and "message" in view.problems and "lh-bad" in view.problems
    assert [(role, column) for role, column, _ in view.roles] == [("text", "message"), ("answer", "message")]
    assert view.columns == ["message", "kind"] and "60 rows" in view.data and "<table" in view.preview


def test_chosen_columns_outlive_another_reading_and_a_gone_one_is_told(tmp_path):
    file = tmp_path / "two.csv"
    file.write_text(
        "a,b,kind\n"
        + "".join(f"one text {place},another text {place},{'x' if place % 2 else 'y'}\n" for place in range(60))
    )
    for more in (
        {},
        {"encoding": "windows-1252"},
        {"task": "topic"},
        {"mends": [{"kind": "drop", "values": {"code": "duplicates"}}]},
    ):
        view = look(asked_about(file, columns={"text": "b"}, **more))
        assert {role: column for role, column, _ in view.roles}["text"] == "b", more
    gone = look(asked_about(file, columns={"text": "c"}))
    assert (
        "c" in gone.data
        and "lh-warn" in gone.data
        and {role: column for role, column, _ in gone.roles}["text"] in ("a", "b")
    )
    # An optional role that was set to none stays without a column; a role of another task waits for its task.
    rows = tmp_path / "alpaca.csv"
    rows.write_text(
        "instruction,input,output\n"
        + "".join(f"do thing {place},with this {place},done {place}\n" for place in range(60))
    )
    assert look(asked_about(rows, task="instruction")).spec.mapping["input"] == "input"
    none = look(asked_about(rows, task="instruction", columns={"input": "", "text": "b"}))
    assert (
        none.ready
        and "input" not in none.spec.mapping
        and ("input", "") in [(role, column) for role, column, _ in none.roles]
    )


def test_a_column_is_chosen_by_a_click_and_not_by_what_a_dropdown_says():
    chosen = {"text": "v2", "input": "", "متن": "ستون"}
    assert form.chosen_columns(form.corrections(chosen)) == chosen
    for odd in ("", "{", "[]", "5", '{"text": 5, "answer": null}', '{"columns": {}, "shown": [["text", "v2"]]}'):
        assert form.chosen_columns(odd) == {}, odd


def test_a_conversation_needs_no_column_for_the_answer(tmp_path):
    file = tmp_path / "chats.jsonl"
    turns = [
        {
            "messages": [
                {"role": "user", "content": f"What is {place}?"},
                {"role": "assistant", "content": f"A number, {place}."},
            ]
        }
        for place in range(60)
    ]
    file.write_text("".join(json.dumps(turn) + "\n" for turn in turns))
    view = look(asked_about(file, task="chat"))
    assert view.ready, view.reason
    assert [role for role, _, _ in view.roles] == ["messages"] and "&quot;role&quot;" in view.preview


def test_bad_files_become_words_beside_the_file(tmp_path):
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    view = look(asked_about(empty))
    assert not view.ready and "lh-bad" in view.data and "step 2" in view.reason and view.is_broken
    gone = look(Asked(task="spam", dataset="0123456789abcdef/gone.csv"))
    assert "Upload it again" in gone.data
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text(
        "".join(
            json.dumps({"prompt": f"p {place}", "chosen": f"good {place}", "rejected": f"bad {place}"}) + "\n"
            for place in range(20)
        )
    )
    for task in ("instruction", ""):
        refused = look(asked_about(pairs, task=task))
        assert "lh-bad" in refused.problems + refused.data and "<table" in refused.preview and not refused.ready


def test_a_dataset_id_is_never_a_path():
    for name in ("../../etc/passwd", "/etc/passwd", "0123456789abcdef/../../x", ""):
        with pytest.raises(DataError):
            use_cases.open_dataset(LOCAL, name)


def test_a_task_of_ones_own(tmp_path):
    own = {"title": "Tone", "inputs": "text", "answer": "", "output": "labels", "instruction": "Which tone is this?"}
    view = look(asked_about(spam_file(tmp_path), task="own", own=own))
    assert view.ready and view.spec.task.title.en == "Tone" and view.spec.task.labels == ("ham", "spam")
    broken = look(asked_about(spam_file(tmp_path), task="own", own={**own, "title": ""}))
    assert "“Title”" in broken.task and "“Title”" in broken.reason and "lh-bad" not in broken.task
    wrong = look(asked_about(spam_file(tmp_path), task="own", own={**own, "inputs": "text text"}))
    assert "“Inputs”" in wrong.task and "lh-bad" in wrong.task and "own task" in wrong.reason


def test_a_kept_form_comes_back_and_strange_ones_do_no_harm():
    mend = {"kind": "drop", "values": {"code": "duplicates"}}
    asked = Asked(
        task="spam",
        columns={"text": "v2", "input": ""},
        mends=[mend],
        sheet="Data",
        effort="thorough",
        overrides={"lr": "1e-3"},
    )
    assert Asked.from_json(json.loads(json.dumps(asked.to_json()))) == asked
    assert (
        Asked.from_json(None)
        == Asked()
        == Asked.from_json({"task": 5, "nonsense": "x", "own": [], "mends": "x", "columns": {"text": 5}})
    )
    assert Asked.from_json({"mends": [5, {"kind": 1}, mend, {"kind": "drop", "strange": 1}]}).mends == [mend]


def test_the_looker_makes_one_inspector_and_remembers(tmp_path):
    looker, file = Looker(), spam_file(tmp_path)
    assert looker.read(file) is looker.read(file)
    task = catalogue.get_task("spam")
    assert looker.inspect(file, task) is looker.inspect(file, task)


def test_what_a_base_marks_red_holds_train_too(tmp_path: Path) -> None:
    """More than half of the rows are longer than the base reads: such a run would be refused."""
    rows = [(f"text number {n} " + "and so on " * (600 if n % 3 else 1), ("good", "bad")[n % 2]) for n in range(60)]
    view = look(asked_about(write_csv(tmp_path / "long.csv", rows), task="sentiment"))
    assert not view.ready and view.spec is None and "marked red" in view.reason
    assert "too-long" in view.problems


# --- going on from an adapter ---


def test_the_form_goes_on_from_an_adapter_and_says_what_stands_against_it(tmp_path, home):
    run_id = finished_run()
    asked = asked_about(spam_file(tmp_path), task="spam", parent=f" {run_id} ")
    view = review(LOCAL, asked, "en", Looker())
    assert view.ready and view.spec.parent.run == run_id and view.spec.lora.r == 4, view.reason
    assert run_id in view.parent and "rank 4" in view.parent
    assert "رتبهٔ ۴" in review(LOCAL, asked, "fa", Looker()).parent
    assert "data-base" not in view.bases and "lh-marks" in view.bases, "the base is the adapter's"
    away = replace(asked, base="SmolLM2-135M-Instruct")
    assert re.findall('data-base="([^"]+)', review(LOCAL, away, "en", Looker()).bases) == ["built-in"], "back to it"
    listed = review(LOCAL, replace(asked, parent=""), "en", Looker(), is_listed=True)
    assert "data-base" not in listed.bases
    gone = review(LOCAL, asked_about(spam_file(tmp_path), task="spam", parent="no-such/<b>"), "en", Looker())
    assert not gone.ready and "lh-bad" in gone.parent and "<b>" not in gone.parent and gone.reason
    other = review(LOCAL, asked_about(spam_file(tmp_path), task="sentiment", parent=run_id), "en", Looker())
    assert not other.ready and "another task" in other.parent
    strange = tmp_path / "strange.csv"
    strange.write_text("message,kind\n" + "".join(f"text number {n},{'ham' if n % 2 else 'eggs'}\n" for n in range(60)))
    labels = review(LOCAL, asked_about(strange, task="spam", parent=run_id), "en", Looker())
    assert not labels.ready and "eggs" in labels.parent
    assert Asked.from_json(asked.to_json()) == asked


# --- several files ---


def test_several_files_are_one_dataset_with_weights(tmp_path, home):
    first, second = (
        dataset_of(tmp_path, name, head) for name, head in (("a.csv", "message,kind"), ("b.csv", "text,label"))
    )
    parts = [{"dataset": first, "weight": 1.0}, {"dataset": second, "weight": 2.0}]
    asked = Asked(task="spam", dataset=first, parts=parts, effort="quick")
    looker = Looker()
    view = review(LOCAL, asked, "en", looker)
    assert view.ready and view.spec.dataset.rows == 120, view.reason
    assert [(part.name, part.weight) for part in view.spec.dataset.parts] == [("a.csv", 1), ("b.csv", 2)]
    assert "a.csv" in view.data and "message" in view.data and "b.csv" in view.data
    heavier = Asked(**{**asked.to_json(), "parts": [parts[0], {"dataset": second, "weight": 4.0}]})
    again = review(LOCAL, heavier, "fa", looker)
    assert again.spec.dataset.fingerprint == view.spec.dataset.fingerprint and again.spec.dataset.parts[1].weight == 4
    before = review(LOCAL, Asked(task="", dataset=first, parts=parts), "en", looker)
    assert not before.ready and "a.csv" in before.data
    assert Asked.from_json(asked.to_json()) == asked
    for wrong in ([parts[0]], [{"dataset": 7}], "x", parts * 9, [{"dataset": first, "weight": float("nan")}] * 2):
        read = asked_module.read_parts(wrong)
        assert all(one["weight"] == 1 for one in read) and len(read) in (0, 2)
    other = tmp_path / "prices.csv"
    other.write_text("x,y\n" + "".join(f"{n},{n * 2}\n" for n in range(40)))
    strange = {"dataset": asked_module.dataset_id(store.add_dataset(other)), "weight": 1.0}
    refused = review(LOCAL, Asked(task="spam", dataset=first, parts=[parts[0], strange]), "en", looker)
    assert not refused.ready and "prices.csv does not go with the others" in re.sub("<[^>]+>", "", refused.data)


def test_files_that_come_and_go_leave_the_others_their_weights(tmp_path, home):
    files = [tmp_path / name for name in ("a.csv", "b.csv", "c.csv", "d.csv")]
    first, second, third, fourth = (dataset_of(tmp_path, file.name, "text,label") for file in files)
    with gr.Blocks():
        room = Room(Labels(["en"]))
    ways = Ways(SimpleNamespace(), room, gr.Radio())

    def listed(names, before="", parts=(), uploads="{}"):
        paths = [str(tmp_path / name) for name in names]
        new = ways.take_files(LOCAL, "en", paths, "spam", "", before, json.dumps(parts), uploads)
        return new[room.dataset], json.loads(new[room.parts]), new.get(room.uploads), room.test in new

    dataset, parts, uploads, _is_lost = listed(["a.csv", "b.csv", "c.csv"])
    assert [dataset, *(part["dataset"] for part in parts)] == [first, first, second, third]
    parts[2]["weight"] = 3.0
    for file in files[:3]:  # as a visitor's uploads, once they are stored
        file.unlink()
    dataset, left, uploads, lost_test = listed(["b.csv", "c.csv"], dataset, parts, uploads)
    assert dataset == second and left == parts[1:] and lost_test
    dataset, more, uploads, lost_test = listed(["b.csv", "c.csv", "d.csv"], dataset, left, uploads)
    assert more == [*left, {"dataset": fourth, "weight": 1.0}] and not lost_test
    dataset, alone, uploads, _is_lost = listed(["c.csv"], dataset, more, uploads)
    assert (dataset, alone) == (third, [])
    _dataset, again, *_ = listed(["c.csv", "d.csv"], dataset, alone, uploads)
    assert [part["weight"] for part in again] == [3, 1], "it was there all the time"
    assert listed([], dataset, alone, uploads)[:2] == ("", [])


def test_what_is_lost_with_a_file_is_said_before_it_is_deleted():
    file = use_cases.StoredFile("f/a.csv", "<a>.csv", 9, 0.0, ("one", "two", "three"), ("three",))
    said = render_own_data.file_going(file, "en")
    assert "2 runs were made of &lt;a&gt;.csv: they keep their results, and cannot be resumed." in said
    assert "The data of 1 run was put together from &lt;a&gt;.csv and other files" in said
    assert "۲ اجرا" in render_own_data.file_going(file, "fa")
    assert render_own_data.file_going(replace(file, runs=(), together=()), "en") == ""


def dataset_of(folder: Path, name: str, head: str) -> str:
    rows = [f"{name} is great number {n} now,{'spam' if n % 2 else 'ham'}" for n in range(60)]
    file = folder / name
    file.write_text("\n".join([head, *rows]))
    return asked_module.dataset_id(store.add_dataset(file))
