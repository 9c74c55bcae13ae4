"""The card: valid metadata, the actual scores, and nothing in it that a person's words could break."""

import re
import shlex

import pytest
from small_data import held_out_row

from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.schema import BaseModel, DatasetInfo, Problem, Score, TrainSpec
from lora_hub.evaluation import metrics
from lora_hub.hub.card.card import render_base_card, render_card
from lora_hub.hub.record import make_record
from lora_hub.training import recipe

SCORES = {
    "base": {"accuracy": Score(value=51.25, low=45.0, high=57.5), "macro_f1": Score(value=34.0, low=30.0, high=38.0)},
    "adapter": {
        "accuracy": Score(value=94.126, low=90.0, high=97.5),
        "macro_f1": Score(value=93.0, low=89.0, high=96.0),
    },
}
NASTY = 'x | y\n---\nlicense: mit\n<img src=x onerror="alert(1)"> [a](b) `c` "quoted": {yes} #\u202e'


def make_spec(**update) -> TrainSpec:
    task = get_task("spam").model_copy(update={"labels": ("ham", "spam")})
    dataset = DatasetInfo(
        fingerprint="0123456789abcdef",
        name="spam.csv",
        rows=600,
        columns=("v1", "v2"),
        format="csv",
        problems=(Problem(code="short", severity="warning", message="row 3 says SECRET-ROW"),),
    )
    base = BaseModel(
        id="built-in",
        licence="apache-2.0",
        languages=("en", "fa"),
        fingerprint="ab" * 32,
        folder="/home/somebody/built_in",
    )
    whole = {"task": task, "base": base, "dataset": dataset, "mapping": {"text": "v2", "answer": "v1"}, **update}
    return TrainSpec(**whole)


def card_of(spec: TrainSpec, scores: dict = SCORES, **more) -> str:
    record = make_record(
        spec,
        spec.task,
        "spam-run-1",
        scores,
        {"file_rows": 700, "train_rows": 480, "validation_rows": 80, "eval_rows": 120, "left_out": 20},
        40,
    )
    return render_card(record, "lora-hub/spam-built-in", **more)


def read(card: str):
    from huggingface_hub import ModelCard

    return ModelCard(card)


def test_metadata_is_the_hubs_own() -> None:
    data = read(card_of(make_spec(), base_repo="lora-hub/built-in", languages=("en",))).data
    assert data.base_model == "lora-hub/built-in" and data["base_model_relation"] == "adapter"
    assert (data.library_name, data.pipeline_tag, data.license, data.language) == (
        "peft",
        "text-classification",
        "apache-2.0",
        ["en"],
    )
    assert {"lora-hub", "lora", "task:spam"} <= set(data.tags)
    assert data.datasets is None
    assert [(result.metric_type, result.metric_value) for result in data.eval_results] == [
        ("accuracy", 94.13),
        ("f1", 93.0),
    ]
    assert data["lora_hub"]["metrics"]["base"]["accuracy"] == {"value": 51.25, "low": 45.0, "high": 57.5, "rows": 0}


def test_text_has_the_numbers_and_the_facts() -> None:
    card = card_of(make_spec(), base_repo="lora-hub/built-in", base_revision="f" * 40)
    for part in (
        "Trained on | 480 rows",
        "Validation, which chose the checkpoint | 80 rows",
        "Held out and scored | 120 rows",
        "Left out | 20 rows",
    ):
        assert f"| {part} |" in card
    assert "| Accuracy | 51.2 (45.0 to 57.5) | 94.1 (90.0 to 97.5) |" in card
    assert "120 held-out rows" in card and "480 rows" in card and "0123456789abcdef" in card and "v1, v2" in card
    assert "rank 16, alpha 32" in card and "peft " in card and "answer=v1" in card
    assert "python -m lora_hub train spam.csv --task spam --base built-in" in card
    assert f"revision='{'f' * 40}'" in card


def test_the_verdict_is_the_paired_tests_and_names_the_rows() -> None:
    spec = make_spec()
    right = ["a"] * 8
    answers = {"base": ["a"] * 5 + ["b"] * 3, "adapter": right}
    scores = {who: metrics.score_metrics(["accuracy"], texts, right) for who, texts in answers.items()}
    found = metrics.compare_answers("accuracy", answers["adapter"], answers["base"], right)
    card = render_card(make_record(spec, spec.task, "run", scores, {"eval_rows": 8}, 40, found), "o/a")
    assert "Accuracy: 100.0 % on 8 held-out rows (the base alone: 62.5 %)." in card
    assert "| Accuracy | 62.5 (30.6 to 86.3) | 100.0 (67.6 to 100.0) |" in card
    assert (
        "Accuracy, adapter against base (p = 0.25): 3 of 8 rows changed, all for the better; with 8 rows that can be "
        "chance."
    ) in card
    assert read(card).data["lora_hub"]["metrics"]["adapter"]["accuracy"]["rows"] == 8
    assert " against " not in card_of(spec)  # a record from before there were paired tests claims nothing


def test_the_base_with_examples_has_its_column() -> None:
    scores = {**SCORES, "base_examples": {"accuracy": Score(value=80.0, low=72.0, high=86.0, rows=120)}}
    card = card_of(make_spec(), scores)
    assert "Accuracy: 94.1 % (the base with examples in its prompt: 80.0 %)." in card
    assert "| metric | base | base with examples in its prompt | adapter |" in card
    assert "| Accuracy | 51.2 (45.0 to 57.5) | 80.0 (72.0 to 86.0) | 94.1 (90.0 to 97.5) |" in card
    assert "| Macro F1 | 34.0 (30.0 to 38.0) | – | 93.0 (89.0 to 96.0) |" in card


def test_the_command_gives_the_same_settings_again() -> None:
    given = {
        "lora.r": "8",
        "lr": "3e-3",
        "epochs": "2",
        "batch": "4",
        "max_length": "128",
        "seed": "7",
        "lora.targets": "q_proj,v_proj",
        "patience": "0",
    }
    task = get_task("spam").model_copy(update={"labels": ("ham", "spam")})
    base = bases.get_base("built-in")
    made = recipe.make_spec(
        task, base, make_spec().dataset, {"text": "v2", "answer": "v1"}, effort="thorough", overrides=given
    )
    command = re.search(r"```sh\n(python -m lora_hub train .*?)\n```", card_of(made, base_repo="o/b"), re.DOTALL)[1]
    words = shlex.split(command.replace("\\\n", " "))
    settings = dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "--set")
    again = recipe.make_spec(
        task, base, made.dataset, made.mapping, effort=words[words.index("--effort") + 1], overrides=settings
    )
    assert again == made and {
        "lora.r",
        "lr",
        "epochs",
        "batch",
        "max_length",
        "seed",
        "lora.targets",
        "patience",
    } <= set(settings)


def test_no_path_and_nothing_of_the_rows() -> None:
    card = card_of(make_spec(), base_repo="lora-hub/built-in")
    assert "/home/somebody" not in card and "SECRET-ROW" not in card


def test_same_facts_same_bytes() -> None:
    assert card_of(make_spec()) == card_of(make_spec())


def test_base_in_a_folder_is_told_in_words() -> None:
    base = BaseModel(
        id="/home/somebody/models/Tiny-1M",
        folder="/home/somebody/models/Tiny-1M",
        fingerprint="cd" * 32,
        has_chat_template=False,
    )
    card = card_of(make_spec(base=base), architecture="LlamaForCausalLM")
    data = read(card).data
    assert data.base_model is None and "base_model_relation" not in data and data.license == "unknown"
    assert "Tiny-1M" in card and "LlamaForCausalLM" in card and "cd" * 32 in card
    assert "/home/somebody" not in card and "apply_chat_template" not in card


def test_hub_dataset_and_licence_of_the_base() -> None:
    base = BaseModel(id="owner/base", licence="Some Own License v2")
    spec = make_spec(base=base)
    spec = spec.model_copy(update={"dataset": spec.dataset.model_copy(update={"source": "hub:owner/data"})})
    record = make_record(spec, spec.task, "run", SCORES, {}, 1)
    record["dataset"]["source"] = "hub:owner/data"
    data = read(render_card(record, "org/name", base_repo="owner/base")).data
    assert data.datasets == ["owner/data"] and data.license == "other" and data.license_name == "some-own-license-v2"
    assert data.eval_results[0].dataset_type == "owner/data"


def test_unscored_adapter_claims_nothing() -> None:
    card = card_of(make_spec(), scores={"base": {}, "adapter": {}})
    assert not read(card).data.eval_results and "It was not scored." in card and "%" not in card.split("## Use it")[0]


def test_rows_only_where_the_person_says_so() -> None:
    rows = [held_out_row(1, {"text": f"PROMPT-{NASTY}"}, "spam", base="ham", adapter="spam")] * 30
    assert "PROMPT-" not in card_of(make_spec(), examples=rows)
    shared = card_of(make_spec(share_rows=True), examples=rows)
    assert shared.count("PROMPT-") == 10
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 5 for line in shared.splitlines() if "PROMPT-" in line)


def test_peoples_words_break_nothing() -> None:
    spec = make_spec(name=NASTY)
    task = spec.task.model_copy(
        update={
            "title": spec.task.title.model_copy(update={"en": NASTY}),
            "instruction": spec.task.instruction.model_copy(update={"en": "```\n</code>" + NASTY}),
            "labels": ("ham", NASTY),
        }
    )
    dataset = spec.dataset.model_copy(update={"name": NASTY, "columns": (NASTY, "v2")})
    card = card_of(
        spec.model_copy(update={"task": task, "dataset": dataset, "mapping": {"text": NASTY, "answer": "v2"}}),
        base_repo="o/b",
    )
    parsed = read(card)
    assert parsed.data.license == "apache-2.0" and "\n" not in parsed.data["lora_hub"]["title"]
    outside_code = re.sub(r"(?ms)^(`{3,})\w*\n.*?^\1$", "", parsed.text)
    assert (
        "<" not in outside_code and "alert(1)" in outside_code and "[a](b)" not in outside_code and "\u202e" not in card
    )
    tables = [line for line in outside_code.splitlines() if line.startswith("|")]
    assert tables and all(len(re.findall(r"(?<!\\)\|", line)) in (3, 4) for line in tables)


@pytest.mark.parametrize(
    ("task", "tag"),
    [
        ("sentiment", "text-classification"),
        ("translation", "translation"),
        ("question-answering", "question-answering"),
        ("summarization", "summarization"),
        ("chat", "text-generation"),
        ("text-to-sql", "text-generation"),
    ],
)
def test_pipeline_tag_fits_the_task(task: str, tag: str) -> None:
    assert read(card_of(make_spec(task=get_task(task)))).data.pipeline_tag == tag


def test_card_of_the_built_in_base() -> None:
    card = render_base_card(
        BaseModel(id="built-in", title="Built-in", licence="apache-2.0", languages=("en", "fa"), parameters=2_000_000),
        "org/built-in",
    )
    data = read(card).data
    assert (data.license, data.language, data.library_name) == ("apache-2.0", ["en", "fa"], "transformers")
    assert "2.0 million parameters" in card and "'org/built-in'" in card
