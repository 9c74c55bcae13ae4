"""The sizes of a decoder, and how many parameters they make.

shape_of_config(config)      from a model's config.json
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """A decoder's sizes. heads x head and kv_heads x head are the widths of queries and of keys/values."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    intermediate: int
    vocab: int
    tied: bool = True
    qkv_bias: bool = False
    qk_norm: bool = False
    norms: int = 2

    @property
    def linears(self) -> list[tuple[int, int]]:
        """(in, out) of one layer's linear maps: q, k, v, o, gate, up, down."""
        query, kv, h, i = self.heads * self.head, self.kv_heads * self.head, self.hidden, self.intermediate
        return [(h, query), (h, kv), (h, kv), (query, h), (h, i), (h, i), (i, h)]

    @property
    def linear_parameters(self) -> int:
        return self.layers * sum(i * o for i, o in self.linears)

    @property
    def parameters(self) -> int:
        """All parameters of a Llama-like decoder of this shape (exact for the catalogue's)."""
        bias = (self.heads + 2 * self.kv_heads) * self.head if self.qkv_bias else 0
        norms = self.norms * self.hidden + (2 * self.head if self.qk_norm else 0)
        matrices = 1 if self.tied else 2
        outside = self.hidden + matrices * self.vocab * self.hidden
        return self.linear_parameters + self.layers * (bias + norms) + outside

    def lora_parameters(self, r: int) -> int:
        """Parameters of an adapter of rank r on all linear maps: r x (in + out) each."""
        return self.layers * sum(r * (i + o) for i, o in self.linears)


# Architectures whose configurations leave it out that the head is the embedding (as google/gemma-2-2b's does): what
# transformers 5.23 takes then.
TIED = (
    *("bloom", "cohere", "cohere2", "falcon", "gemma", "gemma2", "gemma3", "gemma3_text", "gpt2", "gpt_neo", "mpt"),
    *("opt", "smollm3", "starcoder2"),
)


def shape_of_config(config: dict[str, Any]) -> Shape:
    """The shape, read by the names that decoder families use (Llama's, GPT-2's, GPT-Neo's)."""
    config = {**config, **(config.get("text_config") or {})}

    def first(*names: str, default: int = 0) -> int:
        return next((int(config[name]) for name in names if isinstance(config.get(name), int)), default)

    hidden = first("hidden_size", "n_embd", "d_model")
    heads = first("num_attention_heads", "n_head", "num_heads", default=1)
    return Shape(
        hidden=hidden,
        layers=first("num_hidden_layers", "n_layer", "num_layers", default=1),
        heads=heads,
        kv_heads=first("num_key_value_heads", default=heads),
        head=first("head_dim", default=hidden // heads),
        intermediate=first("intermediate_size", "n_inner", default=4 * hidden),
        vocab=first("vocab_size"),
        tied=is_tied(config),
    )


def is_tied(config: dict[str, Any]) -> bool:
    """Whether a base's head is its embedding, by its config.json: where that does not say, what transformers takes for
    its architecture."""
    part = config.get("text_config")
    told = {**config, **part} if isinstance(part, dict) else config
    return bool(told.get("tie_word_embeddings", str(told.get("model_type")) in TIED))
