"""A run against a plain TRL script with the same settings and data, as ratios within one run.

    OMP_NUM_THREADS=1 python tests/bench/bench_train.py [--base built-in|FOLDER] [--task spam] [--steps 120]
        [--evaluations 4] [--rounds 2] [--set KEY=VALUE ...]

Both are processes of their own, taken in turn: load the base, train the same rows for the same steps with the same
evaluations and checkpoints, and score base and adapter on the same held-out rows. The plain script does what a person
would write with the libraries alone (prompt/completion rows, `model.generate` in batches).

whole: from the start of the process to its end; ours reads and splits the file in that time, the plain script gets its
rows ready made. training: from making the trainer to the saved adapter, the last evaluation, the last checkpoint and
taking the best one up again included, in both; with the same rows and steps, its ratio is that of tokens a second that
are no padding. CPU seconds of the process (the wall clock beside them, for an idle machine), and its peak memory.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "lora_hub" / "catalogue" / "tasks" / "samples"
GOAL = 0.5  # of a real base; the built-in one's run is mostly what any process needs to begin

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
began = time.process_time()
lora = LoraConfig(task_type="CAUSAL_LM", r=given["r"], lora_alpha=given["alpha"], target_modules="all-linear")
trainer = SFTTrainer(
    model=model, args=arguments,
    train_dataset=Dataset.from_list(given["train"]), eval_dataset=Dataset.from_list(given["validation"]),
    processing_class=tokenizer, peft_config=lora,
)
trainer.train()
trainer.model.save_pretrained(sys.argv[2] + "/adapter")
trained = time.process_time() - began
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


OURS = """
import json, sys, time
from lora_hub.core.processes import set_environment
set_environment()
from lora_hub.runs.worker import Worker
from lora_hub.training import together

train = together.train_adapter
def timed(*given, **named):
    began = time.process_time()
    done = train(*given, **named)
    print(json.dumps({"train": time.process_time() - began}))
    return done
together.train_adapter = timed
sys.exit(Worker(sys.argv[1], None).run())
"""


def prepare(home: str, options: argparse.Namespace) -> tuple[object, dict]:
    """(spec, what the plain script gets): the very rows of the run's split as chat messages."""
    from lora_hub import runs
    from lora_hub.answering import loading
    from lora_hub.catalogue import bases
    from lora_hub.catalogue.tasks import catalogue
    from lora_hub.data.prompts import template
    from lora_hub.runs import run_data

    os.environ["LORA_HUB_HOME"] = home
    overrides = {"steps": options.steps, "evaluations": options.evaluations, "patience": 0}
    overrides |= dict(setting.split("=", 1) for setting in options.set)
    base = bases.get_base(options.base)
    file = next(SAMPLES.glob(f"{options.task}.*"))
    spec = runs.plan_run(file, catalogue.get_task(options.task), base, overrides=overrides).spec
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
        "base": loading.source(base),
        "steps": spec.steps,
        "evaluations": spec.evaluations,
        "lr": spec.lr,
        "batch": spec.batch,
        "r": spec.lora.r,
    }
    given |= {
        "alpha": spec.lora.alpha,
        "new": 3 if task.output == "labels" else spec.task.max_new_tokens,
        "train": rows(split.train),
        "validation": rows(split.validation),
        "test": rows(split.test),
    }
    return spec, given


# A process's own peak; that of its resource usage counts its parent's memory, too, of which it is a copy at first.
PEAK = """
import atexit
def tell_peak():
    print(next('{"peak": %s}' % line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
atexit.register(tell_peak)
"""


def measure(script: str, *arguments: str) -> dict[str, float]:
    """What a process took: "whole" and "train" in CPU seconds, "wall" in seconds, "peak" in MB."""
    began = time.monotonic()
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as wrong:
        process = subprocess.Popen(
            [sys.executable, "-c", PEAK + script, *arguments], cwd=ROOT, stdout=said, stderr=wrong
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        wrong.seek(0)
        if process.returncode:
            raise SystemExit(wrong.read()[-3000:])
        lines = said.read().splitlines()
        told, peak = (
            next(json.loads(line) for line in lines if line.startswith(begin)) for begin in ('{"train"', '{"peak"')
        )
    return told | {
        "whole": used.ru_utime + used.ru_stime,
        "wall": time.monotonic() - began,
        "peak": peak["peak"] / 1024,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", default="built-in")
    parser.add_argument("--task", default="spam")
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--evaluations", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="other settings of both")
    options = parser.parse_args()
    ours, plain = [], []
    with tempfile.TemporaryDirectory() as home:
        spec, given = prepare(home, options)
        file = Path(home) / "given.json"
        file.write_text(json.dumps(given))
        from lora_hub.core import store

        for index in range(options.rounds):
            plain.append(measure(PLAIN, str(file), f"{home}/plain{index}"))
            ours.append(measure(OURS, store.create_run(spec)))
            for who, of in (("plain", plain), ("ours", ours)):
                one = of[-1]
                print(
                    f"round {index + 1}, {who:5}: {one['whole']:.1f} CPU s, {one['train']:.1f} of them training; "
                    f"{one['wall']:.1f} s; {one['peak']:,.0f} MB",
                    flush=True,
                )
    ratios = {
        key: min(one[key] for one in ours) / min(one[key] for one in plain)
        for key in ("whole", "train", "wall", "peak")
    }
    print(
        f"{options.base}, {options.task}, {spec.steps} steps of {spec.batch} rows, a run against a plain TRL script: "
        f"whole {ratios['whole']:.2f}x (goal {GOAL}), training {ratios['train']:.2f}x = "
        f"{1 / ratios['train']:.1f} times the tokens a second (goal 2), "
        f"wall {ratios['wall']:.2f}x, peak memory {ratios['peak']:.2f}x (goal 1)"
    )
    return 0 if ratios["whole"] <= GOAL else 1


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
