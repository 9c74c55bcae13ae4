"""Labels packed into one sequence: the tree of their tokens, in which labels that begin alike share their beginning.

A token sees its prompt and the tokens before it in its own label, so that one forward over the tree gives what a
forward over each label would.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from lora_hub.answering.kv_cache import can_join

# Architectures on which a packed forward has been held against one label at a time (test_likelihood.py). Others
# may tell positions from places in the sequence (ALiBi, local windows), which packing changes.
PACKED = ("gemma", "gpt2", "gpt_neox", "llama", "mistral", "phi3", "qwen2", "qwen3", "smollm3")


@dataclass(frozen=True)
class LabelTree:
    """tokens: of all nodes, each parent before its children; a node's logits say what may follow it. depths: how many
    tokens stand before it in its label. sees: [nodes, nodes], whether the column is the row itself or one of its
    ancestors. steps: (label, node, next token), whose log probabilities add up to each label's likelihood after its
    first token."""

    tokens: list[int]
    depths: list[int]
    sees: torch.Tensor
    steps: list[tuple[int, int, int]]


def plant(labels: Sequence[Sequence[int]]) -> LabelTree:
    """The tree of labels of at least two tokens each; `steps` numbers them as they are given."""
    nodes: dict[tuple[int, ...], int] = {}
    tokens: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    steps = []
    for label, ids in enumerate(labels):
        for end in range(1, len(ids)):
            path = tuple(ids[:end])
            if path not in nodes:
                nodes[path] = len(tokens)
                parents.append(nodes.get(path[:-1], -1))
                tokens.append(path[-1])
                depths.append(end - 1)
            steps.append((label, nodes[path], ids[end]))
    sees = torch.eye(len(tokens), dtype=torch.bool)
    for node, parent in enumerate(parents):
        if parent >= 0:
            sees[node] |= sees[parent]
    return LabelTree(tokens, depths, sees, steps)


def can_pack(model: PreTrainedModel, cache: Any) -> bool:
    """Whether labels can go through this model side by side behind one prompt."""
    config = model.config.get_text_config(decoder=True)
    return config.model_type in PACKED and config._attn_implementation in ("sdpa", "eager") and can_join(cache)


def packed_mask(
    prompts: torch.Tensor, trees: Sequence[LabelTree], dtype: torch.dtype, known: int | None = None
) -> torch.Tensor:
    """The mask of trees behind their prompts, [rows, 1, nodes, width + nodes], added to attention: 0 where a node may
    look. known: columns that were read before; those behind them then come first: [rows, 1, width - known + nodes,
    width + nodes]. prompts: [rows, width], 1 where a token is. A tree is padded with nodes that see themselves."""
    most = max(len(tree.tokens) for tree in trees)
    sees = torch.eye(most, dtype=torch.bool).repeat(len(trees), 1, 1)
    for row, tree in enumerate(trees):
        sees[row, : len(tree.tokens), : len(tree.tokens)] = tree.sees
    seen = torch.cat([prompts.bool()[:, None, :].expand(-1, most, -1), sees.to(prompts.device)], dim=2)
    if known is not None:
        columns = torch.arange(prompts.shape[1] + most, device=prompts.device)
        asking = columns[known : prompts.shape[1], None]
        real = torch.nn.functional.pad(prompts.bool(), (0, most))[:, None]
        # padding sees itself: a softmax over nothing is no number
        seen = torch.cat([(real & (columns <= asking)) | (columns == asking), seen], dim=1)
    mask = torch.zeros(seen.shape, dtype=dtype, device=prompts.device)
    return mask.masked_fill_(~seen, torch.finfo(dtype).min)[:, None]
