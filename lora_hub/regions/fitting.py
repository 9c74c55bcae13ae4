"""A task's region from the questions of its training and validation rows: means of groups of them (k-means++ on the
unit sphere, Arthur and Vassilvitskii 2007), their covariance, and how far validation questions lie from the nearest
mean."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.schema import BaseModel
from lora_hub.hub import TaskRegion
from lora_hub.regions.everyday import everyday_texts
from lora_hub.regions.kept import recall
from lora_hub.regions.placing import OWN_SHRINK, nearest, own_distance, unit, whitening
from lora_hub.regions.states import base_name, read_states

if TYPE_CHECKING:
    from lora_hub.answering.stack import AdapterStack

# Questions that are read, drawn with a seed: more say little more, and a large base takes time for each.
MOST_TRAINED, MOST_VALIDATED = 320, 64
CENTERS, EVERYDAY_CENTERS, ROUNDS = 16, 8, 20  # the second: of everyday texts of one length
# A mean of fewer questions would be nearly one of them.
FEWEST_IN_CENTER = 5
# This share of the task's own questions is within the limit.
WITHIN = 0.99
# Fewer validation questions than this say little of how far the task's own ones lie. Training questions join them, each
# as far as it lies from a region that is made without it.
FEW_VALIDATED, FOLDS = 16, 5
# Of fewer numbers than this a quantile at WITHIN is one of the outermost.
FEW = 100
GENERIC_TEXTS = 40


def make_region(
    stack: "AdapterStack",
    tokenizer: Any,
    base: BaseModel,
    trained: Sequence[str],
    validated: Sequence[str],
    seed: int = 0,
) -> TaskRegion | None:
    """The region of a task's questions; None where they are too few, or none differs from another."""
    trained, validated = (sorted({text for text in texts if text.strip()}) for texts in (trained, validated))
    if len(trained) < 2 * FEWEST_IN_CENTER:
        return None
    pick = random.Random(seed)
    trained = pick.sample(trained, min(MOST_TRAINED, len(trained)))
    validated = pick.sample(validated, min(MOST_VALIDATED, len(validated)))
    of_all = _read_of_all(stack, tokenizer, base)
    origin = of_all["origin"]
    states, tokens = read_states(stack, tokenizer, trained)
    checked, checked_tokens = read_states(stack, tokenizer, validated) if validated else (states[:0], tokens[:0])
    region = fit_region(states, tokens, checked, checked_tokens, origin, base_name(base), seed)
    return None if region is None else replace(region, everyday=of_all["everyday"])


def _read_of_all(stack: "AdapterStack", tokenizer: Any, base: BaseModel) -> dict[str, Any]:
    """What of a region is the base's alone: origin [dimensions], everyday [centers, dimensions]. Kept where the base's
    weights are known by their hash."""

    def read() -> dict[str, Any]:
        origin = read_states(stack, tokenizer, generic_texts())[0].mean(axis=0)
        return {"origin": origin, "everyday": read_everyday(stack, tokenizer, origin)}

    if not base.fingerprint:
        return read()
    return recall((base.fingerprint, str(stack.model.dtype), repr((generic_texts(), everyday_texts()))), read)


def read_everyday(stack: "AdapterStack", tokenizer: Any, origin: Any) -> Any:
    """Means [centers, dimensions] of groups of what people write of all kinds. Texts of each length have their own: in
    long ones less is left to chance, and in one grouping they would be lost among the short ones."""
    import numpy

    states = [read_states(stack, tokenizer, [*texts])[0] for texts in everyday_texts()]
    spread = numpy.cov(numpy.concatenate(states).T)
    return numpy.concatenate([_centers(of, spread, origin, 0, EVERYDAY_CENTERS) for of in states])


def fit_region(
    states: Any, tokens: Any, checked: Any, checked_tokens: Any, origin: Any, base: str, seed: int = 0
) -> TaskRegion | None:
    """`make_region` from vectors."""
    import numpy

    region = _unlimited(states, tokens, origin, base, seed)
    if not (numpy.diag(region.spread) > 0).any():
        return None
    far = own_distance(checked, checked_tokens, region)
    if len(far) >= FEW_VALIDATED:
        limit = float(numpy.quantile(far, WITHIN))
    else:
        more = _left_out_distances(states, tokens, origin, seed)
        limit = upper_bound(numpy.concatenate([far, more[: MOST_VALIDATED - len(far)]]), MOST_VALIDATED)
    return replace(region, limit=max(limit, 1e-6))


def _unlimited(states: Any, tokens: Any, origin: Any, base: str, seed: int) -> TaskRegion:
    """The region whose limit is not known yet."""
    import numpy

    spread = numpy.cov(states.T)
    centers = _centers(states, spread, origin, seed)
    longest = numpy.exp(upper_bound(numpy.log(tokens), FEW))
    shortest = numpy.exp(-upper_bound(-numpy.log(tokens), FEW))
    return TaskRegion(centers, spread, origin, float(shortest), float(longest), 1.0, len(states), base)


def _centers(states: Any, spread: Any, origin: Any, seed: int, most: int = CENTERS) -> Any:
    import numpy

    group = _groups(unit((states - origin) @ whitening(spread, OWN_SHRINK)), seed, most)
    return numpy.stack([states[group == one].mean(axis=0) for one in numpy.unique(group)])


def _left_out_distances(states: Any, tokens: Any, origin: Any, seed: int) -> Any:
    """How far each training question lies from the region of those in the other folds, in an order drawn with the
    seed."""
    import numpy

    order = numpy.random.default_rng(seed).permutation(len(states))
    far = numpy.zeros(len(states))
    for out in numpy.array_split(order, FOLDS):
        rest = numpy.setdiff1d(order, out)
        region = _unlimited(states[rest], tokens[rest], origin, "", seed)
        far[out] = own_distance(states[out], tokens[out], region)
    return far[order]


def upper_bound(seen: Any, enough: int) -> float:
    """What nearly all numbers like those that were seen lie below: their quantile, or where they are fewer than enough
    and it is higher, what a further one lies below with the same probability. That is the upper end of the prediction
    interval of a normal sample (Student's t), wider the fewer they are."""
    import numpy
    from scipy.special import stdtrit

    highest = float(numpy.quantile(seen, WITHIN))
    if len(seen) >= enough:
        return highest
    error = seen.std(ddof=1) * numpy.sqrt(1 + 1 / len(seen))
    return max(highest, float(seen.mean() + stdtrit(len(seen) - 1, WITHIN) * error))


def generic_texts() -> list[str]:
    """Some texts of every sample of the catalogue: what questions of all kinds have in common lies in their mean."""
    from lora_hub.data.read import read

    found: list[str] = []
    samples = [path for task in catalogue.list_tasks() if (path := catalogue.sample_file(task))]
    for path in samples:
        frame = read.read_table(path).frame
        rows = frame.head(GENERIC_TEXTS // len(samples)).drop("row", strict=False).iter_rows()
        found += [str(row[0]) for row in rows]
    return found


def _groups(points: Any, seed: int, most: int) -> Any:
    """The group of each point, none with fewer than `FEWEST_IN_CENTER`."""
    import numpy

    draw = numpy.random.default_rng(seed)
    count = max(1, min(most, len(points) // (2 * FEWEST_IN_CENTER)))
    centers = points[[draw.integers(len(points))]]
    still = numpy.zeros(points.shape[1])
    same = numpy.eye(points.shape[1])
    for _ in range(count - 1):
        far = numpy.maximum(nearest(points, centers, still, same), 0)
        if far.sum() <= 0:
            break
        centers = numpy.vstack([centers, points[draw.choice(len(points), p=far / far.sum())]])
    for _ in range(ROUNDS):
        group = (points @ unit(centers).T).argmax(axis=1)
        centers = numpy.stack(
            [points[group == one].mean(axis=0) if (group == one).any() else centers[one] for one in range(len(centers))]
        )
    sizes = numpy.bincount(group, minlength=len(centers))
    kept = numpy.flatnonzero(sizes >= FEWEST_IN_CENTER)
    kept = kept if len(kept) else numpy.array([int(sizes.argmax())])
    return (points @ unit(centers[kept]).T).argmax(axis=1)
