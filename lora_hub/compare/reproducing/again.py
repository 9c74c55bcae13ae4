"""How far a training that was done again is from the adapter that it repeats: both on the same held-out rows.

found = compare_again(bases, "lora-hub/spam@v2", run_id, record)
found.is_reproduced        whether the paired test finds no difference: zero lies in the interval of it
"""

import filecmp
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lora_hub import hub
from lora_hub.compare.held_out_sets import held_out_set
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import resolve_adapter
from lora_hub.compare.test_sets import answer_panes
from lora_hub.core import store
from lora_hub.core.errors import RunError
from lora_hub.core.messages import Message, _, _n
from lora_hub.core.schema import ADAPTER, PairedComparison, Score
from lora_hub.runs import read_held_out


@dataclass(frozen=True)
class Reproduction:
    """repo: with its version or commit. run: the new one's. comparison: the new adapter (`adapter`) against the
    published one (`base`) on the new run's held-out rows. recorded: what the record says that the published one scored.
    same_weights: both files are the same, byte for byte. same_data: it was trained on the same file."""

    repo: str
    run: str
    comparison: PairedComparison
    recorded: Score | None = None
    same_weights: bool = False
    same_data: bool = True

    @property
    def is_reproduced(self) -> bool:
        found = self.comparison
        return found.verdict in ("same", "chance") and found.low <= 0 <= found.high

    @property
    def said(self) -> Message:
        """The finding in a sentence."""
        from lora_hub.evaluation import metrics

        found = self.comparison
        sentence = (
            _("{repo} was reproduced: {metric} {again:.1f} against {published:.1f}, {points}.")
            if self.is_reproduced
            else _("{repo} was not reproduced: {metric} {again:.1f} against {published:.1f}, {points}.")
        )
        points = _(
            "a difference of {difference:.1f} points (95 % interval {low:.1f} to {high:.1f}) on {rows}",
            difference=found.difference,
            low=found.low,
            high=found.high,
            rows=_n("{count:,} row", "{count:,} rows", count=found.rows),
        )
        return sentence.filled(
            {
                "repo": self.repo,
                "metric": metrics.title_of(found.metric),
                "again": found.adapter,
                "published": found.base,
                "points": points,
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Scores in per cent, differences in points."""
        found = self.comparison
        return {
            "repo": self.repo,
            "run": self.run,
            "reproduced": self.is_reproduced,
            "metric": found.metric,
            "again": found.adapter,
            "published": found.base,
            "recorded": self.recorded.value if self.recorded else None,
            "difference": found.difference,
            "low": found.low,
            "high": found.high,
            "p": found.p,
            "rows": found.rows,
            "changed": found.changed,
            "same_weights": self.same_weights,
            "same_data": self.same_data,
            "said": self.said.en,
        }


def compare_again(
    bases: LoadedBases,
    name: str,
    run_id: str,
    *,
    base: str = "",
    owner: str = "",
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Reproduction:
    """Asks the published adapter the new run's held-out rows, which that run's own exam answered. name: `owner/name`,
    with `@version` if need be. base: where its base lies, if elsewhere than it says. owner: whose the rows are. Raises
    AdapterError, BaseError, HubError, RunError (no such rows, stopped)."""
    from lora_hub.evaluation import metrics

    rows = held_out_set(run_id)
    if rows is None:
        raise RunError(_("The run {run_id} has no held-out rows here."), _("Reproduce it again."), run_id=run_id)
    pane = resolve_adapter(name, base)
    (answers,) = answer_panes(
        bases, [pane], rows.task, rows.examples, owner=owner, progress=progress, cancelled=cancelled
    )
    if answers is None or any(answer.finish == "cancelled" for answer in answers):
        raise RunError(_("The comparison was stopped before its end."), _("Reproduce it again."))
    again = [row.answers[ADAPTER].text for row in read_held_out(run_id).rows]
    metric = rows.task.metrics[0]
    comparison = metrics.compare_answers(
        metric,
        again,
        [answer.text for answer in answers],
        [one.answer for one in rows.examples],
        clusters=rows.clusters,
        against="published",
    )
    record = hub.fetch_record(name) or {}
    published, made = hub.fetch_adapter(name)[0], store.run_folder(run_id) / store.ADAPTER
    weights = hub.adapter_config.WEIGHTS_FILE
    info = record.get("dataset", {})
    spec = store.read_spec(run_id)
    return Reproduction(
        repo=name,
        run=run_id,
        comparison=comparison,
        recorded=_recorded(record, metric),
        same_weights=filecmp.cmp(published / weights, made / weights, shallow=False),
        same_data=info.get("fingerprint") == spec.dataset.fingerprint,
    )


def _recorded(record: dict[str, Any], metric: str) -> Score | None:
    try:
        return Score(**record["metrics"][ADAPTER][metric])
    except (KeyError, TypeError, ValueError):  # a stranger's record
        return None
