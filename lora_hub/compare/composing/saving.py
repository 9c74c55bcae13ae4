"""A composed adapter as a folder of its own, written only where it is offered: PEFT's files and `lora_hub.json`, which
holds its recipe.

    spec = plan_adapter(read, base)
    made = compose_adapter(bases, panes, read, spec)      made.folder: None where nothing was better
"""

import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from lora_hub import hub
from lora_hub.compare.composing.composed import Progress, compose
from lora_hub.compare.composing.judging import Composed
from lora_hub.compare.composing.reading import FewExamples
from lora_hub.compare.composing.searching import MOST_EVALUATIONS
from lora_hub.compare.composing.splitting import Halves, halves_of, split_few
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane
from lora_hub.core import settings, store
from lora_hub.core.schema import ADAPTER, BASE, BASE_EXAMPLES, BaseModel, LoraSpec, TrainSpec
from lora_hub.hub.adapter_config import RECORD_FILE

FOLDER = "composed"  # of our home


@dataclass(frozen=True)
class Made:
    """id: of the composition, as a run's. folder: PEFT's; None where nothing was better. spec: as of a run, whose
    settings of a training say nothing. recipe: None where there is no sum."""

    id: str
    composed: Composed
    spec: TrainSpec
    recipe: hub.Composition | None
    folder: Path | None = None

    @property
    def scores(self) -> dict[str, Any]:
        """Those that a record has: of the sum and of the base."""
        return {who: self.composed.scores[who] for who in (BASE, BASE_EXAMPLES, ADAPTER) if who in self.composed.scores}


def plan_adapter(
    read: FewExamples, base: BaseModel, *, name: str = "", test: FewExamples | None = None, seed: int = 0
) -> TrainSpec:
    """What the adapter would be. name: of its repo; by default of its task and base."""
    more = {"test_dataset": test.info, "test_mapping": test.mapping} if test else {}
    name = name or f"{read.task.id}-{PurePath(base.id).name.lower()}-composed"
    return TrainSpec(task=read.task, base=base, dataset=read.info, mapping=read.mapping, name=name, seed=seed, **more)


def compose_adapter(
    bases: LoadedBases,
    panes: Sequence[Pane],
    read: FewExamples,
    spec: TrainSpec,
    *,
    test: FewExamples | None = None,
    evaluations: int = 0,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Made:
    """Finds the weights, judges the sum and, where it is better than both opponents, saves it. test: judges in the
    place of a half of the examples. evaluations: 0 for what is usual. Raises as `composed.compose`."""
    panes = in_order(panes)
    halves = divide(read, test, spec.seed)
    made_id = f"{read.task.id}-composed-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(2)}"
    home = settings.home() / FOLDER
    trial = home / f".{made_id}"
    try:
        with store.disk_errors(home):
            found = compose(
                bases,
                panes,
                read.task,
                halves,
                trial,
                evaluations=evaluations or MOST_EVALUATIONS,
                seed=spec.seed,
                progress=progress,
                cancelled=cancelled,
            )
        rank = max(1, min(found.rank, 1024))
        spec = spec.model_copy(update={"lora": LoraSpec(r=rank, alpha=rank)})
        made = Made(made_id, found, spec, make_recipe(found, panes, len(halves.fitted), spec.seed))
        if not found.is_offered:
            return made
        counts = {"train_rows": len(halves.fitted), "eval_rows": len(halves.judged)}
        record = hub.make_record(
            spec,
            spec.task,
            made_id,
            made.scores,
            counts,
            0,
            found.base,
            found.asking,
            calibrations=found.calibrations,
            examples_shown=found.shown,
        )
        store.write_json(trial / RECORD_FILE, {**record, "composition": made.recipe.model_dump(mode="json")})
        with store.disk_errors(home):
            trial.replace(home / made_id)
        return replace(made, folder=home / made_id)
    finally:
        shutil.rmtree(trial, ignore_errors=True)


def in_order(panes: Sequence[Pane]) -> list[Pane]:
    """The adapters in an order that does not depend on who named them: a search in another one finds other weights."""
    return sorted(panes, key=lambda pane: (pane.name, pane.revision))


def divide(read: FewExamples, test: FewExamples | None, seed: int) -> Halves:
    """Which examples weights are found on, and which judge. Raises DataError."""
    return halves_of(read.examples, test.examples) if test else split_few(read.examples, read.task, seed=seed)


def make_recipe(found: Composed, panes: Sequence[Pane], fitted: int, seed: int) -> hub.Composition | None:
    """What an adapter's record tells of a composition; None where there is no sum. panes: those that were tried.
    fitted: examples that weights were found on."""
    if found.single is None:
        return None
    tried = [
        hub.Ingredient(adapter=pane.name, revision=pane.revision, weight=weight, rank=rank)
        for pane, weight, rank in zip(panes, found.found.weights, found.ranks, strict=True)
    ]
    parts = sorted((part for part in tried if part.weight), key=lambda part: -abs(part.weight))
    return hub.Composition(
        parts=tuple(parts),
        unused=tuple(part for part in tried if not part.weight),
        fitted=fitted,
        judged=found.judged,
        evaluations=found.found.evaluations,
        tried=len(panes),
        seed=seed,
        single=found.single,
        region_rows=found.region_rows,
    )
