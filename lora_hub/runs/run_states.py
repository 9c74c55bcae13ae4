"""The state of a run that nobody owns any more, and what is said of each state: what it is, why, and what comes next.
What a run does while it runs is `run_phases`'."""

from pathlib import Path

from lora_hub.core import disk, processes, settings, store
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import NOTHING, Message, _, _n, joined
from lora_hub.core.schema import Failure, Run, RunState
from lora_hub.evaluation.minimum import below_minimum
from lora_hub.hub.adapter_config import WEIGHTS_FILE
from lora_hub.runs import run_history, run_phases
from lora_hub.runs.runners import get_runner
from lora_hub.training import recipe

# A fall of the validation loss, between the last two looks at it, that says that more training would bring more.
STILL_FALLING = 0.01


WORDS = {
    RunState.QUEUED: _("queued"),
    RunState.RUNNING: _("running"),
    RunState.PUBLISHING: _("publishing"),
    RunState.SUCCEEDED: _("succeeded"),
    RunState.FAILED: _("failed"),
    RunState.CANCELLED: _("cancelled"),
    RunState.LOST: _("lost"),
    RunState.DAMAGED: _("damaged"),
}


def word(state: RunState | str) -> Message:
    """A state in a word that fits the middle of a sentence."""
    return WORDS[RunState(state)]


def judge(run: Run, folder: Path, *, is_owned: bool | None = None) -> Run:
    """The run with what its events cannot tell: whether somebody works on it, and whether it is being cancelled.
    Nothing is
    written: a run is lost as long as nobody owns it and it has not ended. is_owned: None asks
    the run's runner."""
    if run.state.is_final:
        return run_history.restore(run, folder) if run.state is RunState.SUCCEEDED else run
    asked = _cancel_asked(folder)
    is_cancelled = asked is not None
    if is_owned is None:
        try:
            is_owned = get_runner(run.runner).is_working(run.handle, folder)
        except SpecError:  # another version started it by a runner that is not known here: it stands as it is told
            is_owned = True
    if is_owned:
        return run.model_copy(update={"cancelling": True, "cancel_asked": asked}) if is_cancelled else run
    run = run_history.restore(run, folder)
    return run.model_copy(
        update={
            "ended": run.last_event or run.created,
            "eta": None,
            "waits": None,
            "phase": "",
            **_end(run, folder, is_cancelled),
        }
    )


def _cancel_asked(folder: Path) -> float | None:
    """When a person asked the run to end, UTC seconds; None where nobody did."""
    try:
        return (folder / "cancel").stat().st_mtime
    except FileNotFoundError:
        return None


def _end(run: Run, folder: Path, is_cancelled: bool) -> dict:
    """How a run ended whose process is gone. What it reported last counts more than the fact that it is gone."""
    is_done = run.adapter is not None or (run.adapter_folder and not run.spec.publish_to)
    if run.error:
        return {"state": RunState.SUCCEEDED if run.adapter_folder else RunState.FAILED}
    if is_done:
        return {"state": RunState.SUCCEEDED}
    if is_cancelled:
        return {"state": RunState.CANCELLED}
    said = _why_lost(run, folder)
    return {"state": RunState.LOST, "error": Failure(said=said.said, advice=said.advice)}


def _why_lost(run: Run, folder: Path) -> LoraHubError:
    if damaged := run_history.why_damaged(run, folder):
        advice = _how_to_go_on(run, run_history.last_checkpoint(folder))
        if (kept := folder / store.ADAPTER / WEIGHTS_FILE).is_file():
            advice = joined(advice, _("An adapter of it lies in {folder}.", folder=kept.parent))
        return LoraHubError(
            _("This run's history is damaged, so how it ended is not known: {why}."), advice, why=damaged
        )
    if disk.is_disk_full():
        return disk.disk_is_full(settings.home(), ended_run=True)
    advice = _how_to_go_on(run)
    if run.hired is not None and run.hired.is_under_way:
        return LoraHubError(
            _("The process here that followed the run's job has ended; the job itself goes on."),
            _("Resume the run: its job is followed again."),
        )
    if run.handle.get("boot", processes.boot_id()) != processes.boot_id():
        return LoraHubError(_("The machine was restarted while the run was under way."), advice)
    return LoraHubError(
        _("The training process ended without a word: it was killed, most often because the memory ran out."), advice
    )


def _how_to_go_on(run: Run, on_disk: int = 0) -> Message:
    """on_disk: the last checkpoint's step, where the history does not tell it."""
    if run.adapter_folder:
        return _("Resume the run: it is trained and scored, only publishing is left.")
    step = on_disk or run.last_look
    if step and step == run.total_steps:
        return _("Resume the run: it is trained, and goes on with its scoring.")
    if step:
        return _("Resume the run: it goes on from its last checkpoint, step {step}.", step=step)
    return _("Resume the run: it has no checkpoint yet and begins anew.")


def describe(run: Run, now: float | None = None) -> Message:
    """What is said of the state that a run is in: what, why, and what comes next; and where it is late, that it is.
    now: UTC seconds,
    None: those of the clock."""
    said, late = _describe(run), run_phases.how_late(run, now)
    return said if late is None else joined(said, late)


def _describe(run: Run) -> Message:
    if run.cancelling:
        return _(
            "It is being cancelled and ends at its next step. Its last checkpoint stays: Resume goes on from there."
        )
    if run.state is RunState.QUEUED and run.waits is not None:
        return _waiting(run)
    if run.state is RunState.QUEUED and run.attempt > 1 and not run.adapter_folder:
        step = run.last_look
        if step and step == run.total_steps:
            return _("It is being resumed: its process is started again. It is trained, and goes on with its scoring.")
        if not step:
            return _(
                "It is being resumed: its process is started again, and the training goes on from the beginning: it "
                "had no checkpoint yet."
            )
        return _(
            "It is being resumed: its process is started again, and the training goes on from step {step}.", step=step
        )
    if run.state is RunState.QUEUED and run.adapter_folder:
        return _("It is being resumed to be published: it is trained and scored.")
    if run.state is RunState.QUEUED:
        return _("Its process is being started. It goes on by itself.")
    if run.state is RunState.CANCELLED:
        if not run.total_steps:
            return joined(_("It was cancelled before its first step."), _how_to_go_on(run))
        return joined(
            _("It was cancelled at step {step} of {total}.", step=run.step, total=run.total_steps), _how_to_go_on(run)
        )
    if run.state is RunState.PUBLISHING:
        return run_phases.PHASES["publishing"].said
    if run.state is RunState.RUNNING:
        return run_phases.explain(run)
    if run.adapter_folder and not run.metrics and run.state.is_final and run.state is not RunState.DAMAGED:
        return _(
            "It is trained, and its scores cannot be read any more: the line of events.jsonl that held them is "
            "damaged. The adapter's lora_hub.json has them, too."
        )
    if run.state is RunState.SUCCEEDED and run.adapter is None:
        if below := below_minimum(run.metrics.get("adapter", {}), run.spec.minimum):
            return _(
                "It is trained and scored, and not good enough: {below}. Train it on more or better rows, or ask it in "
                "Compare.",
                below=below,
            )
        if run.comparison is not None and run.comparison.verdict == "worse":
            return _(
                "It is trained and scored, and worse than its base. See the rows that went wrong, and train it on more "
                "or better rows before you publish it."
            )
        return _("It is trained and scored. Publish it, or ask it in Compare.")
    return NOTHING


def _waiting(run: Run) -> Message:
    wait = run.waits
    now, then = wait.before[: len(wait.before) - wait.place + 1], wait.before[len(wait.before) - wait.place + 1 :]
    place = {"place": wait.place, "slots": wait.slots, "now": _named(now)}
    return joined(
        # The setting is for whoever sits at the machine.
        _(
            "Place {place} in the queue: this machine trains {slots} at a time ({setting}). Training now: {now}.",
            setting=f"LORA_HUB_SLOTS = {wait.slots}",
            **place,
        )
        if run.owner == "local"
        else _("Place {place} in the queue: this app trains {slots} at a time. Training now: {now}.", **place),
        _("Then: {then}.", then=_named(then)) if then else "",
        _("It starts by itself."),
    )


def _named(before: tuple[str, ...]) -> list[str | Message]:
    """Runs in the queue by their names, and how many more there are whose names this person does not see."""
    named = [name for name in before if name]
    hidden = len(before) - len(named)
    return [*named, *([_n("{count} run of others", "{count} runs of others", count=hidden)] if hidden else [])]


def stopped_early(reason: str, step: int, total: int, patience: int, best_step: int, best_loss: float) -> Message:
    """Why a training ended before its last step. reason: "patience" or "learnt"."""
    if reason == "learnt":
        return _(
            (
                "Stopped early, at step {step} of {total}: the validation loss was {loss:.4f}, so nothing was left to "
                "learn. Kept: step {best_step}."
            ),
            step=step,
            total=total,
            loss=best_loss,
            best_step=best_step,
        )
    return _n(
        "Stopped early, at step {step} of {total}: the validation loss did not fall for {count} evaluation "
        "({setting}). "
        "Best and kept: step {best_step}, loss {loss:.4f}.",
        "Stopped early, at step {step} of {total}: the validation loss did not fall for {count} evaluations "
        "({setting}). "
        "Best and kept: step {best_step}, loss {loss:.4f}.",
        step=step,
        total=total,
        count=patience,
        setting=f"patience = {patience}",
        best_step=best_step,
        loss=best_loss,
    )


def train_longer(run: Run) -> Message | None:
    """The advice to train longer, where the validation loss was still falling at the last look; None elsewhere, and
    where nothing is left to learn or the loss of so few rows is chance."""
    looks = [loss for step, loss in run.eval_losses if step]
    if run.stopped or len(looks) < 2 or not run.step or run.step < run.total_steps or looks[-1] > min(looks):
        return None
    if looks[-2] < recipe.LEARNT_LOSS or (run.validation_rows and not recipe.can_choose(run.validation_rows)):
        return None
    if looks[-2] - looks[-1] < STILL_FALLING * looks[-2]:
        return None
    more = _n("Try one epoch, or more effort.", "Try {count:g} epochs, or more effort.", count=2 * run.spec.epochs)
    if run.spec.steps:
        more = _("Try {steps} steps, or more effort.", steps=2 * run.spec.steps)
    falling = _(
        (
            "The validation loss was still falling at the end ({before:.4f}, then {last:.4f}): training longer would "
            "probably bring more."
        ),
        before=looks[-2],
        last=looks[-1],
    )
    return joined(falling, more)


def start_was_better(run: Run) -> Message | None:
    """That the adapter which a training goes on from did better on the validation rows than all that came of it; None
    elsewhere."""
    before = next((loss for step, loss in run.eval_losses if not step), None)
    looks = [loss for step, loss in run.eval_losses if step]
    if run.spec.parent is None or before is None or not looks or min(looks) <= before:
        return None
    return _(
        "On the validation rows {name} was better before the first step (loss {before:.4f}) than at any look after it "
        "({best:.4f} at the best): it has learnt nothing more from this data. Keep it, or give data that it has not "
        "seen.",
        name=run.spec.parent.name,
        before=before,
        best=min(looks),
    )
