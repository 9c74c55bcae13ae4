"""What a test found: every metric with its interval, and every pair of models tested on the same rows.

    result = compute_result(task, rows, answers)
    describe_pair(pair)          "v3 is better than v2: +2.1 points, 95 % interval 0.6 to 3.7, 412 rows."

A result is made of rows and answers alone, whoever computes it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lora_hub.compare.test_sets.judged import compute_judged
from lora_hub.compare.test_sets.nouns import TestRow, Verdict
from lora_hub.compare.test_sets.reading import to_examples
from lora_hub.core.messages import Message, _, _n
from lora_hub.core.schema import Answer, Task, scores_json

VERSION = 1


def compute_result(
    task: Task,
    rows: Sequence[TestRow],
    answers: Mapping[str, list[Answer]],
    verdicts: Sequence[Verdict] | None = None,
) -> dict[str, Any]:
    """{version, rows, clusters, task, metric, metrics: {pane: {metric: Score}}, pairs: [...]}, as JSON. A pair: a, b
    (a scores higher), metric, difference (a minus b, points), low, high (its 95 % interval), p (adjusted for the number
    of pairs), better (a's name, or None where it can be chance), rows, changed, test, verdict. verdicts: a judge's, if
    one was asked; what they say is `judged` (`judged.compute_judged`)."""
    from lora_hub.data.prompts.split import cluster_examples
    from lora_hub.evaluation import exam
    from lora_hub.evaluation.pairs import compare_pairs

    examples = to_examples(rows)
    clusters = cluster_examples(examples)
    scores = {pane: exam.score_answers(task, of, examples, clusters) for pane, of in answers.items()}
    texts = {pane: [answer.text for answer in of] for pane, of in answers.items()}
    found = compare_pairs(task.metrics[0], texts, [row.reference for row in rows], clusters=clusters)
    return {
        "version": VERSION,
        "task": task.id,
        "metric": task.metrics[0],
        "rows": len(rows),
        "clusters": len(set(map(int, clusters))),
        "metrics": scores_json(scores),
        "pairs": [pair_json(a, b, one) for (a, b), one in found.items()],
        **({"judged": compute_judged(verdicts, _numbers(rows, clusters))} if verdicts is not None else {}),
    }


def _numbers(rows: Sequence[TestRow], clusters: Any) -> dict[int, int]:
    return {row.row: int(number) for row, number in zip(rows, clusters, strict=True)}


def pair_json(a: str, b: str, found: Any) -> dict[str, Any]:
    """found: the PairedComparison of a against b."""
    return {
        "a": a,
        "b": b,
        "metric": found.metric,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "better": a if found.verdict == "better" else b if found.verdict == "worse" else None,
        "rows": found.rows,
        "clusters": found.clusters,
        "changed": found.changed,
        "test": found.test,
        "verdict": found.verdict,
    }


def describe_pair(pair: Mapping[str, Any]) -> Message:
    """A pair in a sentence. One that chance may explain is said to be no difference that these rows show."""
    rows = _n("{count:,} row", "{count:,} rows", count=pair["rows"])
    if pair["clusters"] < pair["rows"]:
        rows = _("{rows}, {clusters:,} of them different", rows=rows, clusters=pair["clusters"])
    values = {
        "a": pair["a"],
        "b": pair["b"],
        "difference": float(pair["difference"]),
        "low": float(pair["low"]),
        "high": float(pair["high"]),
        "rows": rows,
    }
    if pair["verdict"] == "same":
        return _("{a} and {b} are right and wrong on the same rows: {rows}.", **values)
    if pair["better"] is None:
        return _(
            "{a} and {b} cannot be told apart: +{difference:.1f} points, 95 % interval {low:.1f} to {high:.1f}, "
            "{rows}.",
            **values,
        )
    return _(
        "{a} is better than {b}: +{difference:.1f} points, 95 % interval {low:.1f} to {high:.1f}, {rows}.", **values
    )


def judge_rows(task: Task, rows: Sequence[TestRow], answers: Mapping[str, list[Answer]]) -> list[TestRow]:
    """The rows with everybody's answer and what it is worth by the task's first metric."""
    from lora_hub.evaluation import metrics

    references = [row.reference for row in rows]
    judged = {pane: metrics.judge(task, [one.text for one in of], references) for pane, of in answers.items()}
    return [
        row.model_copy(
            update={
                "answers": {pane: of[place] for pane, of in answers.items()},
                "judgements": {pane: of[place] for pane, of in judged.items()},
            }
        )
        for place, row in enumerate(rows)
    ]


def disagree(row: TestRow) -> bool:
    """Whether two models' answers to a row are worth unlike much."""
    return len({round(one.score, 2) for one in row.judgements.values()}) > 1
