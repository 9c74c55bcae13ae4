"""How likely a model finds each whole label as the answer to a prompt: log P(label | prompt), in nats.

A label is judged as a whole, by all its tokens. (Choosing token by token lets the first token decide: a label whose
first token is likely wins though nothing that follows it is.) The end token counts only where it has something to
decide (`label_tokens`). Prompts are read once; each label goes on from the prompt's keys and values, up to its last but
one token: the last is not read, only its logit. Rows of different adapters, prompts and labels share a batch, as
everywhere in the stack.

    logs = score_labels(stack, [LabelRow(ids, "spam", choices)], pad)     # [[-0.2, -4.1]]
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch

from lora_hub.answering.at_once import most_logits, score_at_once
from lora_hub.answering.exam_work import FIRST_WAVE
from lora_hub.answering.kv_cache import copy_cache
from lora_hub.answering.label_tree import LabelTree, can_pack, packed_mask, plant
from lora_hub.answering.prefill import (
    ReadPrompts,
    SharedBeginnings,
    batch_budget,
    check_prompts,
    context_length,
    keep_logits,
    prompt_too_large,
    read_prompts,
    share_beginnings,
    takes_positions,
    unknown_token,
)
from lora_hub.answering.routing import Plan
from lora_hub.answering.stack import AdapterStack
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.core.schema import Calibration

# By device: tokens in one forward from which on more of them are hardly faster, and how many times its shortest prompt
# the longest may be from there on. A CPU is busy early, and padding costs it as much as tokens do.
_BUSY_TOKENS = {"cpu": (256, 1.1), "cuda": (768, 1.25)}
# Of many labels, those that cannot come within this of the best one any more (a chance below 1 in 8 million) are left
# at what their first token leaves possible, which is more than their likelihood.
PRUNE_NATS = 16.0
# Of one tree: which of its nodes see which takes the square of it.
MOST_NODES = 4_096


@dataclass(frozen=True)
class LabelRow:
    """One question. ids: the prompt's tokens. adapter: an attached one's name, or "base". choices: token ids of each
    label, as they are to be judged (`label_tokens`). calibration: decides only which labels can no longer win; the
    scores are not calibrated."""

    ids: list[int]
    adapter: str
    choices: list[list[int]]
    calibration: Calibration | None = None

    def judged(self, label: int, log: float) -> float:
        """A label's log likelihood after calibration, by which labels are ranked."""
        return log if self.calibration is None else self.calibration.scale * log + self.calibration.offsets[label]


def label_tokens(ended: list[list[int]]) -> list[list[int]]:
    """The tokens by which labels are judged, from those of each label with the end token behind.

    Where one label begins another ("card", "card lost"), only the end token tells the shorter one from the beginning of
    the longer one. Elsewhere it says nothing of which label it is: it is left out, as is usual for choices that are
    given (so in EleutherAI's evaluation harness), and the last token of each label need not be read.
    """
    bare = sorted(ids[:-1] for ids in ended)  # whoever begins another stands right before one that it begins
    begins = any(after[: len(one)] == one for one, after in pairwise(bare))
    return ended if begins or [] in bare else [ids[:-1] for ids in ended]


def score_labels(
    stack: AdapterStack,
    rows: list[LabelRow],
    pad: int,
    *,
    all_exact: bool = False,
    batch_tokens: int = 0,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[list[float]] | None:
    """For each row the log likelihood of each of its labels, in nats; None where it was cancelled.

    all_exact: also of labels that are out of the race (see PRUNE_NATS). batch_tokens: padded tokens a batch, 0 for what
    suits the device. progress: rows done, rows in all. Raises AdapterError (not attached), DataError (a label without
    tokens, a prompt too long for the base), BaseError (memory).
    """
    for row in rows:
        if not row.choices or not all(row.choices):
            raise DataError(
                _("A label has no tokens."),
                _("Give every label at least one letter that the base's tokenizer knows."),
            )
    check_prompts(stack, [row.ids for row in rows])
    vocabulary = stack.model.get_input_embeddings().weight.shape[0]
    highest = max(
        (max(map(max, choices)) for choices in {id(row.choices): row.choices for row in rows}.values()), default=0
    )
    if highest >= vocabulary:
        raise unknown_token(stack, _("A label"), highest, vocabulary)
    plan = stack.plan([stack.adapter(row.adapter) for row in rows])
    budget = batch_tokens or batch_budget(stack)
    shared = share_beginnings(stack, plan, [row.ids for row in rows], pad) if rows else None
    scored: list[list[float] | None] = [None] * len(rows)
    busy = _BUSY_TOKENS.get(stack.model.device.type, _BUSY_TOKENS["cpu"])
    batches, done = _batches(rows, plan, budget, shared, busy), 0
    while batches:
        if cancelled is not None and cancelled():
            return None
        batch = batches.pop()
        try:
            choices = [rows[i].choices for i in batch]
            found = score_at_once(stack, plan.select(batch), [rows[i].ids for i in batch], choices, shared, budget, pad)
            if found is None:
                read = read_prompts(stack, plan.select(batch), [rows[i].ids for i in batch], pad, shared=shared)
                found = _Continued(stack, plan, rows, batch, read, budget, pad).score(all_exact)
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            if len(batch) == 1:
                raise prompt_too_large(stack, len(rows[batch[0]].ids)) from error
            batches += [batch[len(batch) // 2 :], batch[: len(batch) // 2]]
            continue
        for i, logs in zip(batch, found, strict=True):
            scored[i] = logs
        done += len(batch)
        if progress is not None:
            progress(done, len(rows))
    return scored


class _Continued:
    """The labels of a batch of prompts that were read."""

    def __init__(
        self,
        stack: AdapterStack,
        plan: Plan,
        rows: list[LabelRow],
        batch: list[int],
        read: ReadPrompts,
        budget: int,
        pad: int,
    ) -> None:
        self._stack, self._plan, self._batch, self._read, self._budget, self._pad = (
            stack,
            plan,
            batch,
            read,
            budget,
            pad,
        )
        self._rows = [rows[i] for i in batch]
        self._most_logits = most_logits(stack)
        logs = read.logits.log_softmax(-1)
        self._firsts = [logs[i, [ids[0] for ids in row.choices]].double().tolist() for i, row in enumerate(self._rows)]

    def score(self, all_exact: bool) -> list[list[float]]:
        found = [list(firsts) for firsts in self._firsts]
        # what each label can reach at most: its first token's likelihood, were all that follows certain
        most = [
            [row.judged(*pair) for pair in enumerate(firsts)]
            for row, firsts in zip(self._rows, self._firsts, strict=True)
        ]
        order = [sorted(range(len(row)), key=lambda label, row=row: -row[label]) for row in most]
        wave = [
            (i, label) for i, labels in enumerate(order) for label in (labels if all_exact else labels[:FIRST_WAVE])
        ]
        self._add(found, wave)
        if not all_exact and any(len(labels) > FIRST_WAVE for labels in order):
            best = [
                max(self._rows[i].judged(label, found[i][label]) for label in labels[:FIRST_WAVE])
                for i, labels in enumerate(order)
            ]
            rest = [
                (i, label)
                for i, labels in enumerate(order)
                for label in labels[FIRST_WAVE:]
                if most[i][label] > best[i] - PRUNE_NATS
            ]
            self._add(found, rest)
        return found

    def _add(self, found: list[list[float]], items: list[tuple[int, int]]) -> None:
        """Adds the log likelihood of what follows a label's first token, for (row, label) pairs, in parts that fit the
        memory."""
        items = [(i, label) for i, label in items if len(self._rows[i].choices[label]) > 1]
        if items and can_pack(self._stack.model, self._read.cache):
            self._add_packed(found, items)
            return
        # labels of one length together, rows of one adapter side by side
        items.sort(key=lambda item: (len(self._rows[item[0]].choices[item[1]]), item))
        while items:
            longest = len(self._rows[items[0][0]].choices[items[0][1]])
            count = 0
            for i, label in items:
                longest = max(longest, len(self._rows[i].choices[label]))
                if count and not self._fits(count + 1, longest):
                    break
                count += 1
            part, items = items[:count], items[count:]
            for (i, label), added in zip(part, self._rest(part), strict=True):
                found[i][label] += added

    def _fits(self, rows: int, tokens: int) -> bool:
        """Whether the memory holds this many rows of this many tokens each, behind their prompts."""
        return rows * (self._read.mask.shape[1] + tokens) <= self._budget and rows * tokens <= self._most_logits

    def _add_packed(self, found: list[list[float]], items: list[tuple[int, int]]) -> None:
        """Does the same with all labels of a prompt in one sequence behind it."""
        by_row: dict[int, list[int]] = {}
        for i, label in items:
            by_row.setdefault(i, []).append(label)
        trees: dict[tuple[int, tuple[int, ...]], LabelTree] = {}
        entries: list[tuple[int, list[int], LabelTree]] = []
        waiting = [(i, sorted(labels)) for i, labels in by_row.items()]
        while waiting:
            i, labels = waiting.pop()
            if len(labels) > 1 and sum(len(self._rows[i].choices[label]) for label in labels) > MOST_NODES:
                waiting += [(i, labels[: len(labels) // 2]), (i, labels[len(labels) // 2 :])]
                continue
            key = (id(self._rows[i].choices), tuple(labels))
            if key not in trees:
                trees[key] = plant([self._rows[i].choices[label] for label in labels])
            if len(labels) > 1 and not self._fits(1, len(trees[key].tokens)):
                waiting += [(i, labels[: len(labels) // 2]), (i, labels[len(labels) // 2 :])]
            else:
                entries.append((i, labels, trees[key]))
        entries.sort(key=lambda entry: (len(entry[2].tokens), entry[0]))
        while entries:
            count = 1
            while count < len(entries) and self._fits(count + 1, len(entries[count][2].tokens)):
                count += 1
            part, entries = entries[:count], entries[count:]
            for i, label, log in self._packed(part):
                found[i][label] += log

    def _packed(self, part: list[tuple[int, list[int], LabelTree]]) -> list[tuple[int, int, float]]:
        """One forward over the trees of some rows: (row, label, log P of one of the label's tokens)."""
        read, device = self._read, self._read.mask.device
        rows, trees = torch.tensor([i for i, _, _ in part], device=device), [tree for _, _, tree in part]
        most = max(len(tree.tokens) for tree in trees)
        input_ids = torch.tensor(
            [tree.tokens + [self._pad] * (most - len(tree.tokens)) for tree in trees], device=device
        )
        depths = torch.tensor([tree.depths + [0] * (most - len(tree.depths)) for tree in trees], device=device)
        options = {
            "attention_mask": packed_mask(read.mask[rows], trees, self._stack.model.dtype),
            "past_key_values": copy_cache(read.cache, rows),
            "position_ids": (read.positions[rows] + 1 + depths).clamp_(max=context_length(self._stack) - 1),
            "use_cache": True,
        }
        with torch.no_grad(), self._stack.use(self._plan.select([self._batch[i] for i, _, _ in part])):
            logits = self._stack.model(input_ids=input_ids, **options).logits
        places = [(row, *step) for row, tree in enumerate(trees) for step in tree.steps]
        at, nodes, tokens = (torch.tensor([place[which] for place in places], device=device) for which in (0, 2, 3))
        sums = torch.stack(
            [one.float().logsumexp(-1) for one in logits]
        )  # row by row: a copy in float of all would double the memory
        logs = (logits[at, nodes, tokens].float() - sums[at, nodes]).double().tolist()
        return [(part[row][0], part[row][1][label], log) for (row, label, _, _), log in zip(places, logs, strict=True)]

    def _rest(self, items: list[tuple[int, int]]) -> list[float]:
        """log P of all tokens after the first, for each (row, label)."""
        labels = [self._rows[i].choices[label] for i, label in items]
        device, longest = self._read.mask.device, max(map(len, labels)) - 1
        wanted = torch.tensor([ids[1:] + [0] * (longest + 1 - len(ids)) for ids in labels], device=device)
        counts = torch.tensor(
            [[1.0] * (len(ids) - 1) + [0.0] * (longest + 1 - len(ids)) for ids in labels], device=device
        )
        plan = self._plan.select([self._batch[i] for i, _ in items])
        logits = (
            self._from_cache(items, labels, plan)
            if hasattr(self._read.cache, "batch_select_indices")
            else self._whole(items, labels, plan)
        )
        logs = logits.gather(-1, wanted.unsqueeze(-1)).squeeze(-1).float() - logits.float().logsumexp(-1)
        return (logs.double() * counts).sum(-1).tolist()

    def _from_cache(self, items: list[tuple[int, int]], labels: list[list[int]], plan: Plan) -> torch.Tensor:
        """Logits [items, longest label - 1, vocabulary]: the labels as they go on from their prompts' keys and
        values."""
        read, longest = self._read, max(map(len, labels)) - 1
        rows = torch.tensor([i for i, _ in items], device=read.mask.device)
        given = [ids[:-1] for ids in labels]
        input_ids = torch.tensor([ids + [self._pad] * (longest - len(ids)) for ids in given], device=read.mask.device)
        real = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in given], device=read.mask.device)
        options = {
            "attention_mask": torch.cat([read.mask[rows], real], dim=1),
            "past_key_values": copy_cache(read.cache, rows),
            "use_cache": True,
        }
        if takes_positions(self._stack.model):
            # Padding behind a label stays on its last position, and a label longer than what is left of the context on
            # the context's: a table of positions ends there.
            options["position_ids"] = (read.positions[rows] + real.cumsum(-1)).clamp_(
                max=context_length(self._stack) - 1
            )
        with torch.no_grad(), self._stack.use(plan):
            return self._stack.model(input_ids=input_ids, **options).logits

    def _whole(self, items: list[tuple[int, int]], labels: list[list[int]], plan: Plan) -> torch.Tensor:
        """The same for a base without such a cache: prompt and label are read again from the beginning."""
        longest = max(map(len, labels)) - 1
        given = [self._rows[i].ids + ids[:-1] for (i, _), ids in zip(items, labels, strict=True)]
        # every row ends at its label's last but one token, then padding: the logits of all labels begin in one column
        width = max(len(self._rows[i].ids) for i, _ in items)
        rows = [([0] * (width - len(self._rows[i].ids)), ids) for (i, _), ids in zip(items, given, strict=True)]
        total = width + longest
        input_ids = torch.tensor(
            [[self._pad] * len(left) + ids + [self._pad] * (total - len(left) - len(ids)) for left, ids in rows]
        )
        mask = torch.tensor([left + [1] * len(ids) + [0] * (total - len(left) - len(ids)) for left, ids in rows])
        options = {"attention_mask": mask.to(self._read.mask.device)}
        if takes_positions(self._stack.model):
            options["position_ids"] = (options["attention_mask"].cumsum(-1) - 1).clamp_(
                min=0, max=context_length(self._stack) - 1
            )
        with torch.no_grad(), self._stack.use(plan):
            out = self._stack.model(
                input_ids=input_ids.to(self._read.mask.device), **options, **keep_logits(self._stack.model, longest)
            )
        return out.logits[:, -longest:]


def _batches(
    rows: list[LabelRow], plan: Plan, budget: int, shared: SharedBeginnings | None, busy: tuple[int, float]
) -> list[list[int]]:
    """Rows of an adapter together, whose products are then large, and among them those of similar length; the last is
    taken first. Once a batch is large enough to keep the device busy, it takes no row of another adapter any more, and
    none that would be padded too much: `busy` says when and what."""
    own = [len(row.ids) - (shared.lengths[plan.serials[i]] if shared else 0) for i, row in enumerate(rows)]
    batches: list[list[int]] = []
    longest = tokens = 0
    for i in sorted(range(len(rows)), key=lambda i: (plan.serials[i], len(rows[i].ids)), reverse=True):
        first = batches[-1][0] if batches else i
        unlike = plan.serials[i] != plan.serials[first] or own[first] > busy[1] * own[i]
        longest = max(longest, len(rows[i].ids))
        if not batches or (len(batches[-1]) + 1) * longest > budget or (unlike and tokens >= busy[0]):
            batches.append([])
            longest, tokens = len(rows[i].ids), 0
        batches[-1].append(i)
        tokens += own[i]
    return [sorted(batch, key=lambda i: plan.serials[i]) for batch in batches]
