"""Texts as vectors: the frozen base's own hidden states at three depths (the embeddings, the middle, the end), each
token's scaled to length one a dimension and cut off where a few dimensions are huge in every text, averaged over the
tokens, and projected to at most `WIDTH` dimensions a depth by numbers that are the same everywhere.

    states, lengths = read_states(stack, tokenizer, texts)       [texts, dimensions], [texts]
"""

from typing import TYPE_CHECKING, Any

from lora_hub.core.schema import BaseModel, Task
from lora_hub.data.prompts import template

if TYPE_CHECKING:
    from lora_hub.answering.stack import AdapterStack

WIDTH = 128
MOST_TOKENS = 96
CUT = 4.0
BATCH = 16
# A tokenizer takes seconds for millions of characters, of which no more than these are read.
MOST_CHARACTERS = 4000


def question_text(task: Task, inputs: dict[str, Any]) -> str:
    """A row's inputs as a person would ask them, without the task's own words around them; of a conversation the last
    thing that the user said."""
    if task.is_chat:
        said = [turn["content"] for turn in inputs["messages"] if turn.get("role") == "user"]
        return template.as_text(said[-1]) if said else ""
    return "\n".join(template.as_text(inputs[role]) for role in task.inputs if inputs.get(role))


def base_name(base: BaseModel) -> str:
    """Which weights the vectors are of."""
    return base.fingerprint or base.id


def read_states(stack: "AdapterStack", tokenizer: Any, texts: list[str]) -> tuple[Any, Any]:
    """(states, tokens that were read) of texts, as float64 arrays. No adapter has a part in them."""
    import numpy
    import torch

    from lora_hub.answering.prefill import keep_logits

    ids = [
        tokenizer(text[:MOST_CHARACTERS], add_special_tokens=True)["input_ids"][:MOST_TOKENS]
        or [tokenizer.pad_token_id]
        for text in texts
    ]
    states = [numpy.zeros(0)] * len(ids)
    order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
    device = stack.model.device
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        width = len(ids[places[-1]])
        padded = [ids[place] + [tokenizer.pad_token_id] * (width - len(ids[place])) for place in places]
        mask = torch.tensor([[1] * len(ids[place]) + [0] * (width - len(ids[place])) for place in places])
        mask = mask.to(device)
        with torch.no_grad(), stack.route([0] * len(places)):
            hidden = stack.model(
                input_ids=torch.tensor(padded, device=device),
                attention_mask=mask,
                output_hidden_states=True,
                use_cache=False,
                **keep_logits(stack.model, 1),
            ).hidden_states
        depths = sorted({0, (len(hidden) - 1) // 2, len(hidden) - 1})
        means = []
        for depth in depths:
            seen = hidden[depth].float()
            seen = seen * torch.rsqrt(seen.square().mean(-1, keepdim=True) + 1e-6)
            seen = seen.clamp(-CUT, CUT) * mask[..., None]
            means.append(_projected((seen.sum(1) / mask.sum(1, keepdim=True)).cpu().double().numpy(), depth))
        for place, state in zip(places, numpy.concatenate(means, axis=1), strict=True):
            states[place] = state
    return numpy.stack(states), numpy.array([float(len(one)) for one in ids])


def _projected(means: Any, depth: int) -> Any:
    """means: [texts, features] of one depth. RandomState's numbers never change between versions of numpy."""
    import numpy

    features = means.shape[1]
    if features <= WIDTH:
        return means
    return means @ numpy.random.RandomState(depth).standard_normal((features, WIDTH)) / numpy.sqrt(features)
