"""A run against a plain TRL script with the same settings and data: `python tests/bench/bench_train.py [ROUNDS]`

Both are processes of their own, taken in turn: load the built-in base, train the same rows for the same steps with the
same evaluations and checkpoints, and score base and adapter on the same held-out rows. The plain script does what a
person would write with the libraries alone (prompt/completion rows, `model.generate` in batches).

whole: from the start of the process to its end; ours reads and splits the file in that time, the plain script gets its
rows ready made. training: from making the trainer to the saved adapter, the last evaluation, the last checkpoint and
taking the best one up again included, in both.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "lora_hub" / "catalogue" / "tasks" / "samples" / "spam.csv"
STEPS, EVALUATIONS = 120, 4

PLAIN = """
import json, sys, time
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

given = json.load(open(sys.argv[1]))
tokenizer = AutoTokenizer.from_pretrained(given["base"])
model = AutoModelForCausalLM.from_pretrained(given["base"], dtype=torch.float32)
every = given["steps"] // given["evaluations"]
arguments = SFTConfig(
    output_dir=sys.argv[2], max_steps=given["steps"], learning_rate=given["lr"],
    per_device_train_batch_size=given["batch"], per_device_eval_batch_size=given["batch"],
    gradient_checkpointing=False, use_cpu=True, bf16=False, eval_strategy="steps", eval_steps=every,
    eval_on_start=True, save_strategy="steps", save_steps=every, save_total_limit=2, load_best_model_at_end=True,
    logging_steps=1, report_to=[], disable_tqdm=True, max_length=512, seed=42,
)
began = time.monotonic()
lora = LoraConfig(task_type="CAUSAL_LM", r=given["r"], lora_alpha=given["alpha"], target_modules="all-linear")
trainer = SFTTrainer(
    model=model, args=arguments,
    train_dataset=Dataset.from_list(given["train"]), eval_dataset=Dataset.from_list(given["validation"]),
    processing_class=tokenizer, peft_config=lora,
)
trainer.train()
trainer.model.save_pretrained(sys.argv[2] + "/adapter")
trained = time.monotonic() - began
tokenizer.padding_side = "left"
model = trainer.model.eval()
for adapter in (False, True):
    for start in range(0, len(given["test"]), 32):
        batch = [row["prompt"] for row in given["test"][start : start + 32]]
        asked = dict(add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True)
        ids = tokenizer.apply_chat_template(batch, **asked)
        if adapter:
            model.generate(**ids, max_new_tokens=given["new"], do_sample=False)
        else:
            with model.disable_adapter():
                model.generate(**ids, max_new_tokens=given["new"], do_sample=False)
print(json.dumps({"train": trained}))
"""


def prepare(home: str) -> tuple[object, dict]:
    """(spec, what the plain script gets): the very rows of the run's split as chat messages."""
    from lora_hub import runs
    from lora_hub.catalogue import bases
    from lora_hub.catalogue.tasks import catalogue
    from lora_hub.data.prompts import template
    from lora_hub.runs import run_data

    os.environ["LORA_HUB_HOME"] = home
    overrides = {"steps": STEPS, "evaluations": EVALUATIONS, "patience": 0}
    spec = runs.plan_run(SAMPLE, catalogue.get_task("spam"), bases.get_base("built-in"), overrides=overrides).spec
    task, split, _ = run_data.read_split(spec)

    def rows(part: list) -> list[dict]:
        return [
            {
                "prompt": [{"role": "user", "content": template.render_prompt(task, example.inputs)}],
                "completion": [{"role": "assistant", "content": example.answer}],
            }
            for example in part
        ]

    given = {
        "base": str(bases.built_in_folder()),
        "steps": STEPS,
        "evaluations": EVALUATIONS,
        "lr": spec.lr,
        "batch": spec.batch,
        "r": spec.lora.r,
    }
    given |= {
        "alpha": spec.lora.alpha,
        "new": 3,
        "train": rows(split.train),
        "validation": rows(split.validation),
        "test": rows(split.test),
    }
    return spec, given


# The trainer is made, the validation rows are looked at, and it trains: what a plain script's training takes, too.
TRAINING = ("preparing the training", "first look at the validation rows", "training")


def training_seconds(events: list) -> float:
    """From the moment that the worker turned to training to the moment that it turned to what comes after."""
    phases = [
        (event.at, event.data["phase"]) for event in events if event.kind == "progress" and event.data.get("phase")
    ]
    began = next(at for at, phase in phases if phase in TRAINING)
    return next(at for at, phase in phases if at > began and phase not in TRAINING) - began


def main() -> int:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    ours, plain = [], []
    with tempfile.TemporaryDirectory() as home:
        spec, given = prepare(home)
        file = Path(home) / "given.json"
        file.write_text(json.dumps(given))
        from lora_hub.core import store

        for index in range(rounds):
            began = time.monotonic()
            told = subprocess.run(
                [sys.executable, "-c", PLAIN, str(file), f"{home}/plain{index}"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=True,
            )
            plain.append((time.monotonic() - began, json.loads(told.stdout.splitlines()[-1])["train"]))
            run_id = store.create_run(spec)
            began = time.monotonic()
            subprocess.run(
                [sys.executable, "-m", "lora_hub.runs.worker", run_id], cwd=ROOT, capture_output=True, check=True
            )
            whole = time.monotonic() - began

            ours.append((whole, training_seconds(store.read_events(run_id))))
            print(
                f"round {index + 1}: ours {whole:.1f} s ({ours[-1][1]:.1f} training), plain {plain[-1][0]:.1f} s "
                f"({plain[-1][1]:.1f} training)"
            )
    ratios = [min(one[part] for one in ours) / min(one[part] for one in plain) for part in (0, 1)]
    print(f"a run against a plain TRL script: whole {ratios[0]:.2f}x, training {ratios[1]:.2f}x (goal 1.10)")
    return 0 if ratios[0] <= 1.10 else 1


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
