"""Each pre-flight check finds what it is for, names the rows, and leaves sound data alone."""

from pathlib import Path

import polars
import pytest

from lora_hub.data.checks import check_overlap, check_table
from lora_hub.data.read import Table, read_table
from lora_hub.schema import Problem
from lora_hub.tasks.catalogue import get_task

SHARED = Path(__file__).parents[2] / "shared" / "data"


def rows(**columns: list) -> Table:
    return Table(polars.DataFrame(columns, strict=False), "csv")


def labelled(extra: list[tuple[str | None, str | None]] = (), count: int = 60) -> Table:
    """Sound rows for the spam task, and `extra` rows behind them: the first of those is row count + 1."""
    made = [(f"message number {row} says something of its own", ("ham", "spam")[row % 2]) for row in range(count)] + list(extra)
    return rows(text=[row[0] for row in made], label=[row[1] for row in made])


def check(table: Table, task: str = "spam", mapping: dict | None = None) -> dict[str, Problem]:
    problems = check_table(table, get_task(task), mapping or {"text": "text", "answer": "label"})
    found: dict[str, Problem] = {}
    for problem in problems:
        assert problem.message.endswith(".") and len(problem.rows) <= 10
        found.setdefault(problem.code, problem)
    return found


def test_sound_data_has_no_warning() -> None:
    found = check(labelled())
    assert set(found) == {"labels"} and found["labels"].message == "2 classes: ham 30, spam 30."


def test_empty_answers_and_inputs() -> None:
    found = check(labelled([("no label here", None), ("nor here", "  "), (None, "ham"), ("\n", "spam")]))
    assert (found["empty-answers"].count, found["empty-answers"].rows) == (2, (61, 62))
    assert (found["empty-inputs"].count, found["empty-inputs"].rows) == (2, (63, 64))
    nothing = check(rows(text=["a", "b"], label=["", None]))
    assert nothing["nothing-left"].severity == "error"


def test_one_class_stops_the_run() -> None:
    found = check(rows(text=[f"text {n}" for n in range(60)], label=["ham"] * 60))
    assert found["one-class"].severity == "error" and "'ham'" in found["one-class"].message


def test_free_text_is_no_label() -> None:
    found = check(rows(text=[f"t {n}" for n in range(60)], label=[f"a whole sentence {n}" for n in range(60)]))
    assert found["answers-not-labels"].severity == "error"


def test_duplicates_and_conflicts() -> None:
    found = check(labelled([("again", "ham"), ("again", "ham"), ("both", "ham"), ("both", "spam")]))
    assert (found["duplicates"].count, found["duplicates"].rows) == (1, (62,))
    assert (found["conflicting-answers"].count, found["conflicting-answers"].rows) == (1, (63, 64))
    assert found["conflicting-answers"].severity == "warning"


def test_labels_that_look_alike() -> None:
    found = check(labelled([("a b", "Spam"), ("c d", "SPAM "), ("e f", "ham.")]))
    assert (found["near-duplicate-labels"].count, found["near-duplicate-labels"].rows) == (3, (61, 62, 63))
    persian = rows(text=[f"t {n}" for n in range(80)], label=["عالی", "عالي", "بد", "بَد"] * 20)
    assert "near-duplicate-labels" in check(persian)
    signed = rows(text=[f"t {n}" for n in range(80)], label=["-1", "1"] * 40)
    assert "near-duplicate-labels" not in check(signed)


def test_small_classes_imbalance_and_numbers() -> None:
    found = check(labelled([("odd one", "xx")]))
    assert found["small-classes"].rows == (61,)
    lopsided = check(rows(text=[f"t {n}" for n in range(100)], label=["0"] * 95 + ["1"] * 5))
    assert lopsided["imbalance"].severity == "warning" and "95%" in lopsided["imbalance"].message
    assert lopsided["numeric-labels"].count == 2


def test_labels_a_task_does_not_have() -> None:
    task = get_task("spam").model_copy(update={"labels": ("ham", "spam")})
    problems = check_table(labelled([("x y", "junk"), ("y z", "junk")]), task, {"text": "text", "answer": "label"})
    assert next(problem for problem in problems if problem.code == "unknown-labels").rows == (61, 62)


def test_a_header_in_the_middle() -> None:
    assert check(labelled([("text", "label")]))["header-inside"].rows == (61,)


def test_placeholders() -> None:
    left = ["Dear {name}, hello", "Dear {{ customer.name }}", "Call [INSERT NUMBER]", "Hi <FIRST_NAME>", "%s items", "Lorem ipsum dolor", "${user} is here"]
    found = check(labelled([(text, "ham") for text in left]))
    assert found["placeholders"].rows == tuple(range(61, 68))
    fine = ["100% sure", "a [sic] b", "<b>bold</b>", "{ }", "1 < 2 > 0", "[citation]", "f(x) = {1, 2}"]
    assert "placeholders" not in check(labelled([(text, "ham") for text in fine]))


def test_secrets_are_told_by_row_and_kind_and_never_shown() -> None:
    secrets = {
        "key": "my key is sk-proj-" + "a1B2" * 8,
        "cloud": "AKIA" + "ABCDEFGH23456789",
        "token": "hf_" + "x" * 34,
        "pem": "-----BEGIN RSA PRIVATE KEY-----",
        "password": "password: hunter2hunter2",
        "mail": "write to someone.else@example.org please",
        "card": "pay with 4111 1111 1111 1111 now",
    }
    problems = check_table(labelled([(text, "ham") for text in secrets.values()]), get_task("spam"), {"text": "text", "answer": "label"})
    told = {problem.rows[0]: problem for problem in problems if problem.code in ("secrets", "personal-data")}
    assert sorted(told) == list(range(61, 68))
    said = " ".join(problem.message + problem.hint for problem in problems)
    for text in secrets.values():
        assert max(text.split(), key=len) not in said
    fine = ["order 4111 1111 1111 1112", "phone 0098 912 345 6789 0123", "ask @someone", "skip-the-line", "task-orientation and risk-averseness-index"]
    assert not {"secrets", "personal-data"} & set(check(labelled([(text, "ham") for text in fine])))


def test_damaged_letters_and_persian_characters() -> None:
    found = check(labelled([("cafÃ© au lait", "ham"), ("Itâ€™s", "ham"), ("كتاب علي و کتاب علی", "ham"), ("می‌روم", "spam"), ("۱۲۳", "ham")]))
    assert found["damaged-letters"].rows == (61, 62)
    told = found["persian-characters"].message
    assert "Arabic yeh or kaf in 1" in told and "non-joiner in 1" in told and "digits in 1" in told
    assert "persian-characters" not in check(labelled())


def test_long_texts_and_few_rows() -> None:
    assert check(labelled([("word " * 5_000, "ham")]))["long-texts"].rows == (61,)
    assert check(labelled(count=10))["few-rows"].count == 10


def test_translation_pairs_in_the_wrong_language() -> None:
    english, persian = [f"Good morning number {n} to all of you" for n in range(60)], [f"صبح بخیر شماره {n} به همهٔ شما" for n in range(60)]
    english[10], persian[10] = persian[10], english[10]
    persian[20] = "not translated at all"
    persian[30] = english[30]
    found = check(rows(en=english, fa=persian), "translation", {"source": "en", "answer": "fa"})
    assert found["wrong-language"].rows == (11, 21, 31) and "1 of them with source and target swapped" in found["wrong-language"].message
    assert found["answer-is-input"].rows == (31,)


def test_conversations() -> None:
    def chat(*turns: tuple[str, str]) -> list[dict]:
        return [{"role": role, "content": content} for role, content in turns]

    sound = [chat(("user", f"q {n}"), ("assistant", f"a {n}")) for n in range(60)]
    odd = [
        chat(),
        chat(("user", "only a question")),
        chat(("assistant", "I first"), ("user", "then I")),
        chat(("user", "a"), ("user", "b"), ("assistant", "c")),
        chat(("user", "go on"), ("assistant", "again and again " * 500)),
        [{"role": "wizard", "content": "?"}],
    ]
    table = Table(polars.DataFrame([polars.Series("messages", sound + odd, dtype=polars.Object)]), "jsonl")
    found = check(table, "chat", {"messages": "messages"})
    assert found["empty-chats"].rows == (61,)
    assert found["chats-without-answer"].rows == (62,)
    assert found["assistant-first"].rows == (63,)
    assert found["roles-not-alternating"].rows == (64,)
    assert found["repeating-text"].rows == (65,)
    assert found["unreadable-chats"].rows == (66,) and found["unreadable-chats"].severity == "error"
    assert set(check(Table(table.frame.head(60), "jsonl"), "chat", {"messages": "messages"})) == set()


def test_rows_of_the_test_file_in_the_training_file() -> None:
    task, mapping = get_task("spam"), {"text": "text", "answer": "label"}
    train = labelled([("Known from  the test", "ham")])
    test = rows(text=["something new", "known from the TEST"], label=["ham", "ham"])
    found = check_overlap(task, train, mapping, test, mapping)
    assert [problem.code for problem in found] == ["leakage"] and found[0].rows == (61,)
    assert check_overlap(task, labelled(), mapping, test, mapping) == []


def test_errors_come_first() -> None:
    problems = check_table(rows(text=["a {name}"] * 60, label=["ham"] * 60), get_task("spam"), {"text": "text", "answer": "label"})
    order = [("error", "warning", "info").index(problem.severity) for problem in problems]
    assert order == sorted(order) and order[0] == 0


REAL = {
    ("difficult/banking_duplicates_conflicts_empty.csv", "intent", "text", "category"): {
        "duplicates", "conflicting-answers", "empty-answers", "empty-inputs", "near-duplicate-labels", "small-classes", "labels"},
    ("difficult/one_class.csv", "spam", "text", "label"): {"one-class", "personal-data", "duplicates"},
    ("difficult/cells_like_formulas_html.csv", "topic", "text", "label"): {"one-class", "few-rows", "placeholders"},
    ("difficult/very_long_texts.jsonl", "topic", "text", "label"): {"long-texts", "few-rows", "labels", "damaged-letters", "personal-data"},
    ("classification/parsinlu_entailment/train.csv", "topic", "sent1", "label"): {
        "small-classes", "conflicting-answers", "duplicates", "labels", "persian-characters"},
    ("classification/banking77/train.csv", "intent", "text", "category"): {"labels", "near-duplicates"},
}  # fmt: skip


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of real data is not here")
@pytest.mark.parametrize("case", REAL, ids=lambda case: case[0])
def test_real_files(case: tuple[str, str, str, str]) -> None:
    name, task, text, answer = case
    assert set(check(read_table(SHARED / name), task, {"text": text, "answer": answer})) == REAL[case]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of real data is not here")
def test_the_leaking_pair_and_the_sms_duplicates() -> None:
    task, mapping = get_task("spam"), {"text": "text", "answer": "label"}
    train, test = read_table(SHARED / "difficult/leak_train.csv"), read_table(SHARED / "difficult/leak_test.csv")
    texts = set(test.frame["text"].str.to_lowercase().str.split(" ").list.join(" "))
    found = check_overlap(task, train, mapping, test, mapping)
    assert found[0].count >= sum(text.lower() in texts for text in train.frame["text"]) > 50
    sms = check(read_table(SHARED / "spam/spam.csv"), "spam", {"text": "v2", "answer": "v1"})
    assert sms["duplicates"].count == 403


def test_near_duplicates_are_found_and_templates_are_not() -> None:
    text = "the quick brown fox jumps over the lazy dog while the old grey cat sleeps by the warm fire and dreams of {} fish in the sea"
    near = [(text.replace("{}", word), "ham") for word in ("seven", "seven silver", "SEVEN")]
    found = check(labelled([*near, ("the quick brown fox went home alone and slept for many hours that night", "ham")]))
    assert found["near-duplicates"].rows == (62, 63) and found["near-duplicates"].severity == "info"
    assert "near-duplicates" not in check(labelled())
