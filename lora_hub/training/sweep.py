"""Finding settings: candidates are trained at once on the same rows, and the one with the lowest validation loss is
kept. The held-out rows choose nothing, so that their scores mean what they always mean.

Most of them end early, where they fall behind (successive halving: Jamieson and Talwalkar 2016): after a twelfth of the
steps the best two go on, after a quarter the best one. So eight settings cost about two trainings.

    trained, spec = train_sweep(spec, model, tokenizer, train, validation, folder, report=report)

Each candidate is trained, as far as it goes, exactly as it would be alone (`together`), with its checkpoints below the
run's own, so that a run that was ended goes on with all of them.
"""

import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from lora_hub.core import store
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import TrainSpec
from lora_hub.data.prompts.prepare import Encoded
from lora_hub.training import together
from lora_hub.training.alone import Report, Trained
from lora_hub.training.candidates import make_candidates
from lora_hub.training.passes import count_rows
from lora_hub.training.task_training import TaskTraining

# After which share of the steps how many candidates go on.
HALVED = {1 / 12: 2, 1 / 4: 1}


class Race:
    """Which candidates are still in it: those behind drop out after the steps that `HALVED` names."""

    def __init__(self, places: list[Path], steps: int, dropped: Callable[[int, int], None]) -> None:
        """places: a folder for each candidate, where it is written down that it dropped out. steps: of each. dropped:
        told of a candidate that drops out, and after which step."""
        self.places, self.dropped = places, dropped
        self.rungs = {math.ceil(steps * share): stay for share, stay in HALVED.items()}
        self.losses: dict[int, dict[int, float]] = {step: {} for step in self.rungs}
        self.out = {number for number, place in enumerate(places) if (place / store.DROPPED).exists()}
        if len(self.out) == len(places):  # one always goes on
            self.out = set()

    def look(self, number: int, step: int, loss: float) -> None:
        """A candidate's validation loss after a step."""
        if step in self.rungs and number not in self.out:
            self.losses[step][number] = loss

    def decide(self, step: int) -> None:
        """A later step has begun: all that are still in the race have been looked at by now."""
        for rung in [at for at in self.rungs if at < step]:
            stay, losses = self.rungs.pop(rung), self.losses.pop(rung)
            # in a short training one may have been looked at again before it was known to be behind
            in_race = [number for number in losses if number not in self.out]
            for number in sorted(in_race, key=losses.get)[stay:]:
                self.out.add(number)
                (self.places[number] / store.DROPPED).touch()
                self.dropped(number, rung)


def train_sweep(
    spec: TrainSpec,
    model: Any,
    tokenizer: Any,
    train: Encoded,
    validation: Encoded,
    folder: Path,
    *,
    report: Report,
    cancelled: Callable[[], bool] = lambda: False,
    parent: Path | None = None,
) -> tuple[Trained, TrainSpec]:
    """Trains the candidates and makes the best one's adapter the run's, in `folder`/adapter. Returns what came of it,
    and the spec that it was trained with. A candidate that fails is left out; raises LoraHubError where all do.

    parent: the folder of the adapter that all of them go on from. report: is told "sweep" with the candidates, with
    their validation losses as they come, and with the one chosen; then the losses of that one, as of any training.
    """
    if spec.quantization != "none":
        raise SpecError(
            _(
                "Settings cannot be found on a quantized base: {setting}.",
                setting=f"quantization = {spec.quantization}",
            ),
            _("Set sweep = 0, or quantization = none."),
        )
    specs = make_candidates(spec)
    report(
        "sweep",
        candidates=[{"lr": one.lr, "r": one.lora.r, "alpha": one.lora.alpha} for one in specs],
    )
    told: list[list[dict[str, Any]]] = [[] for _ in specs]
    furthest = -1

    def teller(number: int) -> Report:
        def tell(kind: str, **data: Any) -> None:
            nonlocal furthest
            if kind == "metric":
                told[number].append(data)
                if "eval_loss" in data:
                    race.look(number, data["step"], data["eval_loss"])
                    report("sweep", number=number, step=data["step"], eval_loss=data["eval_loss"])
            elif kind != "progress":
                report(kind, **data)
            elif data.get("step", 0) >= furthest:  # one that has stopped early does not stop the clock
                furthest = data.get("step", 0)
                report(kind, **data)

        return tell

    tasks: list[TaskTraining] = []

    def asker(number: int) -> Callable[[], bool]:
        def is_over() -> bool:
            race.decide(max(task.step for task in tasks))
            return number in race.out or cancelled()

        return is_over

    places = [folder / store.CHECKPOINTS / store.SWEEP / str(number) for number in range(len(specs))]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    steps = spec.count_steps(count_rows(spec, train))
    race = Race(places, steps, lambda number, step: report("sweep", number=number, dropped=step))
    looks = tuple(race.rungs)
    for number, one in enumerate(specs):
        tasks.append(
            TaskTraining(
                one,
                train,
                validation,
                places[number],
                teller(number),
                asker(number),
                parent=parent,
                early_looks=looks,
                first_look=number == 0,  # before the first step every adapter answers as the base
            )
        )
    outcome = together.train_tasks(tasks, model, tokenizer, mode="together")
    failed = [one for one in outcome.results if isinstance(one, LoraHubError)]
    for number, result in enumerate(outcome.results):
        if isinstance(result, LoraHubError):
            report("sweep", number=number, failed=result.said)
    if len(failed) == len(specs):
        raise failed[0]
    if cancelled():
        return next(one for one in outcome.results if isinstance(one, Trained)), spec

    def loss_of(number: int) -> float:
        result = outcome.results[number]
        return result.best_loss if isinstance(result, Trained) and number not in race.out else math.inf

    chosen = min(range(len(specs)), key=loss_of)
    best = outcome.results[chosen]
    report("sweep", chosen=chosen)
    for losses in told[chosen]:
        report("metric", **losses)
    adapter = folder / store.ADAPTER
    shutil.rmtree(adapter, ignore_errors=True)
    shutil.copytree(best.folder, adapter)
    return replace(best, folder=adapter), specs[chosen]
