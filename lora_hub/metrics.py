"""Answers against references: scores in per cent with 95 % intervals, and the difference of two models on one set.

    score(task, answers, references)                     {"accuracy": Score(value=93.5, low=90.0, high=96.5), ...}
    paired_difference(task, ours, theirs, references)    ours minus theirs, in points, on the same rows

Every metric is first a table of numbers a row (hits, counts, n-gram statistics) and then a function of its sums.
So a bootstrap draws rows by a matrix product instead of scoring texts a thousand times over. The intervals are
percentile bootstrap intervals over rows (Efron 1979). An empty answer is a wrong answer, never an error.
"""

import string
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lora_hub.schema import Score, Scores, Task

CONFIDENCE = 95.0
# Arabic letters and digits that keyboards write for the Persian ones, the joiner that some leave out, and marks.
_PERSIAN = str.maketrans(
    {"ي": "ی", "ى": "ی", "ك": "ک", "ة": "ه", "ۀ": "ه", "أ": "ا", "إ": "ا", "ؤ": "و"}
    | {chr(0x0660 + digit): str(digit) for digit in range(10)}
    | {chr(0x06F0 + digit): str(digit) for digit in range(10)}
    | {mark: "" for mark in "\u200c\u200d\u200e\u200f\u0640\ufeff"}
    | {chr(code): "" for code in range(0x064B, 0x0656)}
)
_PUNCTUATION = str.maketrans({mark: "" for mark in string.punctuation + "،؛؟«»٪“”‘’…–—"})

References = Sequence[str | Sequence[str]]


@dataclass(frozen=True)
class Metric:
    """`rows`: (answers, references) -> statistics, floats of shape (rows, columns). `value`: statistics summed over
    drawn rows, shape (draws, columns) -> per cent, shape (draws,)."""

    rows: Callable[[list[str], list[list[str]]], Any]
    value: Callable[[Any], Any]


def score(
    task: Task, answers: Sequence[str], references: References, *, seed: int = 0, resamples: int = 1000
) -> Scores:
    """The task's metrics over the rows, each {value, low, high} in per cent (0 to 100).

    references: one right answer a row, or several. Raises ValueError where the lengths differ or there are no rows.
    """
    return score_metrics(task.metrics, answers, references, seed=seed, resamples=resamples)


def score_metrics(
    names: Sequence[str], answers: Sequence[str], references: References, *, seed: int = 0, resamples: int = 1000
) -> Scores:
    """`score` with the metrics by name."""
    import numpy as np

    answers, wanted = _checked(answers, references)
    counts = _draws(len(answers), resamples, seed)
    scores = {}
    for name in names:
        metric = METRICS[name]
        table = metric.rows(answers, wanted)
        value = float(metric.value(table.sum(axis=0, keepdims=True))[0])
        spread = metric.value(counts @ table)
        low, high = np.percentile(spread, [(100 - CONFIDENCE) / 2, (100 + CONFIDENCE) / 2])
        # The percentiles of a small or one-sided sample can leave the value outside by a rounding; it belongs inside.
        scores[name] = Score(value=value, low=min(float(low), value), high=max(float(high), value))
    return scores


def paired_difference(
    task: Task,
    ours: Sequence[str],
    theirs: Sequence[str],
    references: References,
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> Scores:
    """Ours minus theirs in points of each metric, by paired bootstrap: both are scored on the same draws (Koehn 2004).

    An interval that leaves out 0 says that the difference is more than chance. `value` is -100 to 100.
    """
    import numpy as np

    ours, wanted = _checked(ours, references)
    theirs, _ = _checked(theirs, references)
    counts = _draws(len(ours), resamples, seed)
    differences = {}
    for name in task.metrics:
        metric = METRICS[name]
        mine, other = metric.rows(ours, wanted), metric.rows(theirs, wanted)
        total = metric.value(mine.sum(axis=0, keepdims=True)) - metric.value(other.sum(axis=0, keepdims=True))
        spread = metric.value(counts @ mine) - metric.value(counts @ other)
        low, high = np.percentile(spread, [(100 - CONFIDENCE) / 2, (100 + CONFIDENCE) / 2])
        differences[name] = Score(value=float(total[0]), low=float(low), high=float(high))
    return differences


def normalize_label(text: str) -> str:
    """A label as it is compared: NFC, Persian letters and digits, no joiners, one space between words, caseless."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_PERSIAN).casefold().split())


def normalize_answer(text: str) -> str:
    """An answer as exact match compares it: SQuAD's rule (lower case, no punctuation, no a, an, the, single spaces;
    Rajpurkar et al. 2016) after the Persian normalization."""
    plain = normalize_label(text).translate(_PUNCTUATION)
    return " ".join(word for word in plain.split() if word not in ("a", "an", "the"))


def split_words(text: str) -> list[str]:
    """Words of any script for ROUGE, normalized: runs of letters, marks and digits; each wide character (Chinese)
    a word of its own. (rouge-score's own tokenizer keeps a-z and 0-9 and drops the rest.)"""
    pieces = []
    for character in normalize_label(text):
        if unicodedata.category(character)[0] not in "LMN":
            pieces.append(" ")
        elif unicodedata.east_asian_width(character) in "WF":
            pieces.append(f" {character} ")
        else:
            pieces.append(character)
    return "".join(pieces).split()


def _checked(answers: Sequence[str], references: References) -> tuple[list[str], list[list[str]]]:
    if len(answers) != len(references):
        raise ValueError(f"{len(answers)} answers for {len(references)} references")
    if not len(answers):
        raise ValueError("no rows to score")
    wanted = [[reference] if isinstance(reference, str) else list(reference) for reference in references]
    if not all(wanted):
        raise ValueError(f"row {next(i for i, each in enumerate(wanted) if not each)} has no reference")
    return [answer or "" for answer in answers], wanted


def _draws(rows: int, resamples: int, seed: int) -> Any:
    """How often each row was drawn, floats of shape (resamples, rows): counts @ table sums the table over each draw."""
    import numpy as np

    return np.random.default_rng(seed).multinomial(rows, np.full(rows, 1 / rows), size=resamples).astype(np.float64)


def _hit_rows(normalize: Callable[[str], str]) -> Callable[[list[str], list[list[str]]], Any]:
    """Columns: hit (0 or 1), 1."""

    def rows(answers: list[str], references: list[list[str]]) -> Any:
        import numpy as np

        hits = [normalize(a) in {normalize(r) for r in each} for a, each in zip(answers, references, strict=True)]
        return np.stack([np.array(hits, dtype=np.float64), np.ones(len(hits))], axis=1)

    return rows


def _mean(sums: Any) -> Any:
    return 100 * sums[:, 0] / sums[:, 1]


def _confusion_rows(answers: list[str], references: list[list[str]]) -> Any:
    """Columns, for each class of the references in turn: it was right and said, it was right, it was said."""
    import numpy as np

    truth = [normalize_label(each[0]) for each in references]
    # With several right answers the one that was given counts as the truth.
    said = [normalize_label(answer) for answer in answers]
    for row, each in enumerate(references):
        if said[row] in {normalize_label(reference) for reference in each}:
            truth[row] = said[row]
    number = {label: i for i, label in enumerate(sorted(set(truth)))}
    table = np.zeros((len(answers), 3 * len(number)))
    for row, (right, answer) in enumerate(zip(truth, said, strict=True)):
        table[row, 3 * number[right] + 1] = 1
        if answer in number:  # an answer that is no class of the references is nobody's hit: only recall suffers
            table[row, 3 * number[answer] + 2] = 1
            table[row, 3 * number[right]] = answer == right
    return table


def _per_class(sums: Any, value: Callable[[Any, Any, Any], Any], counts: Callable[[Any, Any], Any]) -> Any:
    """Mean over the classes that count in each draw, in per cent."""
    import numpy as np

    hit, right, said = sums[:, 0::3], sums[:, 1::3], sums[:, 2::3]
    present = counts(right, said)
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(present, value(hit, right, said), 0.0)
    return 100 * each.sum(axis=1) / np.maximum(present.sum(axis=1), 1)


def _balanced_accuracy(sums: Any) -> Any:
    """Mean recall of the classes that occur (as scikit-learn's balanced_accuracy_score)."""
    return _per_class(sums, lambda hit, right, said: hit / right, lambda right, said: right > 0)


def _macro_f1(sums: Any) -> Any:
    """Mean F1 of the references' classes, 2 hits / (right + said) (as scikit-learn's f1_score with those labels)."""
    return _per_class(sums, lambda hit, right, said: 2 * hit / (right + said), lambda right, said: right + said > 0)


def _sacrebleu_rows(make: Callable[[], Any]) -> Callable[[list[str], list[list[str]]], Any]:
    """sacrebleu's own sentence statistics: its corpus scores are functions of their sums."""

    def rows(answers: list[str], references: list[list[str]]) -> Any:
        import numpy as np

        metric = make()
        statistics = [
            metric._compute_segment_statistics(metric._preprocess_segment(answer), _reference_cache(metric, each))
            for answer, each in zip(answers, references, strict=True)
        ]
        return np.array(statistics, dtype=np.float64)

    return rows


def _reference_cache(metric: Any, references: list[str]) -> dict[str, Any]:
    return metric._extract_reference_info([metric._preprocess_segment(reference) for reference in references])


def _make_bleu() -> Any:
    from sacrebleu.metrics import BLEU

    return BLEU()


def _make_chrf() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF()


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


def _rouge_rows(answers: list[str], references: list[list[str]]) -> Any:
    """Columns: F1 of ROUGE-L (Lin 2004) against the best of the references, 1."""
    import numpy as np

    values = [
        max(_rouge_l(split_words(answer), split_words(reference)) for reference in each)
        for answer, each in zip(answers, references, strict=True)
    ]
    return np.stack([np.array(values), np.ones(len(values))], axis=1)


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


METRICS: dict[str, Metric] = {
    "accuracy": Metric(_hit_rows(normalize_label), _mean),
    "balanced_accuracy": Metric(_confusion_rows, _balanced_accuracy),
    "macro_f1": Metric(_confusion_rows, _macro_f1),
    "bleu": Metric(_sacrebleu_rows(_make_bleu), _bleu),
    "chrf": Metric(_sacrebleu_rows(_make_chrf), _chrf),
    "rougeL": Metric(_rouge_rows, _mean),
    "exact_match": Metric(_hit_rows(normalize_answer), _mean),
}
