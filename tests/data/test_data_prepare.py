"""Examples, a split without leaks, and the refusal of data that cannot be trained on."""

from collections import Counter

import polars as pl
import pytest
from tiny_bases import byte_tokenizer

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import DataError
from lora_hub.data.prompts import prepare
from lora_hub.data.prompts import split as splitting
from lora_hub.data.prompts.prepare import Example
from lora_hub.data.tables.table import Table

SPAM = catalogue.get_task("spam")


def table(**columns: list) -> Table:
    return Table(pl.DataFrame(columns), "csv")


def examples(count: int, labels: tuple[str, ...] = ("ham", "spam")) -> list[Example]:
    return [Example(i + 1, {"text": f"message {i}"}, labels[i % len(labels)]) for i in range(count)]


def test_rows_without_answer_or_input_are_left_out_and_the_rest_keeps_its_number() -> None:
    found = prepare.build_examples(
        table(t=["a", "", "c", None, "e"], l=["x", "y", "", "z", " w "]), SPAM, {"text": "t", "answer": "l"}
    )
    assert [(e.row, e.inputs["text"], e.answer) for e in found] == [(1, "a", "x"), (5, "e", "w")]


def test_nothing_usable_is_told_with_the_columns_taken() -> None:
    with pytest.raises(DataError, match="None of the 2 rows") as caught:
        prepare.build_examples(table(t=["a", "b"], l=["", None]), SPAM, {"text": "t", "answer": "l"})
    assert "answer = 'l'" in caught.value.hint


@pytest.mark.parametrize("seed", [0, 1, 42])
def test_split_is_a_partition_stratified_and_seeded(seed: int) -> None:
    rows = examples(300, ("ham", "ham", "ham", "spam"))
    split = splitting.split_examples(rows, SPAM, held_out=0.2, max_held_out=500, seed=seed)
    again = splitting.split_examples(rows, SPAM, held_out=0.2, max_held_out=500, seed=seed)
    assert split == again
    numbers = [e.row for part in (split.train, split.validation, split.test) for e in part]
    assert sorted(numbers) == list(range(1, 301))
    for part in (split.train, split.validation, split.test):
        share = Counter(e.answer for e in part)["spam"] / len(part)
        assert 0.2 < share < 0.3
    assert 50 <= len(split.validation) + len(split.test) <= 70


def test_equal_inputs_never_stand_on_both_sides() -> None:
    rows = [
        Example(i + 1, {"text": f"Message  {i // 3}" if i % 2 else f"message {i // 3} "}, "ham" if i % 7 else "spam")
        for i in range(300)
    ]
    split = splitting.split_examples(rows, SPAM, held_out=0.3, max_held_out=500, seed=3)

    def texts(part: list[Example]) -> set[str]:
        return {" ".join(e.inputs["text"].casefold().split()) for e in part}

    assert not texts(split.train) & texts(split.test)
    assert not texts(split.train) & texts(split.validation)
    assert not texts(split.validation) & texts(split.test)


def test_every_class_with_rows_enough_is_in_every_part() -> None:
    rows = examples(200, ("ham",)) + [Example(1000 + i, {"text": f"rare {i}"}, "spam") for i in range(5)]
    split = splitting.split_examples(rows, SPAM, held_out=0.1, max_held_out=500, seed=0)
    for part in (split.train, split.validation, split.test):
        assert {e.answer for e in part} == {"ham", "spam"}


def test_too_few_rows_are_refused_with_the_numbers() -> None:
    with pytest.raises(DataError, match="6 usable rows with 6 different inputs are too few"):
        splitting.split_examples(examples(6), SPAM, held_out=0.2, max_held_out=500, seed=0)


def test_own_test_file_is_what_is_scored_and_leaking_rows_are_not_trained_on() -> None:
    rows = examples(100)
    test = [Example(i + 1, {"text": f"message {i}"}, "ham") for i in range(95, 105)]
    split, leaked = splitting.split_with_test(rows, test, SPAM, seed=0, test_name="more.csv")
    assert leaked == 5
    assert {e.inputs["text"] for e in split.test} == {e.inputs["text"] for e in test}
    trained = {e.inputs["text"] for e in split.train + split.validation}
    assert not trained & {e.inputs["text"] for e in test}
    assert len(trained) == 95


def test_rows_that_are_nearly_the_same_are_one_cluster() -> None:
    long = (
        "the parcel is waiting at the office on the corner until friday evening, please bring your passport or "
        "another card with a photograph, order {}"
    )
    texts = [
        long.format(1),
        "hello there",
        "Hello  there",
        long.format(2),
        "another thing altogether, with words enough to be looked at closely",
    ]
    found = splitting.cluster_examples([Example(i + 1, {"text": text}, "ham") for i, text in enumerate(texts)]).tolist()
    assert found == [0, 1, 1, 0, 4]
    turns = [{"role": "user", "content": "hi"}]
    chats = [
        Example(1, {"messages": turns}, "a"),
        Example(1, {"messages": [*turns, *turns]}, "b"),
        Example(2, {"messages": turns}, "c"),
    ]
    assert splitting.cluster_examples(chats).tolist() == [0, 0, 2]


def test_rows_too_long_are_named_and_too_many_are_refused() -> None:
    tokenizer = byte_tokenizer()
    rows = [Example(i + 1, {"text": "x" * (400 if i in (2, 4) else 5)}, "ham") for i in range(20)]
    encoded = prepare.encode_examples(tokenizer, SPAM, rows, 200)
    assert encoded.too_long == [3, 5] and len(encoded.rows) == 18
    prepare.check_trainable(encoded, 20, 200)
    encoded = prepare.encode_examples(tokenizer, SPAM, rows, 16)
    with pytest.raises(DataError, match="20 of 20 rows are longer than max_length = 16 tokens") as caught:
        prepare.check_trainable(encoded, 20, 16)
    with pytest.raises(DataError, match="^The one row is longer than max_length = 16 tokens"):
        prepare.check_trainable(prepare.encode_examples(tokenizer, SPAM, rows[:1], 16), 1, 16)
    assert "rows 1, 2, 3" in caught.value.message and "max_length" in caught.value.hint


def test_a_chat_becomes_a_row_for_each_turn_of_the_assistant_and_stays_on_one_side() -> None:
    chat = catalogue.get_task("chat")
    turns = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d"},
    ]
    rows = prepare.build_examples(table(m=[turns] * 30), chat, {"messages": "m"})
    assert len(rows) == 60
    assert [len(e.inputs["messages"]) for e in rows[:2]] == [1, 3] and [e.answer for e in rows[:2]] == ["b", "d"]
    split = splitting.split_examples(rows, chat, held_out=0.2, max_held_out=500, seed=0)
    sides = [{e.row for e in part} for part in (split.train, split.validation, split.test)]
    assert not sides[0] & sides[2] and not sides[0] & sides[1]


def test_inputs_with_many_rows_each_still_leave_something_to_measure_with() -> None:
    """As in reviews that are asked about aspect by aspect: no group fits the share of a small class."""
    labels = ["a"] * 6 + ["b", "c"]
    found = [
        Example(8 * review + place + 1, {"text": f"review {review}"}, labels[place])
        for review in range(60)
        for place in range(8)
    ]
    split = splitting.split_examples(found, SPAM, held_out=0.2, max_held_out=500, seed=1)
    parts = [{example.inputs["text"] for example in part} for part in (split.train, split.validation, split.test)]
    assert all(parts) and not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]
    assert len(split.validation) >= 8 and len(split.test) >= 24 and len(split.train) > 300


def split_sizes(rows: list[Example], **settings) -> tuple[int, int, int]:
    split = splitting.split_examples(rows, SPAM, **{"held_out": 0.2, "max_held_out": 500, "seed": 1, **settings})
    return len(split.train), len(split.validation), len(split.test)


@pytest.mark.parametrize(
    ("classes", "each", "settings", "sizes"),
    [
        (200, 5, {"max_held_out": 60}, (870, 70, 60)),  # more classes than rows may be scored
        (200, 5, {}, (800, 70, 130)),  # more classes than the share that may be held out
        (77, 5, {}, (308, 27, 50)),
        (30, 20, {"max_held_out": 40}, (518, 42, 40)),
        (2, 200, {}, (320, 28, 52)),
        (2, 200, {"max_held_out": 1}, (371, 28, 1)),
        (3, 3000, {"held_out": 0.1, "max_held_out": 500}, (8300, 200, 500)),
    ],
)
def test_no_more_rows_are_held_out_or_scored_than_asked(classes, each, settings, sizes) -> None:
    rows = [Example(i + 1, {"text": f"message {i}"}, f"class {i % classes}") for i in range(classes * each)]
    assert split_sizes(rows, **settings) == sizes
    split = splitting.split_examples(rows, SPAM, **{"held_out": 0.2, "max_held_out": 500, "seed": 1, **settings})
    most = Counter(example.answer for example in split.test)
    # As many different classes as there is room for, none of them favoured.
    assert len(most) == min(classes, len(split.test)) and max(most.values()) - min(most.values()) <= 1


def test_the_maximum_holds_where_inputs_have_many_rows() -> None:
    rows = [Example(i + 1, {"text": f"review {i // 10}"}, f"class {i % 3}") for i in range(600)]
    _, validation, test = split_sizes(rows, max_held_out=25)
    assert 10 <= test <= 25 and validation <= 42
    assert split_sizes(rows, max_held_out=4)[2] <= 4


def test_rare_classes_share_what_room_there_is() -> None:
    """One large class and forty of three rows: each is in the test part once, and the part is as large as asked."""
    rows = [Example(i + 1, {"text": f"m {i}"}, "large") for i in range(480)]
    rows += [Example(500 + i, {"text": f"r {i}"}, f"rare {i % 40}") for i in range(120)]
    split = splitting.split_examples(rows, SPAM, held_out=0.2, max_held_out=500, seed=1)
    assert (len(split.train), len(split.validation), len(split.test)) == (480, 42, 78)
    assert (
        len({example.answer for example in split.test}) == len({example.answer for example in split.validation}) == 41
    )


def test_one_constant_says_how_the_held_out_rows_are_parted() -> None:
    """The split, the estimate and README."""
    from pathlib import Path

    from lora_hub.training import estimate

    assert (
        splitting.held_out_sizes(1000, 0.2, 500)
        == (130, 70)
        == (200 - round(200 * splitting.VALIDATION_SHARE), round(200 * splitting.VALIDATION_SHARE))
    )
    assert estimate.held_out_sizes is splitting.held_out_sizes
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert (
        f"{splitting.VALIDATION_SHARE:.0%}".replace("%", " %") in readme
        and f"at most {splitting.MAX_VALIDATION}" in readme
    )
