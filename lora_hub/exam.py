"""The exam: base and adapters answer the same held-out rows, put to them in the same words, and are scored alike.

Tasks with labels are answered by constrained greedy decoding: at each token the model chooses among those that can still
become one of the task's labels. So a base that was never told the format is judged by what it prefers and not by whether
it guesses the wording, and the difference to the adapter is what training brought.
Used by worker.py (at the end of a run) and compare.py (`compare --test FILE`).
"""

from collections.abc import Callable
from typing import Any

from lora_hub import generate, metrics, statistics
from lora_hub.data import prepare, template
from lora_hub.data.prepare import Example
from lora_hub.schema import PairedComparison, Scores, Task
from lora_hub.stack import AdapterStack

BASE = "base"


def answer_examples(
    stack: AdapterStack,
    tokenizer: Any,
    task: Task,
    examples: list[Example],
    adapter: str,
    *,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[str]:
    """The answers of one adapter ("base": of the base) to the examples, in their order."""
    prompts = template.encode_prompts(tokenizer, task, [example.inputs for example in examples])
    choices = template.encode_answers(tokenizer, list(task.labels)) if task.output == "labels" and task.labels else None
    rows = [generate.PromptRow(ids=ids, adapter=adapter, choices=choices) for ids in prompts]
    most = max(map(len, choices)) if choices else task.max_new_tokens
    answered = generate.answer_all(stack, tokenizer, rows, max_new_tokens=most, progress=progress, cancelled=cancelled)
    return [answer.text.strip() for answer in answered]


def score_answers(task: Task, answers: list[str], examples: list[Example], clusters: Any = None) -> Scores:
    """The task's metrics, in per cent with 95 % intervals; each row's own answer is its reference. clusters: of rows that are
    nearly the same (`prepare.cluster_examples`), where several models are scored and they are known already."""
    clusters = prepare.cluster_examples(examples) if clusters is None else clusters
    return metrics.score(task, answers, [example.answer for example in examples], clusters=clusters)


def compare_answers(
    task: Task, answers: dict[str, list[str]], examples: list[Example], scores: dict[str, Scores], clusters: Any = None
) -> PairedComparison:
    """The adapter against the better of the base's ways on the same rows. answers, scores: by who answered."""
    clusters = prepare.cluster_examples(examples) if clusters is None else clusters
    return metrics.compare(task, answers, [example.answer for example in examples], scores, clusters=clusters)


def compare_all(
    task: Task, answers: dict[str, list[str]], examples: list[Example], scores: dict[str, Scores], clusters: Any = None
) -> dict[str, PairedComparison]:
    """Each of several adapters against the base; the more there are, the surer each has to be (Holm 1979)."""
    found = {
        name: compare_answers(task, {**_base_ways(answers), "adapter": answers[name]}, examples, scores, clusters)
        for name in answers
        if name not in _base_ways(answers)
    }
    return dict(zip(found, statistics.adjust_for_several(list(found.values())), strict=True))


def _base_ways(answers: dict[str, list[str]]) -> dict[str, list[str]]:
    return {who: answers[who] for who in statistics.BASE_WAYS if who in answers}


def held_out_table(task: Task, examples: list[Example], answers: dict[str, list[str]]) -> list[dict]:
    """Rows for people: {row, inputs, prompt, reference, base, adapter}."""
    return [
        {
            "row": example.row,
            "inputs": example.inputs,
            "prompt": example.inputs["messages"][-1]["content"] if task.is_chat else template.render_prompt(task, example.inputs),
            "reference": example.answer,
            **{who: texts[index] for who, texts in answers.items()},
        }
        for index, example in enumerate(examples)
    ]
