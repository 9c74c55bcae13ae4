"""What a run does while it runs: why, what comes next and, where nothing has been heard of it for longer than usual, that it is late.

    explain(run)              of its phase; empty for one that this version does not know
    how_late(run, now)        None while all is as usual; now: UTC seconds

A run that is late is alive: of one whose process is gone `run_states` says that it is lost.
"""

import re
import time
from dataclasses import dataclass

from lora_hub.core.schema import Run, RunState, Text2

_PART = re.compile(r" \(\d+ of \d+\)$")
# Seconds without a word after which any phase is late, and so many times the mean time of a step in training.
USUAL, STEPS_SILENT = 120.0, 10.0
# Bytes a second that weights come from a disk and from a Hub with, at worst.
DISK, NETWORK = 100e6, 10e6
# Ended by force after 20 seconds; one of several that share a process ends at its next step only.
CANCEL_USUAL = 30.0


@dataclass(frozen=True)
class Phase:
    """usual: seconds without a word that are nothing to speak of; 0: it waits for others, for as long as they take."""

    said: Text2
    usual: float = USUAL


PHASES = {
    "loading the libraries": Phase(Text2(
        en="Its process loads PyTorch and the other libraries, as every run does once. Then the data is read.",
        fa="فرایند آن کتابخانه‌های لازم را بارگذاری می‌کند که هر اجرا یک بار انجام می‌دهد. سپس داده خوانده می‌شود.",
    ), 40.0),
    "connecting to the Hub": Phase(Text2(
        en="The run needs the Hub for its base or to publish. Then the libraries are loaded.",
        fa="این اجرا برای مدل پایه یا انتشار به هاب نیاز دارد. سپس کتابخانه‌ها بارگذاری می‌شود.",
    ), 30.0),
    "reading the data": Phase(Text2(
        en="The file is read, mended and split as the run's spec says. Then its rows are turned into tokens.",
        fa="فایل خوانده و طبق مشخصات اجرا اصلاح و تقسیم می‌شود. سپس سطرها به توکن تبدیل می‌شود.",
    )),
    "tokenizing": Phase(Text2(
        en="Every row is turned into the base's tokens before anything is trained. Then the base is loaded.",
        fa="پیش از آموزش همهٔ سطرها به توکن‌های مدل پایه تبدیل می‌شود. سپس مدل پایه بارگذاری می‌شود.",
    )),
    "loading the base": Phase(Text2(en="", fa="")),  # it depends on the base: `_loading`
    "preparing the training": Phase(Text2(
        en="The adapter's layers are put on the base, and a short probe finds the faster way to train. Then training begins.",
        fa="لایه‌های آداپتور روی مدل پایه قرار می‌گیرد و آزمایشی کوتاه راه سریع‌تر آموزش را پیدا می‌کند. سپس آموزش شروع می‌شود.",
    )),
    "first look at the validation rows": Phase(Text2(
        en="Later losses are held against this one. Then training begins or, in a run that was resumed, goes on.",
        fa="زیان‌های بعدی با این زیان مقایسه می‌شود. سپس آموزش شروع می‌شود یا در اجرای ازسرگرفته ادامه می‌یابد.",
    )),
    "training": Phase(Text2(
        en="After each look at the validation rows there is a checkpoint to go on from. Then base and adapter are scored on the held-out rows.",
        fa="پس از هر ارزیابی سطرهای اعتبارسنجی چک‌پوینتی برای ادامه هست. سپس مدل پایه و آداپتور با سطرهای آزمون ارزیابی می‌شود.",
    )),
    "scoring the base": Phase(Text2(
        en="It is trained. The base answers the held-out rows as it is, then with examples in its prompt, then the adapter does.",
        fa="آموزش تمام شد. مدل پایه به سطرهای آزمون پاسخ می‌دهد، سپس با نمونه‌ها در پرامپت، سپس آداپتور.",
    )),
    "scoring the base with examples": Phase(Text2(
        en="It is trained. The base answers once more, with training rows as examples in its prompt: it gets its best chance. Then the adapter does.",
        fa="آموزش تمام شد. مدل پایه یک بار دیگر با سطرهای آموزش به‌عنوان نمونه در پرامپت پاسخ می‌دهد تا بهترین فرصت را داشته باشد. سپس آداپتور.",
    )),
    "scoring the adapter": Phase(Text2(
        en="It is trained. The adapter answers the rows that the base has answered; then the result stands here.",
        fa="آموزش تمام شد. آداپتور به همان سطرهایی پاسخ می‌دهد که مدل پایه پاسخ داد؛ سپس نتیجه اینجا دیده می‌شود.",
    )),
    "publishing": Phase(Text2(
        en="It is trained and scored, and its files go to the Hub. The adapter stays in the run's folder whatever happens.",
        fa="آموزش دیده و ارزیابی شده و فایل‌هایش به هاب می‌رود. آداپتور در هر حال در پوشهٔ اجرا می‌ماند.",
    )),
    "waiting for the tasks before it": Phase(Text2(
        en="Tasks of one process are trained one after another where that is faster. It begins by itself.",
        fa="وظیفه‌های یک فرایند، اگر سریع‌تر باشد، یکی پس از دیگری آموزش می‌بیند. خودش شروع می‌شود.",
    ), 0.0),
    "waiting to be scored": Phase(Text2(
        en="It is trained; tasks of one process are scored one after another. It goes on by itself.",
        fa="آموزش دیده است؛ وظیفه‌های یک فرایند یکی پس از دیگری ارزیابی می‌شود. خودش ادامه می‌یابد.",
    ), 0.0),
}  # fmt: skip


def name_of(run: Run) -> str:
    """The phase without how far it is."""
    return _PART.sub("", run.phase)


def explain(run: Run) -> Text2:
    """Why a run does what it does now, and what comes next."""
    name = name_of(run)
    if name == "loading the base":
        return _loading(run)
    return PHASES[name].said if name in PHASES else Text2(en="")


def _loading(run: Run) -> Text2:
    base = run.spec.base
    if base.folder:
        return Text2(en="The base's weights are read from this disk. Then training begins.", fa="وزن‌های مدل پایه از همین دیسک خوانده می‌شود. سپس آموزش شروع می‌شود.")
    size, size_fa = (f" (about {_size(base.parameters, 'MB', 'GB')})", f" (حدود {_size(base.parameters, 'مگابایت', 'گیگابایت')})") if base.parameters else ("", "")
    return Text2(
        en=f"The base's weights{size} are fetched from the Hub where they are not on this disk yet, which takes as long as the network needs. Then training begins.",
        fa=f"وزن‌های مدل پایه{size_fa} اگر هنوز روی این دیسک نباشد از هاب دریافت می‌شود و زمان آن به شبکه بستگی دارد. سپس آموزش شروع می‌شود.",
    )


def _size(parameters: int, small: str, large: str) -> str:
    """Of weights of two bytes each."""
    return f"{2 * parameters / 1e9:.1f} {large}" if parameters >= 5e8 else f"{2 * parameters / 1e6:.0f} {small}"


def usual_silence(run: Run) -> float:
    """Seconds for which nothing has to be heard of a run in its phase; 0: it may take any time."""
    if run.state is RunState.QUEUED:
        return 0.0 if run.waits is not None else 40.0
    name, base = name_of(run), run.spec.base
    if name == "loading the base":
        weights = 4 * base.parameters / DISK if base.folder else 2 * (base.parameters or 1_000_000_000) / NETWORK
        return 30.0 + weights
    if name == "training" and run.step and run.started:
        return max(60.0, STEPS_SILENT * (run.last_event - run.started) / run.step)
    return PHASES[name].usual if name in PHASES else USUAL


def how_late(run: Run, now: float | None = None) -> Text2 | None:
    """What is said of a run that is later than usual: for how long, what may be the reason and what can be done."""
    now = time.time() if now is None else now
    if run.state.is_final:
        return None
    if run.cancelling:
        return _late_cancel(run, now - run.cancel_asked) if run.cancel_asked and now - run.cancel_asked > CANCEL_USUAL else None
    usual, silent = usual_silence(run), now - run.last_event
    if not usual or not run.last_event or silent <= usual:
        return None
    why, why_fa = _reasons(run)
    en, fa = _minutes(silent)
    kept, kept_fa = _kept(run)
    return Text2(
        en=f"It takes longer than usual: nothing was heard of it for {en}, though its process is alive. {why} It goes on by itself; the log below may say more. {kept}",
        fa=f"بیش از معمول طول کشیده است: {fa} است که خبری از آن نیست، هرچند فرایندش زنده است. {why_fa} خودش ادامه می‌یابد؛ شاید لاگ بیشتر بگوید. {kept_fa}",
    )


def _late_cancel(run: Run, waited: float) -> Text2:
    en, fa = _minutes(waited)
    if len(run.handle.get("group", ())) > 1:
        return Text2(
            en=f"It was asked to end {en} ago, longer than usual: it shares a process with other tasks, which go on, and ends when that comes to its next step.",
            fa=f"{fa} پیش خواسته شد متوقف شود و این بیش از معمول است: با وظیفه‌های دیگر، که ادامه می‌یابند، در یک فرایند است و در گام بعدی همان فرایند متوقف می‌شود.",
        )
    return Text2(
        en=f"It was asked to end {en} ago, longer than usual: a long step, or work that cannot be interrupted, is still under way. Cancel it again to end its process.",
        fa=f"{fa} پیش خواسته شد متوقف شود و این بیش از معمول است: گامی طولانی، یا بخشی از کار که نمی‌توان قطعش کرد، هنوز در جریان است. برای پایان دادن به فرایندش دوباره «لغو» را بزنید.",
    )


def _reasons(run: Run) -> tuple[str, str]:
    """What may make it late."""
    if run.state is RunState.QUEUED or name_of(run) == "loading the libraries":
        return "The machine may be busy or short of memory, or its disk slow.", "شاید دستگاه مشغول است یا حافظه کم دارد، یا دیسک کند است."
    if run.state is RunState.PUBLISHING or name_of(run) in ("connecting to the Hub", "publishing"):
        return "The Hub or the network may be slow or out of reach.", "شاید هاب یا شبکه کند یا خارج از دسترس است."
    if name_of(run) == "loading the base" and not run.spec.base.folder:
        return "The network may be slow, or the Hub out of reach.", "شاید شبکه کند یا هاب خارج از دسترس است."
    return "The machine may be busy or short of memory.", "شاید دستگاه مشغول است یا حافظه کم دارد."


def _kept(run: Run) -> tuple[str, str]:
    """What is left where a person does not want to wait."""
    if run.adapter_folder:
        return "Cancel ends it and loses nothing: the adapter can be published from here later.", "«لغو» به آن پایان می‌دهد و چیزی از دست نمی‌رود: آداپتور را بعداً از همین‌جا می‌توان منتشر کرد."
    step = max((step for step, _ in run.eval_losses), default=0)
    if step:
        return f"Cancel ends it; Resume then goes on from step {step}.", f"«لغو» به آن پایان می‌دهد؛ سپس «ادامه» از گام {step} پیش می‌رود."
    return "Cancel ends it; Resume then begins anew.", "«لغو» به آن پایان می‌دهد؛ سپس «ادامه» از ابتدا شروع می‌کند."


def _minutes(seconds: float) -> tuple[str, str]:
    if seconds < 120:
        # in tens, so that it is not another sentence every second
        tens = int(seconds) // 10 * 10
        return f"{tens} s", f"{tens} ثانیه"
    if seconds < 7200:
        return f"{int(seconds) // 60} min", f"{int(seconds) // 60} دقیقه"
    return f"{seconds / 3600:.1f} h", f"{seconds / 3600:.1f} ساعت"
