"""The figures of a published composition, computed again: what its record and card say has to come out from the
adapters that it names, at their commits and with their weights, and the files that it was made from.

    published = read_published("lora-hub/reviews-composed")
    checked = check_composition(bases, published, Path("few.csv"))       checked.different: [] where all is as recorded

The weights are taken as they are, and the published file is held against their sum; the search is not made again (the
card has the command for that).
"""

import secrets
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lora_hub import hub, runs
from lora_hub.compare.composing.composed import MOST_ADAPTERS, Progress, compose
from lora_hub.compare.composing.judging import Composed
from lora_hub.compare.composing.reading import FewExamples, read_examples
from lora_hub.compare.composing.saving import FOLDER, divide, in_order, make_recipe
from lora_hub.compare.composing.searching import MOST_WEIGHT
from lora_hub.compare.composing.summing import share_apart
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane, check_one_base, pane_of_repo
from lora_hub.compare.recorded import card_figures, differing, find_recorded, recorded_counts
from lora_hub.core import settings, store
from lora_hub.core.errors import AdapterError, DataError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import PairedComparison, Scores, TrainSpec, scores_json


@dataclass(frozen=True)
class Published:
    """A composition as its repo tells it, which anybody may have written. name: owner/name, with its version. scores:
    by who answered and metric. comparison: against the base's better way. counts: of rows, and of examples shown.
    given: the base that a person named."""

    name: str
    pane: Pane
    spec: TrainSpec
    recipe: hub.Composition
    scores: dict[str, Scores]
    comparison: PairedComparison
    counts: dict[str, Any]
    given: str = ""


@dataclass(frozen=True)
class Checked:
    """different: (figure, as it was recorded, as it is now). composed: what came out now."""

    published: Published
    composed: Composed
    different: list[tuple[str, Any, Any]]


def read_published(name: str, base: str = "") -> Published:
    """The composition of a repo (owner/name, with @version if need be). base: where its base lies, if elsewhere than it
    says. Raises AdapterError (none, or damaged), BaseError, HubError."""
    pane = pane_of_repo(name, base)
    record = hub.read_adapter_record(pane.folder) or {}
    if not record.get("composition"):
        raise AdapterError(
            _("{name} is no composition of other adapters."),
            _("A trained adapter is checked by: {command}", command="reproduce REPO --data FILE"),
            name=name,
        )
    try:
        recipe = hub.Composition.model_validate(record["composition"])
        spec, comparison = hub.spec_of(record), PairedComparison.model_validate(record.get("comparison"))
        counts = recorded_counts(record, ("rows", "train_rows", "eval_rows"))
        _check_recipe(recipe, name)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise hub.damaged_record(name, error, _("Compose it again.")) from error
    scores = hub.parts_of(record).metrics
    return Published(name, pane, spec, recipe, scores, comparison, counts, base)


def _check_recipe(recipe: hub.Composition, name: str) -> None:
    """Raises AdapterError where it does not name all that were tried, ValueError for a sum that nobody could have
    composed."""
    tried = (*recipe.parts, *recipe.unused)
    if recipe.tried != len(tried):
        raise AdapterError(
            _(
                "{name} was composed by an older LoRA Hub: its record names {told} of the {tried} adapters that were "
                "tried, so which was the best cannot be seen."
            ),
            _("Compose it again."),
            name=name,
            told=len(tried),
            tried=recipe.tried,
        )
    if not (recipe.parts and 2 <= len({part.adapter for part in tried}) == len(tried) <= MOST_ADAPTERS):
        raise ValueError(
            _(
                "its sum is of {count} adapters, and one is of 2 to {most} different ones",
                count=len(tried),
                most=MOST_ADAPTERS,
            )
        )
    weights = [abs(part.weight) for part in recipe.parts]
    if not 0 < min(weights) <= max(weights) <= MOST_WEIGHT or any(part.weight for part in recipe.unused):
        raise ValueError(_("a weight of its sum is 0 or larger than {most}", most=MOST_WEIGHT))


def check_composition(
    bases: LoadedBases,
    published: Published,
    file: Path,
    *,
    test: Path | None = None,
    owner: str = "",
    sees: Callable[[str], bool] = lambda run_id: True,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Checked:
    """file: the examples that it was composed from. test: the file that judged, if one did. owner: whose the files are.
    sees: whether this person may see a run of this machine, of which a part may be. Raises AdapterError (a part is
    gone, or of another base), BaseError, DataError (another file), HubError, RunError (cancelled)."""
    spec, recipe, name = published.spec, published.recipe, published.name
    differences = runs.data_differences(spec, file, test, name)
    if differences:
        raise DataError(
            _("It is not the data that {name} was composed from: {differences}."),
            _("Give the same file."),
            name=name,
            differences=several(differences, ";"),
        )
    read = read_examples(file, spec.task, _columns(spec.mapping, spec), owner=owner)
    judging = None
    if test is not None:
        judging = read_examples(test, read.task, _columns(spec.test_mapping, spec), is_test=True, owner=owner)
    read = FewExamples(spec.task, read.examples, read.info, read.mapping)  # the labels in the order that they had
    parts = {part.adapter: part for part in (*recipe.parts, *recipe.unused)}
    panes = in_order(
        [
            replace(
                find_recorded(part.place, of=name, base=published.given, sees=sees),
                name=part.adapter,
                revision=part.revision,
            )
            for part in parts.values()
        ]
    )
    check_one_base([published.pane, *panes])
    halves = divide(read, judging, recipe.seed)
    trial = settings.home() / FOLDER / f".{secrets.token_hex(8)}"
    try:
        with store.disk_errors(trial.parent):
            composed = compose(
                bases,
                panes,
                spec.task,
                halves,
                trial,
                weights=[parts[pane.name].weight for pane in panes],
                seed=recipe.seed,
                progress=progress,
                cancelled=cancelled,
            )
        apart = share_apart(trial, published.pane.folder)
    finally:
        shutil.rmtree(trial, ignore_errors=True)
    again = make_recipe(composed, panes, len(halves.fitted), recipe.seed)
    rows = {"rows": read.info.rows, "train_rows": len(halves.fitted), "eval_rows": len(halves.judged)}
    counts = {**rows, "examples_shown": composed.shown}
    computed = _figures(composed.scores, composed.base, again, counts, apart)
    recorded = _figures(published.scores, published.comparison, recipe, published.counts, 0.0)
    card_told, card_now = card_figures(name, published.pane.revision, composed.scores)
    return Checked(published, composed, differing({**recorded, **card_told}, {**computed, **card_now}))


def _columns(mapping: Mapping[str, str], spec: TrainSpec) -> dict[str, str]:
    """A column for each role, also for those that had none."""
    return {**dict.fromkeys(spec.task.optional_inputs, ""), **mapping}


def _figures(
    scores: Mapping[str, Scores],
    comparison: PairedComparison | None,
    recipe: hub.Composition | None,
    counts: Mapping[str, Any],
    apart: float,
) -> dict[str, Any]:
    """Every figure of a composition by its name. apart: the weights' file from the sum of its parts."""
    told: dict[str, Any] = {
        "scores": scores_json(scores),
        "counts": dict(counts),
        "weights": {"apart": apart},
    }
    if comparison is not None:
        told["against_base"] = comparison.model_dump()
    if recipe is not None:
        told["against_single"] = recipe.single.model_dump()
        told["composition"] = recipe.model_dump(include={"fitted", "judged", "tried", "region_rows"})
        tried = (*recipe.parts, *recipe.unused)
        told["rank"] = {part.adapter: part.rank for part in tried}
    return told
