"""What PEFT saves and the stack must refuse: every other method, unknown future settings, damaged files; each by
name."""

import json
import shutil
from pathlib import Path

import pytest
from peft import AdaLoraConfig, IA3Config, LoHaConfig, LoraConfig, VeraConfig, get_peft_model
from persian import refused
from safetensors.torch import load_file, save_file
from tiny_bases import BASE, build, save_adapter

from lora_hub.answering.stack import AdapterStack
from lora_hub.core.errors import AdapterError

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """An adapter that can be stacked."""
    return save_adapter(build("llama"), tmp_path_factory.mktemp("plain"))


@pytest.fixture
def stack():
    return AdapterStack(build("llama"), BASE)


REFUSED = {
    "DoRA": LoraConfig(r=2, use_dora=True, target_modules=["q_proj"]),
    "olora": LoraConfig(r=2, init_lora_weights="olora", target_modules=["q_proj"]),
    "modules_to_save": LoraConfig(r=2, target_modules=["q_proj"], modules_to_save=["lm_head"]),
    "lora_bias": LoraConfig(r=2, target_modules=["q_proj"], lora_bias=True),
    "trainable_token_indices": LoraConfig(r=2, target_modules=["q_proj"], trainable_token_indices=[5, 6]),
    "target_parameters": LoraConfig(r=2, target_modules=[], target_parameters=["q_proj.weight"]),
    "bias='lora_only'": LoraConfig(r=2, target_modules=["q_proj"], bias="lora_only"),
    "aLoRA": LoraConfig(r=2, target_modules=["q_proj"], alora_invocation_tokens=[4], task_type="CAUSAL_LM"),
    "embed_tokens": LoraConfig(r=2, target_modules=["embed_tokens"]),
    "VERA": VeraConfig(r=2, target_modules=["q_proj"]),
    "IA3": IA3Config(target_modules=["q_proj"], feedforward_modules=[]),
    "LOHA": LoHaConfig(r=2, target_modules=["q_proj"]),
    "ADALORA": AdaLoraConfig(target_modules=["q_proj"], total_step=10),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_plain_lora_is_refused_by_name(name, stack, tmp_path):
    get_peft_model(build("llama"), REFUSED[name]).save_pretrained(tmp_path)
    with refused(AdapterError, match=name):
        stack.attach(tmp_path, "x")
    assert stack.names == []


def change_config(folder: Path, **values) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_setting_of_the_future_is_refused_and_an_empty_one_is_not(stack, plain, tmp_path):
    folder = shutil.copytree(plain, tmp_path / "a")
    change_config(folder, use_tomorrows_lora=False)
    stack.attach(folder, "a")
    change_config(folder, use_tomorrows_lora=True)
    with refused(AdapterError, match="use_tomorrows_lora"):
        stack.attach(folder, "b")


def test_damaged_plain_are_refused_in_words(stack, plain, tmp_path):
    def copy(name: str) -> tuple[Path, Path]:
        folder = shutil.copytree(plain, tmp_path / name)
        return folder, folder / "adapter_model.safetensors"

    cases = {}
    cases["There is no adapter"] = tmp_path / "nowhere"
    folder, weights = copy("cut")
    weights.write_bytes(weights.read_bytes()[:-100])
    cases["cannot be read"] = folder
    folder, weights = copy("pickled")
    weights.rename(folder / "adapter_model.bin")
    cases["pickled"] = folder
    folder, weights = copy("half")
    tensors = load_file(weights)
    save_file({k: v for k, v in tensors.items() if "lora_B" not in k}, weights)
    cases["damaged"] = folder
    folder, weights = copy("nan")
    save_file({k: v * float("nan") for k, v in tensors.items()}, weights)
    cases["not numbers"] = folder
    folder, weights = copy("rank")
    change_config(folder, r=16)
    cases["says 16"] = folder
    folder, weights = copy("json")
    (folder / "adapter_config.json").write_text("{")
    cases["adapter_config.json cannot be read"] = folder
    folder, weights = copy("record")
    (folder / "lora_hub.json").write_text("[]")
    cases["lora_hub.json cannot be read"] = folder
    for words, folder in cases.items():
        with refused(AdapterError, match=words):
            stack.attach(folder, "x")
    assert stack.names == []
