"""The token loop: a batch of prompts through the stack, one token a row and step, until every row has ended.

It is a loop of our own and not `model.generate` because rows here differ in everything: adapter, limit, seed, allowed
answers. What generate does for caches is the model's own work (it builds the cache that fits it), so what is left is
left padding, positions and the choice of the next token. Rows that ended leave the batch once they are half of it.

Between two steps nothing is locked and no torch mode is set, so a caller may take its time, stop, or never come back.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import PreTrainedModel

from lora_hub.errors import BaseError, DataError
from lora_hub.stack import AdapterStack

Trie = dict[int, "Trie"]  # token -> what may follow; an empty one: the answer is complete


@dataclass
class Live:
    """A row that is being answered. left: tokens it may still take. allowed: what may come next, None for anything."""

    row: int
    slot: int
    prompt: list[int]
    left: int
    allowed: Trie | None = None
    random: torch.Generator | None = None
    ids: list[int] = field(default_factory=list)
    finish: str = ""


def build_trie(choices: list[list[int]]) -> Trie:
    """The tree of the allowed answers. Raises DataError where none is given, or one begins with another whole one."""
    root: Trie = {}
    for ids in choices:
        node = root
        for token in ids:
            node = node.setdefault(token, {})
    wanted = {tuple(ids) for ids in choices}
    if not wanted or () in wanted or _count_leaves(root) != len(wanted):
        raise DataError(
            f"Of the {len(wanted)} allowed answers one is empty or is the beginning of another.",
            "Let every allowed answer end with the end token.",
        )
    return root


def decode(
    stack: AdapterStack,
    rows: list[Live],
    ends: set[int],
    pad: int,
    *,
    temperature: float = 0.0,
    top_p: float = 1.0,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[list[Live]]:
    """Yields, after each step, the rows that got a token or ended in it. `row.finish`: "stop" at one of `ends` or a
    complete choice, "length", or "cancelled"; rows with choices are answered greedily among them, whatever the temperature.
    """
    model = stack.model
    takes_positions = "position_ids" in inspect.signature(model.forward).parameters
    keep = keep_logits(model, 1)
    live = sorted(rows, key=lambda row: row.slot)  # rows of an adapter side by side: no shuffling in any layer
    plan = stack.plan([row.slot for row in live])
    longest = max(len(row.prompt) for row in live)
    input_ids = torch.tensor([[pad] * (longest - len(row.prompt)) + row.prompt for row in live], device=model.device)
    mask = torch.tensor([[0] * (longest - len(row.prompt)) + [1] * len(row.prompt) for row in live], device=model.device)
    positions = (mask.cumsum(-1) - 1).clamp_(min=0)
    cache: Any = None
    one_step = all(row.left == 1 or (row.allowed is not None and _decided_at_once(row.allowed)) for row in live)
    while live:
        if cancelled is not None and cancelled():
            for row in live:
                row.finish = row.finish or "cancelled"
            yield [row for row in live if row.finish == "cancelled"]
            return
        options = {"attention_mask": mask, "past_key_values": cache, "use_cache": not one_step}
        if takes_positions:
            options["position_ids"] = positions
        with torch.no_grad(), stack.use(plan):
            out = model(input_ids=input_ids, **options, **keep)
            tokens = _next_tokens(out.logits[:, -1].float(), live, temperature, top_p)
        moved = [row for row in live if not row.finish]
        for row, token in zip(live, tokens, strict=True):
            if not row.finish:
                _take(row, token, ends)
        yield moved
        open_rows = [i for i, row in enumerate(live) if not row.finish]
        if not open_rows:
            return
        cache = getattr(out, "past_key_values", None)
        if cache is None:
            raise BaseError(f"The base {stack.base.id!r} keeps no attention cache, which answering needs.", "Choose another base.")
        if 2 * len(open_rows) <= len(live):
            index = torch.tensor(open_rows, device=model.device)
            cache.batch_select_indices(index)
            mask, positions, plan = mask[index], positions[index], plan.select(open_rows)
            live, tokens = [live[i] for i in open_rows], [tokens[i] for i in open_rows]
        input_ids = torch.tensor(tokens, device=model.device).unsqueeze(1)
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
        positions = positions[:, -1:] + 1


def keep_logits(model: PreTrainedModel, places: int) -> dict[str, int]:
    """The argument by which a model computes the logits of the last `places` only; nothing where it has none."""
    return {"logits_to_keep": places} if "logits_to_keep" in inspect.signature(model.forward).parameters else {}


def _take(row: Live, token: int, ends: set[int]) -> None:
    """Gives a row its next token, and the ones after it that leave no choice up to the end."""
    if row.allowed is not None:
        row.allowed = row.allowed[token]
        answer = [token, *(_forced(row.allowed) or ())]
        if not row.allowed or len(answer) > 1:
            row.ids += [one for one in answer if one not in ends]
            row.finish = "stop"
            return
    elif token in ends:
        row.finish = "stop"
        return
    row.ids.append(token)
    row.left -= 1
    if row.left <= 0:
        row.finish = "length"


def _next_tokens(logits: torch.Tensor, live: list[Live], temperature: float, top_p: float) -> list[int]:
    """logits: [rows, vocabulary], float. Rows that have ended get any token."""
    tokens = logits.argmax(-1)
    by_node: dict[int, list[int]] = {}
    for i, row in enumerate(live):
        if row.allowed and not row.finish:
            by_node.setdefault(id(row.allowed), []).append(i)
    for indices in by_node.values():
        # ascending ids: a tie goes to the lowest one, as in argmax over the whole vocabulary
        allowed = torch.tensor(sorted(live[indices[0]].allowed), device=logits.device)
        rows = torch.tensor(indices, device=logits.device)
        tokens[rows] = allowed[logits[rows][:, allowed].argmax(-1)]
    drawn = [i for i, row in enumerate(live) if row.random is not None and row.allowed is None and not row.finish]
    if drawn and temperature > 0:
        tokens[drawn] = _draw(logits[drawn] / temperature, [live[i].random for i in drawn], top_p)
    return tokens.tolist()


def _draw(logits: torch.Tensor, generators: list[torch.Generator], top_p: float) -> torch.Tensor:
    """One token a row from the smallest set of tokens that holds `top_p` of the probability (Holtzman et al. 2020,
    arXiv 1904.09751). Each row has its own generator, on the CPU on every machine, and takes one number from it a step:
    the draw depends on the row's seed and logits and on nothing else in the batch."""
    chances, tokens = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    sums = chances.double().cumsum(-1)
    kept = (sums - chances < top_p).sum(-1, keepdim=True).clamp_(min=1)
    mass = sums.gather(-1, kept - 1)
    draws = torch.stack([torch.rand((), generator=one, dtype=torch.float64) for one in generators]).to(logits.device)
    place = torch.searchsorted(sums, draws.unsqueeze(-1) * mass, right=True)
    return tokens.gather(-1, torch.minimum(place, kept - 1)).squeeze(-1)


def _forced(node: Trie) -> list[int] | None:
    """The tokens from here to the end of the answer where there is only one way; None where there is a choice ahead."""
    path = []
    while node:
        if len(node) > 1:
            return None
        token, node = next(iter(node.items()))
        path.append(token)
    return path


def _decided_at_once(root: Trie) -> bool:
    return all(_forced(node) is not None for node in root.values())


def _count_leaves(node: Trie) -> int:
    return sum(map(_count_leaves, node.values())) if node else 1
