"""The settings that a run tries at once (`sweep`). Known without torch, for whoever only asks which they are."""

from lora_hub.core.schema import TrainSpec

# What is tried beside the spec's own learning rate and rank, in the order of what is worth trying first: a multiple of
# the learning rate and one of the rank. "LoRA Without Regret" (Schulman et al. 2025) finds the best rate the same for
# all ranks and the loss flat around it; twice and half of it bracket what the formula of the base's width may miss, and
# short trainings want more. No other seed is tried: it also chooses the rows that are held out, and what is better by
# a seed alone is luck.
TRIED = ((1, 1), (2, 1), (0.5, 1), (4, 1), (1, 2), (2, 2), (1, 0.5), (4, 2))
_LEAST_RANK, _MOST_RANK, _MOST_RATE = 1, 1024, 1.0


def make_candidates(spec: TrainSpec) -> list[TrainSpec]:
    """The specs that `spec.sweep` candidates are trained with, the spec's own first. alpha goes with the rank, so that
    the adapter's scale stays. An adapter that a run goes on from has its rank already."""
    tried = [one for one in TRIED if spec.parent is None or one[1] == 1]
    made = []
    for rate, rank in tried[: spec.sweep]:
        r = min(_MOST_RANK, max(_LEAST_RANK, round(spec.lora.r * rank)))
        lora = spec.lora.model_copy(update={"r": r, "alpha": spec.lora.alpha * r / spec.lora.r})
        made.append(spec.model_copy(update={"lr": min(_MOST_RATE, spec.lr * rate), "lora": lora, "sweep": 0}))
    return made
