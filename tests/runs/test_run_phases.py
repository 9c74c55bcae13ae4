"""What is said about a run while it runs: for each phase the reason and what comes next, and that a late one is
late."""

import ast
import re
import time
from pathlib import Path

import pytest
from persian import check_sentence
from test_run_folders import make_run, make_spec, started

from lora_hub import runs
from lora_hub.catalogue import bases
from lora_hub.cli import progress, show_runs
from lora_hub.cli.screen import Screen
from lora_hub.core import run_lock, store
from lora_hub.core.schema import BaseModel, Run, RunState, Wait
from lora_hub.runs import run_json, run_phases, run_states
from lora_hub.runs.owner import Owner
from lora_hub.ui.render.runs import render_runs

ROOT = Path(__file__).parents[2] / "lora_hub"
LOCAL = BaseModel(id="somewhere", folder="/models/somewhere", parameters=135_000_000)
FAR = BaseModel(id="owner/large", parameters=8_000_000_000)


def run_in(phase: str, state: RunState = RunState.RUNNING, base: BaseModel = LOCAL, **more: object) -> Run:
    return Run(id="r", spec=make_spec(base=base), state=state, phase=phase, last_event=1000.0, started=900.0, **more)


def phases_that_workers_say() -> set[str]:
    """Every name that is given to `phase`, `say` and `part`, and every phase in a "progress" event."""
    said: set[str] = set()
    for file in (file for room in ("runs", "training") for file in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in ("phase", "say", "part")
                and node.args
            ):
                said |= {node.args[0].value} if isinstance(node.args[0], ast.Constant) else set()
            if isinstance(node, ast.Call):
                said |= {
                    one.value.value
                    for one in node.keywords
                    if one.arg == "phase" and isinstance(one.value, ast.Constant) and one.value.value
                }
    from lora_hub.runs.worker import SCORED

    return said | {f"scoring the {who}" for who in SCORED.values()}


def test_every_phase_says_why_and_what_next() -> None:
    names = phases_that_workers_say() - {"waiting for its turn"}  # which says its place in the queue
    assert {"loading the libraries", "loading the base", "training", "publishing"} <= names
    assert names <= set(run_phases.PHASES), names - set(run_phases.PHASES)
    for name in names:
        for base in (LOCAL, FAR):
            said = run_states.describe(run_in(name, base=base), now=1001.0)
            assert said.en.endswith(".") and said.fa and "longer" not in said.en, name
            check_sentence(said.fa)


STATES = {
    "queued": run_in("", RunState.QUEUED),
    "resuming": run_in("", RunState.QUEUED, attempt=2, eval_losses=((40, 1.0),)),
    "resuming to publish": run_in("", RunState.QUEUED, attempt=2, adapter_folder="adapter"),
    "libraries": run_in("loading the libraries"),
    "data": run_in("reading the data"),
    "tokens": run_in("tokenizing (500 of 1000)"),
    "base": run_in("loading the base"),
    "far base": run_in("loading the base", base=FAR),
    "training": run_in("training", step=50, total_steps=100),
    "exam": run_in("scoring the base with examples (3 of 40)", step=100, total_steps=100, eval_losses=((80, 1.0),)),
    "publishing": run_in("publishing", RunState.PUBLISHING, adapter_folder="adapter"),
    "unknown": run_in("voting"),
}


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_is_late_says_so_and_what_next(name: str) -> None:
    run = STATES[name]
    usual = run_phases.usual_silence(run)
    assert usual >= 30
    assert run_phases.how_late(run, 1000.0 + usual - 1) is None
    late = run_phases.how_late(run, 1000.0 + usual + 30)
    assert "longer than usual" in late.en and "alive" in late.en and "log" in late.en and "Cancel" in late.en
    check_sentence(late.fa)
    said = run_states.describe(run, 1000.0 + usual + 30)
    assert said.en.endswith(late.en)
    # where the clock was set back nothing is late
    assert run_phases.how_late(run, 0.0) is None


def test_how_long_is_usual_depends_on_the_work() -> None:
    assert (
        run_phases.usual_silence(STATES["far base"])
        > 20 * 60
        > 60
        > run_phases.usual_silence(run_in("loading the base", base=bases.get_base("built-in")))
    )
    slow = run_in("training", step=2, total_steps=100)  # 50 s a step
    assert run_phases.usual_silence(slow) == 500 and run_phases.usual_silence(STATES["training"]) == 60
    assert "about 16.0 GB" in run_phases.explain(STATES["far base"]).en
    for waiting in (
        run_in("waiting to be scored"),
        run_in("waiting for the tasks before it"),
        run_in("", RunState.QUEUED, waits=Wait(place=1)),
    ):
        assert run_phases.how_late(waiting, 1e9) is None


def test_what_can_be_done_depends_on_what_is_there() -> None:
    assert "Resume then goes on from step 80" in run_phases.how_late(STATES["exam"], 2000.0).en
    assert "Resume then begins anew" in run_phases.how_late(STATES["data"], 2000.0).en
    assert "published from here later" in run_phases.how_late(STATES["publishing"], 2000.0).en
    assert "network" in run_phases.how_late(STATES["far base"], 9000.0).en


def test_a_cancel_that_takes_long_says_so_and_can_be_given_again() -> None:
    asked = run_in("training", cancelling=True, cancel_asked=1000.0)
    assert run_phases.how_late(asked, 1010.0) is None
    assert (
        "Cancel it again" in run_phases.how_late(asked, 1045.0).en and "40 s" in run_phases.how_late(asked, 1045.0).en
    )
    shared = asked.model_copy(update={"handle": {"group": ["a", "b"]}})
    assert "shares a process" in run_phases.how_late(shared, 1045.0).en
    for run in (asked, shared):
        check_sentence(run_phases.how_late(run, 1045.0).fa)


def test_a_late_run_is_told_on_the_page_and_in_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = make_run(started(), ("worker-7-1", "progress", {"phase": "loading the base", "step": 0, "total": 0}))
    lock = run_lock.take(store.run_folder(run_id))
    assert "longer than usual" not in render_runs.run_head(runs.refresh_run(run_id), "en")
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 300)
    run = runs.refresh_run(run_id)
    assert "longer than usual: nothing was heard of it for 5 min" in render_runs.run_head(run, "en")
    assert re.search("۵ دقیقه", render_runs.run_head(run, "fa"))
    assert progress.phase_line(run).en.startswith("loading the base: It takes longer than usual")
    assert f"{run_id}: The base's weights" in Screen().tell_all(show_runs.show_runs({"runs": [run_json.run_row(run)]}))
    store.ask_cancel(run_id)
    told = runs.refresh_run(run_id)
    assert told.cancelling and "Cancel it again" in run_states.describe(told).en
    lock.close()


def test_a_run_that_waits_tells_its_place_once(capsys: pytest.CaptureFixture) -> None:
    """What is read where lines stay: the shell's, without a terminal, and the run's own log."""
    run_id = make_run(("app-1", "state", {"state": "queued"}))
    bar, group, owner = progress.ProgressBar(Screen()), progress.GroupProgress(Screen()), Owner(run_id)
    for place in (3, 2, 1):
        owner.wait(Wait(place=place, before=tuple(f"run-{n}" for n in range(place)), slots=1))
        run = store.read_run(run_id)
        assert run.waits.place == place
        bar.show(run), group.show([run])
    owner.report("state", state="running")
    owner.phase("loading the base")
    bar.show(store.read_run(run_id)), group.show([store.read_run(run_id)])
    owner.lock.close()
    told = capsys.readouterr()
    assert [line.count("Place 3 in the queue") for line in told.err.splitlines()] == [1, 1, 0, 0]
    assert (
        told.err.count("loading the base") == 2
        and told.out.count("behind run-0, run-1, run-2") == told.out.count("behind") == 1
    )
