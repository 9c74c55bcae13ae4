"""The memory that training or asking a base takes, by the sizes of its decoder.

    need_to_train(shape, 134_515_008, rows=16, tokens=100, r=16).total
    need_to_answer(shape, 134_515_008, rows=1, tokens=512, r=16).total

Checked against what runs really took by tests/bench/bench_memory.py."""

from dataclasses import dataclass

from lora_hub.catalogue.shapes import Shape

# Bytes a weight in nf4: 4 bits, an 8-bit absmax for every 64 weights, and a 32-bit constant for every 256 of those
# (QLoRA, Dettmers et al. 2023, section 3, double quantization).
NF4_BYTES = (4 + 8 / 64 + 32 / (64 * 256)) / 8
BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
# TRL's fused head computes log-probabilities on tiles of this many tokens by this many entries of the vocabulary.
LOGIT_TILE = (4096, 32768)
# A run's process on a CPU: Python with its libraries, as it stands when the first steps are done; and the bytes that
# the C library's heap takes for each that autograd keeps. What a step frees in between leaves holes that what is kept
# does not fill (without holes, by MALLOC_TOP_PAD_=0, a step takes up to twice as long).
PROCESS, HEAP = 650 * 10**6, 1.4
# What answers are made with: bytes of the largest copy of a base's layers with an adapter in it (answering/merged.py),
# and padded tokens a batch, by device: enough to keep it busy, little enough for its caches to fit beside a base.
MERGED_BYTES, BATCH_TOKENS = 1 << 29, {"cpu": 8192, "cuda": 65536}


@dataclass(frozen=True)
class Need:
    """Bytes. kept: what autograd keeps of a step, or the keys and values of an answer."""

    weights: float
    adapter: float
    kept: float
    logits: float

    @property
    def total(self) -> int:
        return int(self.weights + self.adapter + self.kept + self.logits)

    @property
    def in_a_process(self) -> int:
        """On a CPU: with all that a run's process takes beside."""
        return int(PROCESS + self.weights + self.adapter + HEAP * (self.kept + self.logits))


def need_to_train(
    shape: Shape,
    parameters: int,
    *,
    rows: int,
    tokens: int,
    r: int,
    precision: str = "bf16",
    quantization: str = "none",
    checkpointing: bool = False,
    trained: int = 0,
    begin: int = 0,
) -> Need:
    """rows, tokens: that are in memory at once, each row padded to so many tokens. trained: tokens of a row that are
    trained on, which alone go through the output head; 0: all. begin: tokens with which all rows begin, where they are
    read once for all (training/shared_reading.py).

    - weights: parameters x 4 (fp32) or 2 (bf16, fp16) bytes; in nf4 the linear maps take 0.516 bytes each (QLoRA), the
      rest 2.
    - adapter: r x (in + out) for each linear map, kept in fp32 (PEFT): weight, gradient and two moments of AdamW.
    - kept, for each token and layer, with h hidden, q the width of the queries, i intermediate, in numbers of the
      compute precision: 4h + 4q + 4i + 7r in fp32, 9h + 5q + 4i + 7r in 16 bit, where norms and LoRA inputs keep an
      fp32 copy, and a row of the mask. This is what autograd keeps for a Llama layer with frozen weights and SDPA over
      padded rows, whose keys and values are as wide as the queries then, counted by saved-tensor hooks
      (tests/catalogue/test_bases.py counts again). With gradient checkpointing: h per layer, and one complete layer.
    - logits: one tile of TRL's fused head, in 12 bytes a number (16- and 32-bit values and the gradient).
    """
    width = BYTES[precision]
    begin = min(begin, tokens)
    count = rows * (tokens - begin) + begin
    norms, copies = (4, 2) if width == 4 else (9, 3)
    query = shape.heads * shape.head
    own = (norms * shape.hidden + copies * query + 4 * shape.intermediate + 7 * r) * count
    # Keys and values are copied out to each row and each head, and each token has a row of the mask.
    whole = 2 * query * rows * tokens + rows * tokens * (tokens - begin)
    layer = (own + whole) * width
    kept = shape.layers * layer
    if checkpointing:
        kept = shape.layers * shape.hidden * width * count + layer
    head = min(rows * (trained or tokens), LOGIT_TILE[0]) * min(shape.vocab, LOGIT_TILE[1]) * 12
    return Need(_weights(shape, parameters, width, quantization), shape.lora_parameters(r) * 16, kept, head)


def need_to_answer(
    shape: Shape,
    parameters: int,
    *,
    rows: int,
    tokens: int,
    r: int,
    precision: str = "bf16",
    quantization: str = "none",
) -> Need:
    """Keys and values of every layer for each token, and one row of logits for each sequence; the adapter's weights in
    fp32."""
    width = BYTES[precision]
    kept = 2 * shape.kv_heads * shape.head * shape.layers * rows * tokens * width
    weights = _weights(shape, parameters, width, quantization)
    return Need(weights, shape.lora_parameters(r) * 4, kept, rows * shape.vocab * 4)


def _weights(shape: Shape, parameters: int, width: int, quantization: str) -> float:
    if quantization != "nf4":
        return parameters * width
    linear = min(shape.linear_parameters, parameters)
    return linear * NF4_BYTES + (parameters - linear) * 2
