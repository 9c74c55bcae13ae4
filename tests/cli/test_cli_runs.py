"""`runs show`, `log`, `wait`, `cancel`, `resume` and `publish` with an existing run, a missing run, and an ambiguous
name."""

import json

import pytest
from persian import check_persian
from test_run_folders import FAILED, WORKER, make_run, started

from lora_hub import cli, runs
from lora_hub.core import run_lock, store
from lora_hub.core.errors import RunError

SCORE = {"value": 90.0, "low": 80.0, "high": 95.0, "rows": 52}
DONE = (
    started(),
    (WORKER, "exam", {"metrics": {"adapter": {"accuracy": SCORE}}}),
    (WORKER, "adapter", {"folder": "adapter", "best_step": 3}),
)
ACTIONS = ("show", "log", "wait", "cancel", "resume")


def call(capsys: pytest.CaptureFixture, *arguments: str) -> tuple[int, str, str]:
    """(exit status, what was printed, what was told)."""
    status = cli.main(list(arguments))
    printed, told = capsys.readouterr()
    assert "Traceback" not in told and "bug in" not in told
    return status, printed, told


@pytest.mark.parametrize("command", [*(("runs", action) for action in ACTIONS), ("publish",)])
def test_a_run_that_is_not_there_is_told_in_a_sentence(command: tuple[str, ...], capsys: pytest.CaptureFixture) -> None:
    first = make_run(started(), *FAILED)
    assert call(capsys, *command, "nope") == (
        1,
        "",
        "error: There is no run 'nope'. `python -m lora_hub runs` lists the runs there are.\n",
    )
    assert call(capsys, *command, "../etc")[0] == 1
    typo = first.replace("spam", "spma")
    assert call(capsys, *command, typo)[2] == f"error: There is no run {typo!r}. Did you mean {first}?\n"
    assert call(capsys, *command, first[:-3])[2] == f"error: There is no run {first[:-3]!r}. Did you mean {first}?\n"
    second = make_run(started(), *FAILED)
    assert call(capsys, *command, "spam-20") == (
        1,
        "",
        f"error: 'spam-20' fits 2 runs, and names none of them. Give one whole: {', '.join(store.list_run_ids())}.\n",
    )
    for _ in range(3):
        make_run(started())
    status, printed, told = call(capsys, *command, "spam", "--json")
    assert status == 1 and "fits 5 runs" in json.loads(printed)["error"]["message"] and "(and 2 more)" in told
    assert len({first, second}) == 2


@pytest.mark.parametrize("action", ACTIONS)
def test_a_run_has_to_be_named(action: str, capsys: pytest.CaptureFixture) -> None:
    for arguments in (("runs", action), ("runs", action, "")):
        assert call(capsys, *arguments)[::2] == (
            2,
            f"error: `runs {action}` needs a run's id. `python -m lora_hub runs` lists them.\n",
        )
    assert call(capsys, "runs", "list", "x")[0] == 2


def test_words_beside_a_runs_id_are_told_of(capsys: pytest.CaptureFixture) -> None:
    status, _printed, told = call(capsys, "runs", "tag", "some-run", "night")
    assert status == 2 and "takes one run's id, not 2: some-run, night. A tag is given by --tag TAG" in told
    assert "1 run cannot stand beside others. Choose 2 to 8." in call(capsys, "runs", "compare", "some-run")[2]


def test_names_that_fit_are_told_in_persian_too() -> None:
    for _ in range(5):
        make_run(started())
    for name in ("spam", "nope"):
        with pytest.raises(RunError) as told:
            store.run_folder(name)
        check_persian(told.value)


def test_what_has_ended_is_shown_waited_for_and_not_cancelled_or_resumed(capsys: pytest.CaptureFixture) -> None:
    run_id = make_run(*DONE, (WORKER, "state", {"state": "succeeded"}))
    status, printed, _ = call(capsys, "runs", "wait", run_id)
    assert status == 0 and printed.startswith("succeeded: ") and "90.0 (80.0 to 95.0)" in printed, (
        "it ended in a KeyError"
    )
    assert call(capsys, "runs", "wait", run_id, "--timeout", "5", "--json")[0] == 0
    assert call(capsys, "runs", "wait", run_id, "--min", "accuracy=91")[0] == 4
    assert call(capsys, "runs", "show", run_id)[0] == call(capsys, "runs", "log", run_id)[0] == 0
    status, _, told = call(capsys, "runs", "cancel", run_id)
    assert status == 1 and told == f"error: The run {run_id} has ended already: succeeded. Nothing is left to cancel.\n"
    status, _, told = call(capsys, "runs", "resume", run_id)
    assert status == 1 and told.startswith(f"error: The run {run_id} has succeeded: nothing is left of it to resume.")
    with pytest.raises(RunError) as error:
        runs.resume_run(run_id)
    check_persian(error.value)


@pytest.mark.parametrize("state", ["failed", "cancelled", "lost", "damaged", "not published"])
def test_waiting_for_a_run_that_did_not_succeed_has_the_status_of_its_end(
    state: str, capsys: pytest.CaptureFixture
) -> None:
    end = {
        "failed": FAILED,
        "cancelled": ((WORKER, "state", {"state": "cancelled"}),),
        "not published": (*DONE[1:], FAILED[0], (WORKER, "state", {"state": "succeeded"})),
    }
    run_id = make_run(started(), *end.get(state, ()))
    if state == "damaged":
        (store.run_folder(run_id) / "spec.json").write_text("")
    status, printed, told = call(capsys, "runs", "wait", run_id, "--json")
    assert status == (3 if state == "not published" else 1)
    found = json.loads(printed)
    assert (
        found["state"] == ("succeeded" if state == "not published" else state)
        and found["error"]["message"]
        and told.count("error: ") == 1
    )
    if state == "cancelled":
        assert found["error"]["hint"] == f"Go on with it: python -m lora_hub runs resume {run_id}"


def test_a_run_that_is_worked_on_is_not_resumed_and_waiting_gives_up(capsys: pytest.CaptureFixture) -> None:
    run_id = make_run(started())
    with run_lock.take(store.run_folder(run_id)):
        status, printed, told = call(capsys, "runs", "wait", run_id, "--timeout", "0.1")
        assert status == 124 and "has not ended after 0.1 s: running" in told and not printed
        status, _, told = call(capsys, "runs", "resume", run_id)
        assert status == 1 and f"The run {run_id} is running." in told


def test_the_prefix_of_a_run_is_no_adapter_and_the_run_is_named(hub) -> None:
    from lora_hub.compare.panes import resolve_adapter
    from lora_hub.core.errors import AdapterError

    run_id = make_run(started())
    with pytest.raises(AdapterError, match=f"Did you mean the run {run_id}") as told:
        resolve_adapter(run_id[:-2])
    check_persian(told.value)
    with pytest.raises(AdapterError, match="lists what there is"):
        resolve_adapter("zzqx-4711")


def test_it_tells_which_of_several_settings_was_kept(capsys: pytest.CaptureFixture) -> None:
    settings = [{"lr": 0.0043, "r": 8, "alpha": 32.0}, {"lr": 0.0086, "r": 16, "alpha": 64.0}]
    tried = ({"candidates": settings}, {"number": 1, "step": 4, "eval_loss": 0.25}, {"chosen": 1})
    done = make_run(started(), *((WORKER, "sweep", one) for one in tried), *DONE[1:])
    printed = call(capsys, "runs", "show", done)[1]
    assert "Of 2 settings tried, this one was kept: learning rate 0.0086, rank 16, alpha 64." in printed
    told = json.loads(call(capsys, "runs", "show", done, "--json")[1])["sweep"]
    assert told == {"tried": [{**settings[0], "loss": None}, {**settings[1], "loss": 0.25}], "kept": 1}
    assert "نرخ یادگیری ۰٫۰۰۸۶" in call(capsys, "runs", "show", done, "--language", "fa")[1]
