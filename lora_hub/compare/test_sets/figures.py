"""The numbers behind a test's plots: scores in groups of rows, which label is taken for which, and how often a model is
right that says how sure it is. Computed from rows with everybody's answer (`results.judge_rows`).

    by_length(task, rows)             [Group("12 to 40", 103, {"v2": Score, "v3": Score}), ...]
    confusion(task, rows, "v3")       Confusion(labels, counts)
    calibration(task, rows, "v3")     [Bin(sure=0.93, right=0.88, low=..., high=..., rows=40), ...]
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lora_hub.compare.test_sets.nouns import TestRow
from lora_hub.compare.test_sets.reading import to_examples
from lora_hub.core.schema import Score, Task

# Groups of one plot; rows of rarer values are no group of their own. And labels of a confusion matrix.
MOST_GROUPS, MOST_LABELS = 12, 24
LENGTHS, BINS = 5, 10


@dataclass(frozen=True)
class Group:
    """name: what the rows have in common. rows: how many. scores: by pane, of the task's first metric."""

    name: str
    rows: int
    scores: dict[str, Score]


@dataclass(frozen=True)
class Confusion:
    """labels: of both sides, the right ones' order first. counts[right][answered]: rows."""

    labels: list[str]
    counts: list[list[int]]


@dataclass(frozen=True)
class Bin:
    """Answers that a model gave about equally sure. sure, right, low, high: shares, 0 to 1; low and high: the 95 %
    interval of `right`."""

    sure: float
    right: float
    low: float
    high: float
    rows: int


def by_label(task: Task, rows: Sequence[TestRow]) -> list[Group]:
    """By the right answer: of tasks with labels."""
    return _groups(task, rows, lambda row: row.reference if isinstance(row.reference, str) else row.reference[0])


def by_column(task: Task, rows: Sequence[TestRow], column: str) -> list[Group]:
    """By what the file says in another column."""
    return _groups(task, rows, lambda row: row.columns.get(column, ""))


def by_length(task: Task, rows: Sequence[TestRow]) -> list[Group]:
    """By the characters of the prompt: groups of about equally many rows, the shortest first."""
    import numpy as np

    lengths = np.array([len(row.prompt) for row in rows])
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, LENGTHS + 1)).round().astype(int))
    place = np.clip(np.searchsorted(edges, lengths, side="right") - 1, 0, max(0, len(edges) - 2))
    inside = {int(one): lengths[place == one] for one in np.unique(place)}
    names = {one: f"{of.min()}-{of.max()}" for one, of in inside.items()}
    keys = iter(place.tolist())
    return _groups(task, rows, lambda row: names[next(keys)], order=list(names.values()))


def columns_of(rows: Sequence[TestRow]) -> list[str]:
    """Columns that group rows: with at least two values, of which the most frequent stand in several rows each."""
    names = dict.fromkeys(name for row in rows for name in row.columns)
    found = []
    for name in names:
        counts = Counter(row.columns.get(name, "") for row in rows)
        if len(counts) > 1 and sum(count for _, count in counts.most_common(MOST_GROUPS)) * 2 >= len(rows):
            found.append(name)
    return found


def _groups(
    task: Task, rows: Sequence[TestRow], name_of: Callable[[TestRow], str], order: Sequence[str] = ()
) -> list[Group]:
    from lora_hub.data.prompts.split import cluster_examples
    from lora_hub.evaluation import metrics

    if not rows:
        return []
    names, clusters = [name_of(row) for row in rows], cluster_examples(to_examples(rows))
    frequent = [name for name, _count in Counter(names).most_common(MOST_GROUPS)]
    found = []
    for name in [one for one in order if one in frequent] or sorted(frequent):
        places = [place for place, one in enumerate(names) if one == name]
        references = [rows[place].reference for place in places]
        scores = {
            pane: metrics.score_metrics(
                task.metrics[:1],
                [rows[place].answers[pane].text for place in places],
                references,
                clusters=clusters[places],
            )[task.metrics[0]]
            for pane in rows[0].answers
        }
        found.append(Group(name, len(places), scores))
    return found


def confusion(task: Task, rows: Sequence[TestRow], pane: str) -> Confusion:
    """Which label was answered where which was right; "" where an answer is none of them."""
    from lora_hub.evaluation.metrics import normalize_label

    right = Counter(str(row.reference) for row in rows)
    labels = [label for label in (*task.labels, *right) if label in right or label in task.labels]
    labels = list(dict.fromkeys(labels))[:MOST_LABELS]
    place = {normalize_label(label): number for number, label in enumerate(labels)}
    counts = [[0] * (len(labels) + 1) for _ in labels]
    for row in rows:
        line = place.get(normalize_label(str(row.reference)))
        if line is not None:
            counts[line][place.get(normalize_label(row.answers[pane].text), len(labels))] += 1
    if not any(line[-1] for line in counts):
        return Confusion(labels, [line[:-1] for line in counts])
    return Confusion([*labels, ""], [*counts, [0] * (len(labels) + 1)])


def calibration(rows: Sequence[TestRow], pane: str) -> list[Bin]:
    """How often answers were right that were given about as sure; empty where a model does not say how sure it is."""
    from lora_hub.evaluation.intervals import wilson

    bins: dict[int, list[tuple[float, bool]]] = {}
    for row in rows:
        answer = row.answers[pane]
        if answer.probabilities:
            sure = answer.confidence
            bins.setdefault(min(int(sure * BINS), BINS - 1), []).append((sure, bool(row.judgements[pane].right)))
    found: list[Any] = []
    for _, of in sorted(bins.items()):
        share = sum(right for _sure, right in of) / len(of)
        low, high = wilson(share, len(of))
        found.append(Bin(sum(sure for sure, _right in of) / len(of), share, float(low), float(high), len(of)))
    return found
