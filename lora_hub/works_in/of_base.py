"""What decides where a base's adapters work: its family, whether its head is its embedding, how its tokenizer splits
texts. Read from the base's folder or the Hub client's cache; of a Hub base that is not here, what its name says.

Nothing is fetched and torch is not imported.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lora_hub.catalogue import bases, cached
from lora_hub.core.schema import BaseModel

MOST_BYTES = 64 << 20  # a tokenizer.json of the largest vocabularies has some 35 MB
# transformers' name of an architecture -> the family that GGUF files call it by. Mistral's layers are Llama's, and
# llama.cpp's converter writes them so (conversion/llama.py and mistral.py: MODEL_ARCH.LLAMA).
FAMILIES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "Gemma2ForCausalLM": "gemma2",
    "Gemma3ForCausalLM": "gemma3",
}
# Repos whose files may not be here: how their ids begin -> (family, tied, split).
_NAMED = {
    "HuggingFaceTB/SmolLM2-": ("llama", True, "smollm"),
    "HuggingFaceTB/SmolLM3-": ("smollm3", True, "llama-bpe"),
    "Qwen/Qwen2.5-": ("qwen2", None, "qwen2"),
    "Qwen/Qwen3-": ("qwen3", None, "qwen2"),
    "meta-llama/Llama-3": ("llama", None, "llama-bpe"),
    "google/gemma-2-": ("gemma2", True, "gemma"),
    "google/gemma-3-": ("gemma3", True, "gemma"),
}
# How texts are split before byte pairs are merged, as each of these tokenizers' tokenizer.json writes it -> the name
# that llama.cpp gives it (`tokenizer.ggml.pre`; llama-vocab.cpp). Another split would make other tokens of some texts.
_LETTERS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPLITS = {"qwen2": rf"{_LETTERS}\p{{N}}{_REST}", "llama-bpe": rf"{_LETTERS}\p{{N}}{{1,3}}{_REST}"}
SENTENCEPIECE = "gemma"  # byte pairs of whole texts, in which a space is ▁


@dataclass(frozen=True)
class BaseFacts:
    """family: as GGUF files name it; "" if unknown, an architecture's own name if it is none of those that can be
    written. tied: whether the head is the embedding; None if unknown. split: llama.cpp's name of how its tokenizer
    splits texts; "" if llama.cpp has none for it; None if unknown. is_local: it has no repo on a Hub. original: the
    repo of the weights that it is a rounded copy of, or the GGUF file it was read from."""

    family: str = ""
    tied: bool | None = None
    split: str | None = None
    is_local: bool = False
    original: str = ""
    quantization: str = ""
    file: str = ""


def base_facts(base: BaseModel | None) -> BaseFacts:
    if base is None or not base.id:
        return BaseFacts()
    origin = base.origin
    own: dict[str, Any] = {"is_local": bases.folder_of(base) is not None}
    if origin is not None:
        own |= {"original": origin.hub_id or origin.file, "quantization": origin.quantization, "file": origin.file}
    folder = bases.folder_of(base) or cached.cached_model(base)
    if folder is not None and (folder / "config.json").is_file():
        config = _read(folder / "config.json")
        own |= {"family": family_of_config(config), "tied": bases.is_tied(config)}
        if (folder / "tokenizer.json").is_file():
            own["split"] = split_of_tokenizer(_read(folder / "tokenizer.json"))
        return BaseFacts(**own)
    for start, (family, tied, split) in _NAMED.items():
        if base.id.startswith(start):
            return BaseFacts(family=family, tied=tied, split=split, **own)
    return BaseFacts(**own)


def tell_base(base: BaseModel) -> dict[str, Any]:
    """What a card keeps of a base for those who have not got its files; {} where they are not here either."""
    known = base_facts(base)
    if not known.family:
        return {}
    return {"family": known.family, "tied": known.tied, "split": known.split, "is_folder": known.is_local}


def told_facts(told: Any) -> BaseFacts:
    """`tell_base` read back, from whoever wrote it: what is not of its kind counts as unknown."""
    if not isinstance(told, dict) or not isinstance(told.get("family"), str):
        return BaseFacts()
    tied, split = told.get("tied"), told.get("split")
    return BaseFacts(
        family=told["family"][:60],
        tied=tied if isinstance(tied, bool) else None,
        split=split[:60] if isinstance(split, str) else None,
        is_local=told.get("is_folder") is True,
    )


def family_of_config(config: dict[str, Any]) -> str:
    """From a model's config.json."""
    named = config.get("architectures")
    name = named[0] if isinstance(named, list) and named and isinstance(named[0], str) else ""
    return FAMILIES.get(name, name)[:60]


def split_of_tokenizer(tokenizer: dict[str, Any]) -> str:
    """llama.cpp's name of how a tokenizer (its tokenizer.json) splits texts; "" where it has none."""
    model = tokenizer.get("model")
    if not isinstance(model, dict) or model.get("type") != "BPE":
        return ""
    normalizer, steps = tokenizer.get("normalizer"), _steps(tokenizer.get("pre_tokenizer"))
    kinds = [step.get("type") for step in steps]
    if model.get("byte_fallback"):
        replaces = isinstance(normalizer, dict) and normalizer.get("type") == "Replace"
        return SENTENCEPIECE if replaces and normalizer.get("content") == "▁" else ""
    if isinstance(normalizer, dict) and normalizer.get("type") not in ("NFC",) or not steps:
        return ""
    last = steps[-1]
    if kinds[-1] != "ByteLevel" or last.get("add_prefix_space"):
        return ""
    own_regex = last.get("use_regex", True)
    if kinds == ["ByteLevel"] and own_regex and normalizer is None:
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"] and steps[0].get("individual_digits") and own_regex and normalizer is None:
        return "smollm"
    if kinds == ["Split", "ByteLevel"] and not own_regex and steps[0].get("behavior") == "Isolated":
        pattern = steps[0].get("pattern")
        regex = pattern.get("Regex") if isinstance(pattern, dict) else None
        return next((name for name, known in SPLITS.items() if known == regex), "")
    return ""


def _steps(pre_tokenizer: Any) -> list[dict[str, Any]]:
    if not isinstance(pre_tokenizer, dict):
        return []
    inner = pre_tokenizer.get("pretokenizers") if pre_tokenizer.get("type") == "Sequence" else [pre_tokenizer]
    return [one for one in inner if isinstance(one, dict)] if isinstance(inner, list) else []


def _read(file: Path) -> dict[str, Any]:
    stat = file.stat()
    return _read_kept(file, stat.st_size, stat.st_mtime_ns) if stat.st_size <= MOST_BYTES else {}


@functools.lru_cache(maxsize=16)
def _read_kept(file: Path, size: int, changed: int) -> dict[str, Any]:
    """A JSON object, without a tokenizer's long tables, which nobody asks for here."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(told, dict):
        return {}
    model = told.get("model")
    if isinstance(model, dict):
        told["model"] = {key: value for key, value in model.items() if key not in ("vocab", "merges")}
    return told
