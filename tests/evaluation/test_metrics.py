"""metrics: values against sacrebleu, rouge-score and hand-computed cases; intervals; comparisons; odd answers."""

import random

import pytest

from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.evaluation import metrics
from lora_hub.evaluation.chrf import chrf_statistics

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
    assert metrics.of_labels() == ("accuracy", "balanced_accuracy", "macro_f1")


@pytest.mark.parametrize("rows", [1, 3, 40, 200])
def test_bleu_and_chrf_are_sacrebleus(rows):
    import sacrebleu

    answers, references = make_pairs(rows, seed=rows)
    scores = metrics.score_metrics(["bleu", "chrf"], answers, references)
    assert scores["bleu"].value == pytest.approx(sacrebleu.corpus_bleu(answers, [references]).score, abs=1e-9)
    assert scores["chrf"].value == pytest.approx(sacrebleu.corpus_chrf(answers, [references]).score, abs=1e-9)


def test_bleu_and_chrf_of_any_rows_are_sacrebleus():
    """The metric of summed statistics is what sacrebleu says of the texts, rows drawn several times included."""
    import numpy as np
    import sacrebleu

    answers, references = make_pairs(12)
    draws = np.random.default_rng(3).multinomial(12, np.full(12, 1 / 12), size=25).astype(np.float64)
    for name, official in (("bleu", sacrebleu.corpus_bleu), ("chrf", sacrebleu.corpus_chrf)):
        metric = metrics.METRICS[name]
        values = metric.value(draws @ metric.table(answers, [[reference] for reference in references]).values)
        for counts, value in zip(draws, values, strict=True):
            rows = [row for row in range(12) for _ in range(int(counts[row]))]
            expected = official([answers[row] for row in rows], [[references[row] for row in rows]]).score
            assert value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "letters",
    ["ab ", "abc déf ۱۲ سلام\u200c ", "x \t\n\u3000", "".join(map(chr, range(0x4E00, 0x4E00 + 3000))), "😀a\ud800 b"],
    ids=["two letters", "two scripts", "spaces", "thousands of letters", "odd ones"],
)
def test_the_statistics_of_chrf_are_sacrebleus(letters: str):
    """To the last count, of any texts and several references."""
    import numpy as np
    from sacrebleu.metrics import CHRF

    dice, official = random.Random(7), CHRF()

    def text() -> str:
        return "".join(dice.choices(letters, k=dice.choice([0, 1, 3, 5, 6, 7, 40, 1_500])))

    answers = [text() for _ in range(60)]
    references = [[text() for _ in range(dice.choice([1, 1, 2, 3]))] for _ in answers]
    wanted = [
        official._compute_segment_statistics(a, official._extract_reference_info(each))
        for a, each in zip(answers, references, strict=True)
    ]
    assert np.array_equal(chrf_statistics(answers, references), np.array(wanted, dtype=np.float64))


def test_bleu_with_several_references_is_sacrebleus():
    import sacrebleu

    answers, first = make_pairs(30)
    second = make_pairs(30, seed=9)[1]
    both = [list(pair) for pair in zip(first, second, strict=True)]
    scores = metrics.score_metrics(["bleu"], answers, both)
    assert scores["bleu"].value == pytest.approx(sacrebleu.corpus_bleu(answers, [first, second]).score, abs=1e-9)


@pytest.mark.parametrize(
    ("answers", "references"),
    [([""], ["a b c d e"]), (["x"], ["a b c d e"]), (["a b c d"], ["a b c d"]), (["a b z d q"], ["a b c d q"])],
)
def test_bleu_of_one_short_answer_is_sacrebleus(answers, references):
    import sacrebleu

    value = metrics.score_metrics(["bleu"], answers, references)["bleu"].value
    assert value == pytest.approx(sacrebleu.corpus_bleu(answers, [references]).score, abs=1e-9)


def test_rouge_is_rouge_scores_on_english() -> None:
    from rouge_score import rouge_scorer

    scorer = rouge_scorer.RougeScorer(["rougeL"])
    answers, references = (
        [" ".join(word for word in text.split() if word.isascii()) for text in texts] for texts in make_pairs(80)
    )
    expected = [scorer.score(r, a)["rougeL"].fmeasure for a, r in zip(answers, references, strict=True)]
    value = metrics.score_metrics(["rougeL"], answers, references)["rougeL"].value
    assert value == pytest.approx(100 * sum(expected) / len(expected), abs=1e-9)


def test_rouge_counts_words_of_all_scripts():
    assert metrics.split_words("گربه، روی ميز!") == ["گربه", "روی", "میز"]
    assert metrics.split_words("हिन्दी भाषा") == ["हिन्दी", "भाषा"]
    assert metrics.split_words("我爱 cats") == ["我", "爱", "cats"]
    # Two of three words in order: precision 2/2, recall 2/3.
    assert metrics.score_metrics(["rougeL"], ["گربه میز"], ["گربه روی میز"])["rougeL"].value == pytest.approx(80)


def test_label_metrics_by_hand():
    # Truth: a a a a b b; said: a a a b b c. Recall a 3/4, b 1/2. F1 a 6/7, b 2*1/(2+2) = 1/2; c is no class.
    scores = metrics.score_metrics(metrics.of_labels(), list("aaabbc"), list("aaaabb"))
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


@pytest.mark.parametrize("name", metrics.METRICS)
def test_empty_answers_are_wrong_answers(name):
    score = metrics.score_metrics([name], ["", ""], ["ham or so it is", "spam or so it was"])[name]
    assert (score.value, score.low, score.rows) == (0, 0, 2)
    assert score.high == pytest.approx(65.8, abs=0.5)  # two rows can be wrong by chance: Wilson's interval of 0 of 2


@pytest.mark.parametrize("name", metrics.METRICS)
@pytest.mark.parametrize(("rows", "low"), [(8, 67.6), (52, 93.1)])
def test_all_right_is_as_sure_as_its_rows(name, rows, low):
    references = ["ham it is, so much is sure", "spam it was, so much was sure"] * (rows // 2)
    score = metrics.score_metrics([name], references, references)[name]
    assert score.value == pytest.approx(100) and score.high == pytest.approx(100)
    assert score.low == pytest.approx(low, abs=0.2)


def test_a_rare_class_makes_balanced_accuracy_unsure():
    """48 and 4 rows, all right: the four are a class as much as the 48, so that the interval is that of about 10
    rows."""
    labels = ["ham"] * 48 + ["spam"] * 4
    scores = metrics.score_metrics(["accuracy", "balanced_accuracy"], labels, labels)
    assert scores["accuracy"].low == pytest.approx(93.1, abs=0.1)
    assert scores["balanced_accuracy"].low == pytest.approx(71.4, abs=0.5)


def test_interval_is_wilsons():
    """Wilson's interval of 320 of 400, by hand: 75.8 to 83.6."""
    score = metrics.score_metrics(["accuracy"], ["a"] * 320 + ["b"] * 80, ["a"] * 400)["accuracy"]
    assert (score.low, score.high) == (pytest.approx(75.8, abs=0.05), pytest.approx(83.6, abs=0.05))


def test_many_classes_take_three_numbers_a_row():
    labels = [f"class {row % 300}" for row in range(30_000)]
    table = metrics.METRICS["macro_f1"].table(labels, [[label] for label in labels])
    assert table.columns == 900 and table.values.size == 3 * 30_000
    assert metrics.score_metrics(["macro_f1"], labels, labels)["macro_f1"].value == 100


def test_several_right_answers_are_classes_for_both_models():
    """The answer that was given counts as the truth; two models whose truths differ are compared all the same."""
    references = [["a", "b"], ["b"], ["a"], ["b"]] * 5
    found = metrics.compare_answers("macro_f1", ["b", "b", "a", "b"] * 5, ["a", "a", "a", "a"] * 5, references)
    assert (found.changed, found.better, found.worse) == (10, 10, 0) and found.verdict == "better"


def test_the_better_base_is_the_one_to_beat():
    references = ["ham", "spam"] * 10
    answers = {"base": ["ham"] * 20, "base_examples": references[:18] + ["ham", "ham"], "adapter": references}
    task = get_task("spam")
    scores = {who: metrics.score(task, texts, references) for who, texts in answers.items()}
    found = metrics.compare(task, answers, references, scores)
    assert (found.against, found.changed, found.better, found.verdict) == ("base_examples", 1, 1, "chance")
    del scores["base_examples"], answers["base_examples"]
    found = metrics.compare(task, answers, references, scores)
    assert (found.against, found.changed, found.verdict) == ("base", 10, "better")


def test_texts_are_compared_by_their_own_scores():
    ours, references = make_pairs(120)
    theirs = [" ".join(answer.split()[:-1]) for answer in ours]
    for name in ("chrf", "bleu", "rougeL"):
        found = metrics.compare_answers(name, ours, theirs, references)
        mine, other = (metrics.score_metrics([name], texts, references)[name] for texts in (ours, theirs))
        assert found.difference == pytest.approx(mine.value - other.value)
        assert 0 < found.low < found.difference < found.high and found.verdict == "better"
        assert found.high - found.low < mine.high - mine.low  # the same rows: surer than two intervals
        assert metrics.compare_answers(name, ours, ours, references).verdict == "same"


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="2 answers for 1"):
        metrics.score_metrics(["accuracy"], ["a", "b"], ["a"])
    with pytest.raises(ValueError, match="no rows"):
        metrics.score_metrics(["accuracy"], [], [])
    with pytest.raises(ValueError, match="row 1"):
        metrics.score_metrics(["accuracy"], ["a", "b"], ["a", []])


@pytest.mark.parametrize("classes", [2, 300])
def test_memory_grows_with_the_rows_and_stays_small(classes):
    """Scores and the comparison of 20,000 and of 60,000 rows: no table of rows by draws, none of rows by classes."""
    import tracemalloc

    peaks = []
    metrics.compare_answers("macro_f1", ["a"], ["b"], ["a"])  # imports
    for rows in (20_000, 60_000):
        references = [f"class {row % classes}" for row in range(rows)]
        answers = [label if row % 7 else "class 0" for row, label in enumerate(references)]
        tracemalloc.start()
        metrics.score_metrics(metrics.of_labels(), answers, references)
        metrics.compare_answers("macro_f1", answers, answers[1:] + answers[:1], references)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 150 * 2**20 and peaks[1] < 4 * peaks[0]
