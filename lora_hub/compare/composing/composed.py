"""Composing: from a few examples, the weighted sum of adapters of a base that answers them best; held against the best
single adapter and the base with those examples, on examples that the search did not see.

    halves = split_few(examples, task)
    found = compose(bases, panes, task, halves, made)      made: a folder that is written
    found.is_offered, found.said
"""

import secrets
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from lora_hub.compare.composing.judging import Composed, judge, stopped
from lora_hub.compare.composing.losses import make_loss
from lora_hub.compare.composing.searching import MOST_EVALUATIONS, find_weights, weigh
from lora_hub.compare.composing.splitting import Halves
from lora_hub.compare.composing.summing import lay_out, save_sum
from lora_hub.compare.loaded_bases import Loaded, LoadedBases
from lora_hub.compare.panes import Pane, base_pane, slot_name
from lora_hub.core.errors import AdapterError
from lora_hub.core.messages import _
from lora_hub.core.schema import BASE, Task
from lora_hub.hub import write_region

# Adapters that are weighed at once: a stack holds sixteen.
MOST_ADAPTERS = 12
# Told how much is done, of how much at most.
Progress = Callable[[int, int], None]


def compose(
    bases: LoadedBases,
    panes: Sequence[Pane],
    task: Task,
    halves: Halves,
    made: Path,
    *,
    evaluations: int = MOST_EVALUATIONS,
    weights: Sequence[float] = (),
    seed: int = 0,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Composed:
    """panes: adapters of one base, 2 to MOST_ADAPTERS. task: of the examples, in whose words all are asked. made: where
    the sum's PEFT folder is written; what is judged is this very folder. weights: of the panes, in their order, where
    they are known and none are searched for. Raises AdapterError, BaseError, DataError, RunError (cancelled)."""
    from lora_hub.data.prompts import prepare

    names = [slot_name(pane) for pane in panes]
    if not 2 <= len(set(names)) == len(panes) <= MOST_ADAPTERS:
        raise AdapterError(
            _("A sum is of 2 to {most} different adapters, and {count} were named."),
            _("Choose others, or none for the organization's."),
            most=MOST_ADAPTERS,
            count=len(set(names)),
        )
    steps = (0 if weights else evaluations) + len(panes) + 2 + len(halves.judged) * (len(panes) + 3)
    done = 0

    def told(more: int = 1) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(min(done, steps), steps)

    plain = base_pane(panes[0])
    with bases.hold([plain, *panes], cancelled) as held:
        if held is None:
            raise stopped()
        loaded, _names = held
        halves = Halves(*(prepare.written(loaded.tokenizer, half) for half in (halves.fitted, halves.judged)))
        loss = make_loss(loaded.stack, loaded.tokenizer, task, halves.fitted)
        adapters = [loaded.stack.adapter(name).layers for name in names]
        laid = lay_out(adapters)
        with _summed(loaded, laid) as put:

            def loss_of(weights: Sequence[float]) -> float:
                if not any(weights):
                    return loss(BASE)
                with put(weights) as name:
                    return loss(name)

            found = (
                weigh(loss_of, weights)
                if weights
                else find_weights(
                    loss_of, len(panes), most=evaluations, seed=seed, told=lambda _done: told(), cancelled=cancelled
                )
            )
        if found is None:
            raise stopped()
        used = {pane.folder: weight for pane, weight in zip(panes, found.weights, strict=True) if weight}
        rank = save_sum(used, made) if used else 0
        asked = dict(zip((pane.name for pane in panes), names, strict=True))
        judged = judge(loaded, task, halves, asked, made if used else None, found, seed, told, cancelled)
        ranks = tuple(max(w.a.shape[0] for w in layers.values()) for layers in adapters)
        rows = _write_region(loaded, panes[0], task, halves, made, seed) if judged.is_offered else 0
        told(steps)  # the search may have ended before its last evaluation
        return replace(judged, rank=rank, ranks=ranks, region_rows=rows)


def _write_region(loaded: Loaded, pane: Pane, task: Task, halves: Halves, made: Path, seed: int) -> int:
    """Writes where the examples' questions lie, as a run does for its rows, so that the router finds the sum. Returns
    how many questions the region is made of: 0 where they are too few for one."""
    from lora_hub import regions

    trained, validated = (
        [regions.question_text(task, one.inputs) for one in half] for half in (halves.fitted, halves.judged)
    )
    region = regions.make_region(loaded.stack, loaded.tokenizer, pane.base, trained, validated, seed)
    if region is None:  # all of them, then
        region = regions.make_region(loaded.stack, loaded.tokenizer, pane.base, trained + validated, [], seed)
    if region is None:
        return 0
    write_region(made, region)
    return region.rows


@contextmanager
def _summed(loaded: Loaded, laid: Any) -> Any:
    """Yields what attaches a sum to the stack, for as long as its block."""
    name = f"sum {secrets.token_hex(4)}"

    @contextmanager
    def put(weights: Sequence[float]) -> Any:
        with loaded.stack.in_use([loaded.stack.put(name, laid.weighted(weights))]):
            yield name

    try:
        yield put
    finally:
        if name in loaded.stack.names:
            loaded.stack.detach(name)
