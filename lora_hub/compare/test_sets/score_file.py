"""Panes scored on a file of their task: every row answered and judged as in the exam.

told = score_file(bases, panes, Path("more.csv"))      {"rows", "metrics", "comparisons", "problems"}
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane, base_pane
from lora_hub.compare.test_sets.answering import answer_panes, load_tokenizers
from lora_hub.core import store
from lora_hub.core.errors import AdapterError, DataError, SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import BASE_EXAMPLES, Answer, Problem, Scores
from lora_hub.evaluation.minimum import check_metrics


def score_file(
    bases: LoadedBases,
    panes: list[Pane],
    file: Path,
    mapping: dict[str, str] | None = None,
    *,
    base: bool = True,
    max_rows: int = 0,
    minimum: Mapping[str, float] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Scores the panes on a file of their task: {"rows": n, "metrics": {name: Scores}, "comparisons": {name:
    PairedComparison}, "problems": [Problem]}.

    max_rows: 0 means all rows. minimum: scores that will be required; raises SpecError, before anything is read, if
    it names a metric that a pane's task does not have. comparisons: each adapter against the base, if the base was
    asked. problems: what makes the scores less meaningful, such as labels that the adapter never learned. Raises
    DataError if the adapter knows none of the file's labels, because every score would be 0.
    """
    from lora_hub.data.checks import checks
    from lora_hub.data.columns import columns
    from lora_hub.data.inspector import inspect_file
    from lora_hub.data.mending.mends import for_test
    from lora_hub.data.prompts import prepare
    from lora_hub.data.prompts.split import cluster_examples
    from lora_hub.evaluation import exam

    for pane in panes:
        if pane.task is not None:
            check_metrics(minimum or {}, pane.task)
    asked = next((pane for pane in panes if pane.task), None)
    task = asked.task if asked else None
    if task is None:
        raise AdapterError(
            _("{name} does not say which task it is for."),
            _("Give --prompt instead of --test."),
            name=panes[0].name,
        )
    try:
        columns.check_roles(task, mapping or {})
    except DataError as error:  # the request is wrong, not the data
        raise SpecError(error.said, error.advice) from error
    lost = panes[0].missing
    if base:
        first = replace(base_pane(panes[0]), task=task)
        panes = [
            first,
            *([replace(first, name=BASE_EXAMPLES, shown=panes[0].shown)] if panes[0].shown else []),
            *panes,
        ]
    kept = store.add_dataset(file)
    seen = inspect_file(kept, task, mapping, mends=for_test(asked.mends), is_test=True)
    columns.check_mapping(seen.table, task, seen.mapping)
    examples = prepare.build_examples(seen.table, task, seen.mapping)
    examples = examples[:max_rows] if max_rows else examples
    problems = [problem for problem in seen.table.problems if problem.code == "test-part"]
    problems += [
        found.problem for found in checks.find_unseen(task, seen.table, seen.mapping, seen.table, seen.mapping)
    ]
    if base and lost:
        problems.append(Problem(code="examples_missing", severity="warning", said=lost))
    if wrong := next((problem for problem in problems if problem.severity == "error"), None):
        raise DataError(wrong.said, wrong.advice)
    scores: dict[str, Scores] = {}
    answers: dict[str, list[Answer]] = {}
    clusters = cluster_examples(examples)
    for pane in panes:
        if pane.task is not None and pane.task.id != task.id:
            raise AdapterError(
                _("{name} is for the task {task}, {other} for {other_task}."),
                _("Score adapters of one task."),
                name=pane.name,
                task=pane.task.id,
                other=panes[0].name,
                other_task=task.id,
            )
    tokenizers = load_tokenizers(panes)
    if task.is_chat:  # before any answer: find every row that any of the tokenizers refuses
        for tokenizer in {id(one): one for one in tokenizers}.values():
            prepare.check_refused(tokenizer, task, examples)
    examples = prepare.written(tokenizers[0], examples)
    answered = answer_panes(bases, panes, task, examples, tokenizers=tokenizers, progress=progress)
    for pane, of in zip(panes, answered, strict=True):
        if of is not None:  # rows longer than the run's leave the base no room for its examples
            answers[pane.name] = of
            scores[pane.name] = exam.score_answers(task, of, examples, clusters)
    comparisons = exam.compare_all(task, answers, examples, scores, clusters) if base else {}
    return {"rows": len(examples), "metrics": scores, "comparisons": comparisons, "problems": problems}
