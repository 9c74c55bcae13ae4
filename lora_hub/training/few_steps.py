"""What is told of a run that ends before anything can be learnt, before it is started.

find_few_steps(spec, steps=10)      problems, as the checks of the data tell them; none where the steps will do
"""

from lora_hub.core.messages import _, _n
from lora_hub.core.schema import Problem, TrainSpec

CODE = "few-steps"
# SmolLM2-135M with six types of question: 24 % after 10 steps, where the base with twelve examples in its prompt has
# 49 %; 86 % after 56 (`bench_quality.py`'s rules). Fewer than this teach little more than the form of the answers.
LEAST_TOLD = 40


def find_few_steps(spec: TrainSpec, steps: int) -> list[Problem]:
    """steps: those the run will take."""
    if steps >= LEAST_TOLD:
        return []
    said = _n(
        "The training would end after {count:,} step: in so few, little more than the form of the answers is learnt.",
        "The training would end after {count:,} steps: in so few, little more than the form of the answers is learnt.",
        count=steps,
    )
    hint = _("Set steps = {least}.", least=LEAST_TOLD)
    if not spec.steps and spec.effort != "thorough":
        hint = _("Choose more effort, or set steps = {least}.", least=LEAST_TOLD)
    return [Problem(code=CODE, severity="warning", said=said, advice=hint, count=steps)]
