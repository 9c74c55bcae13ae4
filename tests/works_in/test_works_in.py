"""Where adapters work: the rules' table, against PEFT itself and the formats' own rules."""

import json
from pathlib import Path

import pytest
from peft import PeftModel
from safetensors import safe_open
from tiny_bases import build, save_adapter

from lora_hub.catalogue import bases
from lora_hub.core.schema import BaseModel, Origin
from lora_hub.works_in import SPLITS, base_facts, is_plain, marks, note, split_of_tokenizer

SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"
PLAIN = {"peft_type": "LORA", "r": 16, "lora_alpha": 32, "target_modules": ["q_proj", "v_proj"]}


def works(config: dict, base: str = SMOL, **named: str) -> dict[str, str]:
    return {mark.place: mark.works for mark in marks({**PLAIN, **config}, bases.get_base(base), **named)}


def test_a_plain_adapter_of_a_known_base_works_everywhere() -> None:
    assert set(works({}).values()) == {"yes"}


@pytest.mark.parametrize(
    ("config", "vllm", "gguf_adapter", "gguf", "merged"),
    [
        ({"r": 64}, "if", "yes", "yes", "yes"),
        ({"r": 1024}, "no", "yes", "yes", "yes"),
        ({"rank_pattern": {"q_proj": 600}}, "no", "yes", "yes", "yes"),
        ({"use_rslora": True}, "yes", "if", "yes", "yes"),
        ({"alpha_pattern": {"q_proj": 8}}, "yes", "if", "yes", "yes"),
        ({"use_dora": True}, "no", "no", "if", "if"),
        ({"modules_to_save": ["lm_head"]}, "no", "no", "if", "if"),
        ({"trainable_token_indices": [3]}, "no", "no", "if", "if"),
        ({"bias": "lora_only"}, "no", "no", "if", "if"),
        ({"lora_bias": True}, "no", "no", "if", "if"),
        ({"init_lora_weights": "pissa"}, "no", "no", "if", "if"),
        ({"init_lora_weights": "gaussian"}, "yes", "yes", "yes", "yes"),
        ({"alora_invocation_tokens": [1]}, "no", "no", "if", "no"),
        ({"layer_replication": [[0, 2]]}, "no", "no", "if", "if"),
        ({"target_modules": ["q_proj", "lm_head"]}, "if", "no", "yes", "yes"),
        ({"target_modules": ["model.embed_tokens"]}, "if", "no", "if", "if"),
        ({"peft_type": "VERA"}, "no", "no", "if", "if"),
    ],
)
def test_each_rule(config: dict, vllm: str, gguf_adapter: str, gguf: str, merged: str) -> None:
    expected = {"peft": "yes", "vllm": vllm, "gguf-adapter": gguf_adapter, "gguf": gguf, "merged": merged}
    assert works(config) == expected
    for mark in marks({**PLAIN, **config}, bases.get_base(SMOL)):
        assert bool(mark.reasons) == bool(mark.sources) == (mark.works != "yes"), "a reason has its source"


def test_a_setting_says_what_it_changes() -> None:
    found = marks({**PLAIN, "r": 200}, bases.get_base(SMOL), quantization="nf4")
    told = note(found, "lora.r")
    assert told is not None and "--max-lora-rank 256" in told.en and "512" in told.en
    assert note(found, "lora.dropout") is None
    assert "4 bits" in str(note(found, "quantization"))


@pytest.mark.parametrize(
    ("options", "tensor"),
    [
        ({"modules_to_save": ["lm_head"]}, "base_model.model.lm_head.weight"),
        ({"use_dora": True}, "base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector"),
        ({"lora_bias": True}, "base_model.model.model.layers.0.mlp.up_proj.lora_B.bias"),
    ],
)
def test_what_peft_saves_beside_the_pairs(options: dict, tensor: str, tmp_path: Path) -> None:
    """PEFT loads what it saved. Neither vLLM nor llama.cpp has a name for these tensors."""
    model = build("llama")
    folder = save_adapter(model, tmp_path, **{"target_modules": ["up_proj"], **options})
    with safe_open(folder / "adapter_model.safetensors", framework="pt") as file:
        assert tensor in file.keys()
    assert PeftModel.from_pretrained(model, folder).peft_config["default"].r == 4
    config = json.loads((folder / "adapter_config.json").read_text())
    told = {mark.place: mark.works for mark in marks(config, bases.get_base(SMOL))}
    assert (told["peft"], told["vllm"], told["gguf-adapter"]) == ("yes", "no", "no")


def test_the_base_decides_too() -> None:
    assert works({}, "built-in") == {"peft": "if", "vllm": "if", "gguf-adapter": "no", "gguf": "no", "merged": "yes"}
    assert works({}, "someone/anything") == {
        "peft": "yes",
        "vllm": "unknown",
        "gguf-adapter": "unknown",
        "gguf": "unknown",
        "merged": "yes",
    }
    assert works({}, "HuggingFaceTB/SmolLM3-3B")["gguf"] == "no"
    rounded = BaseModel(id="mine", origin=Origin(file="m.gguf", sha256="0", quantization="Q4_1", hub_id=SMOL))
    told = {mark.place: mark.why.en for mark in marks(PLAIN, rounded)}
    assert "m.gguf" in told["gguf-adapter"] or "not known" in told["gguf-adapter"]
    assert "Q4_1" in told["peft"] and SMOL in told["peft"]
    assert {mark.works for mark in marks(PLAIN, None)} <= {"yes", "unknown"}


def test_whoever_wrote_the_configuration() -> None:
    odd = {
        "r": "many",
        "target_modules": 3,
        "rank_pattern": [1],
        "bias": None,
        "modules_to_save": {},
        "peft_type": None,
    }
    assert works(odd)["vllm"] == "yes"
    assert is_plain({"peft_type": "LORA"}) and not is_plain({"peft_type": "LORA", "use_dora": True})


def test_how_a_tokenizer_splits_texts() -> None:
    def tokenizer(*steps: dict, normalizer: dict | None = None) -> dict:
        sequence = {"type": "Sequence", "pretokenizers": list(steps)}
        return {"model": {"type": "BPE"}, "normalizer": normalizer, "pre_tokenizer": sequence}

    bytes_only = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
    bytes_split = bytes_only | {"use_regex": True}
    digits = {"type": "Digits", "individual_digits": True}
    split = {"type": "Split", "behavior": "Isolated", "invert": False, "pattern": {"Regex": SPLITS["qwen2"]}}
    assert split_of_tokenizer(tokenizer(bytes_split)) == "gpt-2"
    assert split_of_tokenizer(tokenizer(digits, bytes_split)) == "smollm"
    assert split_of_tokenizer(tokenizer(split, bytes_only, normalizer={"type": "NFC"})) == "qwen2"
    assert split_of_tokenizer(tokenizer(split | {"pattern": {"Regex": "."}}, bytes_only)) == ""
    assert split_of_tokenizer({"model": {"type": "Unigram"}}) == ""
    assert base_facts(bases.get_base("built-in")).split == "", "its own rule, which llama.cpp does not know"
