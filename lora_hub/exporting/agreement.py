"""How an export answers beside base and adapter themselves: on held-out rows by the one way to answer, and where there
are none by the likeliest next tokens of sample texts.

    before = ask_adapter(source)
    compare(before, ask_model(source, made_folder))
"""

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from lora_hub.answering import adapter_tokenizer, loading, questions
from lora_hub.answering.stack import AdapterStack, read_adapter
from lora_hub.catalogue import bases
from lora_hub.core.schema import BASE, BaseModel
from lora_hub.exporting.nouns import Agreement, Source

SAMPLES = (
    "The post office opens at nine in the morning and closes at five.",
    "Please answer the question in one sentence: why is the sky blue?",
    "def add(first, second):\n    return first + second\n",
    # Persian: "This text is a test."
    "\u0627\u06cc\u0646 \u0645\u062a\u0646 \u0628\u0631\u0627\u06cc \u0622\u0632\u0645\u0648\u0646 \u0627\u0633\u062a.",
    "On 12 May 2024, 37 people signed up; 5 of them left by noon.",
    "It was slow and far too expensive, so I sent it back.",
)


@dataclass(frozen=True)
class Said:
    """answers: one for each row, or each text's likeliest next tokens, one after another."""

    answers: tuple[Any, ...]
    is_rows: bool


def tokenizer_of(source: Source) -> Any:
    """What the adapter is asked with: its own tokenizer, else its base's."""
    base = loading.load_tokenizer(source.base)
    return adapter_tokenizer.load_adapter_tokenizer(source.folder, source.name, base) or base


def ask_adapter(source: Source, tokenizer: Any) -> Said:
    """Base and adapter, as everywhere here; embeddings that the adapter brings take the place of the base's. Raises
    BaseError, AdapterError."""
    model = loading.load_base(source.base)
    _replace(model, read_adapter(source.folder).others)
    stack = AdapterStack(model, source.base)
    return _ask(stack, source, tokenizer, source.name, stack.attach(source.folder, source.name))


def _replace(model: Any, tensors: dict[str, torch.Tensor]) -> None:
    """tensors: by parameter name, of the embeddings and the head."""
    for name, tensor in tensors.items():
        if tensor.shape[0] != model.get_input_embeddings().weight.shape[0]:
            model.resize_token_embeddings(tensor.shape[0], mean_resizing=False)
        own = dict(model.named_parameters(remove_duplicate=False)).get(name)
        if own is not None and own.shape == tensor.shape:
            own.data.copy_(tensor)


def ask_model(source: Source, folder: Path, tokenizer: Any) -> Said:
    """The model in a folder of transformers', which needs no adapter."""
    base: BaseModel = bases.get_base(str(folder))
    return _ask(AdapterStack(loading.load_base(base), base), source, tokenizer, BASE, 0)


def reads_alike(folder: Path, tokenizer: Any) -> bool:
    """Whether the tokenizer in a folder makes the same tokens of sample texts."""
    other = loading.read_tokenizer(folder)
    return all(
        other(text, add_special_tokens=False)["input_ids"] == tokenizer(text, add_special_tokens=False)["input_ids"]
        for text in SAMPLES
    )


def compare(first: Said, second: Said) -> Agreement:
    pairs = list(zip(first.answers, second.answers, strict=True))
    return Agreement(sum(a == b for a, b in pairs), len(pairs), "answers" if first.is_rows else "tokens")


def _ask(stack: AdapterStack, source: Source, tokenizer: Any, who: str, slot: int) -> Said:
    try:
        if source.rows and source.task is not None:
            asked = questions.put(tokenizer, source.task, list(source.rows), adapter=who)
            answers = questions.answer_all(stack, tokenizer, asked, max_new_tokens=source.task.max_new_tokens)
            return Said(tuple(one.text for one in answers), True)
        found: list[int] = []
        for text in SAMPLES:
            ids = tokenizer(text, return_tensors="pt")["input_ids"].to(stack.model.device)
            with torch.no_grad(), stack.route([slot]):
                found += stack.model(ids).logits[0].argmax(-1).tolist()
        return Said(tuple(found), False)
    finally:
        del stack
        gc.collect()
