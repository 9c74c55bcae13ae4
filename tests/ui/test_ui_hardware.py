"""Where a run trains, in the page: hired hardware is priced before the start and beside the result, and refused in
words."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from test_run_folders import make_spec
from test_ui_review import asked_about, look, spam_file

from lora_hub import runs, use_cases
from lora_hub.core.errors import HubUnreachableError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import Hired, Run
from lora_hub.people import LOCAL
from lora_hub.ui.render.runs import render_runs
from lora_hub.ui.tabs.finetune import finetune_start, render_tasks, task_list
from lora_hub.ui.tabs.finetune.asked import Asked
from lora_hub.ui.tabs.finetune.finetune_start import Start
from lora_hub.ui.tabs.finetune.task_list import Entry

HIRED = Hired(
    flavor="t4-small",
    hourly=0.4,
    expected_seconds=300.0,
    expected_dollars=0.033,
    most_seconds=1800.0,
    namespace="lora-hub",
)


def test_a_hub_without_jobs_hires_nothing_and_says_so(tmp_path: Path, hub) -> None:
    view = look(asked_about(spam_file(tmp_path), hardware="t4-small"))
    assert not view.ready and view.spec is None and "runs no jobs" in view.reason and "runs no jobs" in view.plan
    evil = look(asked_about(spam_file(tmp_path), hardware="<img src=x>"))
    assert not evil.ready and "<img" not in evil.plan + evil.reason


def test_the_price_stands_where_time_and_memory_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(use_cases, "hire", lambda person, work, flavor: HIRED)
    asked = asked_about(spam_file(tmp_path), hardware="t4-small")
    view = look(asked)
    assert view.ready and view.hired == HIRED and Asked.from_json(asked.to_json()) == asked
    for said in ("$0.03", "about 5 min", "$0.40 an hour", "paid by", "lora-hub", "after 30 min", "$0.20"):
        assert said in view.plan, said
    assert "۵" in look(asked, "fa").plan and "دلار" in look(asked, "fa").plan
    assert look(asked_about(spam_file(tmp_path))).hired is None
    # What this machine has no room for can be trained there.
    monkeypatch.setattr("lora_hub.runs.machine_memory", lambda: 1 << 20)
    assert look(asked).ready and not look(asked_about(spam_file(tmp_path))).ready


def test_those_of_this_machine_start_together_and_those_of_one_hardware_as_one_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started, told = [], []

    def start_runs(person: object, specs: list[str], hired: Hired | None = None, **named: object) -> list[str]:
        if specs == ["lost"]:
            raise HubUnreachableError(_("The Hub is away."))
        started.append((specs, hired))
        return specs

    monkeypatch.setattr(use_cases, "start_runs", start_runs)
    monkeypatch.setattr(finetune_start, "alert", lambda said, *more: told.append(said))
    views = [SimpleNamespace(spec=name, hired=HIRED if name in ("job", "lost") else None) for name in ("a", "job", "b")]
    starts = Start.__new__(Start)
    starts.page = SimpleNamespace(room=None)
    assert starts._start(LOCAL, views, "en") == ["a", "b", "job"]
    assert started == [(["a", "b"], None), (["job"], HIRED)] and not told
    # Two of one hardware are one job, hired for both.
    started.clear()
    both = HIRED.model_copy(update={"shared_by": 2})
    monkeypatch.setattr(use_cases, "hire", lambda person, work, flavor: both if len(work) == 2 else None)
    other = SimpleNamespace(spec="other", hired=HIRED.model_copy(update={"flavor": "l4x1"}), tokens_row=9.0)
    two = [SimpleNamespace(spec=name, hired=HIRED, tokens_row=9.0) for name in ("job", "more")]
    assert starts._start(LOCAL, [two[0], other, two[1]], "en") == ["job", "more", "other"]
    assert started == [(["job", "more"], both), (["other"], other.hired)]
    started.clear()
    lost = SimpleNamespace(spec="lost", hired=HIRED.model_copy(update={"flavor": "l4x1"}))
    assert starts._start(LOCAL, [views[1], lost], "en") == ["job"] and "The Hub is away." in told[0]
    with pytest.raises(LoraHubError, match="away"):
        starts._start(LOCAL, [lost], "en")


def test_the_list_says_what_one_job_for_all_costs() -> None:
    asked = Asked(task="spam", dataset="0" * 16 + "/a.csv", hardware="t4-small")
    hired = HIRED.model_copy(update={"setup_seconds": 200.0})
    entries = [Entry(replace(asked, name=name), 60, name, hired=hired) for name in ("a", "b")]
    assert task_list.read_entries(json.loads(json.dumps([entry.to_json() for entry in entries]))) == entries
    [both] = task_list.prices(entries)
    assert (both.expected_seconds, both.shared_by, both.most_seconds) == (400.0, 2, 1800.0)
    assert both.expected_dollars == pytest.approx(7 / 60 * 0.4)
    shown = render_tasks.task_list(entries, "en")
    assert "about 7 min, $0.05." in shown and "That is for 2 runs, which one job trains." in shown
    # With the task in the form; not with what cannot be trained, and not with other hardware.
    assert task_list.prices(entries, hired)[0].expected_seconds == 500.0
    broken = [entries[0], replace(entries[1], message="gone")]
    assert task_list.prices(broken) == [] == task_list.prices(entries[:1], hired.model_copy(update={"flavor": "l4x1"}))
    for evil in (
        None,
        5,
        {"flavor": "x", "more": 1},
        {"flavor": "x", "hourly": -1.0},
        {"flavor": "x", "hourly": 1e300},
    ):
        [read] = task_list.read_entries([{**entries[0].to_json(), "hired": evil}])
        assert read.hired is None


def test_what_it_took_stands_beside_the_estimate(home: Path) -> None:
    run = Run(id="spam-1", spec=make_spec(), runner="hf_jobs", hired=HIRED, created=1.0)
    before = render_runs.run_head(run, "en")
    assert "$0.40 an hour" in before and "The job" not in before
    taken = HIRED.model_copy(update={"job": "b", "url": "https://hub/jobs/lora-hub/b", "jobs": {"a": 90.0, "b": 200.0}})
    after = render_runs.run_head(run.model_copy(update={"hired": taken}), "en")
    assert "2 jobs took 4.8 min, $0.04." in after and "The estimate was 5.0 min, $0.03." in after
    assert 'href="https://hub/jobs/lora-hub/b"' in after
    evil = taken.model_copy(update={"url": "javascript:alert(1)", "flavor": "<b>x"})
    shown = render_runs.run_head(run.model_copy(update={"hired": evil}), "fa")
    assert "javascript:" not in shown and "<b>x" not in shown
    assert str(runs.tell_spent(HIRED.model_copy(update={"expected_seconds": 0.0, "jobs": {"a": 60.0}}))) == (
        "t4-small: 1 job took 1.0 min, $0.01."
    )
    assert "is not known" in str(runs.tell_price(HIRED.model_copy(update={"expected_seconds": 0.0})))
