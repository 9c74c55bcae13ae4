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
  Rows that are longer than the base's context are not scored, for nobody.
- Metric: balanced accuracy where the rarest label has less than half of its fair share of the training rows, else
  accuracy; ROUGE-L of a row for summaries, chrF of a row for other texts; the mean of the rows.
- Tests: the product's paired tests, the seeds' answers to one row as a cluster; Holm's adjustment over the tasks.

seconds, cpu: wall and CPU time of training, its validation included (ours) or without any (the others); the exam is
not counted. The table shows CPU seconds: other work on the machine disturbs them least.
TRL's head is narrowed to the trained tokens for all of them, which makes the others quicker than they are.
"""

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from quality_report import RECIPES, read_results, report, scores_of  # noqa: E402
from quality_rows import SHARED, TASKS, Rows, read_rows  # noqa: E402

from lora_hub.answering import loading  # noqa: E402
from lora_hub.answering.stack import AdapterStack  # noqa: E402
from lora_hub.catalogue import bases  # noqa: E402
from lora_hub.core.schema import BASE, BaseModel, DatasetInfo  # noqa: E402
from lora_hub.data.prompts import prepare, split  # noqa: E402

RESULTS = Path(__file__).with_name("quality.jsonl")


class Bench:
    """A base in memory, and the cells that it answers."""

    def __init__(self, base: BaseModel, *, tune: bool, effort: str, overrides: dict[str, str]) -> None:
        self.base, self.tune, self.effort, self.overrides = base, tune, effort, overrides
        self.large = base.parameters > 20_000_000
        self.tokenizer = loading.load_tokenizer(base)
        self.model = loading.load_base(base)
        self.version = version()

    def cell(self, name: str, recipe: str, seed: int) -> dict[str, Any]:
        """The line of one cell."""
        rows = self.fitting(read_rows(name, seed, tune=self.tune, large=self.large))
        with tempfile.TemporaryDirectory() as folder:
            began, cpu_began = time.monotonic(), time.process_time()
            adapter, told, took, cpu = BASE, {}, 0.0, 0.0
            stack = AdapterStack(self.model, self.base)
            if recipe == "examples":
                answers = self.answer_with_examples(stack, rows, seed)
            else:
                train = self.train_ours if recipe.startswith("ours") else self.train_peer
                place, told = train(rows, recipe, seed, Path(folder))
                took, cpu = time.monotonic() - began, time.process_time() - cpu_began
                adapter = "adapter"
                stack = AdapterStack(self.model, self.base)
                stack.attach(place, adapter)
                answers = self.answer(stack, rows, adapter)
                stack.detach(adapter)
        line = {"task": name, "base": name_of(self.base), "recipe": recipe, "seed": seed, "version": self.version}
        line |= {"rows": len(rows.train), "settings": told, "seconds": round(took, 1), "cpu": round(cpu, 1)}
        return line | scores_of(rows, answers)

    def fitting(self, rows: Rows) -> Rows:
        """Without the scored rows that the base cannot read whole, as a run leaves them out."""
        fits = prepare.encode_examples(self.tokenizer, rows.task, rows.scored, self.base.context)
        return replace(rows, scored=fits.examples)

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

        from lora_hub.training.trainer_settings import head_on_trained_tokens, labelled
        from lora_hub.training.unadapted import as_it_was

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
