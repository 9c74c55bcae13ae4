"""The table of rules: what an adapter may not be, or only on a condition, in each place where adapters are used.

Each rule has the source it was read from. `marking.marks` applies them; tests/works_in tests them with PEFT, gguf and
llama.cpp themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from lora_hub.core.messages import Message, _, several
from lora_hub.works_in.mark import Place
from lora_hub.works_in.of_base import FAMILIES, BaseFacts

# vLLM 0.33: what an adapter's configuration may say (PEFTHelper._validate_features, validate_legal); which ranks may be
# given (LoRAConfig.max_lora_rank, 16 unless told otherwise); which tensors (get_supported_lora_modules).
VLLM_CONFIG = "https://github.com/vllm-project/vllm/blob/v0.33.0/vllm/lora/peft_helper.py"
VLLM_RANK = "https://github.com/vllm-project/vllm/blob/v0.33.0/vllm/config/lora.py"
VLLM_TENSORS = "https://github.com/vllm-project/vllm/blob/v0.33.0/vllm/lora/utils.py"
# llama.cpp: one alpha for the whole file, scale = alpha / rank of each tensor (llama-adapter.h, get_scale); tensors are
# pairs for weights of the base, by its name of them (llama-adapter.cpp).
LLAMA_READER = "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-adapter.cpp"
LLAMA_SCALE = "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-adapter.h"
LLAMA_CONVERTER = "https://github.com/ggml-org/llama.cpp/blob/master/convert_lora_to_gguf.py"
LLAMA_VOCABULARY = "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp"
PEFT_LORA = "https://huggingface.co/docs/peft/v0.21.0/package_reference/lora"
PEFT_MERGING = "https://huggingface.co/docs/peft/v0.21.0/developer_guides/model_merging"
HERE = "lora_hub/exporting: what `export` writes"

VLLM_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
VLLM_DEFAULT_RANK = 16
# Inits of the matrices that leave the base as it is; vLLM takes those, too, that change it only while training.
PLAIN_INITS = ("true", "false", "none", "gaussian", "eva", "orthogonal")
VLLM_INITS = (*PLAIN_INITS, "mica", "lora_ga")
# What makes more than pairs of matrices of an adapter, with the name people know it by.
MORE: dict[str, Message | str] = {
    "use_dora": "DoRA",
    "modules_to_save": "modules_to_save",
    "trainable_token_indices": "trainable_token_indices",
    "lora_bias": "lora_bias",
    "use_qalora": "QALoRA",
    "use_bdlora": "BD-LoRA",
    "kasa_config": "KaSA",
    "velora_config": "VeLoRA",
    "monteclora_config": "MonteCLoRA",
    "arrow_config": "Arrow",
    "alora_invocation_tokens": "aLoRA",
    "target_parameters": "target_parameters",
    "layer_replication": "layer_replication",
}
VLLM_REFUSES = (
    *("use_dora", "modules_to_save", "trainable_token_indices", "lora_bias", "use_qalora", "use_bdlora"),
    *("alora_invocation_tokens", "layer_replication"),
)
HEADS, EMBEDDINGS = ("lm_head",), ("embed_tokens", "wte")


@dataclass(frozen=True)
class Facts:
    """An adapter as the rules see it. more: keys of MORE that are set. rank: the highest. named: the target modules by
    their last names, where they are named. quantization: what the base was held in while training ("nf4")."""

    kind: str
    rank: int
    named: frozenset[str]
    more: tuple[str, ...]
    init: str
    bias: str
    rslora: bool
    own_alphas: bool
    quantization: str
    base: BaseFacts = field(default_factory=BaseFacts)

    @property
    def is_lora(self) -> bool:
        return self.kind == "LORA"

    @property
    def is_plain(self) -> bool:
        """Whether it is nothing but pairs of matrices beside the base's linear layers as they are."""
        plain = self.is_lora and not self.more and self.init in PLAIN_INITS and self.bias == "none"
        return plain and not self.named & {*EMBEDDINGS}


def facts(config: dict[str, Any], base: BaseFacts, quantization: str = "none") -> Facts:
    """config: of `adapter_config.json`, by whoever wrote it: what is not of its kind counts as not set."""

    def number(value: Any) -> int:
        return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0

    ranks = config.get("rank_pattern")
    ranks = [number(one) for one in ranks.values()] if isinstance(ranks, dict) else []
    targets = config.get("target_modules")
    targets = targets if isinstance(targets, list | tuple) else [targets] if isinstance(targets, str) else []
    init = config.get("init_lora_weights", True)
    return Facts(
        kind=str(config.get("peft_type") or "LORA")[:40],
        rank=max([number(config.get("r", 8)), *ranks]),
        named=frozenset(str(one).rpartition(".")[2] for one in targets),
        more=tuple(key for key in MORE if config.get(key)),
        init=str(init)[:40].lower(),
        bias=str(config.get("bias") or "none")[:40],
        rslora=bool(config.get("use_rslora")),
        own_alphas=bool(config.get("alpha_pattern")),
        quantization=quantization,
        base=base,
    )


def is_plain(config: dict[str, Any]) -> bool:
    """Whether an adapter is nothing but pairs of matrices beside the linear layers: what can be merged and written as
    GGUF here."""
    return facts(config, BaseFacts()).is_plain


@dataclass(frozen=True)
class Rule:
    """applies: whether it concerns an adapter. works: what it comes to. said: the reason. setting: the key of the
    form's setting that changes it."""

    place: Place
    works: Literal["if", "no", "unknown"]
    applies: Callable[[Facts], Any]
    said: Callable[[Facts], Message]
    source: str
    setting: str = ""


def _kind(told: Facts) -> Message:
    return _("It is an adapter of type {kind}, not LoRA.", kind=told.kind)


def _more(*, only: tuple[str, ...] = tuple(MORE)) -> Callable[[Facts], Message]:
    return lambda told: _("It has {names}.", names=several([MORE[key] for key in told.more if key in only], "and"))


def _init(told: Facts) -> Message:
    return _("Its init ({init}) changed the base that it was trained on.", init=told.init)


def _bias(told: Facts) -> Message:
    return _("It retrained the base's biases (bias = {bias}).", bias=told.bias)


def _merge_by_peft(told: Facts) -> Message:
    """With what it has beside pairs of matrices."""
    has = [MORE[key] for key in told.more]
    has += [f"init = {told.init}"] if told.init not in PLAIN_INITS else []
    has += [f"bias = {told.bias}"] if told.bias != "none" else []
    has += [*sorted(told.named & {*EMBEDDINGS})]
    if not told.is_lora or not has:
        return _("It is no plain LoRA: merge it with PEFT's merge_and_unload first.")
    return _(
        "It is more than plain LoRA ({names}): merge it with PEFT's merge_and_unload first.", names=several(has, "and")
    )


def _family(told: Facts) -> Message:
    return _(
        "The base is a {family}; GGUF files are written here for {families}.",
        family=told.base.family,
        families=several(sorted(set(FAMILIES.values()))),
    )


def _unknown_base(_told: Facts) -> Message:
    return _("The base's files are not here, so that its architecture is not known.")


def _folder(_told: Facts) -> Message:
    return _("The base is a folder, not a repo of the Hub: give its path.")


def _rounded(told: Facts) -> Message:
    return _(
        "The base is a rounded copy ({quantization}) of {original}: with the original's weights, answers differ a bit.",
        quantization=told.base.quantization,
        original=told.base.original,
    )


def _split(_told: Facts) -> Message:
    return _("llama.cpp does not know how this base's tokenizer splits texts, so that it would read other tokens.")


def _nf4(_told: Facts) -> Message:
    return _("It was trained on the base in 4 bits (nf4); merged into the whole weights, answers differ a little.")


def vllm_rank(rank: int) -> int:
    """The least --max-lora-rank that vLLM takes for a rank; 0 where it takes none."""
    return next((one for one in VLLM_RANKS if one >= rank), 0)


def _knows_split(told: Facts) -> bool:
    return told.base.split is None or bool(told.base.split)


def _writable(told: Facts) -> bool:
    return told.base.family in FAMILIES.values()


def _on_head(told: Facts) -> frozenset[str]:
    return told.named & {*HEADS, *EMBEDDINGS}


RULES: tuple[Rule, ...] = (
    # PEFT loads what it saved; what is left is where the base is.
    Rule("peft", "if", lambda told: told.base.original, _rounded, PEFT_LORA),
    Rule("peft", "if", lambda told: told.base.is_local, _folder, PEFT_LORA),
    # vLLM
    Rule("vllm", "no", lambda told: not told.is_lora, _kind, VLLM_CONFIG),
    Rule(
        "vllm",
        "no",
        lambda told: told.rank > VLLM_RANKS[-1],
        lambda told: _("Rank {rank}: vLLM takes at most {most}.", rank=told.rank, most=VLLM_RANKS[-1]),
        VLLM_RANK,
        "lora.r",
    ),
    Rule("vllm", "no", lambda told: {*told.more} & {*VLLM_REFUSES}, _more(only=VLLM_REFUSES), VLLM_CONFIG),
    Rule("vllm", "no", lambda told: told.is_lora and told.init not in VLLM_INITS, _init, VLLM_CONFIG),
    Rule("vllm", "no", lambda told: told.bias != "none", _bias, VLLM_CONFIG),
    Rule(
        "vllm",
        "if",
        _on_head,
        lambda told: _(
            "It adapts {names}, which vLLM can for some models only.", names=several(sorted(_on_head(told)), "and")
        ),
        VLLM_TENSORS,
        "lora.targets",
    ),
    Rule(
        "vllm",
        "if",
        lambda told: VLLM_DEFAULT_RANK < told.rank <= VLLM_RANKS[-1],
        lambda told: _(
            "Rank {rank}: start vLLM with --max-lora-rank {needed}; above {most} it refuses.",
            rank=told.rank,
            needed=vllm_rank(told.rank),
            most=VLLM_RANKS[-1],
        ),
        VLLM_RANK,
        "lora.r",
    ),
    Rule("vllm", "if", lambda told: told.base.original, _rounded, VLLM_CONFIG),
    Rule("vllm", "if", lambda told: told.base.is_local, _folder, VLLM_CONFIG),
    Rule("vllm", "unknown", lambda told: not told.base.family, _unknown_base, VLLM_CONFIG),
    # llama.cpp with the adapter as a GGUF file
    Rule("gguf-adapter", "no", lambda told: not told.is_lora, _kind, LLAMA_READER),
    Rule("gguf-adapter", "no", lambda told: told.more, _more(), LLAMA_READER),
    Rule("gguf-adapter", "no", lambda told: told.is_lora and told.init not in PLAIN_INITS, _init, LLAMA_READER),
    Rule("gguf-adapter", "no", lambda told: told.bias != "none", _bias, LLAMA_READER),
    Rule(
        "gguf-adapter",
        "no",
        lambda told: told.named & {*EMBEDDINGS},
        lambda _told: _("It adapts the embeddings, which is not written as GGUF here."),
        HERE,
        "lora.targets",
    ),
    Rule(
        "gguf-adapter",
        "no",
        lambda told: told.named & {*HEADS} and told.base.tied,
        lambda _told: _("It adapts lm_head, which is the embedding itself in this base: llama.cpp has no such weight."),
        LLAMA_CONVERTER,
        "lora.targets",
    ),
    Rule("gguf-adapter", "no", lambda told: told.base.family and not _writable(told), _family, HERE),
    Rule("gguf-adapter", "no", lambda told: _writable(told) and not _knows_split(told), _split, LLAMA_VOCABULARY),
    Rule(
        "gguf-adapter",
        "if",
        lambda told: told.rslora or told.own_alphas,
        lambda _told: _(
            "Its scale is not alpha / r of the whole: LoRA Hub's export writes it right, llama.cpp's own converter "
            "does not."
        ),
        LLAMA_SCALE,
        "lora.rslora",
    ),
    Rule(
        "gguf-adapter",
        "if",
        lambda told: told.base.file,
        lambda told: _("Beside the base's own file, {file}.", file=told.base.file),
        LLAMA_READER,
    ),
    Rule("gguf-adapter", "unknown", lambda told: not told.base.family, _unknown_base, HERE),
    # merged, as GGUF
    Rule("gguf", "if", lambda told: not told.is_plain, _merge_by_peft, PEFT_MERGING),
    Rule("gguf", "no", lambda told: told.base.family and not _writable(told), _family, HERE),
    Rule("gguf", "no", lambda told: _writable(told) and not _knows_split(told), _split, LLAMA_VOCABULARY),
    Rule("gguf", "if", lambda told: told.quantization == "nf4", _nf4, PEFT_MERGING, "quantization"),
    Rule("gguf", "unknown", lambda told: not told.base.family, _unknown_base, HERE),
    # merged, as transformers' weights
    Rule(
        "merged",
        "no",
        lambda told: "alora_invocation_tokens" in told.more,
        lambda _told: _("aLoRA only changes what comes after its own tokens: it cannot be merged."),
        PEFT_MERGING,
    ),
    Rule("merged", "if", lambda told: not told.is_plain, _merge_by_peft, PEFT_MERGING),
    Rule("merged", "if", lambda told: told.quantization == "nf4", _nf4, PEFT_MERGING, "quantization"),
)
