"""What an adapter has to reach: `--min accuracy=90` of the shell, kept in a run's spec, so that the run itself does not
publish what is below it.

`METRIC=VALUE` is held against the score on the held-out rows, `METRIC.low=VALUE` against the lower end of its 95 %
interval, which few rows reach only with room to spare. Values are per cent (0 to 100).
"""

from collections.abc import Mapping, Sequence

from lora_hub.core.errors import SpecError
from lora_hub.core.messages import NOTHING, Message, _
from lora_hub.core.schema import Scores, Task

LOW = ".low"


def parse_minimum(texts: Sequence[str]) -> dict[str, float]:
    """["accuracy=90", "macro_f1.low=70"] -> {"accuracy": 90.0, "macro_f1.low": 70.0}. Raises SpecError."""
    wanted: dict[str, float] = {}
    for text in texts:
        metric, equals, value = text.partition("=")
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not equals or not metric.strip() or not 0 <= number <= 100:
            raise SpecError(
                _("{text!r} is not METRIC=VALUE with a value from 0 to 100."),
                _("For example --min accuracy=90, or --min accuracy.low=80 for the lower end of its interval."),
                text=text,
            )
        if 0 < number < 1:
            raise SpecError(
                _("{text!r} asks for {number:g} %: scores are per cent, 0 to 100."),
                _("Write {metric}={per_cent:g} if that is meant."),
                text=text,
                number=number,
                metric=metric.strip(),
                per_cent=100 * number,
            )
        wanted[metric.strip()] = number
    return wanted


def check_metrics(minimum: Mapping[str, float], task: Task) -> None:
    """Raises SpecError where the minimum names a metric that the task is not scored by."""
    for metric in minimum:
        if metric.removesuffix(LOW) not in task.metrics:
            raise SpecError(
                _("The task {task} is not scored by {metric!r}, which --min names."),
                _("Its metrics: {metrics}."),
                task=task.id,
                metric=metric.removesuffix(LOW),
                metrics=task.metrics,
            )


def below_minimum(scores: Scores, minimum: Mapping[str, float]) -> Message:
    """What is below the minimum, in words without a full stop: "accuracy is 81.2, below 90; macro_f1 was not scored". A
    metric without a score is below. Nothing where all is reached."""
    below = NOTHING
    for metric, least in minimum.items():
        score = scores.get(metric.removesuffix(LOW))
        reached = None if score is None else score.low if metric.endswith(LOW) else score.value
        if reached is None:
            said = _("{metric} was not scored", metric=metric)
        elif reached < least:
            said = _(
                "{metric} is {reached:.1f}, below {least:g}", metric=metric, reached=float(reached), least=float(least)
            )
        else:
            continue
        below = _("{first}; {second}", first=below, second=said) if below else said
    return below
