"""Answers against references: scores in per cent with 95 % intervals, and a paired test of two models on one set.

    score(task, answers, references)              {"accuracy": Score(value=93.5, low=90.4, high=95.7, rows=400), ...}
    compare(task, answers, references, scores)    adapter against base on the same rows: a PairedComparison

Every metric is first a table of numbers a row (hits, counts, n-gram statistics) and then a function of its sums, from
which `statistics` tells intervals and tests without scoring a text again. An empty answer is a wrong answer, never an
error.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lora_hub.core import verdicts
from lora_hub.core.messages import Message, _, as_message
from lora_hub.core.schema import ADAPTER, HeldOutRow, Judgement, PairedComparison, Score, Scores, Task
from lora_hub.evaluation import statistics
from lora_hub.evaluation.chrf import ORDER as CHRF_ORDER
from lora_hub.evaluation.chrf import chrf_statistics
from lora_hub.evaluation.normalized import normalize_answer, normalize_label, split_words
from lora_hub.evaluation.statistics import Classes, RowTable

References = Sequence[str | Sequence[str]]


@dataclass(frozen=True)
class Metric:
    """`table`: (answers, references) -> statistics a row. `value`: statistics summed over rows, shape (draws, columns)
    -> per cent, shape (draws,). `each`: the table -> each row's own score, (rows,), by which it became better or worse.
    `weights`: the table -> what each row weighs, (rows,); None: all rows alike. `classes`: the table -> its rows'
    classes, for means over classes. `title`: on the page and in a card. `of_labels`: a task with labels is scored by
    it where it names no metrics. `counts_rows`: of one row it says whether it is right; others grade it. `on_hub`: the
    Hub's own id for it, where that is another one."""

    title: Message
    table: Callable[[list[str], list[list[str]]], RowTable]
    value: Callable[[Any], Any]
    each: Callable[[RowTable], Any]
    weights: Callable[[RowTable], Any] | None = None
    classes: Callable[[RowTable], Classes] | None = None
    of_labels: bool = False
    counts_rows: bool = False
    on_hub: str = ""


def of_labels() -> tuple[str, ...]:
    """By what a task with labels is scored, where it names no metrics."""
    return tuple(name for name, metric in METRICS.items() if metric.of_labels)


def title_of(name: str) -> Message:
    """What a figure is called that stands among a run's scores; its own name where nobody here knows it."""
    return METRICS[name].title if name in METRICS else OTHER_TITLES.get(name, as_message(name))


def score(task: Task, answers: Sequence[str], references: References, *, clusters: Any = None) -> Scores:
    """The task's metrics over the rows, each with its interval, in per cent (0 to 100).

    references: one right answer a row, or several. clusters: each row's cluster of rows that are nearly the same, ints;
    None: all rows are different. Raises ValueError where the lengths differ or there are no rows.
    """
    return score_metrics(task.metrics, answers, references, clusters=clusters)


def score_metrics(
    names: Sequence[str], answers: Sequence[str], references: References, *, clusters: Any = None
) -> Scores:
    """`score` with the metrics by name."""
    answers, wanted = _checked(answers, references)
    scores, tables = {}, {}
    for name in names:
        metric = METRICS[name]
        if metric.table not in tables:  # two metrics of labels are read from one table
            tables[metric.table] = metric.table(answers, wanted)
        table = tables[metric.table]
        scores[name] = score_table(metric, table, clusters)
    return scores


def score_table(metric: Metric, table: RowTable, clusters: Any = None) -> Score:
    """A metric of rows that were counted already (`metric.table`)."""
    weights = metric.weights(table) if metric.weights else None
    return statistics.score_interval(
        table, metric.value, weights, clusters, metric.classes(table) if metric.classes else None
    )


def compare(
    task: Task,
    answers: dict[str, Sequence[str]],
    references: References,
    scores: dict[str, Scores],
    *,
    clusters: Any = None,
) -> PairedComparison:
    """The adapter against the better of the ways in which the base was asked, on the task's first metric.

    answers, scores: by who answered ("base", "base_examples" where the base was also asked with examples, "adapter").
    """
    name = task.metrics[0]
    against = verdicts.stronger_base(scores, name)
    return compare_answers(name, answers[ADAPTER], answers[against], references, clusters=clusters, against=against)


def compare_answers(
    name: str,
    ours: Sequence[str],
    theirs: Sequence[str],
    references: References,
    *,
    clusters: Any = None,
    against: str = "base",
) -> PairedComparison:
    """Two models' answers to the same rows by one metric. Raises ValueError where the lengths differ or there are no
    rows."""
    metric = METRICS[name]
    ours, wanted = _checked(ours, references)
    theirs = _checked(theirs, references)[0]
    tables = metric.table(ours, wanted), metric.table(theirs, wanted)
    each = metric.each(tables[0]), metric.each(tables[1])
    return statistics.compare(name, *tables, metric.value, each, clusters=clusters, against=against)


def judge(task: Task, answers: Sequence[str], references: References) -> list[Judgement]:
    """What each answer is worth by itself: the task's first metric of that row alone. Right or wrong is only said where
    the metric says it of a row. Raises ValueError where the lengths differ."""
    import numpy as np

    if not len(answers) and not len(references):
        return []
    name = task.metrics[0]
    metric = METRICS[name]
    answers, wanted = _checked(answers, references)
    each = metric.value(metric.table(answers, wanted).grouped(np.arange(len(answers)), len(answers)))
    return [
        Judgement(metric=name, score=float(score), right=bool(score > 50) if metric.counts_rows else None)
        for score in each
    ]


def judge_rows(task: Task, rows: Sequence[HeldOutRow]) -> list[HeldOutRow]:
    """The rows, which were all answered by the same, with what each answer is worth: scores to two places."""
    references = [row.reference for row in rows]
    judged = {
        who: judge(task, [row.answers[who].text for row in rows], references)
        for who in (rows[0].answers if rows else ())
    }
    return [
        row.model_copy(
            update={
                "judgements": {
                    who: of[index].model_copy(update={"score": round(of[index].score, 2)}) for who, of in judged.items()
                }
            }
        )
        for index, row in enumerate(rows)
    ]


def _checked(answers: Sequence[str], references: References) -> tuple[list[str], list[list[str]]]:
    if len(answers) != len(references):
        raise ValueError(f"{len(answers)} answers for {len(references)} references")
    if not len(answers):
        raise ValueError("no rows to score")
    wanted = [[reference] if isinstance(reference, str) else list(reference) for reference in references]
    if not all(wanted):
        raise ValueError(f"row {next(i for i, each in enumerate(wanted) if not each)} has no reference")
    return [answer or "" for answer in answers], wanted


def _hit_table(normalize: Callable[[str], str]) -> Callable[[list[str], list[list[str]]], RowTable]:
    """Columns: hit (0 or 1), 1."""

    def table(answers: list[str], references: list[list[str]]) -> RowTable:
        import numpy as np

        hits = [normalize(a) in {normalize(r) for r in each} for a, each in zip(answers, references, strict=True)]
        return RowTable(np.stack([np.array(hits, dtype=np.float64), np.ones(len(hits))], axis=1), 2)

    return table


def _first_column(table: RowTable) -> Any:
    return table.values[:, 0]


def _mean(sums: Any) -> Any:
    return 100 * sums[:, 0] / sums[:, 1]


def _confusion_table(answers: list[str], references: list[list[str]]) -> RowTable:
    """Columns, for each class of the references in turn: it was right and said, it was right, it was said.

    Three numbers a row: right and said, right, said; the first two in the class that is right, the third in the one
    said.
    """
    import numpy as np

    wanted = [[normalize_label(reference) for reference in each] for each in references]
    said = [normalize_label(answer) for answer in answers]
    # With several right answers the one that was given counts as the truth.
    truth = [answer if answer in each else each[0] for each, answer in zip(wanted, said, strict=True)]
    number = {label: i for i, label in enumerate(sorted({label for each in wanted for label in each}))}
    right = np.array([number[label] for label in truth])
    # An answer that is no class of the references is nobody's hit: only recall suffers.
    known = np.array([answer in number for answer in said])
    given = np.array([number.get(answer, 0) for answer in said])
    values = np.stack([known & (given == right), np.ones(len(said)), known], axis=1).astype(np.float64)
    return RowTable(values, 3 * len(number), np.stack([3 * right, 3 * right + 1, 3 * given + 2], axis=1))


def _classes(table: RowTable) -> Classes:
    return Classes(number=table.index[:, 1], right=table.values[:, 0])


def _per_class(sums: Any, value: Callable[[Any, Any, Any], Any]) -> Any:
    """Mean over the classes that are right for some row, in per cent."""
    import numpy as np

    hit, right, said = sums[:, 0::3], sums[:, 1::3], sums[:, 2::3]
    present = right > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(present, value(hit, right, said), 0.0)
    return 100 * each.sum(axis=1) / np.maximum(present.sum(axis=1), 1)


def _balanced_accuracy(sums: Any) -> Any:
    """Mean recall of the classes that occur (as scikit-learn's balanced_accuracy_score)."""
    return _per_class(sums, lambda hit, right, said: hit / right)


def _macro_f1(sums: Any) -> Any:
    """Mean F1 of the references' classes, 2 hits / (right + said) (as scikit-learn's f1_score with those labels)."""
    return _per_class(sums, lambda hit, right, said: 2 * hit / (right + said))


def _sacrebleu_table(make: Callable[[], Any]) -> Callable[[list[str], list[list[str]]], RowTable]:
    """sacrebleu's own sentence statistics: its corpus scores are functions of their sums."""

    def table(answers: list[str], references: list[list[str]]) -> RowTable:
        import numpy as np

        metric = make()
        counted = [
            metric._compute_segment_statistics(metric._preprocess_segment(answer), _reference_cache(metric, each))
            for answer, each in zip(answers, references, strict=True)
        ]
        return RowTable(np.array(counted, dtype=np.float64), len(counted[0]))

    return table


def _reference_cache(metric: Any, references: list[str]) -> dict[str, Any]:
    return metric._extract_reference_info([metric._preprocess_segment(reference) for reference in references])


def _make_bleu() -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU()


def _chrf_table(answers: list[str], references: list[list[str]]) -> RowTable:
    """sacrebleu's statistics of chrF, counted for many rows at once."""
    return RowTable(chrf_statistics(answers, references), 3 * CHRF_ORDER)


def _bleu(sums: Any) -> Any:
    """Corpus BLEU (Papineni et al. 2002) with sacrebleu's defaults: 13a tokens, order 4, exponential smoothing.

    sums: system length, reference length, then matches and totals of orders 1 to 4.
    """
    import numpy as np

    system, reference, matches, totals = sums[:, 0], sums[:, 1], sums[:, 2:6], sums[:, 6:10]
    # An order without a match counts half the one before it without a match: 1/2, 1/4, ... of one n-gram.
    missed = np.cumsum(matches == 0, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(matches > 0, matches, 0.5**missed) / totals
        logarithm = np.log(precision).mean(axis=1)
        brevity = np.where(system < reference, np.exp(1 - reference / system), 1.0)
        bleu = 100 * brevity * np.exp(logarithm)
    # No word in common, or no answer long enough for four words: 0, as sacrebleu.
    return np.where((matches.sum(axis=1) == 0) | (totals == 0).any(axis=1), 0.0, np.nan_to_num(bleu))


def _chrf(sums: Any) -> Any:
    """Corpus chrF2 (Popovic 2015) with sacrebleu's defaults: characters without spaces, orders 1 to 6, beta 2.

    sums: for each order the n-grams of the answers, of the references, and in both.
    """
    import numpy as np

    answered, wanted, both = sums[:, 0::3], sums[:, 1::3], sums[:, 2::3]
    present = (answered > 0) & (wanted > 0)
    orders = np.maximum(present.sum(axis=1), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(present, both / answered, 0.0).sum(axis=1) / orders
        recall = np.where(present, both / wanted, 0.0).sum(axis=1) / orders
        f = 5 * precision * recall / (4 * precision + recall)
    return 100 * np.nan_to_num(f)


def _rouge_table(answers: list[str], references: list[list[str]]) -> RowTable:
    """Columns: F1 of ROUGE-L (Lin 2004) against the best of the references, 1."""
    import numpy as np

    values = [
        max(_rouge_l(split_words(answer), split_words(reference)) for reference in each)
        for answer, each in zip(answers, references, strict=True)
    ]
    return RowTable(np.stack([np.array(values), np.ones(len(values))], axis=1), 2)


def _rouge_l(answer: list[str], reference: list[str]) -> float:
    """F1 of the longest common subsequence of words; two empty texts have nothing in common: 0."""
    if not answer or not reference:
        return 0.0
    common = _common_words(answer, reference)
    precision, recall = common / len(answer), common / len(reference)
    return 2 * precision * recall / (precision + recall) if common else 0.0


def _common_words(first: list[str], second: list[str]) -> int:
    """Length of the longest common subsequence, bit-parallel (Hyyro 2004): a bit for each word of `first`."""
    places: dict[str, int] = {}
    for i, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << i
    full = (1 << len(first)) - 1
    open_bits = full
    for word in second:
        matched = open_bits & places.get(word, 0)
        open_bits = ((open_bits + matched) | (open_bits - matched)) & full
    return len(first) - open_bits.bit_count()


def _own_value(value: Callable[[Any], Any]) -> Callable[[RowTable], Any]:
    """The metric of each row alone."""
    return lambda table: value(table.values)


METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        _("Accuracy"), _hit_table(normalize_label), _mean, _first_column, of_labels=True, counts_rows=True
    ),
    "balanced_accuracy": Metric(
        _("Balanced accuracy"),
        _confusion_table,
        _balanced_accuracy,
        _first_column,
        classes=_classes,
        of_labels=True,
        counts_rows=True,
    ),
    "macro_f1": Metric(
        _("Macro F1"),
        _confusion_table,
        _macro_f1,
        _first_column,
        classes=_classes,
        of_labels=True,
        counts_rows=True,
        on_hub="f1",
    ),
    # The longer a reference, the more of the n-grams are its own.
    "chrf": Metric(_("chrF"), _chrf_table, _chrf, _own_value(_chrf), lambda table: 1 + table.values[:, 1]),
    "bleu": Metric(
        _("BLEU"), _sacrebleu_table(_make_bleu), _bleu, _own_value(_bleu), lambda table: 1 + table.values[:, 1]
    ),
    "rougeL": Metric(_("ROUGE-L"), _rouge_table, _mean, _first_column, on_hub="rouge"),
    "exact_match": Metric(_("Exact match"), _hit_table(normalize_answer), _mean, _first_column, counts_rows=True),
}
# What stands among the scores and is counted elsewhere.
OTHER_TITLES = {"calibration_error": _("Calibration error (less is better)")}
