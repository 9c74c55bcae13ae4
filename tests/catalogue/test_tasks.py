"""tasks.catalogue: the eleven tasks, a custom task, and the errors for a wrong one."""

import re

import pytest

from lora_hub.catalogue.tasks import catalogue, frames
from lora_hub.core.errors import SpecError
from lora_hub.core.schema import Task
from lora_hub.evaluation.metrics import METRICS, of_labels

IDS = (
    "spam sentiment topic intent translation question-answering summarization instruction chat text-to-sql grammar"
).split()
ROLES = {
    "translation": ("source",),
    "question-answering": ("question", "context"),
    "instruction": ("instruction", "input", "system"),
    "text-to-sql": ("question", "schema"),
    "chat": ("messages",),
}
TASKS = catalogue.list_tasks()
PERSIAN = re.compile(r"[آ-ی]")


def test_the_catalogue_is_whole_and_in_order():
    assert [task.id for task in TASKS] == IDS
    assert {file.stem for file in catalogue.FOLDER.glob("*.yaml")} == set(IDS)


@pytest.mark.parametrize("task", TASKS, ids=IDS)
def test_a_task_speaks_both_languages(task):
    for text in (task.title, task.instruction, task.answer):
        assert text.en.isascii()
        assert PERSIAN.search(text.fa)
        assert not re.search("[يك]", text.fa)


@pytest.mark.parametrize("task", TASKS, ids=IDS)
def test_a_template_holds_every_role_on_a_line_of_its_own(task):
    assert task.inputs == ROLES.get(task.id, ("text",))
    assert task.labels == ()
    if task.is_chat:
        assert task.template == ""
        return
    lines = [catalogue.FIELD.findall(line) for line in task.template.split("\n")]
    assert all(len(fields) <= 1 for fields in lines)
    assert {field for fields in lines for field in fields} >= {*task.inputs, "instruction"} - {
        "system"
    }  # a turn of its own
    assert (["labels"] in lines) == (task.output == "labels")
    assert task.template == task.template.strip()


@pytest.mark.parametrize("task", TASKS, ids=IDS)
def test_metrics_fit_the_output(task):
    assert set(task.metrics) <= set(METRICS)
    assert (task.metrics == of_labels()) == (task.output == "labels")


def test_samples_are_there():
    samples = {task.id: catalogue.sample_file(task) for task in TASKS}
    assert {key for key, file in samples.items() if file} >= {"spam", "sentiment", "translation", "question-answering"}
    assert all(bool(task.sample) == bool(samples[task.id]) for task in TASKS)


def test_a_sample_stays_inside_its_folder():
    stranger = catalogue.get_task("spam").model_copy(update={"sample": "../../../../../../etc/passwd"})
    assert catalogue.sample_file(stranger) is None


def test_a_task_survives_json():
    for task in TASKS:
        assert Task.model_validate_json(task.model_dump_json()) == task


def test_a_near_miss_is_named():
    with pytest.raises(SpecError) as told:
        catalogue.get_task("question_answer")
    assert "'question_answer'" in told.value.message
    assert "question-answering" in told.value.hint
    with pytest.raises(SpecError) as told:
        catalogue.get_task("xyzzy")
    assert "spam" in told.value.hint and "grammar" in told.value.hint


def test_a_task_of_ones_own_from_yaml(tmp_path):
    file = tmp_path / "tone.yaml"
    file.write_text(
        "title: {en: Tone of voice, fa: لحن}\ninstruction: Which tone is this?\n"
        "inputs: [text, who_writes]\noptional_inputs: [who_writes]\nlabels: [formal, casual, no]\n",
        encoding="utf-8",
    )
    task = catalogue.get_task(str(file))
    assert task.id == "tone-of-voice"
    assert task.title.fa == "لحن"
    assert task.output == "labels"
    assert task.labels == ("formal", "casual", "no")
    assert task.metrics == of_labels()
    lines = task.template.split("\n")
    assert lines == ["{instruction}", frames.LABELS_LINE, "", "Text: {text}", "Who writes: {who_writes}"]


def test_a_task_of_ones_own_from_the_page():
    """What a form gives: plain strings, names with commas, empty fields."""
    task = catalogue.task_from_dict(
        {"title": " لحن ", "instruction": "لحن چیست؟", "inputs": "text", "labels": "رسمی، خودمانی", "template": ""}
    )
    assert task.id == "my-task"
    assert task.title.en == "لحن"
    assert task.labels == ("رسمی", "خودمانی")
    free = catalogue.task_from_dict({"title": "Reply", "instruction": "Reply.", "labels": "", "inputs": ["mail"]})
    assert free.output == "text"
    assert free.template == "{instruction}\n\nMail: {mail}"
    assert "accuracy" not in free.metrics


def test_a_rows_own_instruction_gets_no_second_one():
    task = catalogue.task_from_dict({"title": "Do", "instruction": "Do it.", "inputs": ["instruction", "input"]})
    assert task.template.count("{instruction}") == 1


GOOD = {"title": "Tone", "instruction": "Which tone?"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"title": ""}, "'title'"),
        ({"instruction": {"en": " "}}, "'instruction'"),
        ({"lables": ["a"]}, "'lables'"),
        ({"template": "{txt}"}, "{txt}"),
        ({"template": "Hello"}, "{text}"),
        ({"template": "{text}\n"}, "'template'"),
        ({"inputs": ["text", "who"], "optional_inputs": ["who"], "template": "{text} by {who}"}, "{who}"),
        ({"inputs": ["two words"]}, "'two words'"),
        ({"inputs": ["text", "text"]}, "twice"),
        ({"inputs": ["answer"]}, "'answer'"),
        ({"inputs": 7}, "'inputs'"),
        ({"optional_inputs": ["who"]}, "who"),
        ({"labels": ["a", "a"]}, "'a' twice"),
        ({"metrics": ["f9"]}, "'f9'"),
        ({"max_new_tokens": 100_000}, "'max_new_tokens' is '100000'"),
        ({"max_new_tokens": "many"}, "'max_new_tokens' is 'many'"),
        ({"output": "poem"}, "'output' is 'poem'"),
        ({"id": "Has Spaces"}, "'id' is 'Has Spaces'"),
        ({"inputs": ["messages"], "template": "{messages}"}, "'template'"),
    ],
)
def test_a_wrong_task_is_told_by_field_and_value(wrong, says):
    with pytest.raises(SpecError) as told:
        catalogue.task_from_dict({**GOOD, **wrong})
    assert says in told.value.message
    assert told.value.hint


def test_a_misspelt_field_is_corrected():
    with pytest.raises(SpecError) as told:
        catalogue.task_from_dict({**GOOD, "lables": ["a"]})
    assert "'labels'" in told.value.hint


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"title: [unclosed", "YAML at line"),
        (b"- a\n- list\n", 'not ["a", "list"]'),
        (b"", "not null"),
        ("title: لحن".encode("utf-16"), "UTF-8"),
        (b"x" * 300_000, "too large"),
        (b"!!python/object/apply:os.system ['true']", "YAML"),
    ],
)
def test_a_wrong_file_is_told(tmp_path, content, says):
    file = tmp_path / "wrong.yaml"
    file.write_bytes(content)
    with pytest.raises(SpecError) as told:
        catalogue.get_task(str(file))
    assert says in told.value.message


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(SpecError, match="no.yaml"):
        catalogue.get_task(str(tmp_path / "no.yaml"))


@pytest.mark.parametrize("name", [name for name in catalogue.ORDER if name != "chat"])
def test_a_persian_task_has_a_persian_frame_and_goes_back(name):
    task = catalogue.get_task(name)
    persian = catalogue.in_language(task, "fa")
    frame = re.sub(r"\{\w+\}", "", persian.template)
    assert persian.prompt_language == "fa" and not re.search("[A-Za-z]", frame), frame
    assert re.findall(r"\{\w+\}", persian.template) == re.findall(r"\{\w+\}", task.template)
    assert catalogue.in_language(persian, "en").template == task.template
    # One that was trained in Persian words within an English frame, by an earlier version, is asked so for ever.
    old = task.model_copy(update={"prompt_language": "fa"})
    assert catalogue.in_language(old, "fa").template == task.template
    assert catalogue.task_from_dict(old.model_dump(mode="json")).template == task.template


def test_a_persian_task_of_ones_own_is_put_in_persian():
    from lora_hub.data.prompts import template

    plain = catalogue.task_from_dict(
        {"title": "لحن", "instruction": "لحن چیست؟", "inputs": "text", "labels": "رسمی، خودمانی"}
    )
    assert (
        plain.prompt_language == "fa"
        and plain.template == "{instruction}\n" + frames.LABELS_LINE_FA + "\n\nمتن: {text}"
    )
    frozen = template.freeze_labels(plain, plain.labels)
    assert (
        template.render_prompt(frozen, {"text": "سلام"})
        == "لحن چیست؟\nبا یکی از این‌ها پاسخ بده: رسمی، خودمانی.\n\nمتن: سلام"
    )
    with_comma = template.freeze_labels(plain, ("رسمی، اداری", "خودمانی"))
    assert with_comma.label_separator == "؛ "
    both = catalogue.task_from_dict(
        {"title": "Tone", "instruction": {"en": "Which tone?", "fa": "لحن چیست؟"}, "labels": ["a", "b"]}
    )
    assert (
        both.prompt_language == "en"
        and "Text: {text}" in both.template
        and "متن: {text}" in catalogue.in_language(both, "fa").template
    )
    # What a person wrote is theirs.
    own = catalogue.task_from_dict(
        {
            "title": "Tone",
            "instruction": {"en": "Which tone?", "fa": "لحن چیست؟"},
            "template": "{instruction}\n>> {text}",
        }
    )
    assert catalogue.in_language(own, "fa").template == "{instruction}\n>> {text}"


def test_a_task_is_one_file(tmp_path, monkeypatch):
    """A YAML file in the folder is a task of the catalogue: nothing else names it."""
    for file in catalogue.FOLDER.glob("*.yaml"):
        (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    topic = (tmp_path / "topic.yaml").read_text(encoding="utf-8")
    (tmp_path / "mood.yaml").write_text(
        topic.replace("id: topic", "id: mood").replace('"Topic"', '"Mood"').replace("sample: topic.csv", ""),
        encoding="utf-8",
    )
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)
    monkeypatch.setattr(catalogue, "ORDER", catalogue.offered(tmp_path))
    assert [task.id for task in catalogue.list_tasks()] == [*catalogue.FIRST, "mood"]
    assert catalogue.get_task("mood").title.en == "Mood"
