"""Training N tasks in one pass against one after another, and visitors in one batch against one by one; ratios within
one run.

    python tests/bench/bench_together.py [--shapes 1M,28M] [--adapters 8] [--steps 20] [--rounds 2] [--device cpu|cuda]
    [--cpu-seconds]

"In turn" is train.train_adapter (TRL's SFTTrainer with PEFT) once a task, with the base loaded once. Every way trains
the same rows with the same seeds and must give the same adapters (to 1e-4 in fp32), or the table is not printed. With
--cpu-seconds and OMP_NUM_THREADS=1: CPU seconds instead of the wall clock, for a machine that does other things, too.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import torch
import transformers

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tiny_bases import END, byte_tokenizer  # noqa: E402

from lora_hub.answering import generate
from lora_hub.answering.generate import PromptRow, stream  # noqa: E402
from lora_hub.answering.stack import AdapterStack  # noqa: E402
from lora_hub.core.schema import BaseModel, DatasetInfo, LoraSpec, Task, Text2, TrainSpec  # noqa: E402
from lora_hub.data.prompts.prepare import Encoded  # noqa: E402
from lora_hub.training import together  # noqa: E402
from lora_hub.training.task_training import TaskTraining  # noqa: E402

SHAPES = {
    "1M": dict(
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        vocab_size=2048,
    ),
    "28M": dict(
        hidden_size=512,
        intermediate_size=1408,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=8,
        vocab_size=4096,
    ),
    "1B": dict(
        hidden_size=2048,
        intermediate_size=8192,
        num_hidden_layers=16,
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=128256,
    ),
    "8B": dict(
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=128256,
    ),
}
now = time.process_time if "--cpu-seconds" in sys.argv else time.perf_counter
BASE = BaseModel(id="random", context=4096)


def build(shape: str, device: str) -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        **SHAPES[shape], max_position_embeddings=4096, bos_token_id=1, eos_token_id=END, pad_token_id=0
    )
    with torch.device(device):
        model = transformers.AutoModelForCausalLM.from_config(
            config, dtype=torch.bfloat16 if device == "cuda" else torch.float32
        )
    return model.requires_grad_(False).eval()


def make_rows(count: int, length: int, seed: int, vocabulary: int) -> Encoded:
    """Rows of random tokens, a quarter of them trained."""
    random = torch.Generator().manual_seed(seed)
    rows = [
        {
            "input_ids": torch.randint(3, vocabulary, (length,), generator=random).tolist(),
            "completion_mask": [0] * (length - length // 4) + [1] * (length // 4),
        }
        for _ in range(count)
    ]
    return Encoded(rows, [])


def make_spec(batch: int, steps: int, device: str) -> TrainSpec:
    task = Task(id="bench", title=Text2(en="Bench"), instruction=Text2(en="."))
    info = DatasetInfo(fingerprint="0", name="rows", rows=1, columns=("text",), format="csv")
    return TrainSpec(
        task=task,
        base=BASE,
        dataset=info,
        mapping={},
        lora=LoraSpec(r=16),
        lr=1e-3,
        epochs=1,
        steps=steps,
        batch=batch,
        evaluations=1,
        patience=0,
        packing="off",
        precision="bf16" if device == "cuda" else "fp32",
    )


def make_tasks(
    count: int, batch: int, length: int, steps: int, folder: Path, vocabulary: int, device: str
) -> list[TaskTraining]:
    tasks = []
    for number in range(count):
        own = folder / str(number)
        own.mkdir(parents=True)
        rows = make_rows(batch * steps, length, number, vocabulary)
        tasks.append(
            TaskTraining(
                make_spec(batch, steps, device), rows, make_rows(2, length, 99, vocabulary), own, lambda *_, **__: None
            )
        )
    return tasks


def train_all(
    model: object, tokenizer: object, mode: str, *shape: int, device: str, vocabulary: int, count: int
) -> tuple[float, list, str]:
    with tempfile.TemporaryDirectory() as name:
        batch, length, steps = shape
        tasks = make_tasks(count, batch, length, steps, Path(name), vocabulary, device)
        began = now()
        outcome = together.train_tasks(tasks, model, tokenizer, mode=mode)
        if device == "cuda":
            torch.cuda.synchronize()
        seconds = now() - began
        from safetensors.torch import load_file

        return (
            seconds,
            [load_file(result.folder / "adapter_model.safetensors") for result in outcome.results],
            outcome.mode,
        )


def bench_training(options: argparse.Namespace) -> list[dict]:
    rows, tokenizer = [], byte_tokenizer()
    for shape in options.shapes.split(","):
        model = build(shape, options.device)
        for batch, length in ((1, 32), (4, 128)):
            steps = options.steps if (batch, length) == (1, 32) else max(3, options.steps // 4)
            seconds: dict[str, list[float]] = {"in turn": [], "together": [], "auto": []}
            modes, gave = {}, {}
            for turn in range(options.rounds):
                for mode in seconds:
                    taken, gave[mode], modes[mode] = train_all(
                        model,
                        tokenizer,
                        mode,
                        batch,
                        length,
                        steps,
                        device=options.device,
                        vocabulary=SHAPES[shape]["vocab_size"],
                        count=options.adapters,
                    )
                    seconds[mode].append(taken)
            difference = max(
                (one[key].float() - other[key].float()).abs().max().item()
                for one, other in zip(gave["in turn"], gave["together"], strict=True)
                for key in one
            )
            if options.device == "cpu" and difference > 1e-4:
                raise SystemExit(
                    f"{shape}: adapters trained together differ by {difference:.1e} from those trained alone"
                )
            best = {mode: min(taken) for mode, taken in seconds.items()}
            row = {
                "what": f"train N={options.adapters}, {shape}, {batch} x {length}",
                "in_turn_s": round(best["in turn"], 2),
                "together_s": round(best["together"], 2),
                "together": round(best["in turn"] / best["together"], 2),
                "auto": round(best["in turn"] / best["auto"], 2),
                "chose": modes["auto"],
                "difference": f"{difference:.1e}",
            }
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
            rows.append(row)
    return rows


MEMORY = """
import sys; sys.path[:0] = {path!r}
import bench_together as bench, torch, tempfile, resource
from pathlib import Path
from lora_hub.training import together
from lora_hub.training import alone as train
from tiny_bases import byte_tokenizer
model = bench.build({shape!r}, "cpu")
folder = Path(tempfile.mkdtemp())
count, batch = {count}, {batch}
tasks = bench.make_tasks(count, batch, {length}, 6, folder, bench.SHAPES[{shape!r}]["vocab_size"], "cpu")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if {count} == 1:
    t = tasks[0]
    train.train_adapter(t.spec, model, byte_tokenizer(), t.train, t.validation, t.folder, report=t.report)
else:
    together.train_tasks(tasks, model, byte_tokenizer(), mode="together")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def bench_memory(options: argparse.Namespace) -> dict:
    """Peak MiB of N tasks of 2 rows together against one run of 2 N rows a step; each in a process of its own."""
    shape, n, length = "28M", options.adapters, 128
    path = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "bench")]

    def peak(count: int, batch: int) -> float:
        code = MEMORY.format(path=path, shape=shape, count=count, batch=batch, length=length)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
        return float(done.stdout.splitlines()[-1])

    one = min(peak(1, 2 * n) for _ in range(2))
    all_of_them = min(peak(n, 2) for _ in range(2))
    parameters = (
        sum(16 * (a + b) for a, b in [(512, 512)] * 4 + [(512, 1408)] * 2 + [(1408, 512)])
        * SHAPES[shape]["num_hidden_layers"]
    )
    own = (n - 1) * parameters * 4 * 4 / 2**20  # weights, gradients and AdamW's two moments, in float32
    row = {
        "what": f"memory of N={n} together, {shape}",
        "one_run_mib": round(one),
        "together_mib": round(all_of_them),
        "adapters_own_mib": round(own),
        "ratio": round(all_of_them / (one + own), 3),
    }
    print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    return row


def bench_visitors(options: argparse.Namespace) -> list[dict]:
    """16 visitors at once, each with a prompt and an adapter of their own, against one after another; then with fewer
    places for adapters than they ask, so that adapters come and go and visitors wait for places."""
    from bench_stack import save_adapters

    rows = []
    with tempfile.TemporaryDirectory() as name:
        folders = {folder.name: folder for folder in save_adapters(build("28M", options.device), Path(name), 8)}
        for adapters, places in ((4, 16), (8, 4)):
            stack = AdapterStack(build("28M", options.device), BASE, max_slots=places)
            rows.append(
                time_visitors(
                    stack,
                    dict(list(folders.items())[:adapters]),
                    options,
                    f"16 visitors, 28M, {adapters} adapters, {places} places",
                )
            )
    return rows


def time_visitors(stack: AdapterStack, folders: dict[str, Path], options: argparse.Namespace, what: str) -> dict:
    tokenizer, random = byte_tokenizer(), torch.Generator().manual_seed(1)
    names = list(folders)
    rows = [
        PromptRow(torch.randint(3, 250, (12 + 3 * n,), generator=random).tolist(), names[n % len(names)])
        for n in range(16)
    ]

    def ask(row: PromptRow, visitors: object = None) -> tuple:
        with stack.hold({row.adapter: folders[row.adapter]}):
            return [
                answer.ids
                for _, answer in stream(stack, tokenizer, [row], max_new_tokens=24, visitors=visitors)
                if answer.done
            ][0]

    alone, at_once = [], []
    for _ in range(options.rounds + 1):
        began = now()
        wanted = [ask(row) for row in rows]
        alone.append(now() - began)
        queue, got = generate.open_queue(stack, tokenizer), [None] * len(rows)

        def visit(place: int, queue: object = queue, got: list = got) -> None:
            got[place] = ask(rows[place], queue)

        threads = [threading.Thread(target=visit, args=(place,)) for place in range(len(rows))]
        began = now()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        at_once.append(now() - began)
        if got != wanted:
            raise SystemExit("a visitor got another answer than alone")
    row = {
        "what": what,
        "one_by_one_s": round(statistics.median(alone), 2),
        "at_once_s": round(statistics.median(at_once), 2),
        "ratio": round(statistics.median(alone) / statistics.median(at_once), 2),
    }
    print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    return row


def bench_dropout(options: argparse.Namespace) -> dict:
    """The samples with dropout 0.1 on the built-in base, three seeds: held-out loss (nats a token) together and alone.
    Dropout draws by the batch, so the weights differ; the quality should not."""
    from lora_hub import runs
    from lora_hub.answering import loading
    from lora_hub.catalogue import bases
    from lora_hub.catalogue.tasks.catalogue import get_task, sample_file
    from lora_hub.data.prompts import prepare
    from lora_hub.runs import run_data

    base = bases.get_base("built-in")
    tokenizer, model = loading.load_tokenizer(base), loading.load_base(base)
    losses: dict[str, list[float]] = {"alone": [], "together": []}
    for seed in (1, 2, 3):
        made = []
        for name in ("spam", "sentiment"):
            task = get_task(name)
            spec = runs.plan_run(
                sample_file(task), task, base, overrides={"seed": seed, "steps": 80, "patience": 0, "lora.dropout": 0.1}
            ).spec
            frozen, split, _ = run_data.read_split(spec)
            made.append(
                (
                    spec,
                    *(
                        prepare.encode_examples(tokenizer, frozen, part, spec.max_length)
                        for part in (split.train, split.validation)
                    ),
                )
            )
        for mode, way in (("alone", "in turn"), ("together", "together")):
            with tempfile.TemporaryDirectory() as folder:
                tasks = [
                    TaskTraining(spec, rows, held, Path(folder) / str(n), lambda *_, **__: None)
                    for n, (spec, rows, held) in enumerate(made)
                ]
                for task in tasks:
                    task.folder.mkdir()
                losses[mode] += [
                    result.best_loss for result in together.train_tasks(tasks, model, tokenizer, mode=way).results
                ]
    row = {
        "what": "dropout 0.1, 2 samples x 3 seeds, held-out loss",
        **{mode: f"{statistics.mean(of):.4f} ({', '.join(f'{one:.4f}' for one in of)})" for mode, of in losses.items()},
    }
    print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", default="1M,28M")
    parser.add_argument("--adapters", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--only", default="training,memory,visitors,dropout")
    parser.add_argument("--cpu-seconds", action="store_true")
    options = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    result: dict[str, object] = {}
    if "training" in options.only:
        result["training"] = bench_training(options)
    if "memory" in options.only and options.device == "cpu":
        result["memory"] = bench_memory(options)
    if "visitors" in options.only:
        result["visitors"] = bench_visitors(options)
    if "dropout" in options.only and options.device == "cpu":
        result["dropout"] = bench_dropout(options)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
