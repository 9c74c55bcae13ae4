"""Rows of rare labels come more often."""

from collections import Counter

import pytest

from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.schema import DatasetInfo, TrainSpec
from lora_hub.data.prompts.prepare import Encoded, Example
from lora_hub.training import recipe
from lora_hub.training.even_labels import MOST_COPIES, even_labels, even_validation, note


def rows(**counts: int) -> Encoded:
    answers = [label for label, count in counts.items() for _ in range(count)]
    examples = [Example(number, {"text": str(number)}, answer) for number, answer in enumerate(answers, 1)]
    return Encoded([{"input_ids": [one.row], "completion_mask": [1]} for one in examples], examples)


def spec_of(way: str = "auto", task: str = "spam") -> TrainSpec:
    info = DatasetInfo(fingerprint="0" * 16, name="x.csv", rows=100, columns=("text", "answer"), format="csv")
    return recipe.make_spec(
        catalogue.get_task(task), bases.get_base("built-in"), info, {}, overrides={"even_labels": way}
    )


def test_a_rare_label_comes_as_often_as_the_common_one() -> None:
    given = rows(ham=87, spam=13)
    found = even_labels(spec_of(), given)
    assert Counter(example.answer for example in found.examples) == {"ham": 87, "spam": 87}
    # All rows, equally often but for one, and each with its own tokens.
    each = Counter(example.row for example in found.examples)
    assert set(each) == {*range(1, 101)} and {each[row] for row in range(88, 101)} == {6, 7}
    assert [row["input_ids"][0] for row in found.rows] == [example.row for example in found.examples]
    said = note(spec_of(), given)
    assert "those of spam 6.7 times for once of ham" in str(said)


def test_validation_rows_come_in_the_proportions_of_training_but_twice_as_many_at_most() -> None:
    def counts(train: Encoded, validation: Encoded, way: str = "auto") -> Counter:
        return Counter(example.answer for example in even_validation(spec_of(way), train, validation).examples)

    train = rows(ham=870, spam=130)
    assert counts(train, rows(ham=70, spam=10)) == {"ham": 70, "spam": 70}
    assert counts(train, rows(ham=70, spam=10), "off") == {"ham": 70, "spam": 10}
    assert counts(rows(ham=500, spam=500), rows(ham=70, spam=10)) == {"ham": 70, "spam": 10}, "training rows decide"
    assert counts(train, rows(ham=70, spam=9)) == {"ham": 70, "spam": 9}, "too few to choose by"
    assert counts(train, rows(ham=190, spam=10)) == {"ham": 190, "spam": 10 * MOST_COPIES}
    many = rows(**{f"l{number}": 10 for number in range(20)}, common=500)
    assert counts(many, many) == {**{f"l{number}": 45 for number in range(20)}, "common": 500}, "1,400 of 700 rows"
    assert not counts(train, rows())


def test_a_row_comes_ten_times_at_most() -> None:
    found = even_labels(spec_of(), rows(ham=97, spam=3))
    assert Counter(example.answer for example in found.examples) == {"ham": 97, "spam": 3 * MOST_COPIES}


@pytest.mark.parametrize(
    ("way", "task", "counts"),
    [
        ("auto", "spam", {"ham": 70, "spam": 30}),  # the rarest has more than half of its fair share
        ("off", "spam", {"ham": 87, "spam": 13}),
        ("on", "spam", {"ham": 50, "spam": 50}),
        ("on", "translation", {"ham": 87, "spam": 13}),  # answers that are texts have no labels
    ],
)
def test_nothing_is_repeated(way: str, task: str, counts: dict[str, int]) -> None:
    given = rows(**counts)
    found = even_labels(spec_of(way, task), given)
    assert [example.row for example in found.examples] == [example.row for example in given.examples]
    assert note(spec_of(way, task), given) is None


def test_on_evens_out_what_auto_leaves() -> None:
    found = even_labels(spec_of("on"), rows(ham=70, spam=30))
    assert Counter(example.answer for example in found.examples) == {"ham": 70, "spam": 70}
