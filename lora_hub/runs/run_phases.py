"""What a run is doing: why, what comes next and, where nothing has been heard of it for longer than usual, that it is
late.

    explain(run)              of its phase; empty for a phase that this version does not know
    how_late(run, now)        None while all is as usual; now: UTC seconds

A run that is late is alive; a run whose process is gone is lost, which `run_states` says."""

import re
import time
from dataclasses import dataclass

from lora_hub.catalogue import bases
from lora_hub.core.messages import NOTHING, Message, _, as_message, joined
from lora_hub.core.schema import Run, RunState

_PART = re.compile(r" \((\d+) of (\d+)\)$")
# Seconds without a word after which any phase is late, and so many times the mean time of a step in training.
USUAL, STEPS_SILENT = 120.0, 10.0
# Bytes a second that weights come from a disk and from a Hub with, at worst.
DISK, NETWORK = 100e6, 10e6
# Ended by force after 20 seconds; one of several that share a process ends at its next step only.
CANCEL_USUAL = 30.0


@dataclass(frozen=True)
class Phase:
    """What one phase is called and how long it may be silent.

    name: its English words are also its name in events, in logs and in `--json`.
    said: why the run does this, and what comes next.
    usual: seconds of silence that are normal in this phase; 0: it waits for others, for as long as they take.
    on_page: a fuller name for the page, which has more room than a line of the shell; empty: `name`.
    """

    name: Message
    said: Message = NOTHING
    usual: float = USUAL
    on_page: Message = NOTHING


# By the name that events give: the English words of `Phase.name`.
PHASES = {
    phase.name.sentence: phase
    for phase in (
        Phase(_("waiting for its turn")),  # `run_states` says its place in the queue
        Phase(
            _("loading the libraries"),
            _("Its process loads PyTorch and the other libraries, as every run does once. Then the data is read."),
            40.0,
            on_page=_("starting: loading the libraries (some 10 seconds)"),
        ),
        Phase(
            _("connecting to the Hub"),
            _("The run needs the Hub for its base or to publish. Then the libraries are loaded."),
            30.0,
        ),
        Phase(
            _("sending the run to the Hub"),
            _(
                "Its rows and the program go into a private repo, which is removed when the job has ended. Then the "
                "job is started."
            ),
        ),
        Phase(
            _("waiting for the hired machine"),
            _("The Hub looks for a free machine of that kind. It costs nothing until the job runs."),
            0.0,
        ),
        Phase(
            _("setting up the hired machine"),
            _("The job fetches the run and installs the libraries that it needs. Then the data is read."),
            900.0,
        ),
        Phase(
            _("out of touch with the job"),
            _("The Hub cannot be reached at this moment. The job goes on without us, and is followed again."),
            0.0,
        ),
        Phase(
            _("bringing the adapter back"),
            _("The job is done. Its adapter and the answers to the held-out rows come into this run's folder."),
        ),
        Phase(
            _("reading the data"),
            _("The file is read, mended and split as the run's spec says. Then its rows are turned into tokens."),
        ),
        Phase(
            _("tokenizing"),
            _("Every row is turned into the base's tokens before anything is trained. Then the base is loaded."),
            on_page=_("turning the rows into tokens"),
        ),
        Phase(_("loading the base")),  # what is said depends on the base: `_loading`
        Phase(
            _("preparing the training"),
            _(
                "The adapter's layers are put on the base, and a short probe finds the faster way to train. Then "
                "training begins."
            ),
        ),
        Phase(
            _("first look at the validation rows"),
            _("Later losses are held against this one. Then training begins or, in a run that was resumed, goes on."),
            on_page=_("measuring the validation loss"),
        ),
        Phase(
            _("training"),
            _(
                "After each look at the validation rows there is a checkpoint to go on from. Then base and adapter "
                "are scored on the held-out rows."
            ),
        ),
        Phase(
            _("scoring the base"),
            _(
                "It is trained. The base answers the held-out rows as it is, then with examples in its prompt, then "
                "the adapter does."
            ),
        ),
        Phase(
            _("scoring the base with examples"),
            _(
                "It is trained. The base answers once more, with training rows as examples in its prompt: it gets its "
                "best chance. Then the adapter does."
            ),
        ),
        Phase(
            _("scoring the adapter before"),
            _("It is trained. The adapter that it goes on from answers the same rows; then the new one does."),
        ),
        Phase(
            _("scoring the adapter"),
            _("It is trained. The adapter answers the rows that the base has answered; then the result stands here."),
        ),
        Phase(
            _("asking the base what it knows"),
            _(
                "Its own answers are mixed into the rows, so that less is forgotten. They are kept for the next "
                "training."
            ),
        ),
        Phase(
            _("asking general questions"),
            _("It is trained and scored. Base and adapter answer general questions, to see what was forgotten."),
        ),
        Phase(
            _("publishing"),
            _(
                "It is trained and scored, and its files go to the Hub. The adapter stays in the run's folder whatever "
                "happens."
            ),
        ),
        Phase(
            _("waiting for the tasks before it"),
            _("Tasks of one process are trained one after another where that is faster. It begins by itself."),
            0.0,
            on_page=_("waiting: the tasks before it are trained first"),
        ),
        Phase(
            _("waiting to be scored"),
            _("It is trained; tasks of one process are scored one after another. It goes on by itself."),
            0.0,
            on_page=_("trained; waiting while the others are scored"),
        ),
    )
}


def split(phase: str) -> tuple[str, tuple[int, int] | None]:
    """The name of a phase in an event, and its progress: "tokenizing (3 of 40)" -> "tokenizing", (3, 40).
    The progress is None where the event gives none."""
    part = _PART.search(phase)
    return _PART.sub("", phase), (int(part[1]), int(part[2])) if part else None


def words(phase: str) -> Message:
    """A phase as an event gives it, with its progress. A phase that this version does not know is shown as it is."""
    name, progress = split(phase)
    said = PHASES[name].name if name in PHASES else as_message(name)
    return _("{phase} ({done} of {total})", phase=said, done=progress[0], total=progress[1]) if progress else said


def name_of(run: Run) -> str:
    """The phase without how far it is."""
    return split(run.phase)[0]


def explain(run: Run) -> Message:
    """Why a run does what it does now, and what comes next."""
    name = name_of(run)
    if name == "loading the base":
        return _loading(run)
    return PHASES[name].said if name in PHASES else NOTHING


def _loading(run: Run) -> Message:
    base = run.spec.base
    if bases.folder_of(base):
        return _("The base's weights are read from this disk. Then training begins.")
    if not base.parameters:
        return _(
            "The base's weights are fetched from the Hub where they are not on this disk yet, which takes as long as "
            "the network needs. Then training begins."
        )
    return _(
        (
            "The base's weights (about {size}) are fetched from the Hub where they are not on this disk yet, which "
            "takes "
            "as long as the network needs. Then training begins."
        ),
        size=_size(base.parameters),
    )


def _size(parameters: int) -> Message:
    """The size of weights of two bytes each."""
    if parameters >= 5e8:
        return _("{size:.1f} GB", size=2 * parameters / 1e9)
    return _("{size:.0f} MB", size=2 * parameters / 1e6)


def usual_silence(run: Run) -> float:
    """Seconds for which nothing has to be heard of a run in its phase; 0: it may take any time."""
    if run.state is RunState.QUEUED:
        return 0.0 if run.waits is not None else 40.0
    name, base = name_of(run), run.spec.base
    if name == "loading the base":
        weights = (
            4 * base.parameters / DISK if bases.folder_of(base) else 2 * (base.parameters or 1_000_000_000) / NETWORK
        )
        return 30.0 + weights
    if name == "training" and run.step and run.started:
        return max(60.0, STEPS_SILENT * (run.last_event - run.started) / run.step)
    return PHASES[name].usual if name in PHASES else USUAL


def how_late(run: Run, now: float | None = None) -> Message | None:
    """What is said of a run that is later than usual: for how long, what may be the reason and what can be done."""
    now = time.time() if now is None else now
    if run.state.is_final:
        return None
    if run.cancelling:
        return (
            _late_cancel(run, now - run.cancel_asked)
            if run.cancel_asked and now - run.cancel_asked > CANCEL_USUAL
            else None
        )
    usual, silent = usual_silence(run), now - run.last_event
    if not usual or not run.last_event or silent <= usual:
        return None
    return joined(
        _(
            "It takes longer than usual: nothing was heard of it for {time}, though its process is alive.",
            time=_minutes(silent),
        ),
        _reason(run),
        _("It goes on by itself; the log below may say more."),
        _kept(run),
    )


def _late_cancel(run: Run, waited: float) -> Message:
    time = _minutes(waited)
    if len(run.handle.get("group", ())) > 1:
        return _(
            (
                "It was asked to end {time} ago, longer than usual: it shares a process with other tasks, which go on, "
                "and ends when that comes to its next step."
            ),
            time=time,
        )
    return _(
        (
            "It was asked to end {time} ago, longer than usual: a long step, or work that cannot be interrupted, is "
            "still "
            "under way. Cancel it again to end its process."
        ),
        time=time,
    )


def _reason(run: Run) -> Message:
    """What may make it late."""
    if run.state is RunState.QUEUED or name_of(run) == "loading the libraries":
        return _("The machine may be busy or short of memory, or its disk slow.")
    if run.state is RunState.PUBLISHING or name_of(run) in ("connecting to the Hub", "publishing"):
        return _("The Hub or the network may be slow or out of reach.")
    if name_of(run) == "loading the base" and bases.folder_of(run.spec.base) is None:
        return _("The network may be slow, or the Hub out of reach.")
    return _("The machine may be busy or short of memory.")


def _kept(run: Run) -> Message:
    """What a person keeps who does not want to wait."""
    if run.adapter_folder:
        return _("Cancel ends it and loses nothing: the adapter can be published from here later.")
    step = run.last_look
    if step:
        return _("Cancel ends it; Resume then goes on from step {step}.", step=step)
    return _("Cancel ends it; Resume then begins anew.")


def _minutes(seconds: float) -> Message:
    if seconds < 120:
        # in tens, so that it is not another sentence every second
        return _("{seconds} s", seconds=int(seconds) // 10 * 10)
    if seconds < 7200:
        return _("{minutes} min", minutes=int(seconds) // 60)
    return _("{hours:.1f} h", hours=seconds / 3600)
