"""The figures of a published adapter's card, computed again without training it again: the same rows are drawn from its
files, and base and adapter answer them once more.

checked = check_adapter(bases, "lora-hub/spam@v2", again)       checked.different: [] where all is as it was recorded
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from lora_hub import hub
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import base_pane, check_one_base, pane_of_repo
from lora_hub.compare.recorded import card_figures, differing, find_recorded, recorded_counts
from lora_hub.core.errors import RunError
from lora_hub.core.languages import languages
from lora_hub.core.messages import _
from lora_hub.core.schema import PARENT, PairedComparison, Scores, scores_json
from lora_hub.runs import Again, read_exam_rows

# Of a record, beside the scores: paired tests by who is compared.
_TESTS = ("comparison", "parent_comparison", "forgotten")


@dataclass(frozen=True)
class Checked:
    """repo: with its version. commit: what was asked. different: (figure, as it was recorded, as it is now)."""

    repo: str
    commit: str
    different: list[tuple[str, Any, Any]]


@dataclass(frozen=True)
class _Recorded:
    scores: dict[str, Scores]
    tests: dict[str, PairedComparison]
    counts: dict[str, Any]

    def figures(self) -> dict[str, Any]:
        return {
            "scores": scores_json(self.scores),
            **{name: one.model_dump() for name, one in self.tests.items()},
            "counts": self.counts,
        }


def check_adapter(
    bases: LoadedBases,
    name: str,
    again: Again,
    *,
    base: str = "",
    sees: Callable[[str], bool] = lambda run_id: True,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Checked:
    """again: the record's training, planned on its own data. base: where its base lies, if elsewhere than the record
    says. sees: whether this person may see a run of this machine, which it may go on from. progress: answers done, of
    whoever answers. Raises AdapterError, BaseError, DataError, HubError, RunError (cancelled)."""
    from lora_hub.evaluation import exam, general

    pane = pane_of_repo(name, base)
    record = hub.read_adapter_record(pane.folder) or {}
    recorded, spec = _read(record, name), again.plan.spec
    panes = [base_pane(pane), pane]
    if PARENT in recorded.scores and spec.parent is not None:
        before = spec.parent
        place = f"{before.repo_id}@{before.revision}" if before.repo_id else before.run
        panes.append(find_recorded(place, of=name, base=base, sees=sees))
    check_one_base(panes)
    with bases.hold(panes, cancelled) as held:
        if held is None:
            raise _stopped()
        loaded, (_base, adapter, *parents) = held
        rows = read_exam_rows(spec, loaded.tokenizer)
        found = exam.hold_exam(
            loaded.stack,
            loaded.tokenizer,
            rows.task,
            rows.held_out,
            adapter,
            trained=rows.train,
            unscored=rows.validation,
            parent=parents[0] if parents else "",
            seed=spec.seed,
            progress=progress,
            cancelled=cancelled,
        )
        forgotten = None
        if found is not None and "forgotten" in recorded.tests:
            forgotten = general.measure_forgotten(loaded.stack, loaded.tokenizer, adapter, cancelled=cancelled)
    if found is None or cancelled():
        raise _stopped()
    tests = dict(zip(_TESTS, (found.comparison, found.over_parent, forgotten), strict=True))
    computed = _Recorded(
        found.scores,
        {name: one for name, one in tests.items() if one is not None},
        {**rows.counts, "rows": spec.dataset.rows, "examples_shown": len(found.shown)},
    )
    told, now = recorded.figures(), computed.figures()
    answered = exam.held_out_rows(rows.task, rows.held_out, found.answers)
    told["picture"], now["picture"] = {}, {}
    named = {hub.figure_name(language): language for language in languages()}
    shown = "".join(f"]({file})" for file in named)
    # b"" where it is no picture of ours any more
    for file, picture in hub.read_figures(name.partition("@")[0], shown, pane.revision, strange=True).items():
        told["picture"][file] = " ".join(hub.numbers_in(picture))
        # whoever published it without its rows drew the scores
        drawn = [hub.draw_figure(rows.task, of, found.scores, named[file]) for of in (answered, [])]
        numbers = [" ".join(hub.numbers_in(one)) for one in drawn]
        now["picture"][file] = numbers[numbers[1] == told["picture"][file]]
    card_told, card_now = card_figures(name, pane.revision, found.scores)
    return Checked(name, pane.revision, differing({**told, **card_told}, {**now, **card_now}))


def _read(record: Mapping[str, Any], name: str) -> _Recorded:
    """The figures of a record, which anybody may have written. Raises AdapterError."""
    try:
        tests = {key: PairedComparison.model_validate(record[key]) for key in _TESTS if record.get(key)}
        names = ("file_rows", "train_rows", "validation_rows", "eval_rows", "left_out", "rows")
        counts = recorded_counts(record, names)
        return _Recorded(hub.parts_of(dict(record)).metrics, tests, counts)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise hub.damaged_record(name, error) from error


def _stopped() -> RunError:
    return RunError(_("The check was stopped before its end."), _("Start it again."))
