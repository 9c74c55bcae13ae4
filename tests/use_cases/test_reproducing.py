"""A published adapter's training once more: what is planned from its record, and what is refused."""

import json
from pathlib import Path

import pytest
from small_data import sentiment_rows

from lora_hub import hub, runs, use_cases
from lora_hub.catalogue import bases
from lora_hub.compare.reproducing import Reproduction
from lora_hub.core import store
from lora_hub.core.errors import AdapterError, BaseError, DataError
from lora_hub.core.schema import DataPart, PairedComparison, TrainSpec
from lora_hub.hub.card import reproduce
from lora_hub.hub.record import make_record
from lora_hub.people import LOCAL


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    path.write_text("review;label;n\n" + "\n".join(f"{text};{label};1" for text, label in sentiment_rows(80)))
    return path


def plan(file: Path) -> TrainSpec:
    from lora_hub.catalogue.tasks.catalogue import get_task

    mapping = {"text": "review", "answer": "label"}
    wanted = {"lora.r": "4", "lr": "0.003", "lora.targets": "q_proj,v_proj", "seed": "7", "sweep": "0"}
    return runs.plan_run(
        file,
        get_task("sentiment"),
        bases.get_base("built-in"),
        mapping=mapping,
        overrides=wanted,
        dataset_name=file.name,
        publish_to="somewhere",
        minimum={"accuracy": 99.0},
    ).spec


def record_of(spec: TrainSpec, changed: dict | None = None) -> dict:
    task = spec.task.model_copy(update={"labels": ("good", "bad")})
    return json.loads(json.dumps(make_record(spec, task, "run-1", {"base": {}, "adapter": {}}, {}, 1))) | (
        changed or {}
    )


def test_the_record_and_the_file_make_the_same_run(file: Path) -> None:
    spec = plan(file)
    again = runs.plan_again(record_of(spec), file, spec.base, name="o/n")
    assert not again.differences and again.plan.spec.task.labels == ("good", "bad")
    for name in set(TrainSpec.model_fields) - {"task", "publish_to", "minimum"}:
        assert getattr(again.plan.spec, name) == getattr(spec, name), name
    assert again.plan.spec.publish_to == "" and again.plan.spec.minimum == {}, "it is no publication"


def test_files_with_weights_make_the_same_run(file: Path) -> None:
    spec = plan(file)
    parts = tuple(
        DataPart(name=f"{weight}.csv", fingerprint="ab" * 8, rows=40, weight=weight, mapping=spec.mapping)
        for weight in (1.0, 0.5)
    )
    spec = spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"parts": parts})})
    assert runs.plan_again(record_of(spec), file, spec.base, name="o/n").plan.spec.dataset.parts == parts
    assert reproduce.again(spec, "o/n") == "python -m lora_hub reproduce o/n --data 1.0.csv 0.5.csv:0.5"
    alone = spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"fingerprint": "cd" * 8})})
    with pytest.raises(DataError, match="put together from '1.0.csv:1 0.5.csv:0.5'"):
        runs.plan_again(record_of(alone), file, spec.base, name="o/n")


def test_another_file_is_named_and_goes_on_only_where_it_is_wanted(file: Path, tmp_path: Path) -> None:
    record = record_of(plan(file))
    other = tmp_path / "other.csv"
    other.write_text(file.read_text() + "\nmore;good;1")
    with pytest.raises(DataError, match="other.csv.*has the fingerprint .*reviews.csv") as refused:
        runs.plan_again(record, other, bases.get_base("built-in"), name="o/n")
    assert "--other-data" in str(refused.value.advice)
    again = runs.plan_again(record, other, bases.get_base("built-in"), name="o/n", other_data=True)
    assert len(again.differences) == 1 and again.plan.spec.dataset.rows == 81


def test_other_weights_and_adapters_without_a_training_are_refused(file: Path) -> None:
    spec = plan(file)
    base = spec.base.model_copy(update={"fingerprint": "ab" * 32})
    with pytest.raises(BaseError, match="abababababababab"):
        runs.plan_again(record_of(spec), file, base, name="o/n")
    for record, said in (
        (None, "made elsewhere"),
        (record_of(spec, {"composition": {"parts": []}}), "sum of other adapters"),
        (record_of(spec, {"spec": {"lr": "much"}}), "damaged"),
        (record_of(spec, {"task": 3}), "damaged"),
    ):
        with pytest.raises(AdapterError, match=said):
            runs.plan_again(record, file, spec.base, name="o/n")


def test_a_strangers_record_names_no_folder_of_this_machine(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lora_hub.catalogue import bases as known

    folder = known.built_in_folder()
    spec = plan(file)
    record = record_of(spec)
    record["base"] |= {"id": str(folder), "folder": str(folder)}
    monkeypatch.setattr(hub, "fetch_record", lambda *named: record)
    record["base"]["fingerprint"] = "ab" * 32
    with pytest.raises((AdapterError, BaseError)):
        use_cases.plan_again(LOCAL, "o/n", file)
    told, is_known = use_cases.read_settings(LOCAL, "o/n")
    assert not is_known and told.base.id == "built-in" and told.lora.r == 4
    record["base"]["fingerprint"] = spec.base.fingerprint
    assert use_cases.plan_again(LOCAL, "o/n", file, base="built-in").plan.spec.base.id == "built-in"


def test_a_folder_that_was_trained_on_here_is_found_by_its_weights(
    file: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = plan(file)
    folder = tmp_path / "my-base"
    folder.mkdir()
    base = spec.base.model_copy(update={"id": str(folder), "folder": str(folder), "fingerprint": "cd" * 32})
    record = record_of(spec)
    record["base"] |= {"id": "my-base", "folder": "", "fingerprint": base.fingerprint}
    monkeypatch.setattr(hub, "fetch_record", lambda *named: record)
    assert not use_cases.read_settings(LOCAL, "o/n")[1]
    store.create_run(spec.model_copy(update={"base": base}))
    told, is_known = use_cases.read_settings(LOCAL, "o/n")
    assert is_known and told.base.folder == str(folder)


def test_a_published_adapters_settings_fill_the_form(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lora_hub.core.schema import AdapterRef
    from lora_hub.ui.render.shelf.render_adapters import adapter_head
    from lora_hub.ui.tabs.finetune.from_run import asked_of_adapter

    record = record_of(plan(file))
    monkeypatch.setattr(hub, "fetch_record", lambda *named: record)
    asked, missing = asked_of_adapter(LOCAL, "o/n")
    assert (asked.task, asked.base, asked.dataset.partition("/")[2]) == ("sentiment", "built-in", "reviews.csv")
    assert asked.overrides["lora.r"] == "4" and asked.columns == {"text": "review", "answer": "label"} and not missing
    record["base"]["id"], record["dataset"]["fingerprint"] = "nobody/knows/it", "0" * 16
    asked, missing = asked_of_adapter(LOCAL, "o/n")
    assert asked.base == "built-in" and len(missing) == 2 and not asked.dataset
    ref = AdapterRef(repo_id='o/<n"', task="sentiment")
    assert 'data-put="lh-start-from" data-value="o/&lt;n&quot;"' in adapter_head(ref, "en", True)
    assert "lh-start-from" not in adapter_head(ref, "en") + adapter_head(AdapterRef(repo_id="o/n"), "en", True)


@pytest.mark.parametrize(
    ("low", "high", "verdict", "reproduced"),
    [(-3.0, 4.0, "chance", True), (0.0, 0.0, "same", True), (0.4, 6.0, "better", False), (-6.0, -0.4, "worse", False)],
)
def test_it_is_reproduced_where_the_interval_holds_zero(
    low: float, high: float, verdict: str, reproduced: bool
) -> None:
    found = PairedComparison(
        metric="accuracy",
        against="published",
        rows=80,
        clusters=80,
        changed=3,
        better=2,
        worse=1,
        base=90.0,
        adapter=90.0 + (low + high) / 2,
        difference=(low + high) / 2,
        low=low,
        high=high,
        p=0.5,
        test="mcnemar",
        verdict=verdict,
    )
    told = Reproduction("o/n@v1", "run", found).to_json()
    assert told["reproduced"] is reproduced and told["published"] == 90.0
    assert ("was reproduced" in told["said"]) is reproduced and "on 80 rows" in told["said"]
