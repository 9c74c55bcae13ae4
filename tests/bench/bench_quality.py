"""What our defaults reach beside those of others, on ten tasks: same base, same rows, same prompts, same exam.

    python tests/bench/bench_quality.py                 # the table, from the results file alone
    OMP_NUM_THREADS=1 python tests/bench/bench_quality.py --run    # all cells of the built-in base that are missing
    ... --run --base DIR --tasks spam,banking --recipes ours,llama-factory --seeds 0
    ... --run --tune --tasks spam --recipes ours --set lr=1e-2 --results /tmp/tuning.jsonl

A cell is (task, base, recipe, seed); each is one line of `quality.jsonl`, and cells that are there are not computed
again, so that this can be stopped and started at will (`--again` computes them anew; the last line of a cell counts).

Rules, fixed before any result was seen:

- Data: ../shared/data, the files of `TASKS`, whole, read as the product reads them. A label is the file's own word,
  where it has words. Rows with equal inputs (case, spaces and Unicode form aside) count once.
- Order: by the SHA-256 of "quality" and the inputs. The first rows are scored: 30 % of the task's, at most 250, or the
  rows of the file's own development part. The next as many are for tuning where the task has at least 2,000 rows:
  `--tune` scores them instead, and only they may choose a default. All others may be trained on.
- Training rows: `ROWS` of those, or all if there are fewer, drawn with the seed; every recipe gets the same, and ours
  takes its validation rows from them. The seed is the training's too.
- Recipes: ours is `recipe.make_spec` at the effort "balanced" and nothing else. `trl` is what TRL 1.16's documentation
  gives for PEFT (docs/source/peft_integration.md: rank 32, alpha 16, dropout 0.05, learning rate 2e-4, PEFT's default
  targets) with SFTConfig's defaults for the rest (3 epochs, batch 8, linear, no warm-up). `llama-factory` is
  LLaMA-Factory's examples/train_lora/llama3_lora_sft.yaml (rank 8, so alpha 16, all linear layers, learning rate 1e-4,
  3 epochs, batch 1 x 8, cosine, warm-up 0.1). Both keep the last step, as they do by default. `examples` is the base
  with examples in its prompt, calibrated, as a run's exam has it.
- Exam: the product's (`exam.answer_examples`): labels by their whole likelihood, texts greedily.
- Metric: balanced accuracy where the rarest label has less than half of its fair share of the training rows, else
  accuracy; ROUGE-L of a row for summaries, chrF of a row for other texts; the mean of the rows.
- Tests: the product's paired tests, the seeds' answers to one row as a cluster; Holm's adjustment over the tasks.

seconds: wall time of training, its validation included (ours) or without any (the others); the exam is not counted.
TRL's head is narrowed to the trained tokens for all of them, which makes the others quicker than they are.
"""

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from lora_hub.answering import loading  # noqa: E402
from lora_hub.answering.stack import AdapterStack  # noqa: E402
from lora_hub.catalogue import bases  # noqa: E402
from lora_hub.catalogue.tasks import catalogue  # noqa: E402
from lora_hub.core.schema import BASE, BaseModel, DatasetInfo, Task  # noqa: E402
from lora_hub.data.prompts import prepare, split, template  # noqa: E402
from lora_hub.data.read import read  # noqa: E402
from lora_hub.evaluation import metrics, statistics  # noqa: E402

SHARED = ROOT.parent / "shared" / "data"
RESULTS = Path(__file__).with_name("quality.jsonl")
SCORED, SHARE, TUNED_FROM = 250, 0.3, 2000
# Training rows, and most rows scored: of a base that trains in a minute, and of one that takes twenty.
ROWS, ROWS_LARGE, SCORED_LARGE = 600, 300, 150
RECIPES = ("ours", "trl", "llama-factory", "examples")
PEERS = ("trl", "llama-factory")


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
    return split._same_key(example.inputs)


def in_order(examples: list[prepare.Example]) -> list[prepare.Example]:
    """One row for each input, in the order that no file and no seed decides."""
    each = {key_of(example): example for example in reversed(examples)}
    return [each[key] for key in sorted(each, key=lambda key: hashlib.sha256(f"quality{key}".encode()).digest())]


class Bench:
    """A base in memory, and the cells that it answers."""

    def __init__(self, base: BaseModel, *, tune: bool, effort: str, overrides: dict[str, str]) -> None:
        self.base, self.tune, self.effort, self.overrides = base, tune, effort, overrides
        self.large = base.parameters > 20_000_000
        self.tokenizer = loading.load_tokenizer(base)
        self.model = loading.load_base(base)

    def cell(self, name: str, recipe: str, seed: int) -> dict[str, Any]:
        """The line of one cell."""
        rows = read_rows(name, seed, tune=self.tune, large=self.large)
        with tempfile.TemporaryDirectory() as folder:
            began, cpu = time.monotonic(), time.process_time()
            adapter, told, took = BASE, {}, 0.0
            stack = AdapterStack(self.model, self.base)
            if recipe == "examples":
                answers = self.answer_with_examples(stack, rows, seed)
            else:
                train = self.train_ours if recipe.startswith("ours") else self.train_peer
                place, told = train(rows, recipe, seed, Path(folder))
                took, cpu = time.monotonic() - began, time.process_time() - cpu
                adapter = "adapter"
                stack = AdapterStack(self.model, self.base)
                stack.attach(place, adapter)
                answers = self.answer(stack, rows, adapter)
                stack.detach(adapter)
        line = {"task": name, "base": name_of(self.base), "recipe": recipe, "seed": seed, "version": version()}
        line |= {"rows": len(rows.train), "settings": told, "seconds": round(took, 1), "cpu": round(cpu, 1)}
        return line | scores_of(rows, answers)

    def train_ours(self, rows: Rows, recipe: str, seed: int, folder: Path) -> tuple[Path, dict[str, Any]]:
        """As a run trains: spec, split, tokens, training."""
        from lora_hub.training import together
        from lora_hub.training.recipe import make_spec
        from lora_hub.training.task_training import TaskTraining

        info = DatasetInfo(
            fingerprint="0" * 16, name=f"{rows.task.id}.csv", rows=len(rows.train), columns=("a",), format="csv"
        )
        given = {**self.overrides, "seed": str(seed)}
        spec = make_spec(
            rows.task, self.base, info, {"answer": "a"}, effort=self.effort, overrides=given, test_dataset=info
        )
        parts, _ = split.split_with_test(rows.train, rows.scored, rows.task, seed=seed, test_name="scored")
        encoded, validation = (
            prepare.encode_examples(self.tokenizer, rows.task, part, spec.max_length)
            for part in (parts.train, parts.validation)
        )
        looks: list[float] = []

        def report(kind: str, **data: Any) -> None:
            if "eval_loss" in data:
                looks.append(round(data["eval_loss"], 3))

        task = TaskTraining(spec, encoded, validation, folder, report)
        trained = together.train_tasks([task], self.model, self.tokenizer, mode="in turn").results[0]
        if isinstance(trained, Exception):
            raise trained
        told = {key: getattr(spec, key) for key in ("lr", "epochs", "batch", "schedule", "max_length")}
        told |= {"r": spec.lora.r, "alpha": spec.lora.alpha, "effort": self.effort, **self.overrides}
        told |= {"steps": trained.steps, "best_step": trained.best_step, "looks": looks}
        return trained.folder, told

    def train_peer(self, rows: Rows, recipe: str, seed: int, folder: Path) -> tuple[Path, dict[str, Any]]:
        """Plain SFTTrainer with the peer's settings on all rows, the last step kept."""
        from datasets import Dataset
        from peft import LoraConfig
        from transformers import set_seed
        from trl import SFTConfig, SFTTrainer

        from lora_hub.answering.unadapted import as_it_was
        from lora_hub.training.trainer_settings import head_on_trained_tokens, labelled

        lora, told = peer_settings(recipe)
        longest = min(self.base.context, told.pop("longest"))
        encoded = prepare.encode_examples(self.tokenizer, rows.task, rows.train, longest)
        settings = SFTConfig(
            output_dir=str(folder / "trainer"),
            seed=seed,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            logging_strategy="no",
            **told,
        )
        set_seed(seed)
        with as_it_was(self.model):
            trainer = SFTTrainer(
                model=self.model,
                args=settings,
                train_dataset=Dataset.from_list(labelled(encoded)),
                processing_class=self.tokenizer,
                peft_config=LoraConfig(task_type="CAUSAL_LM", **lora),
            )
            with head_on_trained_tokens():
                trainer.train()
            trainer.model.save_pretrained(folder / "adapter")
        return folder / "adapter", {**lora, **told, "steps": trainer.state.global_step}

    def answer(self, stack: Any, rows: Rows, adapter: str, **more: Any) -> list[Any]:
        from lora_hub.evaluation import exam

        return exam.answer_examples(stack, self.tokenizer, rows.task, rows.scored, adapter, **more)

    def answer_with_examples(self, stack: Any, rows: Rows, seed: int) -> list[Any]:
        """As `exam.hold_exam` asks the base: the examples that fit, and its choices calibrated on other rows."""
        from lora_hub.answering import exam_work
        from lora_hub.answering.prefill import context_length
        from lora_hub.evaluation import exam
        from lora_hub.evaluation.examples import choose_examples

        calibrating = rows.train[: exam_work.MOST_CALIBRATED] if rows.task.output == "labels" else []
        asked = [example.inputs for example in (*rows.scored, *calibrating)]
        shown = choose_examples(self.tokenizer, rows.task, rows.train, asked, context=context_length(stack), seed=seed)
        calibration = None
        if calibrating:
            calibrating = [one for one in calibrating if (one.inputs, one.answer) not in shown]
            calibration = exam.calibrate(stack, self.tokenizer, rows.task, calibrating, rows.train, shown=shown)
        return self.answer(stack, rows, BASE, calibration=calibration, shown=shown)


def peer_settings(recipe: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(LoraConfig's arguments, SFTConfig's) of a peer; what is not here is the library's default. longest: tokens a
    row."""
    if recipe == "trl":
        return {"r": 32, "lora_alpha": 16, "lora_dropout": 0.05}, {"learning_rate": 2e-4, "longest": 1024}
    if recipe == "llama-factory":
        lora = {"r": 8, "lora_alpha": 16, "lora_dropout": 0.0, "target_modules": "all-linear"}
        # One row at a time and eight steps' gradients are, but for padding, one batch of eight.
        rate = {"learning_rate": 1e-4, "lr_scheduler_type": "cosine", "warmup_steps": 0.1}
        return lora, {**rate, "num_train_epochs": 3, "per_device_train_batch_size": 8, "longest": 2048}
    raise SystemExit(f"There is no recipe {recipe!r}: {', '.join(RECIPES)}")


def name_of(base: BaseModel) -> str:
    return Path(base.id).name


def version() -> str:
    """Git's name of lora_hub as it is committed, with a + where it was changed since."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    return git("rev-parse", "--short=10", "HEAD:lora_hub") + ("+" if git("status", "--porcelain", "lora_hub") else "")


def scores_of(rows: Rows, answers: list[Any]) -> dict[str, Any]:
    """What a line keeps of the answers: no text, but each row's score, from which every test can be computed again.

    scores: one a row, in the scored rows' order: of labels a string of 0 and 1, of texts whole per cent. truth: of
    labels the right one's number, in base 36. clusters: of rows that are nearly the same, where there are any."""
    texts = [answer.text for answer in answers]
    references = [example.answer for example in rows.scored]
    clusters = [int(number) for number in split.cluster_examples(rows.scored)]
    kept: dict[str, Any] = {"metric": rows.metric, "scored": len(references)}
    if len(set(clusters)) < len(clusters):
        kept["clusters"] = clusters
    if rows.task.output == "labels":
        hits = metrics.METRICS["accuracy"].table(texts, [[one] for one in references]).values[:, 0]
        numbers = {label: place for place, label in enumerate(rows.task.labels)}
        kept["truth"] = "".join(DIGITS[numbers[one]] for one in references)
        kept["scores"] = "".join(str(int(hit)) for hit in hits)
    else:
        metric = metrics.METRICS[rows.metric]
        table = metric.table(texts, [[one] for one in references])
        kept["scores"] = [
            round(100 * float(one)) if rows.metric == "rougeL" else round(float(one)) for one in metric.each(table)
        ]
    return {**kept, "value": round(value_of(kept), 2)}


DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def table_of(line: dict[str, Any]) -> tuple[Any, Any, Any]:
    """(table, function of its sums, each row's score) of a line, as `statistics` takes them."""
    import numpy as np

    if "truth" in line:
        # A wrong answer is nobody's label: neither metric asks which wrong one it was.
        metric = metrics.METRICS[line["metric"]]
        said = [label if hit == "1" else "?" for label, hit in zip(line["truth"], line["scores"], strict=True)]
        table = metric.table(said, [[label] for label in line["truth"]])
        return table, metric.value, metric.each(table)
    each = np.array(line["scores"], dtype=np.float64) / 100
    table = statistics.RowTable(np.stack([each, np.ones(len(each))], axis=1), 2)
    return table, lambda sums: 100 * sums[:, 0] / sums[:, 1], each


def value_of(line: dict[str, Any]) -> float:
    table, value, _ = table_of(line)
    return float(value(table.total()[None])[0])


def read_results(file: Path) -> dict[tuple[str, str, str, int], dict[str, Any]]:
    """(base, task, recipe, seed) -> its last line."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    told = [json.loads(line) for line in lines if line.strip()]
    return {(line["base"], line["task"], line["recipe"], line["seed"]): line for line in told}


def joined(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Several seeds' lines on the same rows as one: a row's answers are one cluster."""
    first = lines[0]
    clusters = first.get("clusters") or list(range(first["scored"]))
    whole = {"metric": first["metric"], "clusters": clusters * len(lines)}
    if "truth" in first:
        whole["truth"] = first["truth"] * len(lines)
    start: Any = "" if isinstance(first["scores"], str) else []
    for line in lines:
        start = start + line["scores"]
    return {**whole, "scores": start}


def compare(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Any:
    """Ours against theirs on the same seeds and rows: a PairedComparison."""
    import numpy as np

    one, other = joined(ours), joined(theirs)
    (mine, value, each), (its, _, other_each) = table_of(one), table_of(other)
    return statistics.compare(
        one["metric"], mine, its, value, (each, other_each), clusters=np.array(one["clusters"]), against="peer"
    )


def report(file: Path) -> bool:
    """Prints the table of each base. Returns whether the goals are met on every one."""
    found = read_results(file)
    met = True
    for base in sorted({key[0] for key in found}):
        met = report_base(base, {key[1:]: line for key, line in found.items() if key[0] == base}) and met
    return met and bool(found)


def report_base(base: str, found: dict[tuple[str, str, int], dict[str, Any]]) -> bool:
    recipes = [*RECIPES, *sorted({key[1] for key in found} - {*RECIPES})]
    recipes = [one for one in recipes if any(key[1] == one for key in found)]
    rows: dict[str, list[str]] = {}
    against: dict[str, dict[str, Any]] = {"peer": {}, "examples": {}}
    for name in TASKS:
        lines = {one: [found[key] for key in sorted(found) if key[:2] == (name, one)] for one in recipes}
        if not any(lines.values()):
            continue
        some = next(each[0] for each in lines.values() if each)
        rows[name] = [name, some["metric"], str(some["rows"]), str(some["scored"])]
        rows[name] += [cell_text(lines[one]) for one in recipes]
        rivals = {one: paired(lines.get("ours", []), lines.get(one, [])) for one in (*PEERS, "examples")}
        peers = [compare(*rivals[one]) for one in PEERS if rivals[one][0]]
        if len(peers) == len(PEERS):
            against["peer"][name] = min(peers, key=lambda one: one.difference)
        if rivals["examples"][0]:
            against["examples"][name] = compare(*rivals["examples"])
    tested = {
        who: dict(zip(of, statistics.adjust_for_several(list(of.values())), strict=True)) for who, of in against.items()
    }
    print(f"\n{base}: per cent, mean of the seeds (how many), mean seconds of training")
    head = ["task", "metric", "rows", "scored", *recipes, "ours - best peer", "ours - examples"]
    table = [[*rows[name], *(difference_text(tested[who].get(name)) for who in tested)] for name in rows]
    for line in (head, *table):
        print("| " + " | ".join(line) + " |")
        if line is head:
            print("|" + "---|" * len(head))
    peer, shown = tested["peer"].values(), tested["examples"].values()
    no_worse, better = sum(one.difference >= 0 for one in peer), sum(one.verdict == "better" for one in peer)
    beats = sum(one.difference > 0 for one in shown)
    print(
        f"{base}: as good as the better peer or better on {no_worse} of {len(peer)} tasks (goal 9 of 10), surely "
        f"better on {better} (goal 5); above the base with examples on {beats} of {len(shown)}"
    )
    return no_worse >= 9 and better >= 5 and beats == len(shown) == len(TASKS)


def paired(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """The lines of the seeds that both have."""
    other = {line["seed"]: line for line in theirs}
    both = [line for line in ours if line["seed"] in other]
    return both, [other[line["seed"]] for line in both]


def cell_text(lines: list[dict[str, Any]]) -> str:
    if not lines:
        return "-"
    mean = sum(line["value"] for line in lines) / len(lines)
    seconds = sum(line["seconds"] for line in lines) / len(lines)
    return f"{mean:.1f} ({len(lines)})" + (f" {seconds:.0f} s" if seconds else "")


def difference_text(found: Any) -> str:
    if found is None:
        return "-"
    return f"{found.difference:+.1f} ({found.low:+.1f} to {found.high:+.1f}) {found.verdict}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="built-in")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--recipes", default=",".join(RECIPES))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--effort", default="balanced")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of ours, to tune; with --tune")
    parser.add_argument("--tune", action="store_true", help="score the rows that may choose a default")
    parser.add_argument("--again", action="store_true", help="compute cells that are there already")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--run", action="store_true", help="compute the cells that are missing: hours")
    options = parser.parse_args()
    if not options.run:
        return 0 if report(options.results) else 1
    overrides = dict(one.split("=", 1) for one in options.set)
    if (options.tune or overrides or options.effort != "balanced") and options.results == RESULTS:
        raise SystemExit("Figures of other settings or rows do not belong in quality.jsonl: give --results FILE")
    if missing := [one.file for one in TASKS.values() if not (SHARED / one.file).is_file()]:
        print("NOT MEASURED: missing", ", ".join(missing))
        return 1
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    base = bases.get_base(options.base)
    bench = Bench(base, tune=options.tune, effort=options.effort, overrides=overrides)
    # A recipe that was changed by hand is another one.
    changed = "".join(f" {one}" for one in options.set) + ("" if options.effort == "balanced" else f" {options.effort}")
    for seed in map(int, options.seeds.split(",")):
        for name in options.tasks.split(","):
            for recipe in options.recipes.split(","):
                called = recipe + changed if recipe == "ours" else recipe
                if not options.again and (name_of(base), name, called, seed) in read_results(options.results):
                    continue
                began = time.monotonic()
                with contextlib.redirect_stdout(io.StringIO()):  # the trainer tells every loss
                    line = bench.cell(name, called, seed)
                with options.results.open("a", encoding="utf-8") as out:
                    out.write(json.dumps(line) + "\n")
                print(
                    f"{name:14}{called:16} seed {seed}  {line['metric']} {line['value']:5.1f}  training "
                    f"{line['seconds']:.0f} s, {time.monotonic() - began:.0f} s in all",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
