"""The stack's figures: one pass for N adapters against PEFT's ways and against the base alone, within one run.

    python tests/bench/bench_stack.py [--shape 30M|100M] [--rank 16] [--adapters 8] [--tokens 24] [--rounds 3] [--many
    100] [--device cpu|cuda] [--cpu-seconds]

All ways answer the same prompts greedily with the same adapters (all linear layers) and must give the same
tokens in fp32, or the table is not printed; one in a hundred may differ (random weights leave two tokens closer than
rounding). Ways take turns; the median of the rounds counts. Run it on a quiet
machine.
"""

import argparse
import copy
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from tiny_bases import END, byte_tokenizer  # noqa: E402

from lora_hub.answering.generate import PromptRow, answer_all  # noqa: E402
from lora_hub.answering.stack import AdapterStack  # noqa: E402
from lora_hub.core.schema import BaseModel  # noqa: E402

SHAPES = {
    "30M": dict(
        hidden_size=512,
        intermediate_size=1408,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=8,
        vocab_size=8192,
    ),
    "100M": dict(
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=12,
        num_attention_heads=12,
        num_key_value_heads=12,
        vocab_size=16384,
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


# Against the base's own batch, by the shape's width.
GOALS = {512: ">= 0.8x", 768: ">= 0.9x"}

# On a busy machine: CPU seconds of this process, with OMP_NUM_THREADS=1, instead of the clock on the wall.
now = time.process_time if "--cpu-seconds" in sys.argv else time.perf_counter


def build(shape: str, device: str, dtype: torch.dtype) -> transformers.PreTrainedModel:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        **SHAPES[shape], max_position_embeddings=4096, bos_token_id=1, eos_token_id=END, pad_token_id=0
    )
    with torch.device(device):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
    with torch.no_grad():
        model.lm_head.weight[END] = 0  # never the best: every way answers with all the tokens it may
    return model.requires_grad_(False).eval()


def save_adapters(model: transformers.PreTrainedModel, root: Path, count: int, rank: int = 16) -> list[Path]:
    wrapped = get_peft_model(
        model, LoraConfig(r=rank, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    folders = [root / f"a{i}" for i in range(count)]
    for i, folder in enumerate(folders):
        torch.manual_seed(i)
        with torch.no_grad():
            for name, parameter in wrapped.named_parameters():
                if "lora_" in name:
                    parameter.normal_(0, 0.02)
        wrapped.save_pretrained(folder)
    wrapped.unload()
    return folders


def in_turn(ways: dict[str, Callable[[], object]], rounds: int) -> tuple[dict[str, float], dict[str, object]]:
    """Median seconds of each way, and what it gave; one round first that doesn't count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    gave = {}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            start = now()
            gave[name] = way()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                seconds[name].append(now() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}, gave


def bench_generate(
    model, peft_model: PeftModel, stack: AdapterStack, names: list[str], tokens: int, rounds: int
) -> list[tuple]:
    tokenizer = byte_tokenizer()
    prompts = [
        torch.randint(3, 250, (16,), generator=torch.Generator().manual_seed(i)).tolist() for i in range(len(names))
    ]
    ids = torch.tensor(prompts, device=model.device)
    options = dict(max_new_tokens=tokens, do_sample=False, pad_token_id=0, eos_token_id=None)

    def ours(who: list[str]) -> list[list[int]]:
        rows = [PromptRow(prompt, name) for prompt, name in zip(prompts, who, strict=True)]
        return [list(answer.ids) for answer in answer_all(stack, tokenizer, rows, max_new_tokens=tokens)]

    def ask(target, ids: torch.Tensor, **more) -> list[list[int]]:
        with torch.no_grad():
            return target.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options, **more)[
                :, 16:
            ].tolist()

    def one_by_one() -> list[list[int]]:
        out = []
        for row, name in enumerate(names):
            peft_model.set_adapter(name, inference_mode=True)
            out += ask(peft_model, ids[row : row + 1])
        return out

    ways = {
        "stack": lambda: ours(names),
        "stack, all rows base": lambda: ours(["base"] * len(names)),
        "generate, base alone": lambda: ask(model, ids),
        "PEFT mixed batch": lambda: ask(peft_model, ids, adapter_names=names),
        "PEFT set_adapter one by one": one_by_one,
    }
    seconds, gave = in_turn(ways, rounds)
    exact = model.dtype == torch.float32
    for one, other in (
        ("stack", "PEFT set_adapter one by one"),
        ("stack", "PEFT mixed batch"),
        ("stack, all rows base", "generate, base alone"),
    ):
        if gave[one] != gave[other]:
            same = sum(a == b for x, y in zip(gave[one], gave[other], strict=True) for a, b in zip(x, y, strict=True))
            print(f"tokens of {one!r} and {other!r} agree in {same} of {len(names) * tokens}")
            assert not exact or same >= 0.99 * len(names) * tokens, "in fp32 they must be the same"
    n, mine = len(names), seconds["stack"]
    total = n * tokens
    return [
        (
            f"generate N={n} vs set_adapter one by one",
            seconds["PEFT set_adapter one by one"] / mine,
            ">= 3.0x",
            f"{mine:.2f} s, {total / mine:.0f} tok/s",
        ),
        (
            f"generate N={n} vs the base's own batch (generate)",
            seconds["generate, base alone"] / mine,
            GOALS.get(model.config.hidden_size, ""),
            f"{seconds['generate, base alone']:.2f} s",
        ),
        (
            f"generate N={n} vs the base's own batch (this loop)",
            seconds["stack, all rows base"] / mine,
            "",
            f"{seconds['stack, all rows base']:.2f} s",
        ),
        (
            f"generate N={n} vs PEFT's mixed batch",
            seconds["PEFT mixed batch"] / mine,
            ">= 1.4x",
            f"{seconds['PEFT mixed batch']:.2f} s",
        ),
    ]


def bench_attach(model, peft_model: PeftModel, base: BaseModel, folder: Path, rounds: int, many: int) -> list[tuple]:
    size = (folder / "adapter_model.safetensors").stat().st_size / 2**20
    stack = AdapterStack(model, base, max_slots=many + 64)
    slots: list[int] = []

    def attach() -> None:
        slots.append(stack.attach(folder, f"x{len(slots)}"))

    def load() -> None:
        peft_model.load_adapter(folder, f"y{len(peft_model.peft_config)}")

    active = iter(range(10**9))
    loaded = list(peft_model.peft_config)
    ways = {
        "attach": attach,
        "load_adapter": load,
        "activate": lambda: stack.plan([slots[next(active) % len(slots)]] * 4),
        "set_adapter": lambda: peft_model.set_adapter(loaded[next(active) % len(loaded)], inference_mode=True),
    }
    seconds, _ = in_turn(ways, rounds * 3)
    for name in [name for name in peft_model.peft_config if name.startswith("y")]:
        peft_model.delete_adapter(name)
    rows = [
        (
            f"read + attach {size:.0f} MiB vs load_adapter",
            seconds["load_adapter"] / seconds["attach"],
            ">= 15x",
            f"{seconds['attach'] * 1e3:.1f} ms vs {seconds['load_adapter'] * 1e3:.0f} ms",
        ),
        (
            "activate vs set_adapter",
            seconds["set_adapter"] / seconds["activate"],
            ">= 15x",
            f"{seconds['activate'] * 1e3:.3f} ms vs {seconds['set_adapter'] * 1e3:.1f} ms",
        ),
    ]
    start = now()
    stack.plan(slots[:4])
    stacking = now() - start
    start = now()
    stack.plan(slots[:4])
    again = now() - start
    rows.append(
        (
            "activate 4 side by side, first time and again",
            stacking / again,
            "",
            f"{stacking * 1e3:.1f} ms, {again * 1e3:.3f} ms",
        )
    )
    if many:
        times = []
        while len(slots) < many:
            start = now()
            attach()
            times.append(now() - start)
        first, last = statistics.median(times[:10]), statistics.median(times[-10:])
        rows.append(
            (
                f"attach the {many}th vs the first ones",
                last / first,
                "flat",
                f"{first * 1e3:.1f} ms, {last * 1e3:.1f} ms",
            )
        )
        for few in (slots[:1], slots):
            start = now()
            for i in range(1000):
                stack.plan([few[i % len(few)]] * 4)
            each = (now() - start) / 1000
            rows.append((f"activate one of {len(few)}", each / seconds["activate"], "flat", f"{each * 1e3:.3f} ms"))
    stack.close()
    return rows


def bench_cycles(model, base: BaseModel, folder: Path, cycles: int = 200) -> list[tuple]:
    stack = AdapterStack(model, base)

    def resident() -> int:
        gc.collect()
        return psutil.Process().memory_info().rss

    def cycle() -> None:
        stack.plan([0, stack.attach(folder, "a"), stack.attach(folder, "b")])
        stack.detach("a")
        stack.detach("b")

    for _ in range(5):
        cycle()
    before = resident()
    for _ in range(cycles):
        cycle()
    after = resident()
    stack.close()
    return [
        (
            f"resident memory after {cycles} attach/detach cycles",
            after / before,
            "<= 1.02x",
            f"{before / 2**20:.0f} -> {after / 2**20:.0f} MiB",
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--shape", choices=SHAPES, default="30M")
    parser.add_argument("--adapters", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--many", type=int, default=100, help="adapters attached at once in the flatness rows; 0 leaves them out"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--cpu-seconds", action="store_true", help="for a busy machine: count CPU seconds, with OMP_NUM_THREADS=1"
    )
    options = parser.parse_args()
    dtype = torch.float32 if options.device == "cpu" else torch.bfloat16
    transformers.logging.set_verbosity_error()
    model = build(options.shape, options.device, dtype)
    base = BaseModel(id=options.shape, context=4096)
    with tempfile.TemporaryDirectory() as root:
        folders = save_adapters(model, Path(root), options.adapters, options.rank)
        names = [folder.name for folder in folders]
        twin = copy.deepcopy(model) if options.device == "cpu" else build(options.shape, options.device, dtype)
        peft_model = PeftModel.from_pretrained(twin, folders[0], adapter_name=names[0]).eval()
        for name, folder in zip(names[1:], folders[1:], strict=True):
            peft_model.load_adapter(folder, name)
        # base and stack are one model: the base's own batch is timed without hooks
        hooked = copy.deepcopy(model) if options.device == "cpu" else build(options.shape, options.device, dtype)
        stack = AdapterStack(hooked, base)
        for name, folder in zip(names, folders, strict=True):
            stack.attach(folder, name)
        rows = bench_generate(model, peft_model, stack, names, options.tokens, options.rounds)
        stack.close()
        rows += bench_attach(hooked, peft_model, base, folders[0], options.rounds, options.many)
        rows += bench_cycles(hooked, base, folders[0])
    parameters = sum(p.numel() for p in model.parameters())
    print(
        f"\n{options.shape} ({parameters / 1e6:.0f}M parameters), {options.device}, {dtype}, "
        f"{torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, load {psutil.getloadavg()[0]:.1f}, "
        f"{'CPU seconds' if options.cpu_seconds else 'wall clock'}"
    )
    print(f"{'what':56} {'ratio':>9}  {'goal':9} figures")
    for what, ratio, goal, figures in rows:
        print(f"{what:56} {ratio:8.2f}x  {goal:9} {figures}")


if __name__ == "__main__":
    main()
