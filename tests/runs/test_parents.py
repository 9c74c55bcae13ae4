"""The adapter that a run goes on from: found, checked, brought into the run's folder; what does not fit is refused."""

import json
from pathlib import Path

import numpy
import pytest
import yaml
from safetensors.numpy import save_file
from test_run_folders import make_run, make_spec, started

from lora_hub import runs, use_cases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.cli import show_runs
from lora_hub.core import store
from lora_hub.core.errors import AdapterError, LoraHubError, SpecError
from lora_hub.core.schema import DataPart, LoraSpec, PairedComparison, Parent, Score, TrainSpec
from lora_hub.data.prompts import template
from lora_hub.hub.card.card import render_card
from lora_hub.hub.record import files_before, files_of, make_record
from lora_hub.people import LOCAL
from lora_hub.runs import parents, pipeline, run_json
from lora_hub.runs.jobs import job_parcel
from lora_hub.ui.render.runs import render_runs

TASK = template.freeze_labels(catalogue.get_task("spam"), ["ham", "spam"])


def finished_run(spec: TrainSpec | None = None, r: int = 4, **config: object) -> str:
    """A run with an adapter of two layers' random numbers."""
    spec = spec or make_spec(task=TASK, lora=LoraSpec(r=r, alpha=8))
    run_id = make_run(
        started(), ("worker-7-1", "adapter", {"folder": "adapter"}), ("worker-7-1", "state", {"state": "succeeded"})
    )
    folder, random = store.run_folder(run_id) / "adapter", numpy.random.default_rng(1)
    folder.mkdir()
    shapes = {f"base_model.model.{name}.lora_A.weight": (r, 8) for name in ("a.q_proj", "b.q_proj")}
    shapes |= {name.replace("lora_A", "lora_B"): (8, r) for name in shapes}
    save_file(
        {name: random.random(shape, dtype=numpy.float32) for name, shape in shapes.items()},
        folder / "adapter_model.safetensors",
    )
    config = {"peft_type": "LORA", "r": r, "lora_alpha": 8, "target_modules": ["q_proj"], **config}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    record = make_record(spec, spec.task, run_id, {"adapter": {}}, {}, 1)
    (folder / "lora_hub.json").write_text(json.dumps(record))
    return run_id


def rows(tmp_path: Path, labels: tuple[str, ...] = ("ham", "spam")) -> Path:
    lines = [f"message number {place} of them,{labels[place % len(labels)]}" for place in range(60)]
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(["text,label", *lines]))
    return file


def plan(tmp_path: Path, parent: runs.ParentAdapter, labels: tuple[str, ...] = ("ham", "spam"), **named: object):
    return runs.plan_run(rows(tmp_path, labels), parent.task, parent.base, parent=parent, **named)


def test_a_run_takes_over_task_shape_and_base_and_gets_the_weights(home: Path, tmp_path: Path) -> None:
    run_id = finished_run()
    parent = use_cases.find_parent(LOCAL, run_id)
    spec = plan(tmp_path, parent, overrides={"lora.dropout": "0.1", "lora.r": "4"}).spec
    assert spec.parent == Parent(run=run_id, files=("0" * 16,)) and spec.task == parent.task
    record = make_record(spec, spec.task, "next-1", {"adapter": {}}, {}, 1)
    assert files_before(record) == ("0" * 16,) and files_of(record) == (spec.dataset.fingerprint,)
    assert spec.lora == LoraSpec(r=4, alpha=8, dropout=0.1)
    made = make_run(parent=spec.parent)
    parents.bring(spec.parent, store.run_folder(made))
    weights = store.run_folder(made) / store.PARENT / "adapter_model.safetensors"
    assert weights.read_bytes() == (store.run_folder(run_id) / "adapter" / weights.name).read_bytes()
    store.add_dataset(rows(tmp_path))
    assert TrainSpec.model_validate_json(spec.model_dump_json()) == spec
    store.remove_checkpoints(made)
    assert not weights.exists()
    assert run_json.run_result(store.read_run(made))["parent"]["name"] == run_id


def test_going_on_with_the_very_rows_it_was_trained_on_is_told_before(home: Path, tmp_path: Path) -> None:
    def codes(parent: runs.ParentAdapter) -> list[str]:
        return [problem.code for problem in plan(tmp_path, parent).problems]

    first = use_cases.find_parent(LOCAL, finished_run())
    data = plan(tmp_path, first).spec.dataset
    same = use_cases.find_parent(LOCAL, finished_run(make_spec(task=TASK, lora=LoraSpec(r=4, alpha=8), dataset=data)))
    assert "same-rows" in codes(same) and "same-rows" not in codes(first)
    new = DataPart(fingerprint="f" * 16, name="new.csv", rows=60)
    old = DataPart(fingerprint=data.fingerprint, name="old.csv", rows=60)
    mixed = data.model_copy(update={"fingerprint": "e" * 16, "parts": (old, new)})
    (some,) = parents.find_same_rows(same, mixed)
    assert some.severity == "info" and "old.csv" in some.said.en and "new.csv" not in some.said.en
    (every,) = parents.find_same_rows(same, mixed.model_copy(update={"parts": (old, old)}))
    assert every.severity == "warning"
    assert not parents.find_same_rows(same, mixed.model_copy(update={"parts": (new, new)}))


def test_settings_as_yaml_keep_the_adapter_before_and_the_files_weights(home: Path, tmp_path: Path) -> None:
    """Through the file, the pipeline's reader and its plan: the same spec."""
    (tmp_path / "b.csv").write_text(rows(tmp_path).read_text().replace("message", "another message"))
    entry = {"task": "spam", "from": finished_run(), "data": ["rows.csv", "b.csv:0.5"], "set": {"replay": 20}}
    asked = pipeline.make_pipeline({"tasks": [entry]}, tmp_path)
    spec = pipeline._plan(asked.entries[0], asked, "", False, None, {}).spec
    text = use_cases.export_run(LOCAL, store.create_run(spec), "settings").text
    again = pipeline.make_pipeline(yaml.safe_load(text), tmp_path / "elsewhere")
    assert pipeline._plan(again.entries[0], again, "", False, None, {}).spec == spec
    plain = store.create_run(spec.model_copy(update={"parent": None}))
    _found, differing = use_cases.compare_runs(LOCAL, [plain, store.create_run(spec)])
    assert differing == [("from", ["", entry["from"]])]
    assert spec.parent and [part.weight for part in spec.dataset.parts] == [1, 0.5]


def test_what_does_not_fit_is_refused_before_anything_starts(home: Path, tmp_path: Path) -> None:
    parent = parents.find_parent(finished_run())
    with pytest.raises(AdapterError, match="does not know: 'eggs'"):
        plan(tmp_path, parent, ("ham", "eggs"))
    with pytest.raises(SpecError, match=r"lora.r = 8 is not what .* has: 4"):
        plan(tmp_path, parent, overrides={"rank": "8"})
    other = parent.base.model_copy(update={"fingerprint": "ab" * 32})
    with pytest.raises(AdapterError, match="was trained on the base built-in"):
        runs.plan_run(rows(tmp_path), parent.task, other, parent=parent)
    with pytest.raises(AdapterError, match="other words"):
        parents.check_fits(parent, parent.task.model_copy(update={"template": "{text}?"}), parent.base)
    with pytest.raises(AdapterError, match="it is Spam"):
        parents.find_parent(parent.noun.run, task="sentiment")
    with pytest.raises(AdapterError, match="different ranks"):
        parents.find_parent(finished_run(alpha_pattern={"a.q_proj": 2}))
    with pytest.raises(LoraHubError):
        parents.find_parent(finished_run(lora_alpha="much"))
    with pytest.raises(AdapterError, match="no adapter to go on from"):
        parents.find_parent(make_run(started()))
    with pytest.raises(AdapterError, match="is not here any more"):
        parents.bring(Parent(run="gone-1"), tmp_path)


def test_a_strangers_record_is_bounded_and_an_adapter_from_elsewhere_is_refused(home: Path) -> None:
    run_id = finished_run()
    record = store.run_folder(run_id) / "adapter" / "lora_hub.json"
    whole = json.loads(record.read_text())
    record.write_text(json.dumps({**whole, "spec": {**whole["spec"], "lora": {"r": "x" * 99}}}))
    with pytest.raises(AdapterError, match="is damaged"):
        parents.find_parent(run_id)
    record.unlink()
    with pytest.raises(AdapterError, match="not made with LoRA Hub"):
        parents.find_parent(run_id)


def test_it_becomes_a_version_of_the_repo_that_it_goes_on_from(home: Path) -> None:
    found = parents.find_parent(finished_run())
    spec = make_spec(task=TASK)
    for repo, name in {"lora-hub/spam-built-in": "", "lora-hub/mine": "mine", "else/where": "", "": ""}.items():
        noun = Parent(repo_id=repo, revision="c" * 40)
        parent = runs.ParentAdapter(noun, found.folder, found.task, found.base, found.lora)
        assert parents.go_on(spec, parent, {}).name == name, repo
        assert parents.go_on(spec.model_copy(update={"name": "own"}), parent, {}).name == "own"


def test_card_and_json_tell_of_it(home: Path) -> None:
    parent = Parent(repo_id="lora-hub/spam", revision="c" * 40, version="v2", run="spam-1")
    found = PairedComparison(
        metric="accuracy", against="parent", rows=40, clusters=40, changed=9, better=8, worse=1, base=70, adapter=87.5,
        difference=17.5, low=5, high=30, p=0.039, test="McNemar", verdict="better",
    )  # fmt: skip
    spec = make_spec(task=TASK, parent=parent)
    scores = {who: {"accuracy": Score(value=70, low=60, high=80, rows=40)} for who in ("base", "parent", "adapter")}
    card = render_card(make_record(spec, TASK, "r", scores, {}, 1, parent_comparison=found), "lora-hub/spam")
    assert f"goes on from `lora-hub/spam` v2 (commit `{'c' * 40}`)" in card
    assert "| metric | base | adapter before | adapter |" in card
    assert "adapter against adapter before (p = 0.039): 9 of 40 rows changed" in card
    run_id = make_run(
        ("worker-7-1", "exam", {"parent_comparison": found.model_dump(), "metrics": {}}), parent=parent, task=TASK
    )
    run = store.read_run(run_id)
    assert run_json.run_result(run)["parent_comparison"]["verdict"] == "better"
    # it travels to hired hardware with the run
    files = {"parent/adapter_config.json": "{}", f"../../datasets/{run.spec.dataset.fingerprint}/x.csv": "text,answer"}
    for name, text in files.items():
        file = store.run_folder(run_id) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert f"{job_parcel.folder_of(run_id)}/parent/adapter_config.json" in job_parcel.pack_run(run)


def test_a_run_that_goes_on_tells_both_comparisons_and_what_was_forgotten(home: Path, tmp_path: Path) -> None:
    """The real process's work, here: three steps from an adapter of random numbers, with replay."""
    from tiny_bases import save_adapter

    from lora_hub.answering import loading
    from lora_hub.runs.worker import Worker

    run_id = finished_run()
    folder = store.run_folder(run_id) / "adapter"
    base = runs.find_parent(run_id).base
    save_adapter(loading.load_base(base), folder, r=4, lora_alpha=8, strength=0.05)
    parent = use_cases.find_parent(LOCAL, run_id)
    asked = {"steps": 3, "evaluations": 1, "replay": 4, "batch": 4}
    spec = plan(tmp_path, parent, overrides=asked).spec
    made = store.create_run(spec)
    parents.bring(spec.parent, store.run_folder(made))
    assert Worker(made).run() == 0, store.read_log(made)
    run = runs.refresh_run(made)
    assert set(run.metrics) >= {"base", "parent", "adapter"} and run.parent_comparison.against == "parent"
    assert run.general.rows == 80
    assert any("answers of the base itself" in note.en for note in run.notes)
    record = json.loads((store.run_folder(made) / "adapter" / "lora_hub.json").read_text())
    assert record["spec"]["parent"]["run"] == run_id and record["forgotten"]["rows"] == 80
    assert "What it forgot: of 80 general questions" in render_card(record, "lora-hub/spam")
    found = runs.read_held_out(made)
    assert found.missing is None and {"base", "parent", "adapter"} <= set(found.rows[0].answers)
    assert not (store.run_folder(made) / store.PARENT).exists()
    for language, words in {"en": "from which it goes on", "fa": "در برابر"}.items():
        shown = render_runs.result(run, language)
        assert words in shown and run_id in shown
    assert any("general questions" in str(part) for part in show_runs.show_result(run_json.run_result(run)))


def test_scores_are_told_by_file_where_several_are_one_dataset(home: Path) -> None:
    score = {"value": 90.0, "low": 80.0, "high": 95.0, "rows": 12}
    told = [
        {"name": "<a>.csv", "metric": "accuracy", "trained": 40, "base": {**score, "value": 50.0}, "adapter": score},
        {"name": "b.csv", "weight": 0.5, "metric": "accuracy", "trained": 9},
    ]
    metrics = {who: {"accuracy": score} for who in ("base", "adapter")}
    run = store.read_run(
        make_run(("worker-7-1", "exam", {"parts": told, "metrics": metrics, "eval_rows": 12}), task=TASK)
    )
    assert [part.weight for part in run.parts] == [1, 0.5]
    shown = render_runs.result(run, "en")
    assert "&lt;a&gt;.csv" in shown and "90.0" in shown and "(12 rows)" in shown and "<a>" not in shown
    result = run_json.run_result(run)
    assert result["files"][0]["adapter"]["value"] == 90
    assert any("b.csv" in str(getattr(part, "rows", "")) for part in show_runs.show_result(result))
