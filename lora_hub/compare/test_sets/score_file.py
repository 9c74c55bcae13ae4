"""Panes scored on a file of their task, here and now: every row answered and judged as in the exam.

told = score_file(bases, panes, Path("more.csv"))      {"rows", "metrics", "comparisons", "pairs", "few_shot", ...}
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane, base_key
from lora_hub.compare.test_sets.answering import load_tokenizers
from lora_hub.compare.test_sets.fitting import find_seen, fit_test
from lora_hub.compare.test_sets.panes_asked import AskedPanes, answer_test, ask_panes, few_shot_of, write_examples
from lora_hub.compare.test_sets.reading import read_file
from lora_hub.compare.test_sets.results import pair_json
from lora_hub.core import store
from lora_hub.core.schema import BASE, BASE_EXAMPLES, Problem
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
    PairedComparison}, "pairs": [as `results.compute_result`], "few_shot": as `few_shot_of`, "problems": [Problem]}.

    Each base of the panes is asked. max_rows: 0 means all rows. minimum: scores that will be required; raises
    SpecError, before anything is read, if it names a metric that a pane's task does not have. comparisons: each adapter
    against its own base, if bases were asked. problems: what makes the scores less meaningful, such as labels that the
    adapter never learned. Raises AdapterError, and DataError if the adapter knows none of the file's labels, because
    every score would be 0.
    """
    from lora_hub.data.prompts.split import cluster_examples
    from lora_hub.evaluation import exam
    from lora_hub.evaluation.pairs import compare_pairs

    for pane in panes:
        if pane.task is not None:
            check_metrics(minimum or {}, pane.task)
    asked = ask_panes(panes, base=base, examples=base, every_base=True)
    task = asked.task
    kept = store.add_dataset(file)
    read = read_file(kept, task, mapping, asked.mends, max_rows=max_rows)
    problems = [*read.problems, *find_seen(asked, store.dataset_fingerprint(kept), read.problems)]
    if base and (lost := panes[0].missing):
        problems.append(Problem(code="examples_missing", severity="warning", said=lost))
    tokenizers = load_tokenizers(asked.panes)
    examples = write_examples(asked, read.examples, tokenizers)
    fitted = fit_test(asked, examples, tokenizers)
    asked, tokenizers, examples = fitted.asked, fitted.tokenizers, [examples[place] for place in fitted.places]
    problems += fitted.problems
    answers = answer_test(bases, asked, examples, tokenizers=tokenizers, progress=progress)
    clusters = cluster_examples(examples)
    scores = {pane: exam.score_answers(task, of, examples, clusters) for pane, of in answers.items()}
    ways = _ways(asked, answers)
    pairs = compare_pairs(
        task.metrics[0],
        {pane: [answer.text for answer in of] for pane, of in answers.items()},
        [example.answer for example in examples],
        clusters=clusters,
    )
    return {
        "rows": len(examples),
        "metrics": scores,
        "comparisons": exam.compare_all(task, answers, examples, scores, clusters, ways) if base else {},
        "pairs": [pair_json(a, b, found) for (a, b), found in pairs.items()],
        "few_shot": few_shot_of(asked, answers),
        "problems": problems,
    }


def _ways(asked: AskedPanes, answers: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Of each adapter: how its own base was asked, and the pane that answered so."""
    found: dict[str, dict[str, str]] = {}
    bases = [pane for pane in asked.panes if pane.folder is None and pane.name in answers]
    for pane in asked.panes:
        if pane.folder is not None:
            own = [one for one in bases if base_key(one.base) == base_key(pane.base)]
            found[pane.name] = {BASE_EXAMPLES if one.name == BASE_EXAMPLES else BASE: one.name for one in own}
    return found
