"""How well a model answers a few examples: the mean loss of their answers, in nats.

    loss = make_loss(stack, tokenizer, task, examples)
    loss("spam")                        of an attached adapter, or of "base"

Of a task with labels: -log of the right label's probability among the labels, as they are judged. Of others: -log of
the answer's probability, by its number of tokens.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.core.schema import Task


def make_loss(stack: Any, tokenizer: Any, task: Task, examples: list[Any]) -> Callable[[str], float]:
    """Raises DataError where an answer is none of the task's labels."""
    from lora_hub.answering import questions
    from lora_hub.answering.calibration import probabilities

    questioned = questions.put(tokenizer, task, [one.inputs for one in examples])
    labels = questions.labels_of(task)
    if labels:
        places = {label: place for place, label in enumerate(labels)}
        unknown = next((one.answer for one in examples if one.answer not in places), None)
        if unknown is not None:
            raise DataError(
                _("The answer {answer!r} is none of the labels of the task {task}.", answer=unknown, task=task.id),
                _("Its labels: {labels}.", labels=labels),
            )
        right = [places[one.answer] for one in examples]

        def of_labels(adapter: str) -> float:
            asked = [replace(one, adapter=adapter) for one in questioned]
            logs = questions.label_likelihoods(stack, tokenizer, asked) or []
            chances = [probabilities(of)[place] for of, place in zip(logs, right, strict=True)]
            return -sum(math.log(max(chance, 1e-12)) for chance in chances) / len(chances)

        return of_labels
    answers = [one.answer for one in examples]

    def of_texts(adapter: str) -> float:
        asked = [replace(one, adapter=adapter) for one in questioned]
        logs = questions.answer_likelihoods(stack, tokenizer, asked, answers)
        return -sum(logs) / len(logs)

    return of_texts
