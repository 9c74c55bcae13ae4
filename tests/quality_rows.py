"""The tasks of `bench/bench_quality.py` and their rows, by the rules that stand there.

rows = read_rows("spam", seed=0, tune=False, large=False)
rows.train, rows.scored, rows.metric
"""

import hashlib
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.schema import Task
from lora_hub.data.prompts import prepare, split, template
from lora_hub.data.read import read

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
SCORED, SHARE, TUNED_FROM = 250, 0.3, 2000
# Training rows, and most rows scored: of a base that trains in a minute, and of one that takes twenty.
ROWS, ROWS_LARGE, SCORED_LARGE = 600, 300, 150


@dataclass(frozen=True)
class BenchTask:
    """One of the ten. task: the catalogue's id. columns: role -> column. labels: the words for a file's numbers;
    a value that is not there is left out. dev: a file of its own for the scored rows."""

    file: str
    task: str
    columns: dict[str, str]
    dev: str = ""
    labels: dict[str, str] | None = None
    keep: Callable[[str], bool] = lambda answer: True
    language: str = "en"
    inputs: tuple[str, ...] = ()
    instruction: str = ""


TWENTY = (
    "activate_my_card age_limit apple_pay_or_google_pay atm_support automatic_top_up "
    "balance_not_updated_after_bank_transfer balance_not_updated_after_cheque_or_cash_deposit "
    "beneficiary_not_allowed cancel_transfer card_about_to_expire card_acceptance card_arrival card_delivery_estimate "
    "card_linking card_not_working card_payment_fee_charged card_payment_not_recognised "
    "card_payment_wrong_exchange_rate card_swallowed cash_withdrawal_charge"
).split()  # the first by the alphabet

TASKS = {
    "spam": BenchTask("spam/spam.csv", "spam", {"text": "v2", "answer": "v1"}),
    "sst2": BenchTask(
        "classification/sst2/sst2_train.tsv",
        "sentiment",
        {"text": "sentence", "answer": "label"},
        dev="classification/sst2/sst2_dev.tsv",
        labels={"0": "negative", "1": "positive"},
    ),
    "banking": BenchTask(
        "classification/banking77/train.csv",
        "intent",
        {"text": "text", "answer": "category"},
        keep=TWENTY.__contains__,
    ),
    "agnews": BenchTask("difficult/agnews.csv.gz", "topic", {"text": "description", "answer": "label"}),
    "fa-sentiment": BenchTask(
        "classification/parsinlu_sentiment/movie.jsonl",
        "sentiment",
        {"text": "review", "answer": "sentiment"},
        labels={"-3": "منفی", "-2": "منفی", "-1": "منفی", "1": "مثبت", "2": "مثبت", "3": "مثبت"},
        language="fa",
    ),
    "fa-entailment": BenchTask(
        "classification/parsinlu_entailment/train.csv",
        "topic",
        {"premise": "sent1", "hypothesis": "sent2", "answer": "label"},
        labels={"e": "entailment", "c": "contradiction", "n": "neutral"},
        inputs=("premise", "hypothesis"),
        instruction="Does the hypothesis follow from the premise?",
    ),
    "en-fa": BenchTask("translation/pes.txt", "translation", {"source": "column_1", "answer": "column_2"}),
    "en-de": BenchTask(
        "translation/en_de.train.csv",
        "translation",
        {"source": "en", "answer": "de"},
        dev="translation/en_de.val.csv",
    ),
    "text-to-sql": BenchTask(
        "text2sql/wikisql_train_5000.jsonl", "text-to-sql", {"question": "question", "answer": "sql"}
    ),
    "summaries": BenchTask(
        "summarization/dialogsum.dev.jsonl", "summarization", {"text": "dialogue", "answer": "summary"}
    ),
}


@dataclass(frozen=True)
class Rows:
    """A task's rows. task: with its labels frozen."""

    task: Task
    train: list[prepare.Example]
    scored: list[prepare.Example]
    metric: str


def read_rows(name: str, seed: int, *, tune: bool, large: bool) -> Rows:
    """The rows of a task by the rules above. tune: score the tuning rows. large: of a base that takes long."""
    about = TASKS[name]
    task = make_task(about)
    examples = in_order(read_examples(about, about.file, task))
    # A development file brings its own rows to score; without one they are the first of the order.
    count = min(SCORED, round(SHARE * len(examples)))
    tuned = count if len(examples) >= TUNED_FROM else 0
    if about.dev:
        tested = in_order(read_examples(about, about.dev, task))[:count]
        tuning, pool = examples[:tuned], examples[tuned:]
    else:
        tested, tuning, pool = examples[:count], examples[count : count + tuned], examples[count + tuned :]
    apart = {key_of(example) for example in (*tested, *tuning)}
    pool = [example for example in pool if key_of(example) not in apart]
    random.Random(seed).shuffle(pool)
    train = pool[: ROWS_LARGE if large else ROWS]
    if tune and not tuning:
        raise SystemExit(f"{name} has too few rows to tune on")
    scored = (tuning if tune else tested)[: SCORED_LARGE if large else SCORED]
    if task.output == "labels":
        # Of all rows that may be trained on, so that a task's metric hangs on no seed.
        counts = Counter(example.answer for example in pool)
        task = template.freeze_labels(task, sorted(counts))
        uneven = min(counts.values()) < sum(counts.values()) / len(counts) / 2
        return Rows(task, train, scored, "balanced_accuracy" if uneven else "accuracy")
    return Rows(task, train, scored, "rougeL" if about.task == "summarization" else "chrf")


def make_task(about: BenchTask) -> Task:
    task = catalogue.get_task(about.task)
    if about.inputs:
        roles = "\n".join(f"{role.capitalize()}: {{{role}}}" for role in about.inputs)
        changed = {
            "inputs": about.inputs,
            "template": f"{{instruction}}\nAnswer with one of: {{labels}}.\n\n{roles}",
            "instruction": {"en": about.instruction, "fa": about.instruction},
        }
        task = Task(**{**task.model_dump(), **changed})
    return catalogue.in_language(task, about.language)


def read_examples(about: BenchTask, file: str, task: Task) -> list[prepare.Example]:
    examples = prepare.build_examples(read.read_table(SHARED / file), task, about.columns)
    if about.labels is not None:
        examples = [
            prepare.Example(one.row, one.inputs, about.labels[one.answer])
            for one in examples
            if one.answer in about.labels
        ]
    return [one for one in examples if about.keep(one.answer)]


def key_of(example: prepare.Example) -> str:
    return split.same_key(example.inputs)


def in_order(examples: list[prepare.Example]) -> list[prepare.Example]:
    """One row for each input, in the order that no file and no seed decides."""
    each = {key_of(example): example for example in reversed(examples)}
    return [each[key] for key in sorted(each, key=lambda key: hashlib.sha256(f"quality{key}".encode()).digest())]
