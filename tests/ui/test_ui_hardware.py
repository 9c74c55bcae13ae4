"""Where a run trains, in the page: hired hardware is priced before the start and beside the result, and refused in
words."""

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
from lora_hub.ui.tabs.finetune import finetune_start
from lora_hub.ui.tabs.finetune.asked import Asked
from lora_hub.ui.tabs.finetune.finetune_start import Start

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


def test_those_of_this_machine_start_together_and_the_others_as_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
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
    lost = SimpleNamespace(spec="lost", hired=HIRED)
    assert starts._start(LOCAL, [views[1], lost], "en") == ["job"] and "The Hub is away." in told[0]
    with pytest.raises(LoraHubError, match="away"):
        starts._start(LOCAL, [lost], "en")


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
