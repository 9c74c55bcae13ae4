"""What an estimate says of a machine that is busy, and what a run says of the time that it will still take."""

import os
from types import SimpleNamespace

import psutil
import pytest

from lora_hub.catalogue import bases, machine_speed
from lora_hub.catalogue.tasks import catalogue
from lora_hub.cli.text import estimated
from lora_hub.core import processes
from lora_hub.core.schema import DatasetInfo, TrainSpec
from lora_hub.runs import machine, run_pace, turns
from lora_hub.training import recipe
from lora_hub.ui.render import render_plan

SPEED = machine_speed.Speed({128: 5e10, 576: 2e11}, 1e10)


@pytest.fixture
def spec() -> TrainSpec:
    info = DatasetInfo(fingerprint="0" * 16, name="x.csv", rows=400, columns=("text", "answer"), format="csv")
    base = bases.get_base("built-in")
    return recipe.make_spec(catalogue.get_task("spam"), base, info, {"text": "text", "answer": "answer"})


def test_a_busy_machine_shares_its_cores(home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    busy = {"load": (1.0, 9.0, 9.0)}
    monkeypatch.setattr(psutil, "getloadavg", lambda: busy["load"])
    assert machine.slowdown() == 1.0  # it is idle by now
    busy["load"] = (9.0, 1.0, 1.0)
    assert machine.slowdown() == 1.0  # a burst of a minute
    busy["load"] = (13.0, 13.0, 1.0)
    assert machine.slowdown() == 4.0  # 16 threads on 4 cores
    with monkeypatch.context() as patch:  # a sandbox that tells no load
        patch.setattr(psutil, "getloadavg", lambda: (_ for _ in ()).throw(OSError()))
        assert machine.slowdown() == 1.0
    ticket = turns.Ticket.take(["one"])
    try:
        assert machine.slowdown() == pytest.approx(13 / 4)  # the next run waits for the one that trains
    finally:
        ticket.give_back()


def test_both_times_are_told_where_it_is_busy(spec: TrainSpec) -> None:
    idle, little, busy = (recipe.estimate(spec, tokens_row=60, speed=SPEED, slowdown=one) for one in (1.0, 1.2, 5.0))
    assert idle.seconds == little.seconds == busy.seconds and busy.busy_seconds == pytest.approx(5 * idle.seconds)
    assert idle.busy_seconds == little.busy_seconds == 0 and "busy_seconds" not in idle.to_json()
    said = busy.to_json()
    told = estimated(**said).en
    assert f"{said['seconds']:.0f} s," in told and " s if this machine stays as busy as it is" in told
    assert "busy" not in estimated(**idle.to_json()).en
    assert "Other programs use this machine now" in render_plan.plan(busy, "en")
    assert "Other programs" not in render_plan.plan(idle, "en")


def test_a_pace_is_learnt_without_the_time_that_others_took(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = {"seconds": 100.0}
    monkeypatch.setattr(run_pace, "waited_seconds", lambda: waited["seconds"])
    clock = run_pace.IdleClock()
    waited["seconds"] = 99.0  # a second less of waiting is a second more of work
    assert clock.read() == pytest.approx(1.0, abs=0.5)


def test_the_system_says_how_long_a_process_has_waited() -> None:
    assert processes.waited_seconds() >= 0.0


def test_what_is_left_of_a_run_includes_its_scoring(home, spec: TrainSpec) -> None:
    told: list[dict] = []
    prepared = SimpleNamespace(train=SimpleNamespace(tokens=6000, rows=[None] * 100))

    def left() -> list[float | None]:
        told.clear()
        report = run_pace.WithScoring(lambda kind, **data: told.append(data), spec, prepared)
        report("progress", phase="preparing the training", step=0, total=100, eta=None)
        report("progress", phase="training", step=50, total=100, eta=20.0)
        report("progress", phase="training", step=100, total=100, eta=0.0)
        return [one["eta"] for one in told]

    assert left() == [None, 20.0, 0.0]  # this machine was not measured
    machine_speed.keep_speed(SPEED)
    share = recipe.estimate(spec, tokens_row=60, speed=SPEED)
    scoring = 40 * share.scoring / share.training
    assert left() == [None, pytest.approx(20 + scoring, abs=0.1), pytest.approx(scoring, abs=0.1)]
