"""What publishing would do is shown beforehand: the version and the differences. Nothing is published unannounced."""

import re
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from small_data import sentiment_rows, write_csv
from test_ui_review import spec_for

from lora_hub import hub, runs, use_cases
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import HubError, RunError
from lora_hub.core.messages import _
from lora_hub.core.schema import AdapterRef, Mend, Run, RunState, Score, Text2
from lora_hub.hub import record
from lora_hub.people import LOCAL, Person
from lora_hub.runs import publication
from lora_hub.runs.publication import Difference
from lora_hub.ui.render.runs import render_publication
from lora_hub.ui.render.text import t
from lora_hub.ui.tabs.runs.runs_watch import Watch


def run_of(folder: Path, run_id: str, value: float, **spec) -> Run:
    made = spec_for(folder, **{key: spec.pop(key) for key in ("name",) if key in spec}).model_copy(update=spec)
    return Run(
        id=run_id,
        spec=made,
        state=RunState.SUCCEEDED,
        metrics={"adapter": {"accuracy": Score(value=value, low=1, high=99, rows=50)}},
        adapter_folder="x",
    )


def record_of(run: Run) -> dict:
    return record.make_record(run.spec, run.spec.task, run.id, run.metrics, {"train_rows": 1, "eval_rows": 1}, 1)


def planned_after(
    monkeypatch: pytest.MonkeyPatch, before: dict | None, run: Run, tags: tuple[str, ...] = ("v2", "v1", "production")
) -> publication.Publication:
    versions = [hub.Version(tag, "c" * 40, "", "") for tag in tags]
    monkeypatch.setattr(hub, "list_versions", lambda repo_id: versions)
    monkeypatch.setattr(hub, "fetch_record", lambda repo_id, revision: before)
    return publication.plan_publication(run, org="team")


def test_a_name_without_a_repo_becomes_v1(tmp_path, hub):
    run = run_of(tmp_path, "spam-1", 90, name="never published")
    assert publication.plan_publication(run, org="lora-hub") == publication.Publication(
        "lora-hub/never-published", "v1"
    )
    with pytest.raises(HubError, match="no letters"):
        publication.plan_publication(run, name="!!!")
    with pytest.raises(HubError, match="no-such-team"):
        publication.plan_publication(run, org="no-such-team")


def test_the_next_version_and_what_differs_in_it(tmp_path, monkeypatch):
    old = run_of(tmp_path, "spam-1", 90)
    new = run_of(tmp_path, "spam-2", 94.5, lr=0.001, lora=old.spec.lora.model_copy(update={"r": 4}))
    new = new.model_copy(
        update={
            "spec": new.spec.model_copy(
                update={
                    "dataset": new.spec.dataset.model_copy(
                        update={"fingerprint": "f" * 16, "name": "more.csv", "rows": 900}
                    )
                }
            )
        }
    )
    found = planned_after(monkeypatch, record_of(old), new)
    assert (found.version, found.before, found.is_same, found.other_rows) == ("v3", "v2", False, True)
    kinds = [(one.kind, one.name) for one in found.differences]
    assert kinds == [("data", "data"), ("setting", "lora.r"), ("setting", "lr"), ("score", "accuracy")]
    assert found.differences[0].now == "more.csv (900)" and found.differences[-1] == Difference(
        "score", "accuracy", "90.0", "94.5"
    )
    for language, words in (
        ("en", ("This becomes a new version", "v3", "Rank (r)", "different test rows")),
        ("fa", ("نسخهٔ جدید", "رتبه (r)", "۹۴٫۵")),
    ):
        shown = render_publication.planned(found, language)
        assert all(word in shown for word in words) and "<bdi>team/" in shown and "<bdi>v3</bdi>" in shown, shown


def test_another_task_is_told_first_and_plainly(tmp_path, monkeypatch):
    old, new = run_of(tmp_path, "spam-1", 90), run_of(tmp_path, "topic-2", 94.5)
    other = new.spec.task.model_copy(update={"id": "topic", "title": Text2(en="Topic", fa="موضوع")})
    found = planned_after(
        monkeypatch, record_of(old), new.model_copy(update={"spec": new.spec.model_copy(update={"task": other})})
    )
    assert found.differences[0] == Difference("task", "task", "Spam detection", "Topic") and found.other_rows
    shown = render_publication.planned(found, "en")
    assert "another task" in shown and shown.index("another task") < shown.index("Spam detection")
    same = planned_after(monkeypatch, record_of(old), new)
    assert "another task" not in render_publication.planned(same, "en")


def test_other_labels_are_told_by_name_and_asked_about(tmp_path, monkeypatch):
    old, new = run_of(tmp_path, "spam-1", 90), run_of(tmp_path, "spam-2", 94.5)

    def planned(*labels: str) -> publication.Publication:
        task = new.spec.task.model_copy(update={"labels": labels})
        ours = record.make_record(new.spec, task, new.id, new.metrics, {"train_rows": 1, "eval_rows": 1}, 1)
        monkeypatch.setattr(publication, "_own_record", lambda run: ours)
        return planned_after(monkeypatch, theirs, new)

    task = old.spec.task.model_copy(update={"labels": ("ham", "spam", "junk")})
    theirs = record.make_record(old.spec, task, old.id, old.metrics, {"train_rows": 1, "eval_rows": 1}, 1)
    found = planned("spam", "offer", "ham", "news")
    assert (found.more_labels, found.fewer_labels, found.is_another) == (("offer", "news"), ("junk",), True)
    shown = render_publication.planned(found, "en")
    assert "2 labels more: offer, news. 1 label fewer: junk." in shown and "lh-warn" not in shown
    assert "۲ برچسب بیشتر: offer، news" in re.sub("</?bdi>|[«»]", "", render_publication.planned(found, "fa"))
    # The same labels in another order are the same, and then nothing is asked.
    same = planned("spam", "junk", "ham")
    assert not same.is_another and "labels" not in render_publication.planned(same, "en")


def test_a_version_that_answers_otherwise_is_published_when_that_is_agreed_to(tmp_path, monkeypatch):
    run = run_of(tmp_path, "spam-2", 90)
    other = Difference("labels", "labels", "ham, spam", "ham, offer")
    ahead = publication.Publication("team/spam", "v2", "v1", differences=(other,), more_labels=("offer",))
    published = []

    def publish(person: Person, run_id: str, **names) -> SimpleNamespace:
        published.append(run_id)
        return SimpleNamespace(ref=AdapterRef(repo_id="team/spam"))

    monkeypatch.setattr(use_cases, "refresh_run", lambda person, run_id: run)
    monkeypatch.setattr(use_cases, "plan_publication", lambda person, run_id, **names: ahead)
    monkeypatch.setattr(use_cases, "publish_run", publish)
    watch, person = Watch(None), LOCAL

    def plan(said: str, agreed: bool) -> tuple[bool, str, dict]:
        shown, button, promise, box = watch.plan("en", "spam-2 succeeded", "team", "spam", said, agreed, person=person)
        assert "1 label more: offer." in shown
        return button.interactive, promise, box

    # Nobody has agreed to a version that was not told of yet, whatever the box says.
    can, promise, box = plan("", True)
    assert not can and box.visible and box.value is False
    with pytest.raises(RunError, match="would answer differently"):
        watch.publish("en", "spam-2 succeeded", "team", "spam", False, promise, False, person=person)
    assert plan(promise, False)[0] is False and plan(promise, True)[0] is True and not published
    said, button = watch.wait("en")  # while it is published, nobody presses again
    assert "Publishing" in said and button.interactive is False
    watch.publish("en", "spam-2 succeeded", "team", "spam", False, promise, True, person=person)
    assert published == ["spam-2"]


def test_whether_the_same_rows_were_scored(tmp_path, monkeypatch):
    old, new = (run_of(tmp_path, name, 90).model_copy(update={"eval_rows": 1}) for name in ("spam-1", "spam-2"))

    def is_other(**spec) -> bool:
        run = new.model_copy(update={"spec": new.spec.model_copy(update=spec)})
        return planned_after(monkeypatch, record_of(old), run).other_rows

    # One row was scored of the 200 or 1,000 that might have been: the limit did not bind.
    assert not is_other() and not is_other(max_held_out=1000)
    assert is_other(seed=7) and is_other(held_out=0.4) and is_other(mapping={"text": "other"})
    mended = new.spec.dataset.model_copy(update={"mends": (Mend(kind="drop", values={"code": "duplicates"}),)})
    assert is_other(dataset=mended)
    assert planned_after(monkeypatch, record_of(old), new.model_copy(update={"eval_rows": 2})).other_rows
    # Of a file with a test part of its own that part is scored, whatever is drawn from the rest.
    whole = old, new
    parts = old.spec.dataset.model_copy(update={"test_rows": 24})
    old, new = (run.model_copy(update={"spec": run.spec.model_copy(update={"dataset": parts})}) for run in whole)
    assert not is_other() and not is_other(seed=7, held_out=0.4, max_held_out=1)
    assert (
        is_other(mapping={"text": "other"})
        and is_other(dataset=parts.model_copy(update={"fingerprint": "d" * 16}))
        and is_other(dataset=whole[0].spec.dataset)
    )
    old, new = whole
    # A test file is scored whole, whatever was trained on.
    tested = old.spec.dataset.model_copy(update={"fingerprint": "e" * 16, "name": "test.csv"})
    old, new = (
        run.model_copy(
            update={"spec": run.spec.model_copy(update={"test_dataset": tested, "test_mapping": run.spec.mapping})}
        )
        for run in (old, new)
    )
    assert not is_other() and not is_other(seed=7, held_out=0.4) and not is_other(dataset=mended)
    assert is_other(test_dataset=tested.model_copy(update={"fingerprint": "d" * 16}))


def test_no_name_is_the_runs_own(tmp_path, monkeypatch):
    run = run_of(tmp_path, "spam-1", 90)
    monkeypatch.setattr(hub, "list_versions", lambda repo_id: [])
    assert publication.plan_publication(run, org=None, name=None) == publication.plan_publication(run)


def test_the_same_run_again_and_a_version_made_elsewhere(tmp_path, monkeypatch):
    run = run_of(tmp_path, "spam-1", 90)
    again = planned_after(monkeypatch, record_of(run), run)
    assert again.is_same and "already" in render_publication.planned(again, "en")
    assert (
        t(_("Nothing new: this is {version} already"), "en", version=again.version) == "Nothing new: this is v2 already"
    )
    strange = planned_after(monkeypatch, None, run)
    assert not strange.has_record and "was not made here" in render_publication.planned(strange, "en")
    twin = planned_after(monkeypatch, record_of(run), run.model_copy(update={"id": "spam-2"}))
    assert (
        twin.version == "v3"
        and twin.differences == ()
        and "data, settings and scores are those of" in render_publication.planned(twin, "en")
    )
    damaged = planned_after(
        monkeypatch, {"run": 5, "spec": [], "dataset": "x", "metrics": {"adapter": 7}, "base": None}, run
    )
    assert damaged.version == "v3" and "<img" not in render_publication.planned(damaged, "en")


def test_nothing_of_another_persons_record_becomes_html(tmp_path, monkeypatch):
    run = run_of(tmp_path, "spam-1", 90)
    evil = "<img src=x onerror=alert(1)>"
    theirs = {
        **record_of(run),
        "run": "x",
        "base": {"id": evil},
        "dataset": {"fingerprint": evil, "name": evil, "rows": 1},
        "metrics": {"adapter": {"accuracy": {"value": 1}}},
    }
    theirs["spec"] = {**theirs["spec"], "schedule": evil}
    shown = render_publication.planned(planned_after(monkeypatch, theirs, run), "en")
    assert "<img" not in shown and shown.count("&lt;img") >= 3


def test_a_spec_says_whether_its_file_has_the_rows_that_are_scored(tmp_path):
    train, test = (
        write_csv(tmp_path / "train.csv", sentiment_rows(80)),
        write_csv(tmp_path / "test.csv", sentiment_rows(24, seed=5)),
    )
    with zipfile.ZipFile(tmp_path / "split.zip", "w") as archive:
        archive.write(train, "train.csv")
        archive.write(test, "test.csv")

    def planned(file: Path, **more):
        return runs.plan_run(file, catalogue.get_task("sentiment"), bases.get_base("built-in"), **more).spec

    assert planned(tmp_path / "split.zip").dataset.test_rows == 24 and planned(train).dataset.test_rows == 0
    beside = planned(tmp_path / "split.zip", test_file=test)
    assert beside.dataset.test_rows == 0 and beside.test_dataset.rows == 24, "a test file of its own is what is scored"
