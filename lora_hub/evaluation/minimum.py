"""What an adapter has to reach: `--min accuracy=90` of the shell, kept in a run's spec, so that the run itself does not publish
what is below it.

`METRIC=VALUE` is held against the score on the held-out rows, `METRIC.low=VALUE` against the lower end of its 95 % interval,
which few rows reach only with room to spare. Values are per cent (0 to 100).
"""

from collections.abc import Mapping, Sequence

from lora_hub.core.errors import SpecError
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
                f"{text!r} is not METRIC=VALUE with a value from 0 to 100.",
                "For example --min accuracy=90, or --min accuracy.low=80 for the lower end of its interval.",
                message_fa=f"«{text}» به شکل METRIC=VALUE با مقداری از ۰ تا ۱۰۰ نیست.",
                hint_fa="برای نمونه «accuracy=90»، یا «accuracy.low=80» برای کران پایین بازهٔ اطمینان آن.",
            )
        if 0 < number < 1:
            raise SpecError(
                f"{text!r} asks for {number:g} %: scores are per cent, 0 to 100.", f"Write {metric.strip()}={100 * number:g} if that is meant.",
                message_fa=f"«{text}» یعنی {number:g}٪: امتیازها درصد است، از ۰ تا ۱۰۰.", hint_fa=f"اگر منظور همین است بنویسید «{metric.strip()}={100 * number:g}».",
            )  # fmt: skip
        wanted[metric.strip()] = number
    return wanted


def check_metrics(minimum: Mapping[str, float], task: Task) -> None:
    """Raises SpecError where the minimum names a metric that the task is not scored by."""
    for metric in minimum:
        if metric.removesuffix(LOW) not in task.metrics:
            raise SpecError(
                f"The task {task.id} is not scored by {metric.removesuffix(LOW)!r}, which --min names.",
                f"Its metrics: {', '.join(task.metrics)}.",
                message_fa=f"وظیفهٔ «{task.id}» با معیار «{metric.removesuffix(LOW)}» ارزیابی نمی‌شود.",
                hint_fa=f"معیارهای آن: {'، '.join(task.metrics)}.",
            )


def below_minimum(scores: Scores, minimum: Mapping[str, float]) -> list[str]:
    """What is below the minimum, each in words: "accuracy is 81.2, below 90". A metric without a score is below."""
    told = []
    for metric, least in minimum.items():
        score = scores.get(metric.removesuffix(LOW))
        reached = None if score is None else score.low if metric.endswith(LOW) else score.value
        if reached is None:
            told.append(f"{metric} was not scored")
        elif reached < least:
            told.append(f"{metric} is {reached:.1f}, below {least:g}")
    return told
