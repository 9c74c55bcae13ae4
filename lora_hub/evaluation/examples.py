"""Examples that stand before a question, so that a base that was never trained on a task is shown what is wanted.

They are drawn from the training rows, seeded, as many of each label as of any other, and as many as the base's context
holds beside the longest question.
"""

import random
from typing import Any

from lora_hub.answering.exam_work import MOST_EXAMPLE_TOKENS, MOST_EXAMPLES
from lora_hub.core.errors import DataError
from lora_hub.core.schema import Task
from lora_hub.data.prompts import template
from lora_hub.data.prompts.prepare import Example

# Rows of a label that are looked at: long texts first fill the context, and the shorter half says as much.
LOOKED_AT = 32


def choose_examples(
    tokenizer: Any, task: Task, trained: list[Example], asked: list[dict[str, Any]], *, context: int, seed: int
) -> tuple[tuple[dict[str, Any], str], ...]:
    """(inputs, answer) of the examples to show before each question of `asked`; empty where none fits.

    context: tokens, question and answer together, that the base can read.
    """
    usable = [example for example in trained if not task.is_chat or _is_one_turn(example)]
    if not usable or not asked:
        return ()
    has_labels = task.output == "labels"
    answer = (
        max(map(len, template.encode_answers(tokenizer, list(task.labels))))
        if has_labels and task.labels
        else task.max_new_tokens
    )
    question = max(map(len, template.encode_prompts(tokenizer, task, asked)))
    room = min(MOST_EXAMPLE_TOKENS, context - question - answer)
    pick = random.Random(seed)
    pick.shuffle(usable)
    queues: dict[str, list[tuple[int, Example]]] = {}
    for example in usable:
        queue = queues.setdefault(example.answer if has_labels else "", [])
        if len(queue) < LOOKED_AT:
            length = len(template.encode_prompt(tokenizer, task, example.inputs)) + len(
                template.encode_answer(tokenizer, example.answer)
            )
            queue.append((length, example))
    for queue in queues.values():
        queue.sort(key=lambda one: one[0])
        del queue[(len(queue) + 1) // 2 :]
        pick.shuffle(queue)
    names = sorted(queues)
    pick.shuffle(names)
    chosen: list[Example] = []
    while all(queues.values()) and len(chosen) < MOST_EXAMPLES:
        # a round has one of each label; after the first, only whole rounds
        drawn = [queues[name].pop() for name in names[:MOST_EXAMPLES]]
        fitting = []
        for length, example in drawn:
            if length <= room:
                room -= length
                fitting.append(example)
        if chosen and (len(fitting) < len(drawn) or len(chosen) + len(fitting) > MOST_EXAMPLES):
            break
        chosen += fitting
        if len(fitting) < len(drawn):
            break
    pick.shuffle(chosen)
    shown = tuple((example.inputs, example.answer) for example in chosen)
    try:
        # A template may write more between two turns than at the beginning and end of one.
        while shown and max(map(len, template.encode_prompts(tokenizer, task, asked, shown))) + answer > context:
            shown = shown[: len(shown) // 2]
    except DataError:  # a template for one question and one answer: nothing can be shown before them
        return ()
    return shown


def _is_one_turn(example: Example) -> bool:
    """A conversation whose one question can be shown without what was said before it."""
    return [turn["role"] for turn in example.inputs["messages"] if turn["role"] != "system"] == ["user"]
