"""metrics: values against sacrebleu, rouge-score and hand-computed cases; intervals; differences; odd answers."""

import random
import time

import pytest

from lora_hub import metrics
from lora_hub.tasks.catalogue import LABEL_METRICS, METRIC_NAMES, TEXT_METRICS, get_task

WORDS = "the a red dog cat ran sat on mat by river گربه سگ روی میز می‌رود خانهٔ قدیمی".split()


def make_pairs(rows: int, seed: int = 1) -> tuple[list[str], list[str]]:
    """Sentences of 1 to 12 words and answers that share some of them; every 17th answer is empty."""
    dice = random.Random(seed)
    references = [" ".join(dice.choices(WORDS, k=dice.randint(1, 12))) for _ in range(rows)]
    answers = []
    for row, reference in enumerate(references):
        words = [dice.choice(WORDS) if dice.random() < 0.3 else word for word in reference.split()]
        answers.append("" if row % 17 == 16 else " ".join(words[: dice.randint(1, len(words))]))
    return answers, references


def test_metric_names_are_the_catalogues():
    assert set(metrics.METRICS) == set(METRIC_NAMES)


@pytest.mark.parametrize("rows", [1, 3, 40, 200])
def test_bleu_and_chrf_are_sacrebleus(rows):
    import sacrebleu

    answers, references = make_pairs(rows, seed=rows)
    scores = metrics.score_metrics(["bleu", "chrf"], answers, references, resamples=10)
    assert scores["bleu"].value == pytest.approx(sacrebleu.corpus_bleu(answers, [references]).score, abs=1e-9)
    assert scores["chrf"].value == pytest.approx(sacrebleu.corpus_chrf(answers, [references]).score, abs=1e-9)


def test_bleu_and_chrf_of_each_draw_are_sacrebleus():
    """The vectorised bootstrap scores every draw as sacrebleu would score the drawn texts."""
    import sacrebleu

    answers, references = make_pairs(12)
    draws = metrics._draws(12, 25, seed=3)
    for name, official in (("bleu", sacrebleu.corpus_bleu), ("chrf", sacrebleu.corpus_chrf)):
        metric = metrics.METRICS[name]
        values = metric.value(draws @ metric.rows(answers, [[reference] for reference in references]))
        for counts, value in zip(draws, values, strict=True):
            rows = [row for row in range(12) for _ in range(int(counts[row]))]
            expected = official([answers[row] for row in rows], [[references[row] for row in rows]]).score
            assert value == pytest.approx(expected, abs=1e-9)


def test_bleu_with_several_references_is_sacrebleus():
    import sacrebleu

    answers, first = make_pairs(30)
    second = make_pairs(30, seed=9)[1]
    both = [list(pair) for pair in zip(first, second, strict=True)]
    scores = metrics.score_metrics(["bleu"], answers, both, resamples=5)
    assert scores["bleu"].value == pytest.approx(sacrebleu.corpus_bleu(answers, [first, second]).score, abs=1e-9)


@pytest.mark.parametrize(
    ("answers", "references"),
    [([""], ["a b c d e"]), (["x"], ["a b c d e"]), (["a b c d"], ["a b c d"]), (["a b z d q"], ["a b c d q"])],
)
def test_bleu_of_one_short_answer_is_sacrebleus(answers, references):
    import sacrebleu

    value = metrics.score_metrics(["bleu"], answers, references, resamples=5)["bleu"].value
    assert value == pytest.approx(sacrebleu.corpus_bleu(answers, [references]).score, abs=1e-9)


def test_rouge_is_rouge_scores_on_english() -> None:
    from rouge_score import rouge_scorer

    scorer = rouge_scorer.RougeScorer(["rougeL"])
    answers, references = (
        [" ".join(word for word in text.split() if word.isascii()) for text in texts] for texts in make_pairs(80)
    )
    expected = [scorer.score(r, a)["rougeL"].fmeasure for a, r in zip(answers, references, strict=True)]
    value = metrics.score_metrics(["rougeL"], answers, references, resamples=5)["rougeL"].value
    assert value == pytest.approx(100 * sum(expected) / len(expected), abs=1e-9)


def test_rouge_counts_words_of_all_scripts():
    assert metrics.split_words("گربه، روی ميز!") == ["گربه", "روی", "میز"]
    assert metrics.split_words("हिन्दी भाषा") == ["हिन्दी", "भाषा"]
    assert metrics.split_words("我爱 cats") == ["我", "爱", "cats"]
    # Two of three words in order: precision 2/2, recall 2/3.
    assert metrics.score_metrics(["rougeL"], ["گربه میز"], ["گربه روی میز"])["rougeL"].value == pytest.approx(80)


def test_label_metrics_by_hand():
    # Truth: a a a a b b; said: a a a b b c. Recall a 3/4, b 1/2. F1 a 6/7, b 2*1/(2+2) = 1/2; c is no class.
    scores = metrics.score_metrics(LABEL_METRICS, list("aaabbc"), list("aaaabb"), resamples=50)
    assert scores["accuracy"].value == pytest.approx(100 * 4 / 6)
    assert scores["balanced_accuracy"].value == pytest.approx(62.5)
    assert scores["macro_f1"].value == pytest.approx(100 * (6 / 7 + 1 / 2) / 2)


def test_a_constant_answer_is_chance_when_balanced():
    scores = metrics.score(get_task("spam"), ["ham"] * 100, ["ham"] * 90 + ["spam"] * 10)
    assert scores["accuracy"].value == pytest.approx(90)
    assert scores["balanced_accuracy"].value == pytest.approx(50)
    assert scores["macro_f1"].value == pytest.approx(100 * 180 / 190 / 2)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        (" Spam\n", "spam"),
        ("مثبت", "مثبت "),
        ("منفي", "منفی"),
        ("نمی\u200cدانم", "نمیدانم"),
        ("كتاب", "کتاب"),
        ("é", "e\u0301"),
    ],
)
def test_labels_are_compared_normalized(answer, reference):
    assert metrics.score_metrics(["accuracy"], [answer], [reference])["accuracy"].value == 100


@pytest.mark.parametrize(
    ("answer", "reference", "right"),
    [
        ("The Red House.", "red house", True),
        ("در خانهٔ «علی»؟", "در خانه علی", True),
        ("۱۲۳ نفر", "123 نفر", True),
        ("red houses", "red house", False),
        ("", "red house", False),
        ("red house is", "red house", False),
    ],
)
def test_exact_match_is_squads_and_persian(answer, reference, right):
    assert metrics.score_metrics(["exact_match"], [answer], [reference])["exact_match"].value == 100 * right


def test_exact_match_takes_any_of_several_references():
    assert metrics.score_metrics(["exact_match"], ["two", "3"], [["2", "two"], ["three"]])["exact_match"].value == 50


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_empty_answers_are_wrong_answers(name):
    score = metrics.score_metrics([name], ["", ""], ["ham or so it is", "spam or so it was"])[name]
    assert (score.value, score.low, score.high) == (0, 0, 0)


@pytest.mark.parametrize("name", METRIC_NAMES)
def test_right_answers_are_all_right(name):
    references = ["ham it is, so much is sure", "spam it was, so much was sure"] * 5
    score = metrics.score_metrics([name], references, references)[name]
    assert score.value == pytest.approx(100)
    assert score.low == pytest.approx(100)


def test_interval_is_the_binomials():
    """Accuracy 80 % of 400 rows: standard error 2 points, so 95 % within about 3.9."""
    scores = metrics.score_metrics(["accuracy"], ["a"] * 320 + ["b"] * 80, ["a"] * 400, resamples=4000)
    assert scores["accuracy"].low == pytest.approx(76.1, abs=0.5)
    assert scores["accuracy"].high == pytest.approx(83.9, abs=0.5)


def test_intervals_are_seeded():
    answers, references = make_pairs(50)
    names = list(TEXT_METRICS)
    first = metrics.score_metrics(names, answers, references, seed=4)
    assert first == metrics.score_metrics(names, answers, references, seed=4)
    assert first != metrics.score_metrics(names, answers, references, seed=5)


def test_500_rows_take_less_than_a_second():
    answers, references = make_pairs(500)
    metrics.score_metrics(METRIC_NAMES, answers[:2], references[:2])  # imports
    start = time.process_time()
    metrics.score_metrics(TEXT_METRICS, answers, references)
    assert time.process_time() - start < 1.0


def test_paired_difference_is_narrower_than_two_intervals():
    task = get_task("translation")
    ours, references = make_pairs(120)
    theirs = [" ".join(answer.split()[:-1]) for answer in ours]
    difference = metrics.paired_difference(task, ours, theirs, references)
    mine, other = metrics.score(task, ours, references), metrics.score(task, theirs, references)
    for name in task.metrics:
        assert difference[name].value == pytest.approx(mine[name].value - other[name].value)
        assert 0 < difference[name].low < difference[name].value < difference[name].high
    assert difference["chrf"].high - difference["chrf"].low < mine["chrf"].high - mine["chrf"].low


def test_paired_difference_of_the_same_answers_is_nothing():
    task = get_task("spam")
    difference = metrics.paired_difference(task, list("abab"), list("abab"), list("abba"))
    assert all((score.value, score.low, score.high) == (0, 0, 0) for score in difference.values())


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="2 answers for 1"):
        metrics.score_metrics(["accuracy"], ["a", "b"], ["a"])
    with pytest.raises(ValueError, match="no rows"):
        metrics.score_metrics(["accuracy"], [], [])
    with pytest.raises(ValueError, match="row 1"):
        metrics.score_metrics(["accuracy"], ["a", "b"], ["a", []])
