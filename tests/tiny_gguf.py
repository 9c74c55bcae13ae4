"""Tiny models written as GGUF files, as llama.cpp's converter lays them out. For tests of what reads them."""

from pathlib import Path
from typing import Any

import gguf
import numpy
import torch
from tiny_bases import CONFIGS
from transformers import AutoModelForCausalLM, PreTrainedModel
from transformers.convert_slow_tokenizer import bytes_to_unicode

TEMPLATE = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\\n' }}{% endfor %}"
ARCHITECTURES = {"llama": "llama", "qwen3": "qwen3", "gemma3": "gemma3"}


def tiny_model(family: str, **config: Any) -> PreTrainedModel:
    torch.manual_seed(3)
    made = CONFIGS[family]()
    made.vocab_size += 1  # for "he"
    for key, value in config.items():
        setattr(made, key, value)
    return AutoModelForCausalLM.from_config(made).eval()


def write_gguf(
    path: Path,
    model: PreTrainedModel,
    *,
    family: str = "llama",
    kind: str = "model",
    pre: str = "default",
    quantization: str = "F32",
    rope_freqs: list[float] | None = None,
    left_out: str = "",
) -> Path:
    """The model's file. quantization: of its matrices. left_out: a tensor that the file lacks."""
    config, writer = model.config, gguf.GGUFWriter(path, ARCHITECTURES.get(family, family))
    writer.add_type(kind)
    writer.add_name("Tiny")
    writer.add_license("apache-2.0")
    writer.add_languages(["en", "fa"])
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(config.head_dim)
    writer.add_value_length(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters.get("rope_theta", 10000.0))
    writer.add_rope_dimension_count(config.head_dim)
    if getattr(config, "sliding_window", None):
        writer.add_sliding_window(config.sliding_window)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    letters = list(bytes_to_unicode().values())
    writer.add_token_list(["<pad>", "<s>", "</s>", *letters, "he"])
    writer.add_token_types([3, 3, 3, *[1] * (len(letters) + 1)])
    writer.add_token_merges(["h e"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(0)
    writer.add_chat_template(TEMPLATE)
    names = gguf.get_tensor_name_map(
        next(arch for arch, name in gguf.MODEL_ARCH_NAMES.items() if name == ARCHITECTURES.get(family, "llama")),
        config.num_hidden_layers,
    )
    state = model.state_dict()
    if config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    for name, tensor in state.items():
        stem, _dot, suffix = name.rpartition(".")
        if f"{names.get_name(stem)}.{suffix}" == left_out:
            continue
        values = tensor.float().numpy()
        if family == "llama" and "q_proj" in name:
            values = _interleaved(values, config.num_attention_heads)
        if family == "llama" and "k_proj" in name:
            values = _interleaved(values, config.num_key_value_heads)
        if family.startswith("gemma") and "norm" in name:
            values = values + 1
        kind_of = gguf.GGMLQuantizationType[quantization if values.ndim == 2 else "F32"]
        packed = gguf.quantize(values, kind_of)
        writer.add_tensor(f"{names.get_name(stem)}.{suffix}", packed, raw_dtype=kind_of)
    if rope_freqs:
        writer.add_tensor("rope_freqs.weight", numpy.array(rope_freqs, dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _interleaved(values: numpy.ndarray, heads: int) -> numpy.ndarray:
    """Rows of queries and keys in llama.cpp's order of rotary pairs."""
    out, inner = values.shape
    return values.reshape(heads, 2, out // heads // 2, inner).swapaxes(1, 2).reshape(out, inner)
