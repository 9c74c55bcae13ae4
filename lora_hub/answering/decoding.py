"""The token loop: a batch of prompts through the stack, one token a row and step, until every row has ended.

It is a loop of our own and not `model.generate` because rows here differ in everything: adapter, limit, seed, end. What
generate does for caches is the model's own work (it builds the cache that fits it), so what is left is left padding,
positions and the choice of the next token. Rows that ended leave the batch once they are half of it.

Between two steps nothing is locked and no torch mode is set, so a caller may take its time, stop, or never come back.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from lora_hub.answering.attention import cpu_attention
from lora_hub.answering.kv_cache import can_join, growing, join_rows
from lora_hub.answering.prefill import SharedBeginnings, keep_logits, read_prompts, takes_positions
from lora_hub.answering.routing import Attached
from lora_hub.answering.stack import AdapterStack
from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _


@dataclass
class Live:
    """A row that is being answered. adapter: who answers, decided when the row was accepted. left: tokens it may still
    take.
    random: draws its tokens at `temperature` from the `top_p` share; None: greedy. ends: the tokens that end it; None:
    the batch's."""

    row: int
    adapter: Attached
    prompt: list[int]
    left: int
    random: torch.Generator | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    ends: frozenset[int] | None = None
    ids: list[int] = field(default_factory=list)
    finish: str = ""


class Batch:
    """Rows that are answered together, a token each a step. Others may join between two steps; those that end leave."""

    def __init__(self, stack: AdapterStack, ends: set[int], pad: int, shared: SharedBeginnings | None = None) -> None:
        self._stack, self._ends, self._pad, self._shared = stack, ends, pad, shared
        self._takes_positions = takes_positions(stack.model)
        self._keep = keep_logits(stack.model, 1)
        self._part: Part | None = None

    @property
    def stack(self) -> AdapterStack:
        """The base and its adapters."""
        return self._stack

    def anew(self) -> "Batch":
        """An empty batch that ends and begins its rows as this one does."""
        return Batch(self._stack, self._ends, self._pad, self._shared)

    @property
    def live(self) -> list[Live]:
        """The rows that have not ended."""
        return [row for row in self._part.live if not row.finish] if self._part else []

    def room(self, joining: Sequence[Live] = ()) -> int:
        """Tokens in the cache, padding included, once these rows have joined and every row has taken all that it
        may."""
        rows = [*self.live, *joining]
        longest = max((len(row.prompt) + len(row.ids) for row in rows), default=0)
        return len(rows) * (longest + max((row.left for row in rows), default=0))

    @property
    def can_grow(self) -> bool:
        """Whether other rows can join: it has no row yet, or a cache of plain keys and values."""
        return self._part is None or not self.live or can_join(self._part.cache)

    def join(self, rows: list[Live]) -> list[Live]:
        """Reads the prompts of new rows, and what they have answered elsewhere, in one forward and gives each its next
        token; returns them. Rows that were there before are not touched, also where this fails. Raises BaseError where
        the base keeps no cache that rows can join."""
        self.add([self.read(rows)])
        return rows

    def read(self, rows: list[Live]) -> "Part":
        """The first half of `join`: the rows have their next token, and wait for `add`."""
        rows = sorted(rows, key=_serial)  # rows of an adapter side by side: no shuffling in any layer
        plan = self._stack.plan([row.adapter for row in rows])
        more = any(row.left > 1 for row in rows)
        read = read_prompts(
            self._stack, plan, [row.prompt + row.ids for row in rows], self._pad, use_cache=more, shared=self._shared
        )
        part = Part(rows, plan, read.mask, read.positions, growing(read.cache))
        self._take_tokens(part, read.logits)
        return part

    def add(self, parts: Sequence["Part"]) -> None:
        """Puts rows that were read into the batch: the whole cache is copied once, however many parts come. Raises as
        `join`."""
        there = [self._part] if self._part is not None and self.live else []
        joining = [part for part in (*there, *parts) if any(not row.finish for row in part.live)]
        if len(joining) > 1:
            self._part = self._merged(joining)
        elif joining or not there:
            self._part = joining[0] if joining else parts[-1]

    def step(self) -> list[Live]:
        """One token for every row that is open; returns the rows that moved."""
        part = self._part
        self._leave()
        if part is None or not part.live:
            return []
        part.mask = torch.cat([part.mask, part.mask.new_ones(len(part.live), 1)], dim=1)
        part.positions = part.positions + 1
        moved = [row for row in part.live if not row.finish]
        input_ids = torch.tensor(part.tokens, device=part.mask.device).unsqueeze(1)
        self._forward(part, input_ids)
        return moved

    def _forward(self, part: "Part", input_ids: torch.Tensor) -> None:
        options = {"attention_mask": part.mask, "past_key_values": part.cache, "use_cache": True}
        if self._takes_positions:
            options["position_ids"] = part.positions
        with torch.no_grad(), self._stack.use(part.plan), cpu_attention():
            out = self._stack.model(input_ids=input_ids, **options, **self._keep)
        part.cache = getattr(out, "past_key_values", None)
        self._take_tokens(part, out.logits[:, -1].float())

    def _take_tokens(self, part: "Part", logits: torch.Tensor) -> None:
        """Each open row's next token. logits: [rows, vocabulary], float."""
        part.tokens = _next_tokens(logits, part.live)
        for row, token in zip(part.live, part.tokens, strict=True):
            if not row.finish:
                _take(row, token, self._ends if row.ends is None else row.ends)
        if part.cache is None and any(not row.finish for row in part.live):
            raise BaseError(
                _("The base {base!r} keeps no attention cache, which answering needs."),
                _("Choose another base."),
                base=self._stack.base.id,
            )

    def _leave(self) -> None:
        """Rows that ended leave once they are half of the batch: copying the cache costs, too. Whoever cancelled leaves
        at once: others may be waiting for the room."""
        part = self._part
        if part is None:
            return
        open_rows = [i for i, row in enumerate(part.live) if not row.finish]
        if 2 * len(open_rows) <= len(part.live) or any(row.finish == "cancelled" for row in part.live):
            part.select(open_rows)

    def _merged(self, parts: list["Part"]) -> "Part":
        """The open rows of all. All tensors are made before anything is changed: where that fails, the parts are as
        they were."""
        if not all(can_join(part.cache) for part in parts):
            raise BaseError(
                _("The base {base!r} keeps a cache that rows cannot join."),
                _("Ask one after another."),
                base=self._stack.base.id,
            )
        live, tokens, places, before = [], [], [], 0
        plan: Any = None
        for part in parts:
            stay = [i for i, row in enumerate(part.live) if not row.finish]
            own = part.plan.select(stay)
            plan = own if plan is None else plan.join(own, list(range(len(live) + len(stay))))
            live += [part.live[i] for i in stay]
            tokens += [part.tokens[i] for i in stay]
            # which rows of all, part behind part, they are
            places += [before + i for i in stay]
            before += len(part.live)
        order = sorted(range(len(live)), key=lambda i: _serial(live[i]))
        index = torch.tensor([places[i] for i in order], device=parts[0].mask.device)
        width = int(torch.cat([part.mask.sum(-1) for part in parts])[index].max())

        cache = join_rows([part.cache for part in parts], [places[i] for i in order], width)
        mask = torch.cat([_fit(part.mask, width) for part in parts]).index_select(0, index)
        positions = torch.cat([part.positions for part in parts]).index_select(0, index)
        return Part([live[i] for i in order], plan.select(order), mask, positions, cache, [tokens[i] for i in order])


@dataclass
class Part:
    """The tensors of some rows. mask: [rows, width]; positions: [rows, length of the input]; tokens: each row's last
    one."""

    live: list[Live]
    plan: Any
    mask: torch.Tensor
    positions: torch.Tensor
    cache: Any = None
    tokens: list[int] = field(default_factory=list)

    @property
    def can_join(self) -> bool:
        """Whether others can stand beside its open rows."""
        return all(row.finish for row in self.live) or can_join(self.cache)

    def select(self, rows: list[int]) -> None:
        if len(rows) == len(self.live):
            return
        index = torch.tensor(rows, device=self.mask.device, dtype=torch.long)
        self.live, self.tokens = [self.live[i] for i in rows], [self.tokens[i] for i in rows]
        self.plan = self.plan.select(rows)
        self.mask, self.positions = self.mask[index], self.positions[index]
        if rows and self.cache is not None:
            self.cache.batch_select_indices(index)
            self.trim()

    def trim(self) -> None:
        """Removes columns that are padding in every row, once the longest row has left."""
        empty = int((self.mask.cumsum(-1) == 0).all(dim=0).sum())
        if empty and can_join(self.cache):
            self.mask = self.mask[:, empty:]
            for layer in self.cache.layers:
                layer.drop(empty)


def _serial(row: Live) -> int:
    return row.adapter.serial


def _fit(mask: torch.Tensor, width: int) -> torch.Tensor:
    """A mask [rows, tokens] with `width` tokens: its last ones, or all of them with zeros before them."""
    missing = width - mask.shape[-1]
    if missing > 0:
        return torch.nn.functional.pad(mask, (missing, 0))
    return mask[:, -missing:] if missing else mask


def decode(
    stack: AdapterStack,
    rows: list[Live],
    ends: set[int],
    pad: int,
    *,
    shared: SharedBeginnings | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[list[Live]]:
    """Yields, after each step, the rows that got a token or ended in it. `row.finish`: "stop" at one of `ends`,
    "length", or "cancelled". shared: what the prompts begin with, where it has been read."""
    batch, step = Batch(stack, ends, pad, shared), 0
    while step == 0 or batch.live:
        if cancelled is not None and cancelled():
            still_open = batch.live if step else rows
            for row in still_open:
                row.finish = "cancelled"
            yield still_open
            return
        yield batch.step() if step else batch.join(rows)
        step += 1


def _take(row: Live, token: int, ends: set[int]) -> None:
    """Gives a row its next token, or ends it."""
    if token in ends:
        row.finish = "stop"
        return
    row.ids.append(token)
    row.left -= 1
    if row.left <= 0:
        row.finish = "length"


def _next_tokens(logits: torch.Tensor, live: list[Live]) -> list[int]:
    """The next token of each row; of rows that have ended it means nothing. logits: [rows, vocabulary], float."""
    tokens = logits.argmax(-1)
    drawn = [i for i, row in enumerate(live) if row.random is not None and not row.finish]
    if drawn:
        heat = torch.tensor([live[i].temperature for i in drawn], device=logits.device).unsqueeze(-1)
        share = torch.tensor([live[i].top_p for i in drawn], device=logits.device, dtype=torch.float64).unsqueeze(-1)
        # less than a float holds would divide by nothing
        heat = heat.clamp(min=torch.finfo(heat.dtype).tiny)
        cooled = (logits[drawn] - logits[drawn].amax(-1, keepdim=True)) / heat
        tokens[drawn] = _draw(cooled, [live[i].random for i in drawn], share)
    return tokens.tolist()


def _draw(logits: torch.Tensor, generators: list[torch.Generator], top_p: torch.Tensor) -> torch.Tensor:
    """One token a row from the smallest set of tokens that holds its `top_p` ([rows, 1]) of the probability (Holtzman
    et al. 2020, arXiv 1904.09751). Each row has its own generator, on the CPU on every machine, and takes one number
    from it a step: the draw depends on the row's seed and logits and on nothing else in the batch."""
    chances, tokens = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    sums = chances.double().cumsum(-1)
    kept = (sums - chances < top_p).sum(-1, keepdim=True).clamp_(min=1)
    mass = sums.gather(-1, kept - 1)
    draws = torch.stack([torch.rand((), generator=one, dtype=torch.float64) for one in generators]).to(logits.device)
    place = torch.searchsorted(sums, draws.unsqueeze(-1) * mass, right=True)
    return tokens.gather(-1, torch.minimum(place, kept - 1)).squeeze(-1)
