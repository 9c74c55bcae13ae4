"""Prompts in, answers out, through the stack: streamed (`stream`), in bulk (`answer_all`), and how far an adapter's
answer is from the base's (`divergence`).

Text is cut where it is whole: the bytes of a character that is not complete yet (two tokens for a Persian letter are
common) are held back until the rest comes. Answers are as the tokenizer decodes them, special tokens left out, leading
space included.

    rows = [PromptRow(ids), PromptRow(ids, adapter="spam")]
    for row, answer in stream(stack, tokenizer, rows, max_new_tokens=64):
        print(row, answer.text)
"""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from lora_hub.answering.bulk import Bulk, running_budget
from lora_hub.answering.decoding import Batch, Live, decode
from lora_hub.answering.prefill import batch_budget, check_prompts, context_length, keep_logits, share_beginnings
from lora_hub.answering.stack import AdapterStack
from lora_hub.answering.visitors import AnswerQueue
from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _
from lora_hub.core.schema import BASE, Answer, Divergence
from lora_hub.data.prompts import template

# Nats: two rows of one batch, summed by several threads in another order, differ by less without any adapter.
ROUNDING_KL = 1e-9

# A UTF-8 character has up to 4 bytes; decoders put one replacement character for each of the up to 3 that are there.
_OPEN_CHARACTER = re.compile("\ufffd{1,3}$")


@dataclass(frozen=True)
class PromptRow:
    """One question. ids: the prompt's tokens. adapter: an attached one's name, or "base". seed: of this row's
    draws when sampling. tokenizer: of an adapter that has its own; it ends the answer and writes its text."""

    ids: list[int]
    adapter: str = BASE
    seed: int = 0
    tokenizer: Any = None


def stream(
    stack: AdapterStack,
    tokenizer: Any,
    rows: list[PromptRow],
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    top_p: float = 1.0,
    cancelled: Callable[[], bool] | None = None,
    visitors: AnswerQueue | None = None,
) -> Iterator[tuple[int, Answer]]:
    """Answers all rows in one batch: (place of the row, its answer so far) whenever a row's text has grown or it is
    done. `cancelled` is asked before each step. temperature 0 is greedy. visitors: the base's queue, where others may
    be answered in the same batch. Who answers is decided here and now: adapters that come or go later change nothing.
    Raises DataError (too long for the base), AdapterError, BaseError (memory)."""
    live = _prepare(stack, rows, max_new_tokens, temperature, top_p)
    with stack.in_use(row.adapter for row in live):
        yield from _stream(stack, tokenizer, rows, live, cancelled, visitors)


def _stream(
    stack: AdapterStack,
    tokenizer: Any,
    rows: list[PromptRow],
    live: list[Live],
    cancelled: Callable[[], bool] | None,
    visitors: AnswerQueue | None,
) -> Iterator[tuple[int, Answer]]:
    start, shown, done = time.perf_counter(), [""] * len(rows), set()
    if visitors is None:
        steps = decode(stack, live, end_token_ids(stack.model, tokenizer), tokenizer.pad_token_id, cancelled=cancelled)
    else:
        steps = visitors.answer(live, cancelled=cancelled)
    for moved in _memory_in_words(steps, stack):
        for row in sorted(moved, key=lambda one: one.row):
            finish, ids = row.finish, tuple(row.ids)  # with visitors the row may be further than this step already
            text = decode_text(rows[row.row].tokenizer or tokenizer, ids)
            if row.row not in done and (finish or text != shown[row.row]):
                shown[row.row] = text
                done |= {row.row} if finish else set()
                yield (
                    row.row,
                    Answer(text=text, tokens=len(ids), seconds=time.perf_counter() - start, finish=finish, ids=ids),
                )


def answer_all(
    stack: AdapterStack,
    tokenizer: Any,
    rows: list[PromptRow],
    *,
    max_new_tokens: int,
    batch_tokens: int = 0,
    temperature: float = 0.0,
    top_p: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Answer]:
    """Answers in the order of `rows`, of however many adapters: one running batch, which rows leave and others join
    (`bulk`). batch_tokens: padded tokens in it, 0 for what suits the device; where a GPU's memory is too small, it is
    halved. progress: rows done, rows in all. Raises as `stream`."""
    live = _prepare(stack, rows, max_new_tokens, temperature, top_p)
    pad = tokenizer.pad_token_id
    shared = (
        share_beginnings(stack, stack.plan([row.adapter for row in live]), [row.ids for row in rows], pad)
        if rows
        else None
    )
    batch = Batch(stack, end_token_ids(stack.model, tokenizer), pad, shared)
    bulk = Bulk(batch, live, batch_tokens or running_budget(stack), batch_tokens or batch_budget(stack))
    answers: list[Answer | None] = [None] * len(rows)
    done = 0
    for ended in bulk.run(cancelled):
        for row, seconds in ended:
            text = decode_text(rows[row.row].tokenizer or tokenizer, row.ids)
            answers[row.row] = Answer(
                text=text, tokens=len(row.ids), seconds=seconds, finish=row.finish, ids=tuple(row.ids)
            )
        done += len(ended)
        if progress is not None:
            progress(done, len(rows))
    return answers


def divergence(
    stack: AdapterStack, tokenizer: Any, row: PromptRow, answer_ids: list[int] | tuple[int, ...]
) -> Divergence:
    """How far the adapter of `row` is from the base on this prompt and answer, from one forward of both side by side:
    KL(adapter || base) in nats of the first token's distribution, and the share of the answer's tokens where their
    first choices differ. An answer without tokens is judged by its first place alone. Raises DataError,
    AdapterError."""
    answer = list(answer_ids)[: max(1, context_length(stack)) - len(row.ids)]
    _prepare(stack, [row], 1, 0.0)
    ids = torch.tensor([row.ids + answer[:-1]] * 2, device=stack.model.device)
    places = max(1, len(answer))
    with torch.no_grad(), stack.route([0, stack.adapter(row.adapter)]):
        options = {"attention_mask": torch.ones_like(ids), "use_cache": False}
        logits = stack.model(input_ids=ids, **options, **keep_logits(stack.model, places)).logits[:, -places:]
    base, adapter = logits[:, 0].double().log_softmax(-1)
    kl = torch.nn.functional.kl_div(base, adapter, reduction="sum", log_target=True).item()
    first_choices = logits.argmax(-1)
    changed = (first_choices[0] != first_choices[1]).double().mean().item()
    return Divergence(kl=kl if kl > ROUNDING_KL else 0.0, changed=changed)


def decode_text(tokenizer: Any, ids: list[int] | tuple[int, ...]) -> str:
    """The text of an answer so far, without a character whose last bytes are still to come."""
    return _OPEN_CHARACTER.sub(
        "", tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
    )


def end_token_ids(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end an answer: the generation config's (there may be several), the tokenizer's, and the one that
    the chat template closes a turn with."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    ends = set(configured) if isinstance(configured, list | tuple) else {configured}
    return (ends | end_tokens_of(tokenizer)) - {None}


def end_tokens_of(tokenizer: Any) -> set[int]:
    """Those of them that the tokenizer knows."""
    return {tokenizer.eos_token_id, template.end_token(tokenizer)} - {None}


def open_queue(stack: AdapterStack, tokenizer: Any) -> AnswerQueue:
    """The queue in which all visitors of a base are answered together."""
    return AnswerQueue(stack, end_token_ids(stack.model, tokenizer), tokenizer.pad_token_id)


def _prepare(
    stack: AdapterStack, rows: list[PromptRow], max_new_tokens: int, temperature: float, top_p: float = 1.0
) -> list[Live]:
    context = context_length(stack)
    check_prompts(stack, [row.ids for row in rows])
    ends: dict[int, frozenset[int] | None] = {id(None): None}  # rows of an adapter share its tokenizer
    live = []
    for i, row in enumerate(rows):
        random = torch.Generator().manual_seed(row.seed) if temperature > 0 else None
        if id(row.tokenizer) not in ends:
            ends[id(row.tokenizer)] = frozenset(end_token_ids(stack.model, row.tokenizer))
        left = min(max_new_tokens, context - len(row.ids))
        live.append(
            Live(i, stack.adapter(row.adapter), row.ids, left, random, temperature, top_p, ends[id(row.tokenizer)])
        )
    return live


def _memory_in_words(steps: Iterator[list[Live]], stack: AdapterStack) -> Iterator[list[Live]]:
    try:
        yield from steps
    except torch.OutOfMemoryError as error:
        raise BaseError(
            _("The GPU's memory is too small to answer these prompts on {base!r}."),
            _("Ask fewer or shorter ones."),
            base=stack.base.id,
        ) from error
