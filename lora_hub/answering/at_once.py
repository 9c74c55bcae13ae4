"""The likelihoods of a few short labels from one forward: their tree lies right behind each prompt.

`likelihood` reads prompts first and goes on from their keys and values; where all labels of a prompt are judged anyway
and are few tokens, that second call of the layers, and a copy of the cache for it, are saved.
"""

import torch

from lora_hub.answering.exam_work import FIRST_WAVE
from lora_hub.answering.label_tree import can_pack, plant
from lora_hub.answering.prefill import SharedBeginnings, read_with_trees
from lora_hub.answering.routing import Plan
from lora_hub.answering.stack import AdapterStack

# Bytes of logits at once, by device: little enough to fit beside a base.
LOGITS_BYTES = {"cpu": 128 << 20, "cuda": 1 << 30}
# Nodes of a tree at most: with more, the mask of prompt and tree costs what the second call does.
MOST_AT_ONCE = 64
# Rows whose logits are summed up in one go.
_SUMMED = 16


def score_at_once(
    stack: AdapterStack,
    plan: Plan,
    prompts: list[list[int]],
    choices: list[list[list[int]]],
    shared: SharedBeginnings | None,
    budget: int,
    pad: int,
) -> list[list[float]] | None:
    """For each prompt the log likelihood of each of its labels (token ids), in nats. budget: padded tokens of a batch.
    None where that is too much for one forward, where no label goes on after its first token, or where the base is not
    one of those whose labels can be packed."""
    if shared is None or not can_pack(stack.model, shared.cache) or max(map(len, choices)) > FIRST_WAVE:
        return None
    planted = {key: plant(of) for key, of in {id(of): of for of in choices}.items()}  # rows share their choices
    trees = [planted[id(of)] for of in choices]
    most = max(len(tree.tokens) for tree in trees)
    if (
        not 0 < most <= MOST_AT_ONCE
        or len(prompts) * (max(map(len, prompts)) + most) > budget
        or len(prompts) * (1 + most) > most_logits(stack)
    ):
        return None
    logits = read_with_trees(stack, plan, prompts, trees, pad, shared)
    rows, places, tokens = [], [], []
    for row, (of, tree) in enumerate(zip(choices, trees, strict=True)):
        steps = [(0, ids[0]) for ids in of] + [(1 + node, after) for _, node, after in tree.steps]
        rows += [row] * len(steps)
        places += [place for place, _ in steps]
        tokens += [token for _, token in steps]
    sums = torch.cat([some.float().logsumexp(-1) for some in logits.split(_SUMMED)])  # no copy of all in float
    logs = iter((logits[rows, places, tokens].float() - sums[rows, places]).double().tolist())
    found = []
    for of, tree in zip(choices, trees, strict=True):
        own = [next(logs) for _ in of]
        for label, _, _ in tree.steps:
            own[label] += next(logs)
        found.append(own)
    return found


def most_logits(stack: AdapterStack) -> int:
    """Places whose logits the memory given for them holds."""
    size = stack.model.config.get_text_config(decoder=True).vocab_size
    return LOGITS_BYTES.get(stack.model.device.type, LOGITS_BYTES["cpu"]) // (4 * size)
