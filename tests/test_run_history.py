"""A run whose history, `events.jsonl`, does not tell all of it: what can be known is said, and what cannot is said, too."""


from test_run_folders import WORKER, fold, started


def test_a_run_is_at_the_latest_step_that_anything_was_said_of() -> None:
    """Progress is told twice a second: a run that was killed had done the step whose loss it told."""
    begun = (WORKER, "progress", {"phase": "training", "step": 79, "total": 160})
    assert fold(started(), begun, (WORKER, "metric", {"step": 81, "eval_loss": 0.5})).step == 81
    assert fold(started(), begun, (WORKER, "metric", {"step": 70, "loss": 0.5})).step == 79
    resumed = fold(started(), begun, ("app-2", "state", {"state": "queued", "attempt": 2}), (WORKER, "progress", {"phase": "training", "step": 54, "total": 160}))
    assert resumed.step == 54, "a resumed run goes back to its checkpoint"
