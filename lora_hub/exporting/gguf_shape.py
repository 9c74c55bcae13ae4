"""A model's configuration as a GGUF file says it, by families; what the format cannot say is refused.

    shape = read_shape(config)         from a model's config.json
    shape.write(writer)

As llama.cpp's converter writes it (conversion/base.py, llama.py, qwen.py, gemma.py) and its reader takes it
(src/llama-model.cpp).
"""

import math
from dataclasses import dataclass
from typing import Any

import gguf

from lora_hub.core.errors import BaseError
from lora_hub.core.messages import Message, _
from lora_hub.works_in import family_of_config

GEMMA_LOCAL_THETA = 10000.0  # of gemma3's sliding layers, which llama.cpp does not read from the file
# Of how many layers the last one looks at the whole text (llama-model.cpp: set_swa_pattern).
GEMMA_PATTERN = {"gemma2": 2, "gemma3": 6}


@dataclass(frozen=True)
class GgufShape:
    """family: as GGUF files name it. config: of the text model. rope: the rotary positions' settings. freqs: factors
    that divide their frequencies; empty: none."""

    family: str
    config: dict[str, Any]
    rope: dict[str, Any]
    freqs: tuple[float, ...] = ()

    @property
    def arch(self) -> gguf.MODEL_ARCH:
        return next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == self.family)

    @property
    def layers(self) -> int:
        return int(self.config["num_hidden_layers"])

    @property
    def heads(self) -> tuple[int, int]:
        """Of queries, and of keys and values."""
        heads = int(self.config["num_attention_heads"])
        return heads, int(self.config.get("num_key_value_heads") or heads)

    @property
    def head(self) -> int:
        return int(self.config.get("head_dim") or self.config["hidden_size"] // self.heads[0])

    @property
    def norm_shift(self) -> float:
        """What llama.cpp expects to be added to norms already."""
        return 1.0 if self.family.startswith("gemma") else 0.0

    def permutes(self, name: str) -> int:
        """The number of heads whose rows are in another order there, 0: none. transformers rotates the halves of a
        head, Llama's own code and llama.cpp's pairs of neighbours."""
        if self.family != "llama":
            return 0
        queries, keys = self.heads
        return queries if ".q_proj." in f".{name}." else keys if ".k_proj." in f".{name}." else 0

    def write(self, writer: gguf.GGUFWriter) -> None:
        config, (queries, keys) = self.config, self.heads
        writer.add_block_count(self.layers)
        writer.add_context_length(int(config["max_position_embeddings"]))
        writer.add_embedding_length(int(config["hidden_size"]))
        writer.add_feed_forward_length(int(config["intermediate_size"]))
        writer.add_head_count(queries)
        writer.add_head_count_kv(keys)
        writer.add_key_length(self.head)
        writer.add_value_length(self.head)
        writer.add_layer_norm_rms_eps(float(config["rms_norm_eps"]))
        writer.add_rope_freq_base(float(self.rope.get("rope_theta") or 10000.0))
        writer.add_vocab_size(int(config["vocab_size"]))
        if self.family == "llama":
            writer.add_rope_dimension_count(self.head)
        if self.rope["rope_type"] in ("linear", "yarn"):
            is_yarn = self.rope["rope_type"] == "yarn"
            writer.add_rope_scaling_type(gguf.RopeScalingType.YARN if is_yarn else gguf.RopeScalingType.LINEAR)
            writer.add_rope_scaling_factor(float(self.rope["factor"]))
            if is_yarn and (original := self.rope.get("original_max_position_embeddings")):
                writer.add_rope_scaling_orig_ctx_len(int(original))
        if self.family in GEMMA_PATTERN:
            writer.add_sliding_window(int(config["sliding_window"]))
        if self.family == "gemma2":
            writer.add_attn_logit_softcapping(float(config.get("attn_logit_softcapping") or 50.0))
        if config.get("final_logit_softcapping"):
            writer.add_final_logit_softcapping(float(config["final_logit_softcapping"]))


def read_shape(config: dict[str, Any]) -> GgufShape:
    """Raises BaseError where a GGUF file of this model would answer otherwise than the model."""
    family = family_of_config(config)
    rope, freqs = _rope(config)
    shape = GgufShape(family, config, rope, freqs)
    if why := _unsaid(shape):
        raise BaseError(
            _("The base cannot be written as GGUF: {why}."), _("Export merged weights instead (--to merged)."), why=why
        )
    return shape


def _rope(config: dict[str, Any]) -> tuple[dict[str, Any], tuple[float, ...]]:
    own = config.get("rope_parameters") or {
        "rope_theta": config.get("rope_theta", 10000.0),
        **(config.get("rope_scaling") or {}),
    }
    if "full_attention" in own:
        own = {**own["full_attention"], "local_theta": (own.get("sliding_attention") or {}).get("rope_theta")}
    kind = own.get("rope_type") or own.get("type") or "default"
    rope = {**own, "rope_type": kind}
    if kind == "llama3":
        return rope, _llama3_freqs(config, rope)
    factors = rope.get("short_factor")
    if kind == "longrope" and factors == rope.get("long_factor") and rope.get("attention_factor") == 1.0:
        return {**rope, "rope_type": "default"}, tuple(map(float, factors))
    return rope, ()


def _llama3_freqs(config: dict[str, Any], rope: dict[str, Any]) -> tuple[float, ...]:
    """Llama 3.1's frequencies as factors (transformers: modeling_rope_utils, _compute_llama3_parameters)."""
    head = int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])
    theta, factor = float(rope.get("rope_theta") or 10000.0), float(rope["factor"])
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    context = float(rope["original_max_position_embeddings"])
    factors = []
    for place in range(0, head, 2):
        length = 2 * math.pi * theta ** (place / head)
        smooth = (context / length - low) / (high - low)
        factors.append(
            1.0
            if length < context / high
            else factor
            if length > context / low
            else 1 / ((1 - smooth) / factor + smooth)
        )
    return tuple(factors)


def _unsaid(shape: GgufShape) -> Message | None:
    """What the format has no words for; None if nothing."""
    config, kind = shape.config, shape.rope["rope_type"]
    if kind not in ("default", "linear", "yarn", "llama3"):
        return _("its rotary positions are of type {kind}", kind=str(kind)[:40])
    if float(config.get("partial_rotary_factor") or 1.0) != 1.0:
        return _("it rotates a part of each head only")
    act = config.get("hidden_activation") or config.get("hidden_act") or "silu"
    if act not in (("gelu_pytorch_tanh",) if shape.norm_shift else ("silu",)):
        return _("its activation is {name}", name=str(act)[:40])
    if shape.family in GEMMA_PATTERN:
        return _unsaid_of_gemma(shape)
    if any(kind != "full_attention" for kind in config.get("layer_types") or ()):
        return _("some of its layers look at a window of the text only")
    if shape.family == "llama" and config.get("sliding_window"):
        return _("some of its layers look at a window of the text only")
    return None


def _unsaid_of_gemma(shape: GgufShape) -> Message | None:
    config, every = shape.config, GEMMA_PATTERN[shape.family]
    kinds = config.get("layer_types") or []
    wanted = ["full_attention" if (n + 1) % every == 0 else "sliding_attention" for n in range(shape.layers)]
    if kinds and list(kinds) != wanted:
        return _("its layers that look at the whole text are not every {every}th", every=every)
    if float(config.get("query_pre_attn_scalar") or shape.head) != shape.head:
        return _("its attention is scaled by another number than its head's width")
    local = shape.rope.get("local_theta") or config.get("rope_local_base_freq") or GEMMA_LOCAL_THETA
    if shape.family == "gemma3" and float(local) != GEMMA_LOCAL_THETA:
        return _("its rotary positions are of type {kind}", kind=f"theta {local:g}")
    if shape.family == "gemma3" and config.get("attn_logit_softcapping"):
        return _("it caps its attention")
    return None
