"""A task's region from the questions of its training and validation rows: means of groups of them (k-means++ on the
unit sphere, Arthur and Vassilvitskii 2007), their covariance, how far others lie from the nearest mean, and in which
direction what people write of all kinds differs from them (Fisher 1936, as ridge regression)."""

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
CENTERS, ROUNDS = 16, 20
# A mean of fewer questions would be nearly one of them.
FEWEST_IN_CENTER = 5
# These shares of the task's own questions are within the limit of how far they may lie, and of how much they may be
# like everyday texts.
WITHIN, WITHIN_UNLIKE = 0.999, 0.99
# What is known of training questions is known from a region that is made without them.
FOLDS = 5
# Of fewer numbers than this a quantile is one of the outermost.
FEW = 100
# So much of the questions' lengths count as usual ones.
WITHIN_LENGTH = 0.99
# What a weight of the direction costs, where states have a variance of one.
RIDGE = 1.0
# There are fewer of them, and a long question is told from them alone.
PASSAGE_COUNTS = 3
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
    states, tokens = read_states(stack, tokenizer, trained)
    of_all = _read_of_all(stack, tokenizer, base, states.shape[1])
    origin = of_all["origin"]
    checked, checked_tokens = read_states(stack, tokenizer, validated) if validated else (states[:0], tokens[:0])
    others = of_all["everyday"]
    return fit_region(states, tokens, checked, checked_tokens, origin, others, base_name(base), seed)


def _read_of_all(stack: "AdapterStack", tokenizer: Any, base: BaseModel, width: int) -> dict[str, Any]:
    """What of a region is the base's alone: origin [dimensions], everyday [texts, dimensions]. Kept where the base's
    weights are known by their hash. width: dimensions."""

    generic, (sentences, passages) = generic_texts(), everyday_texts()

    def read() -> dict[str, Any]:
        origin = read_states(stack, tokenizer, generic)[0].mean(axis=0)
        return {"origin": origin, "everyday": read_everyday(stack, tokenizer)}

    if not base.fingerprint:
        return read()
    named = (base.fingerprint, str(stack.model.dtype), repr((generic, (sentences, passages))))
    shapes = {"origin": (width,), "everyday": (len(sentences) + PASSAGE_COUNTS * len(passages), width)}
    return recall(named, shapes, read)


def read_everyday(stack: "AdapterStack", tokenizer: Any) -> Any:
    """States [texts, dimensions] of what people write of all kinds, each passage `PASSAGE_COUNTS` times."""
    import numpy

    sentences, passages = everyday_texts()
    states = read_states(stack, tokenizer, [*sentences, *passages])[0]
    return numpy.repeat(states, [1] * len(sentences) + [PASSAGE_COUNTS] * len(passages), axis=0)


def fit_region(
    states: Any, tokens: Any, checked: Any, checked_tokens: Any, origin: Any, others: Any, base: str, seed: int = 0
) -> TaskRegion | None:
    """`make_region` from vectors. others: states of everyday texts."""
    import numpy

    region = _unlimited(states, tokens, origin, others, base, seed)
    if not (numpy.diag(region.spread) > 0).any():
        return None
    # Each as a question that has no part in the region.
    order = numpy.random.default_rng(seed).permutation(len(states))
    far, unlike = [own_distance(checked, checked_tokens, region)], [checked @ region.direction + region.offset]
    for out in numpy.array_split(order, FOLDS):
        rest = numpy.setdiff1d(order, out)
        without = _unlimited(states[rest], tokens[rest], origin, others, "", seed)
        far.append(own_distance(states[out], tokens[out], without))
        unlike.append(states[out] @ without.direction + without.offset)
    far, unlike = numpy.concatenate(far), numpy.concatenate(unlike)
    scale = max(float(unlike.std()), 1e-6)
    return replace(
        region,
        limit=max(upper_bound(far, FEW, WITHIN), 1e-6),
        direction=region.direction / scale,
        offset=(region.offset - float(numpy.quantile(unlike, WITHIN_UNLIKE))) / scale,
    )


def _unlimited(states: Any, tokens: Any, origin: Any, others: Any, base: str, seed: int) -> TaskRegion:
    """The region whose limits are not known yet."""
    import numpy

    spread = numpy.cov(states.T)
    longest = numpy.exp(upper_bound(numpy.log(tokens), FEW, WITHIN_LENGTH))
    shortest = numpy.exp(-upper_bound(-numpy.log(tokens), FEW, WITHIN_LENGTH))
    lengths = (float(shortest), float(longest))
    return TaskRegion(
        _centers(states, spread, origin, seed),
        spread,
        origin,
        *lengths,
        1.0,
        len(states),
        base,
        *_direction(states, others),
    )


def _centers(states: Any, spread: Any, origin: Any, seed: int) -> Any:
    import numpy

    group = _groups(unit((states - origin) @ whitening(spread, OWN_SHRINK)), seed)
    return numpy.stack([states[group == one].mean(axis=0) for one in numpy.unique(group)])


def _direction(states: Any, others: Any) -> tuple[Any, float]:
    """(direction [dimensions], offset): states @ direction + offset is about -1 for the task's questions and 1 for
    everyday texts. Both weigh alike, however many they are."""
    import numpy

    both = numpy.concatenate([states, others])
    middle, scale = both.mean(axis=0), both.std(axis=0) + 1e-6
    side = numpy.repeat([-1.0, 1.0], [len(states), len(others)])
    weight = numpy.repeat([0.5 / len(states), 0.5 / len(others)], [len(states), len(others)])
    known = numpy.column_stack([(both - middle) / scale, numpy.ones(len(both))])
    cost = numpy.append(numpy.full(len(middle), RIDGE), 1e-9)
    weighted = (known * weight[:, None]).T
    found = numpy.linalg.solve(weighted @ known + numpy.diag(cost), weighted @ side)
    direction = found[:-1] / scale
    return direction, float(found[-1] - middle @ direction)


def upper_bound(seen: Any, enough: int, within: float) -> float:
    """What this share of numbers like those that were seen lies below: their quantile, or where they are fewer than
    enough and it is higher, what a further one lies below with the same probability. That is the upper end of the
    prediction interval of a normal sample (Student's t), wider the fewer they are."""
    import numpy
    from scipy.special import stdtrit

    highest = float(numpy.quantile(seen, within))
    if len(seen) >= enough:
        return highest
    error = seen.std(ddof=1) * numpy.sqrt(1 + 1 / len(seen))
    return max(highest, float(seen.mean() + stdtrit(len(seen) - 1, within) * error))


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


def _groups(points: Any, seed: int) -> Any:
    """The group of each point, none with fewer than `FEWEST_IN_CENTER`."""
    import numpy

    draw = numpy.random.default_rng(seed)
    count = max(1, min(CENTERS, len(points) // (2 * FEWEST_IN_CENTER)))
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
