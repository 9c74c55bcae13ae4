"""Which rows of a trial one of the two versions was trained with: those are left out, as far as it can be known here.

    fair = leave_out(rows, {"version": trained_by(run_id, sees), "against": Known(files={...})})
    fair.rows, fair.left_out, fair.maybe

A run on this machine says exactly which rows it was trained with: its split is drawn again from its kept file, and so
are those of the runs that it goes on from. Of a version whose run is elsewhere only the files are known.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lora_hub.compare.held_out_sets import HeldOutSet
from lora_hub.core import store, verdicts
from lora_hub.core.errors import DataError, RunError
from lora_hub.core.schema import TrainSpec
from lora_hub.hub import Side
from lora_hub.runs import refresh_run, trained_inputs

# Runs that go on from one another, looked at in turn.
MOST_RUNS = 16


@dataclass
class Known:
    """inputs: that a version was trained with, as `split.same_key`. files: fingerprints of other files that it says it
    was trained on, of which it is not known here with which rows."""

    inputs: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class FairRows:
    """rows: on which both are compared. left_out: how many others there were, with which `left_by` were trained.
    maybe: whose training may have had some of these rows, though nobody here can say which."""

    rows: HeldOutSet
    left_out: int = 0
    left_by: tuple[Side, ...] = ()
    maybe: tuple[Side, ...] = ()


def leave_out(rows: HeldOutSet, trained: dict[Side, Known]) -> FairRows:
    """The rows with which neither was trained. Where hardly any is left, all of them are compared, and it is told."""
    from lora_hub.data.prompts.split import same_key

    keys = [same_key(one.inputs) for one in rows.examples]
    left_by = tuple(side for side, known in trained.items() if not known.inputs.isdisjoint(keys))
    maybe = {side for side, known in trained.items() if not known.files.isdisjoint(rows.files)}
    seen = set().union(*(known.inputs for known in trained.values()))
    kept = [one for one, key in zip(rows.examples, keys, strict=True) if key not in seen]
    if len(kept) < min(verdicts.LEAST_ROWS, len(rows.examples)):
        maybe |= set(left_by)
        return FairRows(rows, maybe=tuple(side for side in trained if side in maybe))
    left_out = len(rows.examples) - len(kept)
    fair = replace(rows, examples=kept) if left_out else rows
    return FairRows(fair, left_out, left_by, tuple(side for side in trained if side in maybe))


def trained_by(run_id: str, sees: Callable[[str], bool], *, itself: bool = True) -> Known:
    """What a run of this machine, and those that it goes on from, were trained with. sees: whether this person may see
    a run. itself: False for the adapters before it alone."""
    known, done, drawn = Known(), set(), set()
    while run_id not in done and len(done) < MOST_RUNS:
        spec = store.read_spec(run_id)
        if itself or done:
            try:
                known.inputs |= trained_inputs(spec)
                drawn.update(spec.dataset.fingerprints)
            except DataError:  # its file is gone
                known.files.update(spec.dataset.fingerprints)
        done.add(run_id)
        if spec.parent is None:
            break
        # Also where its run is here: whose record names another's run says more files than that one was trained on.
        known.files |= set(spec.parent.files)
        if not _is_here(spec, sees):
            break
        run_id = spec.parent.run
    known.files -= drawn
    return known


def _is_here(spec: TrainSpec, sees: Callable[[str], bool]) -> bool:
    """Whether the run of the adapter that a run goes on from is on this machine. Of one that was fetched the record
    says so, which anybody may have written: the run has to be known as published there."""
    before = spec.parent
    if before is None or before.run not in store.list_run_ids() or not sees(before.run):
        return False
    try:
        store.read_spec(before.run)
        ref = refresh_run(before.run).adapter
    except RunError:
        return False
    return not before.repo_id or (ref is not None and ref.repo_id.lower() == before.repo_id.lower())
