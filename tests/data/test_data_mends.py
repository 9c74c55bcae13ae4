"""Mends: rows are removed or changed after reading, never in the file, and removing the mend undoes it."""

import json
from pathlib import Path

import pytest
from small_data import write_csv

from lora_hub import runs
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core import store
from lora_hub.core.errors import DataError
from lora_hub.core.schema import Mend
from lora_hub.data.inspection import Inspection
from lora_hub.data.inspector import Inspector, inspect_file
from lora_hub.data.mending.mend_arguments import parse_mend, parse_mends
from lora_hub.data.mending.mends import button, describe, for_test
from lora_hub.runs import run_data

SPAM = get_task("spam")
GOOD = [
    (f"see you at {hour} near the {place}", "ham") for hour in range(8) for place in ("station", "museum", "old bridge")
]
BAD = [
    (f"win {prize} now, answer {number} times", "spam") for number in range(6) for prize in ("a phone", "a car", "cash")
]


def look(path: Path, *mends: Mend, task: str = "spam", **more: object) -> Inspection:
    return inspect_file(path, get_task(task), mends=mends, **more)


def offered(seen: Inspection, code: str) -> list[Mend]:
    return [mend for problem in seen.problems if problem.code == code for mend in problem.mends]


def codes(seen: Inspection) -> list[str]:
    return [problem.code for problem in seen.problems]


def test_every_offer_of_a_messy_file_mends_its_problem(tmp_path: Path) -> None:
    rows = [
        *GOOD,
        *BAD,
        *GOOD[:5],
        ("see you at 3 near the museum", "spam"),
        ("", "ham"),
        ("no label here at all", ""),
        ("text", "label"),
        ("write to {name} today", "ham"),
        ("mail me at jo@example.com please", "ham"),
        ("my key is sk-" + "a1B2" * 8, "spam"),
        ("cafÃ© olÃ© tomorrow", "ham"),
        ("another one for the other class", "Spam "),
    ]
    file = write_csv(tmp_path / "messy.csv", rows)
    seen = look(file)
    mended = []
    assert {"personal-data", "secrets"} <= set(codes(seen))
    for code in (
        "duplicates",
        "conflicting-answers",
        "empty-answers",
        "empty-inputs",
        "header-inside",
        "placeholders",
        "personal-data",
        "damaged-letters",
        "near-duplicate-labels",
    ):
        assert code in codes(seen), code
        mended.append(offered(seen, code)[0])
        after = look(file, *mended)
        assert code not in codes(after), code
        assert after.done[-1].rows > 0 and after.done[-1].mend == mended[-1]
        seen = after
    assert file.read_text(encoding="utf-8").count("sk-") == 1  # the file is as it was
    assert "secrets" not in codes(seen)  # marks are put in the place of both
    texts = seen.table.frame["text"].to_list()
    assert "café olé tomorrow" in texts
    assert not any("jo@example.com" in text or "sk-" in text for text in texts)
    assert set(seen.table.frame["label"].str.strip_chars().to_list()) == {"ham", "spam"}
    # Rows keep the numbers of the file.
    assert seen.table.numbers().to_list()[-1] == len(rows)
    # Taken away, a mend is undone.
    assert "duplicates" in codes(look(file, *mended[1:]))
    assert look(file).table.rows == len(rows)


def test_the_commonest_answer_stays_and_a_tie_goes(tmp_path: Path) -> None:
    rows = [
        *GOOD,
        *BAD,
        ("is it spam or not", "spam"),
        ("is it spam or not", "spam"),
        ("is it spam or not", "ham"),
        ("a tie for two", "ham"),
        ("a tie for two", "spam"),
    ]
    file = write_csv(tmp_path / "x.csv", rows)
    kept = look(file, Mend(kind="keep-commonest")).table.frame
    assert kept.filter(kept["text"] == "is it spam or not")["label"].to_list() == ["spam", "spam"]
    assert kept.filter(kept["text"] == "a tie for two").height == 0
    gone = look(file, Mend(kind="drop", values={"code": "conflicting-answers"})).table.frame
    assert gone.height == len(GOOD) + len(BAD)


def test_numbers_get_names_and_the_names_go_with_the_run(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "x.csv", [(text, "1" if label == "spam" else "0") for text, label in GOOD + BAD])
    mend = Mend(kind="relabel", values={"0": "ham", "1": "spam"})
    test = write_csv(tmp_path / "test.csv", [("quite another text", "1"), ("and one that is fine", "0")])
    plan = runs.plan_run(file, SPAM, bases.get_base("built-in"), mends=[mend], test_file=test)
    assert plan.spec.task.labels == ("ham", "spam")
    assert plan.spec.dataset.mends == (mend,) and plan.spec.test_dataset.mends == (mend,)
    task, split, notes = run_data.read_split(plan.spec)
    assert {example.answer for example in split.train} == {"ham", "spam"} == {example.answer for example in split.test}
    assert any("0 → ham" in note.en and "\u20680\u2069 ← \u2068ham\u2069" in note.fa for note in notes)


def test_what_was_left_out_is_not_trained_on(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "x.csv", [*GOOD, *BAD, *GOOD])
    mend = Mend(kind="drop", values={"code": "duplicates"})
    plan = runs.plan_run(file, SPAM, bases.get_base("built-in"), mends=[mend])
    assert plan.spec.dataset.rows == len(GOOD) + len(BAD)
    _, split, _ = run_data.read_split(plan.spec)
    used = [example.row for part in (split.train, split.validation, split.test) for example in part]
    assert sorted(used) == list(range(1, len(GOOD) + len(BAD) + 1))


def test_texts_that_were_cut_are_joined(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(
        "v1,v2,,\n"
        + "".join(f"{label},{text.replace(',', ' ')},,\n" for text, label in GOOD + BAD)
        + "spam,cut here, and there, too\n",
        encoding="utf-8",
    )
    seen = look(file)
    mend = offered(seen, "overflow")[0]
    assert mend == Mend(kind="join-overflow", values={"into": "v2"})
    after = look(file, mend)
    assert after.table.frame["v2"].to_list()[-1] == "cut here, and there, too"
    assert "overflow" not in codes(after)


def test_long_inputs_lose_their_end_and_the_answer_stays(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "x.csv", [*GOOD, *BAD, ("word " * 20_000, "ham")])
    seen = look(file, base=bases.get_base("built-in"), max_length=64)
    assert {"long-texts", "too-long"} <= set(codes(seen))
    mend = offered(seen, "too-long")[0]
    after = look(file, mend, base=bases.get_base("built-in"), max_length=64)
    assert "too-long" not in codes(after) and "long-texts" not in codes(after)
    assert after.table.frame["label"].to_list()[-1] == "ham"
    text = after.table.frame["text"].to_list()[-1]
    assert text.startswith("word word") and text.endswith("word") and len(text) < 400


def test_html_becomes_plain_text(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "x.csv", [*GOOD, *BAD, ("one<br>two &amp; <b>three</b> &lt;#&gt; 2 < 3", "ham")])
    after = look(file, offered(look(file), "html")[0])
    assert after.table.frame["text"].to_list()[-1] == "one\ntwo & three <#> 2 < 3"
    assert after.done[0].rows == 1


def test_swapped_pairs_are_swapped_back(tmp_path: Path) -> None:
    pairs = [(f"this is sentence {number} of the file", f"این جملهٔ {number} از پرونده است") for number in range(30)]
    pairs[7] = pairs[7][::-1]
    file = tmp_path / "pairs.jsonl"
    file.write_text(
        "".join(json.dumps({"en": first, "fa": second}) + "\n" for first, second in pairs), encoding="utf-8"
    )
    seen = look(file, task="translation")
    after = look(file, offered(seen, "swapped-pairs")[0], task="translation")
    assert "swapped-pairs" not in codes(after)
    assert after.table.frame["en"].to_list()[7] == "this is sentence 7 of the file"


def test_conversations_keep_their_shape(tmp_path: Path) -> None:
    turns = [
        {"role": "user", "content": "write to ann@example.com"},
        {"role": "assistant", "content": "Done, I wrote."},
    ]
    file = tmp_path / "chat.jsonl"
    file.write_text(
        "".join(
            json.dumps({"messages": turns if number else [{"role": "user", "content": "alone"}]}) + "\n"
            for number in range(12)
        ),
        encoding="utf-8",
    )
    seen = look(file, task="chat")
    after = look(
        file, offered(seen, "personal-data")[0], Mend(kind="drop", values={"code": "chats-without-answer"}), task="chat"
    )
    assert after.table.rows == 11 and "personal-data" not in codes(after)
    assert "[e-mail]" in after.preview[0]["prompt"] and after.preview[0]["completion"] == "Done, I wrote."


def test_rows_of_a_problem_are_shown_with_their_numbers(tmp_path: Path) -> None:
    seen = look(write_csv(tmp_path / "x.csv", [*GOOD, *BAD, *GOOD[:3]]))
    rows = seen.rows_of("duplicates")
    first = len(GOOD) + len(BAD) + 1
    assert rows == [(first + place, {"text": GOOD[place][0], "answer": "ham"}) for place in range(3)]
    assert seen.rows_of("no-such") == []


def test_a_test_part_loses_no_rows() -> None:
    mends = [
        Mend(kind="drop", values={"code": "duplicates"}),
        Mend(kind="relabel", values={"0": "no"}),
        Mend(kind="mask"),
    ]
    assert for_test(mends) == tuple(mends[1:])


@pytest.mark.parametrize("text", ["relabel:", "relabel:a", "relabel:=b", "nothing-such", "duplicates.swap"])
def test_what_cannot_be_mended_is_told_with_what_can(text: str) -> None:
    with pytest.raises(DataError) as told:
        parse_mend(text, {"duplicates": (Mend(kind="drop", values={"code": "duplicates"}),)})
    assert "duplicates" in told.value.hint or "relabel" in told.value.hint


def test_mends_of_the_shell() -> None:
    drop, keep = Mend(kind="drop", values={"code": "conflicting-answers"}), Mend(kind="keep-commonest")
    offers = {"conflicting-answers": (keep, drop)}
    assert parse_mend("conflicting-answers", offers) == keep
    assert parse_mend("conflicting-answers.drop", offers) == drop
    assert parse_mend("relabel:0=no, 1=yes", offers) == Mend(kind="relabel", values={"0": "no", "1": "yes"})


def test_a_mend_of_a_pipeline_that_finds_nothing_today_is_told_and_no_error(tmp_path: Path) -> None:
    """The file is another one each night; the task would not have been trained at all. It is the mend of other days."""
    drop, task, file = Mend(kind="drop", values={"code": "duplicates"}), get_task("spam"), tmp_path / "x.csv"
    write_csv(file, [*GOOD, *BAD])
    mends = parse_mends(["duplicates", "personal-data", "secrets.mask", "html"], Inspector(), file, task, None)
    assert mends == (drop, Mend(kind="mask"), Mend(kind="mask"), Mend(kind="plain-text"))
    seen = look(file, *mends)
    assert "idle-mends" in codes(seen) and seen.table.rows == len(GOOD) + len(BAD)
    # a text may be answered in several ways: what the page offers no mend for, the shell does not leave out
    for found in ({}, {"conflicting-answers": ()}):
        with pytest.raises(DataError):
            parse_mend("conflicting-answers", found, get_task("translation"))
    with pytest.raises(DataError):
        parse_mend("swapped-pairs", {"swapped-pairs": ()}, task)


def test_a_mend_that_is_not_known_is_refused(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "x.csv", GOOD + BAD)
    for mend in (Mend(kind="burn"), Mend(kind="drop", values={"code": "labels"})):
        with pytest.raises(DataError):
            look(file, mend)


def test_every_mend_is_said_in_both_languages() -> None:
    for mend in (
        Mend(kind="drop", values={"code": "duplicates"}),
        Mend(kind="relabel", values={"0": "no"}),
        Mend(kind="shorten", values={"characters": "90"}),
    ):
        for text in (button(mend), describe(mend)):
            assert text.en and text.fa and "{" not in text.en + text.fa


def test_the_inspector_reads_a_file_once(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "x.csv", GOOD + BAD + BAD)
    inspector = Inspector()
    first = inspector.inspect(file, SPAM)
    assert inspector.inspect(file, SPAM) is first
    assert inspector.read(file) is inspector.read(file)
    other = inspector.inspect(file, SPAM, mends=[Mend(kind="drop", values={"code": "duplicates"})])
    assert other is not first and other.table.rows < first.table.rows
    write_csv(file, GOOD + BAD + GOOD)
    assert inspector.inspect(file, SPAM).table.rows == len(GOOD) * 2 + len(BAD)  # a changed file is read anew


def test_the_run_keeps_counts_and_no_contents(tmp_path: Path) -> None:
    from lora_hub.hub import record

    file = write_csv(tmp_path / "x.csv", [*GOOD, *BAD, ("reach me at ann@example.com", "ham"), *GOOD[:4]])
    spec = runs.plan_run(file, SPAM, bases.get_base("built-in")).spec
    report = record.make_report(spec.dataset)
    assert {"code": "duplicates", "severity": "warning", "count": 4} in report["problems"]
    assert report["lengths"]["sampled"] == len(GOOD) + len(BAD) + 5
    run_id = store.create_run(spec)
    written = (store.run_folder(run_id) / "spec.json").read_text(encoding="utf-8")
    assert "ann@example.com" not in written and "see you at" not in written + json.dumps(report)
