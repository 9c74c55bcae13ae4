"""The gate: a version of an adapter is held against the one in production, on the same rows, before it takes its place.

    trial = hold_trial(bases, place, "v3", rows)         what both answer, and what was forgotten
    trial.refusal(limit)                                 why it may not take the place; None where it may

"Better" is what the paired test says: the interval of the difference lies above zero. What was forgotten is the loss
against the base on the general set; a version is refused for it only where the loss is larger than the limit for sure.
Where nothing is in production yet, the opponent is the base, asked in the way in which it scores best.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane, base_pane, resolve_adapter
from lora_hub.compare.promoting.general import (
    answer_general,
    compare_general,
    forgets,
    general_fingerprint,
    general_set,
)
from lora_hub.compare.promoting.seen import FairRows
from lora_hub.compare.test_sets import answer_panes
from lora_hub.core import verdicts
from lora_hub.core.errors import AdapterError, BaseError, LoraHubError, RunError
from lora_hub.core.messages import Message, _, _n, joined, several
from lora_hub.core.schema import BASE, BASE_EXAMPLES, PairedComparison
from lora_hub.hub import Measured, Production

# Told how many answers there are, and how many in all.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Trial:
    """version: which was held against `against`: a version, the beginning of a commit that is none, or the base's way
    ("base", "base_examples"). task: on the rows; general: against the base on the general set. fair: the rows, and who
    was trained with which of them."""

    version: str
    against: str
    task: PairedComparison
    general: PairedComparison
    fair: FairRows

    @property
    def is_better(self) -> bool:
        """Of a version that may have been trained with some of the rows a better score proves nothing."""
        return self.task.verdict == "better" and "version" not in self.fair.maybe

    def refusal(self, limit: float) -> Message | None:
        """Why it may not take the place, in sentences; None where it may. limit: points on the general set."""
        said = []
        if not self.is_better:
            said.append(self.on_task())
        if forgets(self.general, limit):
            said.append(self.on_general(limit))
        return joined(*said) if said else None

    def on_task(self) -> Message:
        """The comparison in a sentence."""
        return tell_task(measured_of(self)[0], self.version)

    def on_general(self, limit: float) -> Message:
        """What was forgotten, in a sentence."""
        return tell_general(measured_of(self)[1], self.version, limit)


def tell_task(found: Measured, version: str) -> Message:
    """What a comparison with production found. The interval decides: above zero it is better, below zero worse."""
    sentence = (
        _("{version} is better than {against}: {metric} {score:.1f} against {other:.1f}, {points}.")
        if found.low >= 0 and found.difference > 0 and found.p < 0.05
        else _("{version} is worse than {against}: {metric} {score:.1f} against {other:.1f}, {points}.")
        if found.high <= 0 and found.difference < 0 and found.p < 0.05
        else _("{version} is not surely better than {against}: {metric} {score:.1f} against {other:.1f}, {points}.")
    )
    said = sentence.filled(
        {
            "version": version,
            "against": OPPONENTS.get(found.against, found.against),
            "metric": _title(found.metric),
            "score": found.score,
            "other": found.other,
            "points": _points(found),
        }
    )
    return joined(said, *_trained_with(found, version))


def _trained_with(found: Measured, version: str) -> list[Message]:
    """Which rows one of the two was trained with, and what that means for the figures."""
    names, said = {"version": version, "against": found.against}, []
    if found.left_out:
        said.append(
            _n(
                "{count:,} other row was left out, because it was in the training of {names}.",
                "{count:,} other rows were left out, because they were in the training of {names}.",
                count=found.left_out,
                names=several([names[side] for side in found.left_by]),
            )
        )
    if "against" in found.maybe:
        said.append(
            _(
                "{against} was trained on the file of these rows, or on most of the rows themselves, and may have "
                "learned some of them: its score may be too high, and the difference too low.",
                against=found.against,
            )
        )
    if "version" in found.maybe:
        said.append(
            _(
                "{version}, or an adapter that it goes on from, was trained on the file of these rows, or on most of "
                "the rows themselves, and may have learned some of them: its score may be too high, so this is no "
                "proof that it is better. Compare on rows that it does not know.",
                version=version,
            )
        )
    return said


def tell_general(found: Measured, version: str, limit: float) -> Message:
    """What a version forgot of what the base knows."""
    sentence = _("On the general questions {version} has {score:.1f} against the base's {other:.1f}, {points}.")
    if found.high < -limit:
        sentence = _(
            "On the general questions {version} lost more than {limit:.1f} points: {score:.1f} against the base's "
            "{other:.1f}, {points}."
        )
    return sentence.filled(
        {"version": version, "limit": limit, "score": found.score, "other": found.other, "points": _points(found)}
    )


# An opponent that is no version, in words.
OPPONENTS = {BASE: _("the base"), BASE_EXAMPLES: _("the base with examples in its prompt")}


def _title(metric: str) -> Message:
    from lora_hub.evaluation import metrics

    return metrics.title_of(metric)


def _points(found: Measured) -> Message:
    return _(
        "{difference:.1f} points, 95 % interval {low:.1f} to {high:.1f}, {rows}",
        difference=found.difference,
        low=found.low,
        high=found.high,
        rows=_n("{count:,} row", "{count:,} rows", count=found.rows),
    )


def measured_of(trial: Trial) -> tuple[Measured, Measured]:
    """(on the rows, on the general set), as the record has them."""
    return (
        _measured(trial.task, trial.against, trial.fair.rows.fingerprint).model_copy(
            update={name: getattr(trial.fair, name) for name in ("left_out", "left_by", "maybe")}
        ),
        _measured(trial.general, BASE, general_fingerprint()),
    )


def _measured(found: PairedComparison, against: str, source: str) -> Measured:
    return Measured(
        metric=found.metric,
        against=against,
        rows=found.rows,
        source=source,
        score=round(found.adapter, 4),
        other=round(found.base, 4),
        difference=round(found.difference, 4),
        low=round(found.low, 4),
        high=round(found.high, 4),
        p=found.p,
    )


def hold_trial(
    bases: LoadedBases,
    place: Production,
    version: str,
    fair: FairRows,
    *,
    owner: str = "",
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Trial:
    """Both versions on the same rows, and the new one with its base on the general set. fair: rows of the version's
    own task. owner: whose the rows are. Raises AdapterError, BaseError, RunError (cancelled)."""
    from lora_hub.evaluation import metrics

    rows = fair.rows
    new = _pane(place, place.versions[version])
    if new.task is None or new.task.id != rows.task.id:
        raise AdapterError(
            _("{name} is for the task {task}, and the rows are of the task {other_task}."),
            _("Name a test file of its own task."),
            name=f"{place.repo_id}@{version}",
            task=new.task.id if new.task else "",
            other_task=rows.task.id,
        )
    plain = replace(base_pane(new), shown=())
    opponents = [_pane(place, place.commit)] if place.commit else [plain]
    if not place.commit and rows.shown:
        opponents.append(replace(plain, name=BASE_EXAMPLES, shown=rows.shown))
    panes, known = [new, *opponents], 2 * len(general_set())
    in_all = len(panes) * len(rows.examples) + known
    told = _telling(progress, 0, in_all)
    found = answer_panes(bases, panes, new.task, rows.examples, owner=owner, progress=told, cancelled=cancelled)
    _check_whole(found)
    references = [one.answer for one in rows.examples]
    metric = new.task.metrics[0]
    texts = [[answer.text for answer in answers] if answers is not None else None for answers in found]
    names = [place.name] if place.commit else [BASE, BASE_EXAMPLES][: len(opponents)]
    asked = {name: of for name, of in zip(names, texts[1:], strict=True) if of is not None}
    against = names[0]
    if not place.commit:
        scores = {who: metrics.score(new.task, of, references, clusters=rows.clusters) for who, of in asked.items()}
        against = verdicts.stronger_base(scores, metric)
    task = metrics.compare_answers(
        metric, texts[0], asked[against], references, clusters=rows.clusters, against=against
    )
    general = []
    for pane in (new, plain):
        told = _telling(progress, in_all - known + len(general) * len(general_set()), in_all)
        general.append(answer_general(bases, pane, progress=told, cancelled=cancelled))
    if None in general:
        raise _stopped()
    return Trial(version, against, task, compare_general(*general), fair)


def not_read(name: str) -> Message:
    """That what is in production was no opponent. name: its version."""
    return _("{name}, which was in production, could not be read, so the base was compared instead.", name=name)


def trouble_of_production(bases: LoadedBases, place: Production) -> LoraHubError | None:
    """Why what is in production cannot be asked; None where it can, or nothing is."""
    if not place.commit:
        return None
    try:
        with bases.hold([_pane(place, place.commit)]):
            return None
    except (AdapterError, BaseError) as error:
        return error


def _pane(place: Production, commit: str) -> Pane:
    return resolve_adapter(f"{place.repo_id}@{commit}")


def _telling(progress: Progress | None, before: int, in_all: int) -> Progress | None:
    return None if progress is None else lambda done, total: progress(before + done, in_all)


def _check_whole(found: list) -> None:
    if any(answer.finish == "cancelled" for answers in found if answers is not None for answer in answers):
        raise _stopped()


def _stopped() -> RunError:
    return RunError(_("The comparison was stopped before its end; nothing was promoted."), _("Promote again."))
