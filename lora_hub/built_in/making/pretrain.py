"""Owns the training of the built-in base: text and tokenizer in, a `transformers` model folder out.

Run:  python -m lora_hub.built_in.making.pretrain TEXT_FILE MODEL_FOLDER --minutes 80   (or --tokens N)

One thread, float32, packed sequences. The first half of the budget is reading: every token counts alike, matrices are
trained with Muon (momentum orthogonalised by a Newton-Schulz iteration, https://kellerjordan.github.io/posts/muon/),
embedding and norms with AdamW. The second half is practice: small AdamW steps whose rate falls linearly to zero, the
tokens of answers weighted, repetition drilled. A checkpoint is written every few minutes; the same command
goes on from it.
"""

import argparse
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import torch

from lora_hub.built_in.making.make_tokenizer import ASSISTANT, BOS, CONTEXT, EOS, read_documents

SHAPE = dict(
    hidden_size=128,
    num_hidden_layers=4,
    num_attention_heads=4,
    num_key_value_heads=2,
    intermediate_size=352,
)
TOKENS_PER_PASS = 1024  # small enough for the logits to stay in the cache: a quarter faster than one pass of 4096
SHORT, LONG, LONG_FROM = 256, CONTEXT, 0.9  # sequence lengths: the full context only for the last part of the budget
# Reading: Muon for the matrices, AdamW for the rest, large steps, every token alike. Practice: AdamW, small steps.
READING_UNTIL, READING_TOKENS, READING_RATES = 0.5, 4096, (0.02, 4e-3)
PRACTICE_TOKENS, PRACTICE_RATE = 1024, 2e-3
# One token in thirty belongs to an answer and the rest drowns it out: nine million tokens without this weight taught
# neither copying nor verdicts.
ANSWER_WEIGHT = 8.0
DRILL_ROWS, DRILL_LENGTH, DRILL_TOKENS = 4, 128, (300, 1500)
DRILL_EVERY, DRILL_LEARNT = 10, 2.0  # practice steps with a drill: all until its loss is low, then every tenth
HELD_OUT_TOKENS = 32_768
SAVE_EVERY = 300  # seconds


def new_model(tokenizer):
    """An untrained Llama of `SHAPE` for the tokenizer's vocabulary, embedding tied to the head."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **SHAPE,
    )
    return LlamaForCausalLM(config)


def encode_text(text: Path, tokenizer, target: Path) -> np.ndarray:
    """Token ids (uint16) of every document between bos and eos, kept in `target` for the next start."""
    if not target.exists():
        partial = target.with_suffix(".partial")
        batch: list[str] = []
        with partial.open("wb") as file:
            for document in [*read_documents(text), None]:
                if document is not None:
                    batch.append(f"{BOS}{document}{EOS}")
                if batch and (document is None or len(batch) == 4096):
                    for ids in tokenizer(batch, add_special_tokens=False)["input_ids"]:
                        np.asarray(ids, dtype=np.uint16).tofile(file)
                    batch = []
        partial.rename(target)
    return np.memmap(target, dtype=np.uint16, mode="r")


class Muon(torch.optim.Optimizer):
    """Momentum whose update is the nearest semi-orthogonal matrix; for two-dimensional weights only."""

    def __init__(self, parameters, lr: float, momentum: float = 0.95, weight_decay: float = 0.0):
        super().__init__(parameters, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[torch.Tensor]] = {}
            for weight in group["params"]:
                by_shape.setdefault(weight.shape, []).append(weight)
            for weights in by_shape.values():  # one batched iteration for all matrices of a shape
                updates = []
                for weight in weights:
                    state = self.state[weight]
                    if "momentum" not in state:
                        state["momentum"] = torch.zeros_like(weight)
                    momentum = state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                    updates.append(weight.grad.lerp(momentum, group["momentum"]))
                for weight, update in zip(weights, orthogonalise(torch.stack(updates))):
                    rows, columns = weight.shape
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(update, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)


def orthogonalise(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Newton-Schulz iteration of degree five on a stack of matrices: singular values go to about one."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.size(1) > matrices.size(2)
    x = matrices.transpose(1, 2) if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.transpose(1, 2)
        x = a * x + (b * square + c * square @ square) @ x
    return x.transpose(1, 2) if tall else x


def rate_at(progress: float) -> float:
    """Multiplier of the learning rates: a short warm-up into each part, flat while reading, falling to zero in
    practice."""
    if progress < READING_UNTIL:
        return min(1.0, progress / 0.01)
    done = (progress - READING_UNTIL) / (1 - READING_UNTIL)
    return max(1e-3, min(1.0, done / 0.01, 1 - done))


def new_optimizers(model, practice: bool) -> list[tuple[torch.optim.Optimizer, float]]:
    """The optimizers of a part of the training with their learning rates."""
    adam = dict(betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    if practice:
        return [(torch.optim.AdamW(model.parameters(), lr=PRACTICE_RATE, **adam), PRACTICE_RATE)]
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    matrix_rate, other_rate = READING_RATES
    return [
        (Muon(matrices, lr=matrix_rate, weight_decay=0.01), matrix_rate),
        (torch.optim.AdamW(others, lr=other_rate, **adam), other_rate),
    ]


def batch_at(tokens: np.ndarray, position: int, count: int, length: int) -> torch.Tensor:
    """`count` ids from `position` on, as rows of `length`; the text starts again at its end."""
    start = position % (len(tokens) - count)
    return torch.from_numpy(tokens[start : start + count].astype(np.int64)).view(-1, length)


def answer_weights(rows: torch.Tensor, tokenizer) -> torch.Tensor:
    """Weight of each token as a target: `ANSWER_WEIGHT` from after <|assistant|> to the <|eos|>, else one."""
    at = torch.arange(rows.size(1)).expand_as(rows)
    never = torch.full_like(rows, -1)
    begins = torch.where(rows == tokenizer.convert_tokens_to_ids(ASSISTANT), at, never).cummax(1).values
    ends = torch.where(rows == tokenizer.eos_token_id, at, never).cummax(1).values
    previous = lambda last: torch.cat([never[:, :1], last[:, :-1]], 1)  # noqa: E731
    return torch.where(previous(begins) > previous(ends), ANSWER_WEIGHT, 1.0)


def drill_rows(generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Common tokens in random order, said two to four times over, as (rows, weights): only the repetitions count. It
    teaches attention to go on as it went before, on which all copying rests, far sooner than text does."""
    rows, weights = [], []
    for _ in range(DRILL_ROWS):
        row: list[int] = []
        weight: list[float] = []
        while len(row) < DRILL_LENGTH:
            words = generator.integers(*DRILL_TOKENS, int(generator.integers(3, 24))).tolist()
            times = int(generator.integers(2, 5))
            row += words * times
            weight += [0.0] * (1 + len(words)) + [1.0] * (len(words) * (times - 1) - 1)
        rows.append(row[:DRILL_LENGTH])
        weights.append(weight[:DRILL_LENGTH])
    return torch.tensor(rows), torch.tensor(weights)


def weighted_loss(model, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted mean of the losses of all tokens but the first of a row."""
    logits = model(input_ids=rows, use_cache=False).logits[:, :-1].flatten(0, 1)
    losses = torch.nn.functional.cross_entropy(logits, rows[:, 1:].flatten(), reduction="none")
    weights = weights[:, 1:].flatten()
    return (losses * weights).sum() / weights.sum().clamp(min=1.0)


@torch.no_grad()
def held_out_loss(model, tokens: np.ndarray) -> float:
    """Mean loss in nats per token over the held-out tokens, in rows of the short length."""
    rows = torch.from_numpy(tokens.astype(np.int64)).view(-1, SHORT)
    losses = [model(input_ids=part, labels=part, use_cache=False).loss.item() for part in rows.split(8)]
    return sum(losses) / len(losses)


def pretrain(tokens: np.ndarray, tokenizer, folder: Path, minutes: float | None, budget: int | None, seed: int) -> dict:
    """Trains until the time or the token budget is used; returns the figures that it also writes to `figures.json`."""
    torch.manual_seed(seed)
    model = new_model(tokenizer)
    training, held_out = tokens[:-HELD_OUT_TOKENS], tokens[-HELD_OUT_TOKENS:]
    checkpoint = folder / "checkpoint.pt"
    seen, spent, step, practice = 0, 0.0, 0, False
    running = drilled = math.log(len(tokenizer))
    optimizers, generator = new_optimizers(model, practice), np.random.default_rng(seed)
    if checkpoint.exists():
        saved = torch.load(checkpoint)
        seen, spent, step, practice = saved["seen"], saved["spent"], saved["step"], saved["practice"]
        running, drilled = saved["running"], saved["drilled"]
        model.load_state_dict(saved["model"])
        optimizers = new_optimizers(model, practice)
        for (optimizer, _), state in zip(optimizers, saved["optimizers"]):
            optimizer.load_state_dict(state)

    def save(final: bool) -> dict:
        figures = dict(
            parameters=sum(p.numel() for p in model.parameters()),
            tokens_seen=seen,
            minutes=round(spent / 60, 1),
            training_loss=round(running, 4),
            held_out_loss=round(held_out_loss(model, held_out), 4),
            seed=seed,
            final=final,
        )
        model.save_pretrained(folder)
        (folder / "model.safetensors").chmod(0o644)
        (folder / "figures.json").write_text(json.dumps(figures, indent=2) + "\n")
        if final:
            checkpoint.unlink(missing_ok=True)
        else:
            partial = checkpoint.with_suffix(".partial")
            states = [optimizer.state_dict() for optimizer, _ in optimizers]
            clock = dict(seen=seen, spent=spent, step=step, practice=practice, running=running, drilled=drilled)
            torch.save(dict(model=model.state_dict(), optimizers=states, **clock), partial)
            partial.rename(checkpoint)
        print(json.dumps(figures), flush=True)
        return figures

    last, saved_at = time.monotonic(), spent
    while (progress := seen / budget if budget else spent / (minutes * 60)) < 1:
        if progress >= READING_UNTIL and not practice:
            practice, optimizers, running = True, new_optimizers(model, True), math.log(len(tokenizer))
        length = LONG if progress > LONG_FROM else SHORT
        batch = batch_at(training, seen, PRACTICE_TOKENS if practice else READING_TOKENS, length)
        for optimizer, rate in optimizers:
            optimizer.param_groups[0]["lr"] = rate * rate_at(progress)
        parts = batch.split(TOKENS_PER_PASS // length)
        total = 0.0
        for part in parts:
            weights = answer_weights(part, tokenizer) if practice else torch.ones_like(part, dtype=torch.float32)
            loss = weighted_loss(model, part, weights)
            (loss / len(parts)).backward()
            total += loss.item() / len(parts)
        if practice and (drilled > DRILL_LEARNT or step % DRILL_EVERY == 0):
            drill = weighted_loss(model, *drill_rows(generator))
            (drill / 2).backward()
            drilled = 0.95 * drilled + 0.05 * drill.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer, _ in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        seen += batch.numel()
        step += 1
        running = 0.98 * running + 0.02 * total
        now = time.monotonic()
        spent, last = spent + now - last, now
        if step % 100 == 0:
            print(
                f"step {step} tokens {seen:,} minutes {spent / 60:.1f} loss {running:.4f} drill {drilled:.3f}",
                flush=True,
            )
        if spent - saved_at > SAVE_EVERY:
            save(final=False)
            saved_at = spent
            last = time.monotonic()  # the time that saving takes is nobody's training time
    return save(final=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path, help="file written by make_text")
    parser.add_argument("folder", type=Path, help="model folder: holds the tokenizer, gets the weights")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="budget of wall-clock time")
    budget.add_argument("--tokens", type=int, help="budget of tokens")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(args.folder)
    tokens = encode_text(args.text, tokenizer, args.folder / "tokens.bin")
    pretrain(tokens, tokenizer, args.folder, args.minutes, args.tokens, args.seed)


if __name__ == "__main__":
    main()
