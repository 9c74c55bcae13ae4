"""GGUF files: of a merged model, and of an adapter alone, written tensor by tensor, and read back.

for done in write_model(path, merged, shape, words, tokenizer, "q8_0", name="spam"): ...
write_adapter(path, adapter, shape, "f32", name="spam")
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy
import torch

from lora_hub.answering.stack import SavedAdapter
from lora_hub.core.errors import AdapterError, LoraHubError
from lora_hub.core.messages import _
from lora_hub.exporting import k_quants
from lora_hub.exporting.gguf_shape import GgufShape
from lora_hub.exporting.gguf_words import write_words
from lora_hub.exporting.merging import HEAD, MergedModel

Types = gguf.GGMLQuantizationType
FILE_TYPES = {
    "f32": gguf.LlamaFileType.ALL_F32,
    "f16": gguf.LlamaFileType.MOSTLY_F16,
    "bf16": gguf.LlamaFileType.MOSTLY_BF16,
    "q8_0": gguf.LlamaFileType.MOSTLY_Q8_0,
    "q4_0": gguf.LlamaFileType.MOSTLY_Q4_0,
    "q4_k_m": gguf.LlamaFileType.MOSTLY_Q4_K_M,
    "q5_k_m": gguf.LlamaFileType.MOSTLY_Q5_K_M,
    "q6_k": gguf.LlamaFileType.MOSTLY_Q6_K,
}
# Largest error of a number, as a share of the largest of its block, that rounding to a type can make. Where a scale and
# a least number are fitted to parts of a block, the outermost may be missed by a step (2/15, 2/31 or 1/32 of the
# largest), and by what the scales themselves are rounded.
ROUNDING = {
    "F32": 0.0,
    "F16": 2**-10,
    "BF16": 2**-8,
    "Q8_0": 1 / 254 + 2**-9,
    "Q4_0": 1 / 8 + 2**-8,
    "Q5_0": 1 / 16 + 2**-8,
    "Q5_1": 2 / 31 + 2**-8,
    "Q4_K": 2 / 15 + 1 / 32,
    "Q5_K": 2 / 31 + 1 / 32,
    "Q6_K": 3 / 64,
}
BLOCK = 32


def write_model(
    path: Path,
    merged: MergedModel,
    shape: GgufShape,
    words: dict[str, Any],
    tokenizer: Any,
    kind: str,
    *,
    name: str,
    licence: str = "",
) -> Iterator[int]:
    """Yields after each tensor. kind: a key of FILE_TYPES."""
    names = gguf.get_tensor_name_map(shape.arch, shape.layers)
    placed = {one: _placed(names, one) for one in merged.names}
    is_tied = "output.weight" not in placed.values()
    types = {
        one: type_of(place, merged.shape(one), kind, layers=shape.layers, is_tied=is_tied)
        for one, place in placed.items()
    }
    writer = gguf.GGUFWriter(path, shape.family)
    writer.add_type(gguf.GGUFType.MODEL)
    writer.add_name(name)
    if licence and licence != "unknown":
        writer.add_license(licence)
    writer.add_file_type(int(FILE_TYPES[kind]))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    shape.write(writer)
    write_words(writer, words, tokenizer, int(merged.config["vocab_size"]))
    if shape.freqs:
        _announce(writer, "rope_freqs.weight", (len(shape.freqs),), Types.F32)
    for one, place in placed.items():
        _announce(writer, place, merged.shape(one), types[one])
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        if shape.freqs:
            writer.write_tensor_data(numpy.array(shape.freqs, dtype=numpy.float32))
        for done, one in enumerate(placed, 1):
            tensor = as_gguf(merged.tensor(one, exact=True), one, shape)
            make = k_quants.quantize if types[one] in k_quants.K_TYPES.values() else gguf.quants.quantize
            writer.write_tensor_data(make(tensor, types[one]))
            yield done
    finally:
        writer.close()


def write_adapter(path: Path, adapter: SavedAdapter, shape: GgufShape, kind: str, *, name: str) -> None:
    """llama.cpp scales every tensor by the file's alpha over that tensor's rank (llama-adapter.h, get_scale); where
    that is not the adapter's own scale, as with rsLoRA and alpha patterns, the rest is in B. Raises AdapterError."""
    writer = gguf.GGUFWriter(path, shape.family)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, _alpha(adapter))
    writer.add_name(name)
    writer.add_file_type(int(FILE_TYPES[kind]))
    for place, make in adapter_tensors(adapter, shape).items():
        writer.add_tensor(place, gguf.quants.quantize(make(), Types[kind.upper()]))
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def as_gguf(tensor: torch.Tensor, name: str, shape: GgufShape) -> numpy.ndarray:
    """A tensor as llama.cpp's layers expect it, in single precision: rows of queries and keys in pairs (of an adapter's
    B as well, whose rows they are), norms with what they add."""
    made = tensor
    if heads := shape.permutes(name):
        made = permute(made, heads)
    numbers = _numbers(made)
    return numbers + shape.norm_shift if shape.norm_shift and name.endswith("norm.weight") else numbers


def permute(tensor: torch.Tensor, heads: int) -> torch.Tensor:
    """Rows of halves [heads, 2, head / 2] as rows of pairs [heads, head / 2, 2]. tensor: [rows, ...]."""
    return (
        tensor.reshape(heads, 2, tensor.shape[0] // heads // 2, *tensor.shape[1:]).swapaxes(1, 2).reshape(tensor.shape)
    )


def type_of(place: str, shape: tuple[int, ...], kind: str, *, layers: int, is_tied: bool) -> Types:
    """How a tensor is stored: what is no matrix in single precision; where rows do not divide into blocks, f16; of few
    bits, embeddings and head in q8_0."""
    if len(shape) < 2 or place.endswith("_norm.weight"):
        return Types.F32
    if kind in k_quants.K_TYPES:
        return k_quants.type_of(place, shape[-1], kind, layers=layers, is_tied=is_tied)
    wanted = Types[kind.upper()]
    if kind == "q4_0" and place.startswith(("token_embd", "output.")):
        wanted = Types.Q8_0
    return Types.F16 if kind.startswith("q") and shape[-1] % BLOCK else wanted


@dataclass(frozen=True)
class ReadBack:
    """tensors: how many were compared. largest: the largest error, as a share of the largest number of its block."""

    tensors: int
    largest: float


def read_back(path: Path, expected: Mapping[str, Callable[[], numpy.ndarray]]) -> Iterator[ReadBack]:
    """Compares every tensor of a file with what it was made of: yields what was compared so far. Raises LoraHubError
    where one is missing or differs by more than rounding does."""
    reader = gguf.GGUFReader(path)
    found = {tensor.name: tensor for tensor in reader.tensors}
    largest = 0.0
    for done, (name, make) in enumerate(expected.items(), 1):
        tensor = found.pop(name, None)
        wanted = make()
        if tensor is None or tuple(map(int, reversed(tensor.shape))) != wanted.shape:
            raise _differs(path, name)
        stored = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(wanted.shape)
        error = _error(stored, wanted, max(BLOCK, gguf.GGML_QUANT_SIZES[tensor.tensor_type][0]))
        largest = max(largest, error)
        # what is no number is no small error: a block's scale that half precision cannot hold
        if not error <= ROUNDING.get(tensor.tensor_type.name, 0.5):
            raise _differs(path, name)
        yield ReadBack(done, largest)
    if odd := [name for name in found if name != "rope_freqs.weight"]:
        raise _differs(path, odd[0])


def model_tensors(merged: MergedModel, shape: GgufShape) -> dict[str, Callable[[], numpy.ndarray]]:
    """Every tensor that the model's file has to hold, by its name there."""
    names = gguf.get_tensor_name_map(shape.arch, shape.layers)

    def make(name: str) -> Callable[[], numpy.ndarray]:
        return lambda: as_gguf(merged.tensor(name, exact=True), name, shape)

    return {_placed(names, one): make(one) for one in merged.names}


def adapter_tensors(adapter: SavedAdapter, shape: GgufShape) -> dict[str, Callable[[], numpy.ndarray]]:
    """Every tensor that the adapter's file has to hold, by its name there."""
    names, alpha = gguf.get_tensor_name_map(shape.arch, shape.layers), _alpha(adapter)
    made: dict[str, Callable[[], numpy.ndarray]] = {}
    for layer, weights in adapter.layers.items():
        place, factor = _placed(names, f"{layer}.weight"), weights.scale * weights.a.shape[0] / alpha
        made[f"{place}.lora_a"] = lambda one=weights.a: _numbers(one)
        made[f"{place}.lora_b"] = lambda one=weights.b, layer=layer, factor=factor: as_gguf(
            one if factor == 1.0 else one.float() * factor, layer, shape
        )
    return made


def _alpha(adapter: SavedAdapter) -> float:
    """That of the whole file."""
    return float(adapter.config.get("lora_alpha") or 0) or 1.0


def _placed(names: gguf.TensorNameMap, name: str) -> str:
    wanted = "lm_head.weight" if name == HEAD else name
    place = names.get_name(wanted, try_suffixes=(".weight", ".bias"))
    if place is None:
        raise AdapterError(
            _("GGUF files have no name for {name}."), _("Export merged weights instead (--to merged)."), name=name
        )
    return place


def _announce(writer: gguf.GGUFWriter, name: str, shape: tuple[int, ...], kind: Types) -> None:
    dtype = {Types.F32: numpy.float32, Types.F16: numpy.float16}.get(kind, numpy.uint8)
    stored = shape if dtype is not numpy.uint8 else gguf.quant_shape_to_byte_shape(shape, kind)
    size = int(numpy.prod(stored)) * numpy.dtype(dtype).itemsize
    writer.add_tensor_info(name, stored, numpy.dtype(dtype), size, raw_dtype=kind)


def _numbers(tensor: torch.Tensor) -> numpy.ndarray:
    return tensor.detach().to(torch.float32).contiguous().numpy()


def _error(stored: numpy.ndarray, wanted: numpy.ndarray, block: int) -> float:
    """The largest error as a share of the largest number of its block."""
    if not wanted.size:
        return 0.0
    error, size = numpy.abs(stored - wanted).reshape(-1), numpy.abs(wanted).reshape(-1)
    if not error.any():
        return 0.0
    rest = -error.size % block
    blocks = [numpy.pad(one, (0, rest)).reshape(-1, block).max(axis=1) for one in (error, size)]
    return float((blocks[0] / numpy.maximum(blocks[1], 1e-6)).max())


def _differs(path: Path, name: str) -> LoraHubError:
    return LoraHubError(
        _("The file {file} was read back and differs from the model at {name}."),
        _("Export it again; if it stays so, this is a bug."),
        file=path.name,
        name=name,
    )
