"""K-quants of llama.cpp (q4_k_m, q5_k_m, q6_k): which tensor is stored how, and the rounding, by ggml itself. The
package gguf reads them and cannot make them; xllamacpp, where it is installed, carries the library.

    type_of("blk.0.ffn_down.weight", 2048, "q4_k_m", layers=16, is_tied=True)    Types.Q6_K
    quantize(numbers, Types.Q6_K)                                               uint8 [rows, bytes of a row]
"""

import ctypes
import functools
import importlib.util
from pathlib import Path

import gguf
import numpy

Types = gguf.GGMLQuantizationType
PACKAGE = "xllamacpp"
K_TYPES = {"q4_k_m": Types.Q4_K, "q5_k_m": Types.Q5_K, "q6_k": Types.Q6_K}
# Where a row is no multiple of 256.
_NARROW = {Types.Q4_K: Types.Q5_0, Types.Q5_K: Types.Q5_1, Types.Q6_K: Types.Q8_0}


def is_here() -> bool:
    return _library() is not None


def type_of(place: str, columns: int, kind: str, *, layers: int, is_tied: bool) -> Types:
    """How llama.cpp's llama-quantize stores a matrix. place: its name in the file. columns: length of its rows. kind: a
    key of K_TYPES. is_tied: the head is the embedding.

    (src/llama-quant.cpp: llama_tensor_get_type_impl and tensor_type_fallback, of the families that are written here.)
    """
    wanted = K_TYPES[kind]
    if place.startswith("output.") or (is_tied and place.startswith("token_embd")):
        wanted = Types.Q6_K
    elif ".attn_v." in place or ".ffn_down." in place:
        layer = int(place.split(".")[1])
        if layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2:
            wanted = Types.Q6_K
    if columns % gguf.GGML_QUANT_SIZES[wanted][0]:
        wanted = _NARROW[wanted]
    return Types.F16 if columns % gguf.GGML_QUANT_SIZES[wanted][0] else wanted


def quantize(numbers: numpy.ndarray, kind: Types) -> numpy.ndarray:
    """numbers: float32 [rows, columns], columns a multiple of the type's block. Returns uint8 [rows, bytes]. Only where
    the library `is_here`, which is asked before anything is made."""
    library = _library()
    assert library is not None
    rows, columns = numbers.shape
    block, size = gguf.GGML_QUANT_SIZES[kind]
    given = numpy.ascontiguousarray(numbers, dtype=numpy.float32)
    made = numpy.empty((rows, columns // block * size), dtype=numpy.uint8)
    library(int(kind), given.ctypes.data, made.ctypes.data, 0, rows, columns, None)
    return made


@functools.cache
def _library() -> ctypes._CFuncPtr | None:
    """ggml_quantize_chunk(type, from, to, start, rows, columns, importances), of ggml.h; None where it is not here. The
    package itself is not imported."""
    found = importlib.util.find_spec(PACKAGE)
    for folder in found.submodule_search_locations or () if found else ():
        for file in sorted(Path(folder).glob(f"{PACKAGE}*")):
            if file.suffix not in (".so", ".pyd", ".dylib"):
                continue
            try:
                function = ctypes.CDLL(str(file)).ggml_quantize_chunk
            except (OSError, AttributeError):  # of another machine, or one that keeps its names to itself
                continue
            whole = ctypes.c_int64
            pointer = ctypes.c_void_p
            function.argtypes = [ctypes.c_int, pointer, pointer, whole, whole, whole, pointer]
            function.restype = ctypes.c_size_t
            return function
    return None
