"""The state of a run that nobody owns any more, and what is said of each state: what it is, why, and what comes next. What a run does
while it runs is `run_phases`'."""

from pathlib import Path

from lora_hub.core import disk, processes, run_lock, settings
from lora_hub.core.errors import LoraHubError
from lora_hub.core.schema import Run, RunState, Text2
from lora_hub.runs import run_history, run_phases

# A fall of the validation loss, between the last two looks at it, that says that more training would bring more.
STILL_FALLING = 0.01


def judge(run: Run, folder: Path, *, is_owned: bool | None = None) -> Run:
    """The run with what its events cannot tell: whether somebody works on it, and whether it is being cancelled. Nothing is
    written: a run is lost as long as nobody owns it and it has not ended. is_owned: None asks the lock."""
    if run.state.is_final:
        return run_history.restore(run, folder) if run.state is RunState.SUCCEEDED else run
    asked = _cancel_asked(folder)
    is_cancelled = asked is not None
    # Workers of a version before the locks are known by their process.
    if is_owned is None:
        is_owned = run_lock.is_held(folder) or ("created" in run.handle and processes.is_alive(run.handle))
    if is_owned:
        return run.model_copy(update={"cancelling": True, "cancel_asked": asked}) if is_cancelled else run
    run = run_history.restore(run, folder)
    return run.model_copy(update={"ended": run.last_event or run.created, "eta": None, "waits": None, "phase": "", **_end(run, folder, is_cancelled)})


def _cancel_asked(folder: Path) -> float | None:
    """When a person asked the run to end, UTC seconds; None where nobody did."""
    try:
        return (folder / "cancel").stat().st_mtime
    except FileNotFoundError:
        return None


def _end(run: Run, folder: Path, is_cancelled: bool) -> dict:
    """How a run ended whose process is gone. What it said last counts more than that it is gone."""
    is_done = run.adapter is not None or (run.adapter_folder and not run.spec.publish_to)
    if run.error:
        return {"state": RunState.SUCCEEDED if run.adapter_folder else RunState.FAILED}
    if is_done:
        return {"state": RunState.SUCCEEDED}
    if is_cancelled:
        return {"state": RunState.CANCELLED}
    said = _why_lost(run, folder)
    error = {"message": said.message, "hint": said.hint, "message_fa": said.message_fa, "hint_fa": said.hint_fa}
    return {"state": RunState.LOST, "error": error}


def _why_lost(run: Run, folder: Path) -> LoraHubError:
    if damaged := run_history.why_damaged(run, folder):
        hint, hint_fa = _how_to_go_on(run, run_history.last_checkpoint(folder))
        if (kept := folder / run_history.FOLDER / run_history.WEIGHTS).is_file():
            hint, hint_fa = f"{hint} An adapter of it lies in {kept.parent}.", f"{hint_fa} آداپتوری از آن در «{kept.parent}» هست."
        return LoraHubError(
            f"This run's history is damaged, so how it ended is not known: {damaged.en}.", hint,
            message_fa=f"تاریخچهٔ این اجرا خراب است و معلوم نیست چگونه پایان یافت: {damaged.fa}.", hint_fa=hint_fa,
        )  # fmt: skip
    if disk.is_disk_full():
        return disk.disk_is_full(settings.home(), ended_run=True)
    hint, hint_fa = _how_to_go_on(run)
    if run.handle.get("boot", processes.boot_id()) != processes.boot_id():
        return LoraHubError(
            "The machine was restarted while the run was under way.", hint,
            message_fa="در میانهٔ این اجرا دستگاه دوباره راه‌اندازی شد.", hint_fa=hint_fa,
        )  # fmt: skip
    return LoraHubError(
        "The training process ended without a word: it was killed, most often because the memory ran out.", hint,
        message_fa="فرایند آموزش بی‌خبر پایان یافت: کشته شد، بیشتر به این دلیل که حافظه تمام شد.", hint_fa=hint_fa,
    )  # fmt: skip


def checkpoint_step(run: Run) -> int:
    """The step of the last checkpoint; 0 where there is none. Each look at the validation rows leaves one."""
    return max((step for step, _ in run.eval_losses), default=0)


def _how_to_go_on(run: Run, on_disk: int = 0) -> tuple[str, str]:
    """on_disk: the last checkpoint's step, where the history does not tell it."""
    if run.adapter_folder:
        return "Resume the run: it is trained and scored, only publishing is left.", "اجرا را ادامه دهید: آموزش دیده و ارزیابی شده و فقط انتشار مانده است."
    step = on_disk or checkpoint_step(run)
    if step and step == run.total_steps:
        return "Resume the run: it is trained, and goes on with its scoring.", "اجرا را ادامه دهید: آموزش دیده است و با ارزیابی پیش می‌رود."
    if step:
        return f"Resume the run: it goes on from its last checkpoint, step {step}.", f"اجرا را ادامه دهید: از آخرین چک‌پوینت، گام {step}، پیش می‌رود."
    return "Resume the run: it has no checkpoint yet and begins anew.", "اجرا را ادامه دهید: هنوز چک‌پوینتی ندارد و از ابتدا شروع می‌شود."


def describe(run: Run, now: float | None = None) -> Text2:
    """What is said of the state that a run is in: what, why, and what comes next; and where it is late, that it is. now: UTC seconds,
    None: those of the clock."""
    said, late = _describe(run), run_phases.how_late(run, now)
    return said if late is None else Text2(en=f"{said.en} {late.en}".strip(), fa=f"{said.fa} {late.fa}".strip())


def _describe(run: Run) -> Text2:
    if run.cancelling:
        return Text2(
            en="It is being cancelled and ends at its next step. Its last checkpoint stays: Resume goes on from there.",
            fa="در حال لغو است و در گام بعد متوقف می‌شود. آخرین چک‌پوینت می‌ماند و «ادامه» از همان‌جا پیش می‌رود.",
        )
    if run.state is RunState.QUEUED and run.waits is not None:
        return _waiting(run)
    if run.state is RunState.QUEUED and run.attempt > 1 and not run.adapter_folder:
        step = checkpoint_step(run)
        if step and step == run.total_steps:
            return Text2(
                en="It is being resumed: its process is started again. It is trained, and goes on with its scoring.",
                fa="در حال ادامه است: فرایند آن دوباره شروع می‌شود. آموزش دیده است و با ارزیابی پیش می‌رود.",
            )
        whence = Text2(en=f"from step {step}", fa=f"از گام {step}") if step else Text2(en="from the beginning: it had no checkpoint yet", fa="از ابتدا، چون هنوز چک‌پوینتی نداشت")
        return Text2(
            en=f"It is being resumed: its process is started again, and the training goes on {whence.en}.",
            fa=f"در حال ادامه است: فرایند آن دوباره شروع می‌شود و آموزش {whence.fa} پیش می‌رود.",
        )
    if run.state is RunState.QUEUED and run.adapter_folder:
        return Text2(en="It is being resumed to be published: it is trained and scored.", fa="برای انتشار ادامه می‌یابد: آموزش دیده و ارزیابی شده است.")
    if run.state is RunState.QUEUED:
        return Text2(en="Its process is being started. It goes on by itself.", fa="فرایند آن در حال شروع است. خودش ادامه می‌یابد.")
    if run.state is RunState.CANCELLED:
        hint, hint_fa = _how_to_go_on(run)
        at = f" at step {run.step} of {run.total_steps}" if run.total_steps else " before its first step"
        at_fa = f" در گام {run.step} از {run.total_steps}" if run.total_steps else " پیش از گام نخست"
        return Text2(en=f"It was cancelled{at}. {hint}", fa=f"این اجرا{at_fa} لغو شد. {hint_fa}")
    if run.state is RunState.PUBLISHING:
        return run_phases.PHASES["publishing"].said
    if run.state is RunState.RUNNING:
        return run_phases.explain(run)
    if run.adapter_folder and not run.metrics and run.state.is_final and run.state is not RunState.DAMAGED:
        return Text2(
            en="It is trained, and its scores cannot be read any more: the line of events.jsonl that held them is damaged. The adapter's lora_hub.json has them, too.",
            fa="آموزش دیده است و امتیازهایش دیگر خوانده نمی‌شود: خطی از «events.jsonl» که آن‌ها را داشت خراب است. فایل «lora_hub.json» آداپتور هم آن‌ها را دارد.",
        )
    if run.state is RunState.SUCCEEDED and run.adapter is None:
        return Text2(en="It is trained and scored. Publish it, or ask it in Compare.", fa="آموزش دیده و ارزیابی شده است. آن را منتشر کنید یا در «مقایسه» از آن بپرسید.")
    return Text2(en="")


def _waiting(run: Run) -> Text2:
    wait = run.waits
    now, then = wait.before[: len(wait.before) - wait.place + 1], wait.before[len(wait.before) - wait.place + 1 :]
    limit = f"LORA_HUB_SLOTS = {wait.slots}"
    rest = f" Then: {', '.join(then)}." if then else ""
    rest_fa = f" سپس: {'، '.join(f'«{one}»' for one in then)}." if then else ""
    return Text2(
        en=f"Place {wait.place} in the queue: this machine trains {wait.slots} at a time ({limit}). Training now: {', '.join(now)}.{rest} It starts by itself.",
        fa=f"جایگاه {wait.place} در صف: این دستگاه هم‌زمان {wait.slots} اجرا را آموزش می‌دهد («{limit}»). اکنون: {'، '.join(f'«{one}»' for one in now)}.{rest_fa} "
        "خودش شروع می‌شود.",
    )


def stopped_early(reason: str, step: int, total: int, patience: int, best_step: int, best_loss: float) -> Text2:
    """Why a training ended before its last step. reason: "patience" or "learnt"."""
    if reason == "learnt":
        return Text2(
            en=f"Stopped early, at step {step} of {total}: the validation loss was {best_loss:.4f}, so nothing was left to learn. Kept: step {best_step}.",
            fa=f"توقف زودهنگام در گام {step} از {total}: زیان اعتبارسنجی {best_loss:.4f} بود و چیزی برای یادگیری نماند. نگه داشته شد: گام {best_step}.",
        )
    return Text2(
        en=f"Stopped early, at step {step} of {total}: the validation loss did not fall for {patience} evaluations (patience = {patience}). "
        f"Best and kept: step {best_step}, loss {best_loss:.4f}.",
        fa=f"توقف زودهنگام در گام {step} از {total}: زیان اعتبارسنجی در {patience} ارزیابی پیاپی کم نشد («patience = {patience}»). "
        f"بهترین، که نگه داشته شد: گام {best_step} با زیان {best_loss:.4f}.",
    )


def train_longer(run: Run) -> Text2 | None:
    """The advice to train longer, where the validation loss was still falling at the last look; None elsewhere."""
    looks = [loss for step, loss in run.eval_losses if step]
    if run.stopped or len(looks) < 2 or not run.step or run.step < run.total_steps or looks[-1] > min(looks):
        return None
    if looks[-2] - looks[-1] < STILL_FALLING * looks[-2]:
        return None
    spec = run.spec
    setting, setting_fa = (f"{2 * spec.steps} steps", f"{2 * spec.steps} گام") if spec.steps else (f"{2 * spec.epochs:g} epochs", f"{2 * spec.epochs:g} دور")
    return Text2(
        en=f"The validation loss was still falling at the end ({looks[-2]:.4f}, then {looks[-1]:.4f}): training longer would probably bring more. "
        f"Try {setting}, or more effort.",
        fa=f"زیان اعتبارسنجی در پایان هنوز کم می‌شد (از {looks[-2]:.4f} به {looks[-1]:.4f}): آموزش طولانی‌تر احتمالاً نتیجه را بهتر می‌کند. "
        f"{setting_fa} یا سطح آموزش بالاتر را امتحان کنید.",
    )
