"""From a dropped file to its plan each fact is computed once and passed on, in the page and in the shell."""

import json
from dataclasses import replace
from pathlib import Path

import polars
import pytest
from walked import calls_of

from lora_hub import runs
from lora_hub.catalogue import bases
from lora_hub.catalogue.bases import get_base
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core import store
from lora_hub.data.columns import columns
from lora_hub.data.inspector import Inspector
from lora_hub.data.mending.mend_arguments import parse_mends
from lora_hub.data.prompts import prepare
from lora_hub.people import LOCAL
from lora_hub.ui.tabs.finetune.asked import Asked, dataset_id
from lora_hub.ui.tabs.finetune.review import glance, review

# What takes time where there are many rows, and so is made once: by file and name.
FACTS = (
    "data/inspector.inspect",
    "core/store.fingerprint",
    "data/read/read.read_table",
    "data/columns/column_facts._column_facts",
    "data/columns/columns.propose_mapping",
    "data/checks/row_language.language_of_texts",
    "data/mending/mends.apply_mends",
    "data/inspection.inspect_table",
    "data/checks/checks.find",
    "data/planned_rows.with_labels",
    "data/prompts/split.split_examples",
    "data/prompts/light_tokenizer.read_tokenizer",
    "data/prompts/lengths.measure",
    "training/recipe.make_spec",
    "training/estimate.estimate",
)


def messages_file(folder: Path, rows: int = 60, start: int = 0) -> Path:
    file = folder / f"messages{start}.csv"
    numbers = range(start, start + rows)
    texts = [f"{('win a free prize', 'see you at lunch on day')[number % 2]} {number}" for number in numbers]
    polars.DataFrame({"message": texts, "kind": ["spam", "ham"] * (rows // 2)}).write_csv(file)
    return file


def chats_file(folder: Path) -> Path:
    file = folder / "chats.jsonl"
    chats = [
        [{"role": "user", "content": f"what is {n} and one?"}, {"role": "assistant", "content": f"it is {n + 1}"}]
        for n in range(60)
    ]
    file.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats), encoding="utf-8")
    return file


@pytest.mark.parametrize("task", ["spam", "chat"])
def test_a_file_that_is_dropped_in_the_page_is_looked_at_once(tmp_path: Path, monkeypatch, task: str) -> None:
    file = messages_file(tmp_path) if task == "spam" else chats_file(tmp_path)
    inspector, views = Inspector(), []
    asked = Asked(task=task, effort="quick")

    def drop() -> None:
        nonlocal asked
        kept = store.add_dataset(file)
        columns.propose_task(inspector.read(kept))
        asked = replace(asked, dataset=dataset_id(kept))
        views.append(review(LOCAL, asked, "en", inspector, first=glance(LOCAL, asked, "en", inspector)))

    built: list[int] = []
    make = prepare.examples_of
    monkeypatch.setattr(
        prepare, "examples_of", lambda table, *others: built.extend(table.numbers().to_list()) or make(table, *others)
    )
    entered = calls_of(drop)
    assert sorted(built) == list(range(1, 61))  # each row once: the first for the preview, the others for the plan
    assert all(view.ready for view in views), views[0].reason
    none = {"data/checks/row_language.language_of_texts"} if task == "chat" else set()  # a conversation's is its own
    counts = {fact: entered[fact] for fact in FACTS if fact not in none}
    # Each base of the list, and that of the package, is told with what it would take, by the lengths as counted once.
    others = dict.fromkeys(("training/recipe.make_spec", "training/estimate.estimate"), 2 + len(bases.list_bases()))
    assert counts == dict.fromkeys(counts, 1) | {fact: count for fact, count in others.items() if fact in counts}
    # The same form in another language: looked at and planned again, and nothing is read or checked anew.
    again = calls_of(lambda: views.append(review(LOCAL, asked, "fa", inspector)))
    assert views[1].ready and {fact: again[fact] for fact in FACTS if again[fact]} == {
        "data/inspector.inspect": 1,
        "data/prompts/split.split_examples": 1,
        **others,
    }


def test_a_plan_of_the_shell_reads_a_file_once_and_looks_once_before_the_mends_and_once_after(tmp_path: Path) -> None:
    file, base, task = messages_file(tmp_path), get_base("built-in"), get_task("spam")
    file.write_text(file.read_text() + "see you at lunch on day 1,ham\n")

    def plan() -> None:
        inspector, kept = Inspector(), store.add_dataset(file)
        mends = parse_mends(["duplicates"], inspector, kept, task, None, base)
        assert len(mends) == 1
        plans.append(runs.plan_run(kept, task, base, mends=mends, effort="quick", inspector=inspector))

    plans: list[runs.Plan] = []
    entered = calls_of(plan)
    assert plans[0].spec.dataset.rows == 60
    once = ("core/store.fingerprint", "data/read/read.read_table")
    # Each of the rows as they are and as they are then.
    twice = (
        "data/inspector.inspect",
        "data/columns/column_facts._column_facts",
        "data/inspection.inspect_table",
        "data/planned_rows.with_labels",
    )
    assert {name: entered[name] for name in once} == dict.fromkeys(once, 1)
    assert {name: entered[name] for name in twice} == dict.fromkeys(twice, 2)


def test_a_plan_with_a_test_file_looks_at_each_file_once(tmp_path: Path) -> None:
    file, test, task = messages_file(tmp_path), messages_file(tmp_path, 20, start=500), get_task("spam")
    plans: list[runs.Plan] = []
    entered = calls_of(lambda: plans.append(runs.plan_run(file, task, get_base("built-in"), test_file=test)))
    assert plans[0].spec.test_dataset.rows == 20
    names = (
        "data/inspector.inspect",
        "core/store.fingerprint",
        "data/read/read.read_table",
        "data/inspection.inspect_table",
    )
    assert {name: entered[name] for name in names} == dict.fromkeys(names, 2)


def test_rows_of_a_large_table_are_its_first_ones_and_others_at_equal_distances(monkeypatch) -> None:
    from lora_hub.data import planned_rows
    from lora_hub.data.tables.table import Table

    monkeypatch.setattr(planned_rows, "PLANNED_ROWS", 70)
    rows = {"text": [f"text {n}" for n in range(1000)], "label": ["spam", "ham"] * 500}
    table = Table(polars.DataFrame(rows), "csv")
    planned = planned_rows.PlannedRows(table, get_task("spam"), {"text": "text", "answer": "label"})
    numbers = [example.row for example in planned.examples]
    assert numbers[:51] == list(range(1, 52)) and numbers[-1] == 1000 and len(set(numbers)) == 70
    assert planned.examples is planned.examples and len(planned.all_examples()) == 1000
    assert planned.task.labels == ("ham", "spam")
