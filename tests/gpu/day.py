"""Everything that only a GPU can say, in one go of at most eight minutes, without a network. It needs the pinned
transformers, peft, trl, datasets and accelerate beside a torch that has CUDA; bitsandbytes for nf4.

    python tests/gpu/day.py [--seconds 480] [--only sft,stack,...] [--out FILE.json]
    python tests/gpu/day.py --small          the same on a CPU, with tiny shapes: so that it cannot rot

The weights are random and made on the device, at the shapes of a 135M, a 1B and an 8B Llama: speed and memory ask for
no other. Every part prints one line as it ends, also where it failed, and is left out once the time is used up. A step
is timed over the steps after the first three; a pass is the median of its rounds.

FLOPs of a trained token: 4 for each weight that a matrix product takes part in (forward, and backward through frozen
weights), 6 for each of LoRA's, and 6 L h s for attention within rows of s tokens. MFU is that times tokens/s over the
card's dense peak in bf16, as the maker states it.
"""

import argparse
import contextlib
import gc
import importlib.util
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import transformers

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "bench")]

import bench_stack  # noqa: E402
import bench_together  # noqa: E402
from tiny_bases import END, byte_tokenizer  # noqa: E402

from lora_hub.answering.generate import PromptRow, answer_all  # noqa: E402
from lora_hub.answering.stack import AdapterStack  # noqa: E402
from lora_hub.core.schema import BaseModel, LoraSpec  # noqa: E402
from lora_hub.data.prompts.prepare import Encoded  # noqa: E402
from lora_hub.training import alone  # noqa: E402

# Dense bf16 FLOP/s by the card's name (the makers' data sheets).
# A name that holds another stands before it.
PEAKS = {"H100 PCIe": 756e12, "H100 NVL": 835e12, "H100": 989e12, "H200": 989e12, "B200": 2250e12}
PEAKS |= {"A100": 312e12, "L40S": 362e12, "L40": 181e12, "L4": 121e12}
SHAPES = {
    "135M": dict(hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9)
    | dict(num_key_value_heads=3, head_dim=64, vocab_size=49152, tie_word_embeddings=True),
    "1B": bench_stack.SHAPES["1B"],
    "8B": bench_stack.SHAPES["8B"],
    "tiny": dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4)
    | dict(num_key_value_heads=2, head_dim=16, vocab_size=512),
}
SKIPPED_STEPS = 3
RANK = 16


class Day:
    """small: tiny shapes on the CPU. parts: what has been measured, by part."""

    def __init__(self, small: bool, seconds: float) -> None:
        self.small, self.ends = small, time.monotonic() + seconds
        self.device = "cpu" if small else "cuda"
        self.dtype = torch.float32 if small else torch.bfloat16
        self.parts: dict[str, Any] = {}

    @property
    def left(self) -> float:
        return self.ends - time.monotonic()

    def build(self, shape: str) -> transformers.PreTrainedModel:
        torch.manual_seed(0)
        config = transformers.LlamaConfig(
            **SHAPES["tiny" if self.small else shape],
            max_position_embeddings=8192,
            bos_token_id=1,
            eos_token_id=END,
            pad_token_id=0,
        )
        with torch.device(self.device):
            model = transformers.AutoModelForCausalLM.from_config(config, dtype=self.dtype)
        with torch.no_grad():
            model.get_output_embeddings().weight[END] = 0  # answers have all the tokens that they may
        return model.requires_grad_(False).eval()

    def synchronize(self) -> None:
        if not self.small:
            torch.cuda.synchronize()

    def forget(self) -> None:
        """Gives back what the part before held: a trainer and its model refer to each other."""
        gc.collect()
        if not self.small:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak_bytes(self) -> int:
        return 0 if self.small else torch.cuda.max_memory_allocated()

    def seconds_of(self, work: Callable[[], Any], rounds: int = 3) -> float:
        """Median of the rounds, after one that does not count."""
        taken = []
        for turn in range(rounds + 1):
            self.synchronize()
            began = time.perf_counter()
            work()
            self.synchronize()
            if turn:
                taken.append(time.perf_counter() - began)
        return statistics.median(taken)


def card() -> tuple[str, float]:
    """Its name, and its dense peak in bf16; 0 where that is not known."""
    name = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    return name, peak_flops(name)


def peak_flops(name: str) -> float:
    return next((peak for key, peak in PEAKS.items() if key in name), 0.0)


def flops_per_token(model: transformers.PreTrainedModel, length: int) -> float:
    config = model.config
    linear = {name: part for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)}
    weights = sum(part.weight.numel() for part in linear.values())  # the head's too: every token is trained
    lora = sum(RANK * sum(part.weight.shape) for name, part in linear.items() if "lm_head" not in name)
    attention = config.num_hidden_layers * config.num_attention_heads * config.head_dim * length
    return 4 * weights + 6 * lora + 6 * attention


# --- the parts ---


def gpu_tests(day: Day) -> dict[str, Any]:
    """The tests marked gpu, in a process of their own."""
    which = ["tests/test_gpu.py", "--collect-only"] if day.small else ["tests", "--ignore=tests/bench", "-x"]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *which]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=min(170, day.left), check=False)
    return {"status": done.returncode, "told": done.stdout.strip().splitlines()[-1][:200]}


def sft(day: Day, shape: str = "8B", tokens: int = 4096, quantization: str = "none") -> dict[str, Any]:
    """Plain LoRA SFT by the product's own trainer: one packed sequence of `tokens` a step, in rows of a quarter."""
    length, steps = (32, 6) if day.small else (tokens // 4, 14)
    day.forget()
    # Nobody else holds the model in bf16 while that in four bits is loaded.
    model = _in_nf4(day, shape) if quantization == "nf4" else day.build(shape)
    if not day.small:
        torch.cuda.reset_peak_memory_stats()
    weights = sum(one.numel() * one.element_size() for one in model.parameters())
    spec = bench_together.make_spec(4, steps, day.device).model_copy(
        update={"max_length": length, "packing": "auto", "lora": LoraSpec(r=RANK), "quantization": quantization}
    )
    rows = _rows(4 * steps, length, model.config.vocab_size)
    times: list[float] = []

    def report(kind: str, **data: Any) -> None:
        if kind == "metric" and "loss" in data:
            times.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        alone.train_adapter(
            spec, model, byte_tokenizer(), rows, _rows(2, length, model.config.vocab_size), Path(folder), report=report
        )
    between = [after - before for before, after in zip(times, times[1:], strict=False)][SKIPPED_STEPS - 1 :]
    step = statistics.median(between)
    speed, peak = 4 * length / step, card()[1]
    return {
        "shape": shape,
        "tokens_s": round(speed),
        "step_s": round(step, 4),
        "mfu": round(flops_per_token(model, length) * speed / peak, 4) if peak and not day.small else None,
        "weights_gb": round(weights / 1e9, 2),
        "peak_gb": round(day.peak_bytes() / 1e9, 2),
        "peak_of_weights": round(day.peak_bytes() / weights, 3),
    }


def _rows(count: int, length: int, vocabulary: int) -> Encoded:
    """Random tokens, all trained but the first."""
    random = torch.Generator().manual_seed(count)
    return Encoded(
        [
            {
                "input_ids": torch.randint(3, vocabulary, (length,), generator=random).tolist(),
                "completion_mask": [0] + [1] * (length - 1),
            }
            for _ in range(count)
        ],
        [],
    )


def sft_nf4(day: Day) -> dict[str, Any]:
    if importlib.util.find_spec("bitsandbytes") is None:
        return {"left_out": "bitsandbytes is not installed"}
    return sft(day, quantization="nf4")


def _in_nf4(day: Day, shape: str) -> transformers.PreTrainedModel:
    """The model saved and loaded as a run loads it, in four bits."""
    model = day.build(shape)
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        config = transformers.BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
        del model
        day.forget()
        loaded = transformers.AutoModelForCausalLM.from_pretrained(
            folder, quantization_config=config, dtype=torch.bfloat16, device_map={"": "cuda"}
        )
    return loaded.requires_grad_(False).eval()


def train_together(day: Day, shape: str = "1B") -> dict[str, Any]:
    """Eight tasks trained in one pass against one after another."""
    day.forget()
    model = day.build(shape)
    batch, length, steps = (1, 16, 2) if day.small else (2, 128, 8)
    seconds = {}
    for mode in ("together", "in turn"):
        seconds[mode] = bench_together.train_all(
            model,
            byte_tokenizer(),
            mode,
            batch,
            length,
            steps,
            device=day.device,
            vocabulary=model.config.vocab_size,
            count=2 if day.small else 8,
        )[0]
    ratio = seconds["in turn"] / seconds["together"]
    return {"shape": shape, "rows": f"{batch} x {length}", **_rounded(seconds), "ratio": round(ratio, 2), "goal": 3.0}


def generate_together(day: Day, shape: str = "1B", tokens: int = 64) -> dict[str, Any]:
    """Eight adapters answering in one pass against one by one, both by the stack; and one decode step beside the time
    that reading the weights once takes (memory bandwidth, measured by a copy)."""
    day.forget()
    tokens, count = (8, 2) if day.small else (tokens, 8)
    model, tokenizer = day.build(shape), byte_tokenizer()
    stack = AdapterStack(model, BaseModel(id=shape, context=4096))
    with tempfile.TemporaryDirectory() as root:
        for folder in bench_stack.save_adapters(day.build(shape), Path(root), count, RANK):
            stack.attach(folder, folder.name)
    rows = [PromptRow(list(range(3, 19)), f"a{number}") for number in range(count)]

    def ask(some: list[PromptRow], most: int) -> None:
        answer_all(stack, tokenizer, some, max_new_tokens=most)

    at_once = day.seconds_of(lambda: ask(rows, tokens))
    one_by_one = day.seconds_of(lambda: [ask([row], tokens) for row in rows], rounds=1)
    step = (at_once - day.seconds_of(lambda: ask(rows, tokens // 2))) / (tokens - tokens // 2)
    weights = sum(one.numel() * one.element_size() for one in model.parameters())
    floor = weights / bandwidth(day)
    stack.close()
    return {
        "shape": shape,
        "at_once_s": round(at_once, 4),
        "ratio": round(one_by_one / at_once, 2),
        "goal": 6.0,
        "decode_step_ms": round(1e3 * step, 3),
        "floor_ms": round(1e3 * floor, 3),
        "of_floor": round(step / floor, 2),
    }


def bandwidth(day: Day) -> float:
    """Bytes a second that are read, by a copy, which reads and writes as many."""
    one = torch.empty((1 << 22) if day.small else (1 << 30), dtype=torch.uint8, device=day.device)
    other = torch.empty_like(one)
    return 2 * one.numel() / day.seconds_of(lambda: other.copy_(one), rounds=5)


def graphs(day: Day, shape: str = "1B") -> dict[str, Any]:
    """One decode step of eight rows of the base alone, with a static cache: launched kernel by kernel, and as a CUDA
    graph. What a graph could save the stack at most."""
    day.forget()
    model, rows, places = day.build(shape), 8, 64
    cache = transformers.StaticCache(config=model.config, max_cache_len=places)
    ids = torch.full((rows, 1), 5, device=day.device)
    at = torch.tensor([8], device=day.device)
    mask = torch.ones(rows, places, dtype=torch.long, device=day.device)
    position = at.expand(rows, 1)

    def step() -> Any:
        with torch.no_grad():
            return model(
                input_ids=ids, attention_mask=mask, position_ids=position, past_key_values=cache, cache_position=at
            ).logits

    plain = day.seconds_of(step, rounds=20)
    told = {"shape": shape, "plain_ms": round(1e3 * plain, 3)}
    if day.small:
        return told | {"left_out": "a graph needs CUDA"}
    try:
        captured = day.seconds_of(_captured(step).replay, rounds=20)
    except RuntimeError as error:  # what was measured without one stays told
        return told | {"left_out": f"no graph was captured: {error}"[:200]}
    return told | {"graph_ms": round(1e3 * captured, 3), "ratio": round(plain / captured, 2)}


def _captured(step: Callable[[], Any]) -> "torch.cuda.CUDAGraph":
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in what takes longer; at a step of Python's, so a single call of the card may still end."""

    def stop(*_: object) -> None:
        raise TimeoutError("the time was used up")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def small_base(day: Day) -> dict[str, Any]:
    """The shape of SmolLM2-135M, at the lengths that label tasks have."""
    return sft(day, "135M", 1024)


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {f"{name.replace(' ', '_')}_s": round(one, 3) for name, one in seconds.items()}


# By what is worth most first: what the time does not suffice for is left out.
PARTS: dict[str, Callable[[Day], dict[str, Any]]] = {
    "sft": sft,
    "stack": generate_together,
    "together": train_together,
    "graphs": graphs,
    "small": small_base,
    "nf4": sft_nf4,
    "tests": gpu_tests,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="tiny shapes on the CPU")
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--out", type=Path, help="where all figures go, as JSON")
    options = parser.parse_args()
    if not options.small and not torch.cuda.is_available():
        print("torch sees no CUDA device; --small runs this on the CPU", file=sys.stderr)
        return 2
    transformers.utils.logging.set_verbosity_error()
    day, failed = Day(options.small, options.seconds), False
    name, peak = card()
    about = {"card": name, "peak_tflops": peak / 1e12, "torch": torch.__version__, "cuda": torch.version.cuda}
    print(json.dumps({"day": about}), flush=True)
    for part in options.only.split(","):
        began = time.monotonic()
        if day.left < 20:
            day.parts[part] = {"left_out": "the time is used up"}
        else:
            try:
                with within(day.left):
                    day.parts[part] = PARTS[part](day)
            except Exception as error:
                traceback.print_exc()
                failed, day.parts[part] = True, {"failed": f"{type(error).__name__}: {error}"[:300]}
        taken = round(time.monotonic() - began, 1)
        print(json.dumps({part: day.parts[part], "seconds": taken}), flush=True)
        if options.out:
            options.out.write_text(json.dumps({"day": about, **day.parts}, indent=1) + "\n", encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
