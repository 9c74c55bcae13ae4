"""A task is questioned if the data speaks against it, and is set to the language of the rows; a person's own choice
stays."""

import json
from pathlib import Path

import polars
import pytest

from lora_hub import runs
from lora_hub.catalogue.bases import get_base
from lora_hub.catalogue.tasks.catalogue import get_task, sample_file, task_from_dict
from lora_hub.core.errors import SpecError
from lora_hub.data.checks.row_language import language_of_texts
from lora_hub.data.inspection import Inspection, inspect_table
from lora_hub.data.inspector import Inspector, inspect_file
from lora_hub.data.read.read import Table
from lora_hub.runs import pipeline
from lora_hub.training import recipe

REVIEW = "این محصول خیلی خوب بود و از خرید آن راضی هستم"


def looked_at(task: str, labels: list[str], *, text: str = "the text of row", column: str = "label") -> Inspection:
    count = max(120, 4 * len(labels))
    rows = {
        "text": [f"{text} {number}" for number in range(count)],
        column: [labels[number % len(labels)] for number in range(count)],
    }
    return inspect_table(Table(polars.DataFrame(rows), "csv"), get_task(task), fingerprint="", name="x")


def doubt(seen: Inspection) -> str:
    found = [problem for problem in seen.problems if problem.code == "other-task"]
    assert all(problem.severity == "warning" and problem.task in problem.hint for problem in found)
    return found[0].task if found else ""


@pytest.mark.parametrize(
    ("task", "labels", "column", "other"),
    [
        ("spam", [f"card {number}" for number in range(84)], "category", "intent"),
        ("spam", [str(number) for number in range(84)], "label", "intent"),
        ("spam", ["مثبت", "منفی"], "label", "sentiment"),
        ("spam", ["HAPPY", "SAD"], "label", "sentiment"),
        ("spam", ["0", "1"], "sentiment", "sentiment"),
        ("spam", ["خوب", "بد"], "برچسب", "sentiment"),
        ("spam", ["sport", "business", "health"], "label", "topic"),
        ("spam", ["1", "2", "3", "4", "5"], "stars", "sentiment"),
        ("sentiment", ["Billing", "Repairs", "Delivery"], "label", "topic"),
        ("sentiment", ["ham", "spam"], "label", "spam"),
        ("sentiment", ["0", "1"], "is_spam", "spam"),
        ("sentiment", [f"intent {number}" for number in range(60)], "label", "intent"),
        ("topic", ["positive", "negative", "neutral"], "label", "sentiment"),
        ("topic", ["ham", "spam"], "v1", "spam"),
        ("intent", ["positive", "negative"], "label", "sentiment"),
        ("topic", ["1", "2", "3", "4", "5"], "rating", "sentiment"),
        ("translation", ["ham", "spam"], "label", "spam"),
        ("summarization", ["sport", "health"], "label", "topic"),
    ],
)
def test_labels_that_speak_against_the_task(task: str, labels: list[str], column: str, other: str) -> None:
    assert doubt(looked_at(task, labels, column=column)) == other


@pytest.mark.parametrize(
    ("task", "labels", "column"),
    [
        ("spam", ["ham", "spam"], "v1"),
        ("spam", ["0", "1"], "label"),
        ("spam", ["yes", "no"], "label"),
        ("spam", ["true", "false"], "spam"),
        ("spam", ["عادی", "هرزنامه"], "label"),
        ("spam", ["normal", "unwanted"], "label"),
        ("spam", ["spam", "not spam", "phishing"], "label"),
        ("spam", ["legitimate", "smishing"], "label"),
        ("spam", ["1", "0"], "is_spam"),
        ("sentiment", ["POS", "NEG"], "label"),
        ("sentiment", ["very good", "very bad", "average"], "label"),
        ("sentiment", ["1", "2", "3", "4", "5"], "label"),
        ("sentiment", ["joy", "anger", "love", "fear"], "emotion"),
        ("sentiment", ["مثبت", "منفی", "خنثی"], "label"),
        ("sentiment", ["-1", "0", "1"], "label"),
        ("sentiment", ["5 stars", "1 star"], "label"),
        ("sentiment", ["0", "0.0", "false", "1"], "label"),
        ("topic", ["sport", "business"], "label"),
        ("topic", ["0", "1", "2", "3"], "label"),
        ("topic", ["Price", "Staff", "Staff, Price"], "label"),
        ("topic", ["goods", "services"], "label"),
        ("intent", ["post", "update", "start"], "label"),
        ("topic", ["yes", "no"], "label"),
        ("topic", ["good", "bad", "lost"], "label"),
        ("intent", ["best", "worst", "unranked"], "label"),
    ],
)
def test_labels_that_fit_or_say_nothing(task: str, labels: list[str], column: str) -> None:
    assert doubt(looked_at(task, labels, column=column)) == ""


def test_labels_of_the_test_part_speak_too() -> None:
    """good and bad are feelings; good, bad and lost are states."""

    def part(labels: list[str]) -> Table:
        return Table(
            polars.DataFrame(
                {"text": [f"the lamp {n}" for n in range(120)], "label": [labels[n % len(labels)] for n in range(120)]}
            ),
            "csv",
        )

    table = part(["good", "bad"])
    assert doubt(inspect_table(table, get_task("topic"), fingerprint="", name="x")) == "sentiment"
    table.test = part(["good", "bad", "lost"])
    assert doubt(inspect_table(table, get_task("topic"), fingerprint="", name="x")) == ""
    table.test = part(["positive", "negative", "lost"])
    assert doubt(inspect_table(table, get_task("topic"), fingerprint="", name="x")) == "sentiment"


@pytest.mark.parametrize(
    ("sample", "task", "other"),
    [
        ("translation", "spam", "translation"),
        ("translation", "summarization", "translation"),
        ("question-answering", "topic", "question-answering"),
        ("topic", "translation", "topic"),
        ("sentiment", "spam", "sentiment"),
        ("spam", "sentiment", "spam"),
    ],
)
def test_columns_of_another_task(sample: str, task: str, other: str) -> None:
    assert doubt(inspect_file(sample_file(get_task(sample)), get_task(task))) == other


@pytest.mark.parametrize("task", ["spam", "sentiment", "topic", "translation", "question-answering"])
def test_no_sample_is_questioned_under_its_own_task(task: str) -> None:
    assert doubt(inspect_file(sample_file(get_task(task)), get_task(task))) == ""


def test_a_task_of_ones_own_is_not_questioned() -> None:
    own = task_from_dict(
        {"id": "spam", "title": "Ours", "instruction": "Which card?", "output": "labels", "labels": ["a", "b"]}
    )
    table = Table(polars.DataFrame({"text": [f"text {n}" for n in range(60)], "label": ["a", "b"] * 30}), "csv")
    assert doubt(inspect_table(table, own, fingerprint="", name="x")) == ""


def test_train_and_pipeline_say_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "cards.csv"
    file.write_text(
        "text,label\n" + "".join(f"what about card number {n},kind {n % 84}\n" for n in range(84 * 5)), encoding="utf-8"
    )
    plan = runs.plan_run(file, get_task("spam"), get_base("built-in"))
    assert [problem.task for problem in plan.problems if problem.code == "other-task"] == ["intent"]
    assert plan.spec.task.id == "spam"  # whoever means it goes on
    monkeypatch.setattr(
        runs,
        "start_runs",
        lambda specs, **_: [type("Run", (), {"id": f"run-{place}"})() for place, _ in enumerate(specs)],
    )
    made = pipeline.make_pipeline({"base": "built-in", "tasks": [{"task": "spam", "data": str(file)}]})
    (started,) = pipeline.start_pipeline(made)
    assert "other-task" in {problem.code for problem in started.problems}


@pytest.mark.parametrize(
    ("texts", "language"),
    [
        (["خیلی بد بود", "عالی", "گوشی خوبیه", "راضی هستم"], "Persian"),
        (["كيفيت خوبي داشت از خريدم راضي هستم", "پيشنهاد مي‌كنم"], "Persian"),
        (["الخدمة سيئة جدا", "منتج رائع", "أنا سعيد بهذا الهاتف"], "Arabic"),
        (["یہ بہت اچھا ہے", "مجھے پسند نہیں آیا"], "Urdu"),
        (["ئەمە زۆر باشە", "من خۆشم ویست"], "Kurdish"),
        (["I love it", "The phone is bad", "What a great day it was"], "English"),
        (["Das ist ein sehr gutes Handy", "Ich bin nicht zufrieden"], "German"),
        (["good", "bad"], ""),
        (["这个产品很好"], ""),
        (["1", "2"], ""),
        ([], ""),
        ([""], ""),
    ],
)
def test_languages_of_rows(texts: list[str], language: str) -> None:
    assert language_of_texts(polars.Series("text", texts, dtype=polars.String)) == language


def test_persian_rows_get_the_persian_instruction_unless_someone_says_otherwise(tmp_path: Path) -> None:
    seen = looked_at("sentiment", ["مثبت", "منفی"], text=REVIEW)
    assert (
        seen.task.prompt_language == "fa"
        and seen.preview[0]["prompt"].startswith("احساس این متن چیست؟")
        and seen.info.language == "fa"
    )
    assert seen.preview[0]["prompt"].startswith("احساس این متن چیست؟\nبا یکی از این‌ها پاسخ بده: مثبت، منفی.\n\nمتن: ")
    assert "instruction-language" in {problem.code for problem in seen.problems}
    file = tmp_path / "reviews.csv"
    file.write_text(
        "text,label\n" + "".join(f"{REVIEW} {n},{('مثبت', 'منفی')[n % 2]}\n" for n in range(80)), encoding="utf-8"
    )
    base = get_base("built-in")
    plan = runs.plan_run(file, get_task("sentiment"), base)
    why = {key: (value, str(reason)) for key, value, reason in recipe.explain(plan.spec)}
    assert "متن: {text}" in plan.spec.task.template and "Text:" not in plan.spec.task.template
    assert plan.spec.task.prompt_language == "fa" and why["task.prompt_language"] == ("fa", "the rows are in Persian")
    # A choice stays: of the setting, and of a task's own file.
    chosen = runs.plan_run(file, get_task("sentiment"), base, overrides={"prompt_language": "en"})
    why = {key: (value, str(reason)) for key, value, reason in recipe.explain(chosen.spec)}
    assert chosen.spec.task.prompt_language == "en" and why["task.prompt_language"] == ("en", "set by you")
    assert chosen.inspection.preview[0]["prompt"].startswith("What is the sentiment")
    own = task_from_dict(
        {
            "title": "Tone",
            "instruction": {"en": "Which tone?", "fa": "لحن چیست؟"},
            "output": "labels",
            "prompt_language": "en",
        }
    )
    inspector = Inspector()
    assert inspector.inspect(file, own).task.prompt_language == "en"
    # The same task without the word is another question, also to an inspector that remembers.
    silent = task_from_dict(
        {"title": "Tone", "instruction": {"en": "Which tone?", "fa": "لحن چیست؟"}, "output": "labels"}
    )
    assert inspector.inspect(file, silent).task.prompt_language == "fa"
    assert runs.plan_run(file, own, base).spec.task.prompt_language == "en"
    with pytest.raises(SpecError, match="no instruction in the language 'de'"):
        runs.plan_run(file, get_task("sentiment"), base, overrides={"prompt_language": "de"})


def test_other_languages_keep_english_and_are_told(tmp_path: Path) -> None:
    seen = looked_at("sentiment", ["gut", "schlecht"], text="Das ist ein sehr gutes Handy und ich bin zufrieden")
    told = [problem.message for problem in seen.problems if problem.code == "instruction-language"]
    assert seen.task.prompt_language == "en" and told == [
        "The rows are in German, the instruction that they are put with is in English."
    ]
    arabic = looked_at("sentiment", ["إيجابي", "سلبي"], text="أنا سعيد جدا بهذا الهاتف من هذا المتجر")
    assert arabic.task.prompt_language == "en"
    english_only = task_from_dict({"title": "Tone", "instruction": "Which tone?", "output": "labels"})
    table = Table(polars.DataFrame({"text": [f"{REVIEW} {n}" for n in range(60)], "label": ["a", "b"] * 30}), "csv")
    seen = inspect_table(table, english_only, fingerprint="", name="x")
    assert seen.task.prompt_language == "en" and "in Persian, the instruction" in next(
        one.message for one in seen.problems if one.code == "instruction-language"
    )


def test_inspect_says_the_other_task_in_json(tmp_path: Path) -> None:
    told = json.loads(json.dumps(looked_at("spam", ["مثبت", "منفی"]).to_json()))
    assert [problem["task"] for problem in told["problems"] if problem["code"] == "other-task"] == ["sentiment"]


@pytest.mark.parametrize(
    ("labels", "task"),
    [
        (["gut", "schlecht"], "sentiment"),
        (["good", "bad"], "sentiment"),
        (["phishing", "legit"], "spam"),
        (["Billing", "Repairs"], "topic"),
        (["yes", "no"], "topic"),
        (["accept", "reject"], "topic"),
    ],
)
def test_a_proposed_task_is_not_questioned_in_one_breath(labels: list[str], task: str) -> None:
    rows = {
        "text": [f"the text of row {number}" for number in range(120)],
        "label": [labels[number % 2] for number in range(120)],
    }
    seen = inspect_table(Table(polars.DataFrame(rows), "csv"), None, fingerprint="", name="x")
    assert seen.task.id == task and not doubt(seen)


@pytest.mark.parametrize("name", ["system", "system_prompt", "System Message"])
def test_a_column_of_system_texts_is_never_the_answer(name: str) -> None:
    rows = {
        name: ["Talk like a pirate.", "Talk like a knight."] * 60,
        "question": [f"what is in box {number}?" for number in range(120)],
    }
    rows["answer"] = [f"the answer of row {number} is here" for number in range(120)]
    seen = inspect_table(Table(polars.DataFrame(rows), "csv"), None, fingerprint="", name="x")
    assert seen.task.id == "instruction" and seen.mapping == {
        "instruction": "question",
        "system": name,
        "answer": "answer",
    }


def test_persian_is_known_by_its_own_yeh_and_keheh() -> None:
    rows = ["من از خرید این کالا راضی هستم و برای دوستان هم خریدم", "خیلی خوب بود", "راضی نیستم", "عالی"]
    assert language_of_texts(polars.Series(rows)) == "Persian"
    assert language_of_texts(polars.Series(["هذا المنتج رائع جدا", "لم يعجبني أبدا", "الخدمة سيئة"])) == "Arabic"
