"""Each pre-flight check finds what it is for, names the rows, and leaves sound data alone."""

import time
from pathlib import Path

import polars
import pytest

from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.schema import Problem, Task
from lora_hub.data.checks.check_labels import label_counts, near_groups, suggest_names
from lora_hub.data.checks.check_texts import mask_secrets, mask_series, mend_letters
from lora_hub.data.checks.checks import find, find_overlap
from lora_hub.data.read.read import Table, read_table

SHARED = Path(__file__).parents[3] / "shared" / "data"


def rows(**columns: list) -> Table:
    return Table(polars.DataFrame(columns, strict=False), "csv")


def labelled(extra: list[tuple[str | None, str | None]] = (), count: int = 60) -> Table:
    """Sound rows for the spam task, and `extra` rows behind them: the first of those is row count + 1."""
    made = [
        (f"message number {row} says something of its own", ("ham", "spam")[row % 2]) for row in range(count)
    ] + list(extra)
    return rows(text=[row[0] for row in made], label=[row[1] for row in made])


def problems_of(table: Table, task: Task, mapping: dict) -> list[Problem]:
    return [found.problem for found in find(table, task, mapping)]


def overlap(*asked: object) -> list[Problem]:
    return [found.problem for found in find_overlap(*asked)]


def check(table: Table, task: str = "spam", mapping: dict | None = None) -> dict[str, Problem]:
    problems = problems_of(table, get_task(task), mapping or {"text": "text", "answer": "label"})
    for problem in problems:
        for text in (problem.message, problem.said.fa, problem.hint, problem.advice.fa):
            assert text.endswith(".") or (not text and problem.code in ("labels", "persian-characters", "sampled")), (
                problem
            )
        assert any("\u0600" <= letter <= "\u06ff" for letter in problem.said.fa) and len(problem.rows) <= 10
    assert len({problem.code for problem in problems}) == len(problems)  # at most one for each code
    return {problem.code: problem for problem in problems}


def rows_of(table: Table, code: str, task: str = "spam", mapping: dict | None = None) -> list[int]:
    """All row numbers of a finding."""
    findings = find(table, get_task(task), mapping or {"text": "text", "answer": "label"})
    return next(found.rows.to_list() for found in findings if found.problem.code == code)


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
    assert found["duplicates"].said.fa.startswith("۱ سطر تکرار")


def test_a_finding_has_all_its_rows_numbered_as_in_the_file() -> None:
    table = labelled([("again", "ham")] * 30 + [("torn", "ham"), ("torn", "spam")] * 8)
    assert rows_of(table, "duplicates") == list(range(62, 91)) + list(range(93, 107))
    assert rows_of(table, "conflicting-answers") == list(range(91, 107))
    numbers = polars.Series("row", [10 * row for row in range(1, table.rows + 1)], dtype=polars.UInt32)
    left = Table(table.frame, "csv", row_numbers=numbers)
    assert rows_of(left, "duplicates")[:2] == [620, 630] and rows_of(left, "conflicting-answers")[0] == 910
    findings = find(left, get_task("spam"), {"text": "text", "answer": "label"})
    assert all(found.rows.dtype == polars.UInt32 and set(found.rows) <= set(numbers) for found in findings)
    assert next(found for found in findings if found.problem.code == "labels").rows.len() == 0


def test_answers_that_say_there_is_none() -> None:
    pairs = [(f"question {n}", f"answer {n}") for n in range(60)] + [
        ("a", "N/A"),
        ("b", "null"),
        ("c", "-"),
        ("d", "#REF!"),
    ]
    table = rows(q=[pair[0] for pair in pairs], a=[pair[1] for pair in pairs])
    assert rows_of(table, "missing-words", "instruction", {"instruction": "q", "answer": "a"}) == [61, 62, 63, 64]
    assert "missing-words" not in check(labelled([("signs are labels", "-")]))
    assert check(labelled([("but this is none", "nan")]))["missing-words"].rows == (61,)


def test_one_answer_for_nearly_all_rows_of_a_text_task() -> None:
    mapping = {"instruction": "q", "answer": "a"}
    table = rows(q=[f"question {n}" for n in range(100)], a=["yes"] * 97 + ["no", "maybe", "never"])
    found = check(table, "instruction", mapping)["same-answers"]
    assert found.count == 97 and "97 %" in found.message and "۹۷٪" in found.said.fa
    fewer = rows(q=[f"question {n}" for n in range(100)], a=["yes"] * 95 + ["no"] * 5)
    assert "same-answers" not in check(fewer, "instruction", mapping)


def test_labels_that_look_alike() -> None:
    found = check(labelled([("a b", "Spam"), ("c d", "SPAM "), ("e f", "ham.")]))
    assert (found["near-duplicate-labels"].count, found["near-duplicate-labels"].rows) == (3, (61, 62, 63))
    persian = rows(text=[f"t {n}" for n in range(80)], label=["عالی", "عالي", "بد", "بَد"] * 20)
    assert "near-duplicate-labels" in check(persian)
    assert rows_of(labelled([("a b", "Spam"), ("c d", "HAM")]), "near-duplicate-labels") == [61, 62]
    counts = label_counts(rows(answer=["ham", "Spam", "SPAM", "Spam", "", "x"]).frame)
    assert list(counts.items()) == [("Spam", 2), ("SPAM", 1), ("ham", 1), ("x", 1)]
    assert near_groups(counts) == [("Spam", ["SPAM"])]
    signed = rows(text=[f"t {n}" for n in range(80)], label=["-1", "1"] * 40)
    assert "near-duplicate-labels" not in check(signed)


def test_small_classes_imbalance_and_numbers() -> None:
    extra = [
        ("odd one", "xx"),
        ("same", "yy"),
        ("same", "yy"),
        ("Same one", "yy"),
        ("one", "zz"),
        ("two", "zz"),
        ("three", "zz"),
    ]
    small = check(labelled(extra))["small-classes"]
    assert (
        small.rows == (61, 62, 63, 64) and small.count == 2 and "xx, yy" in small.message
    )  # zz has one row for each part
    lopsided = check(rows(text=[f"t {n}" for n in range(100)], label=["0"] * 95 + ["1"] * 5))
    assert lopsided["imbalance"].severity == "warning" and "95 %" in lopsided["imbalance"].message
    assert lopsided["numeric-labels"].count == 2


@pytest.mark.parametrize(
    ("labels", "column", "task", "names"),
    [
        (["0", "1"], "label", "sentiment", {"0": "negative", "1": "positive"}),
        (["1", "0"], "label", "spam", {"0": "ham", "1": "spam"}),
        (["0", "1"], "is_urgent", "topic", {"0": "no", "1": "yes"}),
        (["-1", "0", "1"], "polarity", "topic", {"-1": "negative", "0": "neutral", "1": "positive"}),
        (
            ["1", "2", "3", "4", "5"],
            "stars",
            "sentiment",
            {"1": "1 star", "2": "2 stars", "3": "3 stars", "4": "4 stars", "5": "5 stars"},
        ),
        (
            ["1", "2", "3", "4", "5"],
            "label",
            "sentiment",
            {"1": "very negative", "2": "negative", "3": "neutral", "4": "positive", "5": "very positive"},
        ),
        (["1", "2", "3", "4"], "label", "topic", {}),
        (["0", "1", "1.0"], "label", "spam", {}),
        (["ham", "spam"], "label", "spam", {}),
        (["-3", "0", "3"], "label", "sentiment", {}),
    ],
)
def test_names_are_offered_where_the_numbers_are_well_known(labels: list, column: str, task: str, names: dict) -> None:
    assert suggest_names(labels, column_name=column, task_id=task) == names
    persian = suggest_names(labels, column, task, "fa")
    assert set(persian) == set(names) and not any(name.isascii() for name in persian.values())


def test_labels_a_task_does_not_have() -> None:
    task = get_task("spam").model_copy(update={"labels": ("ham", "spam")})
    problems = problems_of(labelled([("x y", "junk"), ("y z", "junk")]), task, {"text": "text", "answer": "label"})
    assert next(problem for problem in problems if problem.code == "unknown-labels").rows == (61, 62)


def test_a_header_in_the_middle() -> None:
    assert check(labelled([("text", "label")]))["header-inside"].rows == (61,)


def test_placeholders() -> None:
    left = [
        "Dear {name}, hello",
        "Dear {{ customer.name }}",
        "Call [INSERT NUMBER]",
        "Hi <FIRST_NAME>",
        "%s items",
        "Lorem ipsum dolor",
        "${user} is here",
        "Yours, [Your Name]",
        "%(count)s left",
        "با احترام، [نام شما]",
        "«نام مشتری» گرامی",
        "سلام {نام}",
        "On [DATE] we met",
        "<your company here> thanks you",
    ]
    assert rows_of(labelled([(text, "ham") for text in left]), "placeholders") == list(range(61, 61 + len(left)))
    fine = [
        "100% sure",
        "a [sic] b",
        "<b>bold</b>",
        "{ }",
        "1 < 2 > 0",
        "[citation]",
        "f(x) = {1, 2}",
        "SELECT a FROM t WHERE b = %s",
        "print(f'{name} is here')",
        r"\\frac{x}{y} and \\text{so}",
        "```\n{name}\n```",
        "const a = `${b}`;",
        "an [ABAB] scheme",
        "a prize of <UKP>2000",
        'return {"a": {b}};',
        "«نام» را بنویس و برو",
    ]
    assert "placeholders" not in check(labelled([(text, "ham") for text in fine[:-1]]))
    # What is surely a placeholder is one in code, too.
    assert check(labelled([("def mail():\n    print('[Your Name]')", "ham")]))["placeholders"].rows == (61,)


def test_html_left_in_the_texts_is_counted() -> None:
    found = check(
        labelled(
            [
                ("one<br>two", "ham"),
                ("Fish &amp; Chips", "ham"),
                ("<p class='x'>so</p>", "spam"),
                ("a < b > c & d; <3", "ham"),
            ]
        )
    )
    assert found["html"].rows == (61, 62, 63) and found["html"].severity == "info"
    assert "html" not in check(labelled([("<!DOCTYPE html><html><body><p>a page</p></body></html>", "ham")]))


SECRETS = {
    "key": "my key is sk-proj-" + "a1B2" * 8,
    "cloud": "AKIA" + "ABCDEFGH23456789",
    "token": "hf_" + "x" * 34,
    "pem": "-----BEGIN RSA PRIVATE KEY-----",
    "password": "password: hunter2hunter2",
    "cloud account": "AccountKey=" + "a1B2" * 21 + "ab==",
    "bot": "110201543:AA" + "a1B" * 11,
    "index": "pypi-AgE" + "a1B2" * 20,
    "letters": "0a1b" * 8 + "-us12",
    "payments": "sq0csp-" + "a1B2" * 10,
    "mail": "write to someone.else@example.org please",
    "card": "pay with 4111 1111 1111 1111 now",
    "iban": "to DE89 3704 0044 0532 0130 00 please",
    "persian card": "کارت ۶۰۳۷-۹۹۷۵-۹۹۰۰-۰۰۰۸ من",
}
NO_SECRETS = [
    "order 4111 1111 1111 1112",
    "phone 0098 912 345 6789 0123",
    "ask @someone",
    "skip-the-line",
    "password: mandatory field",
    "task-orientation and risk-averseness-index",
    "call 08712 300 220 or +44 7911 123456",
    "DE88 3704 0044 0532 0130 00",
    "isbn 978-3-16-148410-0",
    "secret = get_secret(1)",
    "password: [password]",
    "trust-us 2 and call:aardvark, sq01",
]


def test_secrets_are_told_by_row_and_kind_and_never_shown() -> None:
    findings = find(
        labelled([(text, "ham") for text in SECRETS.values()]), get_task("spam"), {"text": "text", "answer": "label"}
    )
    told = {found.problem.code: found for found in findings if found.problem.code in ("secrets", "personal-data")}
    assert told["secrets"].rows.to_list() == list(range(61, 71))
    assert told["personal-data"].rows.to_list() == [71, 72, 73, 74]
    assert told["secrets"].problem.message.startswith(
        "3 rows hold what looks like an API key, 3 what looks like an access token, 2 what looks like a cloud key"
    )
    assert told["personal-data"].problem.said.fa.startswith(
        "۲ سطر چیزی مانند شمارهٔ کارت دارد، ۱ سطر چیزی مانند شمارهٔ حساب"
    )
    said = " ".join(found.problem.model_dump_json() for found in findings)
    for text in SECRETS.values():
        assert max(text.split(), key=len) not in said
    both = check(labelled([("AKIA" + "ABCDEFGH23456789 and hf_" + "x" * 34, "ham")]))["secrets"]
    assert both.count == 1 and both.rows == (61,)  # one row of two kinds
    assert not {"secrets", "personal-data"} & set(check(labelled([(text, "ham") for text in NO_SECRETS])))


def test_secrets_are_masked() -> None:
    masked = {kind: mask_secrets(text) for kind, text in SECRETS.items()}
    assert masked == {
        "key": "my key is [key]",
        "cloud": "[key]",
        "token": "[token]",
        "pem": "[key]",
        "password": "password: [password]",
        "cloud account": "[key]",
        "bot": "[token]",
        "index": "[token]",
        "letters": "[key]",
        "payments": "[key]",
        "mail": "write to [e-mail] please",
        "card": "pay with [card number] now",
        "iban": "to [bank account] please",
        "persian card": "کارت [card number] من",
    }
    pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQ+/=\n-----END PRIVATE KEY----- end"
    assert mask_secrets(pem) == "[key] end"
    assert [mask_secrets(text) for text in NO_SECRETS] == NO_SECRETS
    series = polars.Series("text", [*NO_SECRETS, None, *SECRETS.values()])
    assert mask_series(series).to_list() == [*NO_SECRETS, None, *masked.values()]
    assert not {"secrets", "personal-data", "placeholders"} & set(
        check(labelled([(text, "ham") for text in masked.values()]))
    )


@pytest.mark.parametrize(
    "text",
    [
        "café au lait",
        "It’s “so” – fine",
        "سلام دنیا، چطوری؟",
        "مى‌روم به خانهٔ تو",
        "Größe: 5 € – naïve",
        "привет мир",
        "100 % – 日本語",
    ],
)
def test_damaged_letters_are_mended_and_sound_ones_left(text: str) -> None:
    def damage(encoding: str) -> str:
        return "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in text.encode())

    assert mend_letters(text) == text
    for encoding in ("cp1252", "latin-1", *(["cp1256"] if "م" in text else [])):
        assert check(labelled([(damage(encoding), "ham")]))["damaged-letters"].rows == (61,)
        assert mend_letters(damage(encoding)) == text
    assert "damaged-letters" not in check(labelled([(text, "ham")]))
    assert mend_letters(f"{damage('cp1252')} and سلام é") == f"{text} and سلام é"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("привет, как дела?", "cp1251"),
        ("“quoted” and it’s so", "cp1251"),
        ("zażółć gęślą jaźń", "cp1250"),
        ("El niño está aquí", "cp1250"),
        ("naïve café", "mac_roman"),
        ("Ελληνικό κείμενο", "cp1252"),
    ],
)
def test_letters_that_other_code_pages_damaged_are_mended_too(text: str, encoding: str) -> None:
    damaged = "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in text.encode())
    assert check(labelled([(damaged, "ham")]))["damaged-letters"].rows == (61,)
    assert mend_letters(damaged) == text == mend_letters(text)
    assert "damaged-letters" not in check(labelled([(text, "ham")]))


def test_letters_of_a_large_cell_are_looked_at_in_bounded_time() -> None:
    """No more than one pass over each: a library's pattern meets what strangers wrote."""
    for piece in ("Ã\x82Â", "Ø³Ù\x84 ", "é ", "«»", "طھ"):
        spent = []
        for letters in (20_000, 200_000):
            cell, since = piece * (letters // len(piece)), time.process_time()
            check(labelled([(cell, "ham")]))
            mend_letters(cell)
            spent.append(time.process_time() - since)
        assert spent[1] < 40 * max(spent[0], 0.01), f"{piece!r}: ten times the letters took {spent} s"


def test_damaged_letters_and_persian_characters() -> None:
    found = check(
        labelled(
            [
                ("cafÃ© au lait", "ham"),
                ("Itâ€™s", "ham"),
                ("كتاب علي و کتاب علی", "ham"),
                ("می‌روم", "spam"),
                ("۱۲۳", "ham"),
            ]
        )
    )
    assert found["damaged-letters"].rows == (61, 62)
    told = found["persian-characters"].message
    assert "Arabic yeh or kaf in 1" in told and "non-joiner in 1" in told and "digits in 1" in told
    assert "persian-characters" not in check(labelled())


def test_long_texts_and_few_rows() -> None:
    assert check(labelled([("word " * 5_000, "ham")]))["long-texts"].rows == (61,)
    assert check(labelled(count=10))["few-rows"].count == 10


def test_translation_pairs_in_the_wrong_language() -> None:
    english, persian = (
        [f"Good morning number {n} to all of you" for n in range(60)],
        [f"صبح بخیر شماره {n} به همهٔ شما" for n in range(60)],
    )
    english[10], persian[10] = persian[10], english[10]
    persian[20] = "not translated at all"
    persian[30] = english[30]
    found = check(rows(en=english, fa=persian), "translation", {"source": "en", "answer": "fa"})
    assert found["wrong-language"].rows == (21, 31) and found["swapped-pairs"].rows == (11,)
    assert found["answer-is-input"].rows == (31,)


def test_languages_that_share_a_script_are_told_apart_by_their_words() -> None:
    english = [f"The man and the woman are at house number {n} with a dog" for n in range(60)]
    german = [f"Der Mann und die Frau sind mit einem Hund am Haus Nummer {n}" for n in range(60)]
    mapping = {"source": "en", "answer": "de"}
    assert not {"wrong-language", "swapped-pairs"} & set(check(rows(en=english, de=german), "translation", mapping))
    english[10], german[10] = german[10], english[10]
    german[20] = "The cat is on the table"
    english[30], german[30] = "OK", "OK!"  # too short to tell
    found = check(rows(en=english, de=german), "translation", mapping)
    assert found["swapped-pairs"].rows == (11,) and found["wrong-language"].rows == (21,)
    assert (
        "from English to German" in found["wrong-language"].message
        and "از انگلیسی به آلمانی" in found["swapped-pairs"].said.fa
    )


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
        chat(("system", "be kind")),
        [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": None},
            {"role": "user", "content": "and?"},
            {"role": "assistant", "content": "a"},
        ],
        [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "content": "1"},
            {"role": "assistant", "content": "one"},
        ],
        [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}],
    ]
    table = Table(polars.DataFrame([polars.Series("messages", sound + odd, dtype=polars.Object)]), "jsonl")
    found = check(table, "chat", {"messages": "messages"})
    assert found["empty-chats"].rows == (61,)
    assert found["chats-without-answer"].rows == (62,)
    assert found["assistant-first"].rows == (63,)
    assert found["roles-not-alternating"].rows == (64,)
    assert found["repeating-text"].rows == (65,)
    assert found["unreadable-chats"].rows == (66, 70) and found["unreadable-chats"].severity == "error"
    assert "row 66" in found["unreadable-chats"].message
    assert (
        found["system-only"].rows == (67,) and found["empty-turns"].rows == (68,) and found["tool-turns"].rows == (69,)
    )
    assert set(check(Table(table.frame.head(60), "jsonl"), "chat", {"messages": "messages"})) == set()


def test_rows_of_the_test_file_in_the_training_file() -> None:
    task, mapping = get_task("spam"), {"text": "text", "answer": "label"}
    train = labelled([("Known from  the test", "ham")])
    test = rows(text=["something new", "known from the TEST"], label=["ham", "ham"])
    found = overlap(task, train, mapping, test, mapping)
    assert [problem.code for problem in found] == ["leakage"] and found[0].rows == (61,)
    assert overlap(task, labelled(), mapping, test, mapping) == []
    many = labelled([("known from the test", "ham")] * 20)
    assert find_overlap(task, many, mapping, test, mapping)[0].rows.to_list() == list(range(61, 81))
    blank = rows(text=["", "new"], label=["ham", "ham"])
    assert overlap(task, labelled([("", "ham")]), mapping, blank, mapping) == []


def test_errors_come_first() -> None:
    problems = problems_of(
        rows(text=["a {name}"] * 60, label=["ham"] * 60), get_task("spam"), {"text": "text", "answer": "label"}
    )
    order = [("error", "warning", "info").index(problem.severity) for problem in problems]
    assert order == sorted(order) and order[0] == 0


REAL = {
    ("difficult/banking_duplicates_conflicts_empty.csv", "intent", "text", "category"): {
        "duplicates",
        "conflicting-answers",
        "empty-answers",
        "empty-inputs",
        "near-duplicate-labels",
        "small-classes",
        "labels",
    },
    ("difficult/one_class.csv", "spam", "text", "label"): {"one-class", "personal-data", "duplicates", "html"},
    ("difficult/cells_like_formulas_html.csv", "topic", "text", "label"): {
        "one-class",
        "few-rows",
        "placeholders",
        "html",
    },
    ("difficult/very_long_texts.jsonl", "topic", "text", "label"): {
        "long-texts",
        "few-rows",
        "labels",
        "damaged-letters",
        "personal-data",
        "small-classes",
        "html",
    },
    ("classification/parsinlu_entailment/train.csv", "topic", "sent1", "label"): {
        "small-classes",
        "conflicting-answers",
        "duplicates",
        "labels",
        "persian-characters",
    },
    ("classification/banking77/train.csv", "intent", "text", "category"): {"labels", "near-duplicates"},
}


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
    found = overlap(task, train, mapping, test, mapping)
    assert found[0].count >= sum(text.lower() in texts for text in train.frame["text"]) > 50
    sms = check(read_table(SHARED / "spam/spam.csv"), "spam", {"text": "v2", "answer": "v1"})
    assert sms["duplicates"].count == 403


def test_near_duplicates_are_found_and_templates_are_not() -> None:
    text = (
        "the quick brown fox jumps over the lazy dog while the old grey cat sleeps by the warm fire and dreams of "
        "{} fish in the sea"
    )
    near = [(text.replace("{}", word), "ham") for word in ("seven", "seven silver", "SEVEN")]
    found = check(labelled([*near, ("the quick brown fox went home alone and slept for many hours that night", "ham")]))
    assert found["near-duplicates"].rows == (62, 63) and found["near-duplicates"].severity == "info"
    assert "near-duplicates" not in check(labelled())
