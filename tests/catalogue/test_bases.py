"""bases: the catalogue's figures are consistent, folders are read correctly or refused, memory estimates match."""

import json
import shutil
import struct
from pathlib import Path

import pytest

from lora_hub.catalogue import bases, shapes, weights_files
from lora_hub.catalogue.base_folder import default_lr
from lora_hub.core.errors import BaseError

SHARED = Path(__file__).parents[3] / "shared" / "data" / "models"


def write_safetensors(file: Path, tensors: dict[str, tuple[str, list[int]]]) -> None:
    """A safetensors file of zeros: name -> (dtype, shape)."""
    header, end = {}, 0
    for name, (dtype, shape) in tensors.items():
        size = {"F32": 4, "BF16": 2, "BOOL": 1}[dtype]
        for side in shape:
            size *= side
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + bytes(end))


@pytest.fixture
def folder(tmp_path) -> Path:
    """A base with an embedding, a tied copy of it, a mask and a layer."""
    folder = tmp_path / "mine"
    folder.mkdir()
    config = {"model_type": "llama", "hidden_size": 8, "vocab_size": 10, "num_hidden_layers": 1}
    config |= {"num_attention_heads": 2, "intermediate_size": 16, "tie_word_embeddings": True}
    config |= {"max_position_embeddings": 64}
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {"model.embed_tokens.weight": ("F32", [10, 8]), "lm_head.weight": ("F32", [10, 8])}
    tensors |= {"model.layers.0.q": ("BF16", [8, 8]), "attn.bias": ("BOOL", [1, 1, 64, 64])}
    write_safetensors(folder / "model.safetensors", tensors)
    return folder


def test_the_built_in_base_comes_first_and_is_true():
    base = bases.list_bases()[0]
    config = json.loads((bases.built_in_folder() / "config.json").read_text())
    header = bases.read_safetensors_header(bases.built_in_folder() / "model.safetensors")
    assert base == bases.get_base("built-in")
    assert base.id == "built-in"
    assert base.context == config["max_position_embeddings"]
    assert base.hidden_size == config["hidden_size"]
    assert base.parameters == bases.shape_of(base).parameters
    assert 0 < base.parameters <= sum(x["data_offsets"][1] - x["data_offsets"][0] for x in header.values()) / 2
    assert base.has_chat_template
    assert base.languages == ("en", "fa")
    assert len(base.fingerprint) == 64


@pytest.mark.parametrize("entry", bases._catalogue(), ids=lambda entry: entry["id"])
def test_a_catalogue_entrys_shape_has_its_parameters(entry):
    assert bases.Shape(**entry["shape"]).parameters == entry["parameters"]
    base = bases.get_base(entry["id"])
    assert base.hidden_size == entry["shape"]["hidden"]
    assert 1e-4 < base.default_lr < 2e-3
    assert base.licence != "unknown"


def test_the_catalogue_names_gated_bases():
    gated = {base.id.split("/")[0] for base in bases.list_bases() if base.gated}
    assert gated == {"meta-llama", "google"}


def test_any_hub_id_is_taken_with_its_revision():
    base = bases.get_base("someone/some-model.v2@abc123")
    assert (base.id, base.revision, base.parameters) == ("someone/some-model.v2", "abc123", 0)
    assert bases.get_base("Qwen/Qwen3-0.6B@main").revision == "main"
    assert bases.memory_bytes(base, train=True) == 0


@pytest.mark.parametrize("name", ["", "nothing", "a/b/c", "./no/folder", "/no/such/folder", "has space/model", "../no"])
def test_anything_else_is_told(name):
    with pytest.raises(BaseError) as told:
        bases.get_base(name)
    assert repr(name) in told.value.message
    assert told.value.hint


@pytest.mark.parametrize("kind", ["gemma2", "gemma3_text", "gpt2", "gpt_neox", "llama", "mistral", "qwen3", "smollm3"])
def test_a_configuration_that_does_not_say_it_is_tied_as_transformers_reads_it(kind: str) -> None:
    from transformers import CONFIG_MAPPING

    config = CONFIG_MAPPING[kind]()
    assert shapes.is_tied({"model_type": kind}) is config.tie_word_embeddings
    assert shapes.is_tied({"text_config": {"model_type": kind}}) is config.tie_word_embeddings
    assert not shapes.is_tied({"model_type": kind, "tie_word_embeddings": False})


def test_a_near_miss_is_named():
    with pytest.raises(BaseError) as told:
        bases.get_base("qwen3-0.6")
    assert "Qwen/Qwen3-0.6B" in told.value.hint


def test_a_folder_is_read(folder):
    base = bases.get_base(str(folder))
    assert base.parameters == 10 * 8 + 8 * 8  # neither the tied copy nor the mask
    assert (base.context, base.hidden_size, base.folder, base.title) == (64, 8, str(folder), "mine")
    assert not base.has_chat_template
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage: fa\n---\n# Mine\nlicense: none\n")
    again = bases.get_base(str(folder))
    assert again.has_chat_template
    assert (again.licence, again.languages) == ("mit", ("fa",))
    assert again.fingerprint == base.fingerprint


def test_the_fingerprint_is_of_the_weights(folder):
    before = bases.get_base(str(folder)).fingerprint
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] = 1
    (folder / "model.safetensors").write_bytes(content)
    assert bases.get_base(str(folder)).fingerprint != before


def test_large_weights_are_known_by_header_and_size(folder, monkeypatch):
    monkeypatch.setattr(weights_files, "HASH_WHOLE_UP_TO", 10)
    assert bases.get_base(str(folder)).fingerprint.startswith("headers:")


def test_sharded_weights_are_counted(folder):
    (folder / "model.safetensors").unlink()
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for i, name in enumerate(names):
        write_safetensors(folder / name, {f"w{i}": ("F32", [3, 5])})
    index = {"weight_map": {"w0": names[0], "w1": names[1]}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert bases.get_base(str(folder)).parameters == 30
    (folder / names[1]).unlink()
    with pytest.raises(BaseError, match=names[1]):
        bases.get_base(str(folder))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "config.json").unlink(), "no config.json"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be read as JSON"),
        (lambda f: (f / "config.json").write_text("[]"), "not a JSON object"),
        (lambda f: (f / "config.json").write_text('{"is_encoder_decoder": true, "model_type": "t5"}'), "t5"),
        (lambda f: (f / "config.json").write_text('{"model_type": "thing"}'), "hidden_size"),
        (lambda f: (f / "model.safetensors").unlink(), "lacks the weights file model.safetensors"),
        (lambda f: (f / "model.safetensors").write_bytes(b""), "not a whole safetensors file"),
        (lambda f: (f / "model.safetensors").write_bytes(b"\x07" + bytes(7) + b"not js."), "header"),
        (lambda f: (f / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n"), "Git LFS"),
        (
            lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-9]),
            "where its header says",
        ),
    ],
)
def test_a_wrong_folder_is_told(folder, spoil, says):
    spoil(folder)
    with pytest.raises(BaseError) as told:
        bases.get_base(str(folder))
    assert says in told.value.message
    assert told.value.hint


def test_an_adapter_is_no_base(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(BaseError, match="an adapter, not a base"):
        bases.get_base(str(tmp_path))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared small models are not here")
@pytest.mark.parametrize(
    ("name", "parameters", "context", "chat"),
    [("TinyStories-656K", 656_000, 512, False), ("TinyStories-Instruct-3M-chat", 3_410_560, 256, True)],
)
def test_real_small_models(name, parameters, context, chat):
    base = bases.get_base(str(SHARED / name))
    assert (base.parameters, base.context, base.has_chat_template) == (parameters, context, chat)


def test_real_small_models_with_a_cut_file(tmp_path):
    shutil.copytree(bases.built_in_folder(), tmp_path / "cut")
    weights = tmp_path / "cut" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(BaseError, match="where its header says"):
        bases.get_base(str(tmp_path / "cut"))


def test_learning_rate_falls_with_width():
    assert default_lr(2000) == 5e-4
    assert default_lr(4000) < default_lr(2000) < default_lr(128) <= 5e-3
    assert default_lr(4096, 0.0775) == pytest.approx(4.7e-4)


def test_memory_in_the_order_that_it_should_be():
    base = bases.get_base("meta-llama/Llama-3.2-3B-Instruct")
    gib = 1024**3
    answering = bases.memory_bytes(base, train=False)
    assert 3.2e9 * 2 < answering < 3.2e9 * 2 + gib
    training = bases.memory_bytes(base, train=True, batch=4)
    assert bases.memory_bytes(base, train=True, batch=4, quantization="nf4") < training
    assert bases.memory_bytes(base, train=True, batch=4, gradient_checkpointing=True) < training
    assert bases.memory_bytes(base, train=True, batch=8) > training
    assert bases.memory_bytes(base, train=True, batch=4, r=64) > training
    assert bases.memory_bytes(base, train=False, precision="fp32") > 1.9 * answering
    # QLoRA's promise: a 3B base trains on an 8 GiB card.
    small = bases.memory_bytes(base, train=True, quantization="nf4", gradient_checkpointing=True)
    assert small < 6 * gib


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_activations_are_what_autograd_keeps(precision):
    """Counts the bytes that a forward pass of a small Llama with LoRA really saves for the backward pass, on rows of
    which one is padded."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = bases.Shape(hidden=128, layers=2, heads=4, kv_heads=2, head=32, intermediate=352, vocab=64)
    config = LlamaConfig(
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=352,
        vocab_size=64,
        attn_implementation="sdpa",
    )
    half = precision == "bf16"
    model = LlamaForCausalLM(config).to(torch.bfloat16 if half else torch.float32)
    model = get_peft_model(model, LoraConfig(r=8, target_modules="all-linear", lora_alpha=16))
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    batch, length = 4, 256
    ids, mask = torch.zeros(batch, length, dtype=torch.long), torch.ones(batch, length, dtype=torch.long)
    mask[0, :5] = 0
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            model.base_model.model.model(ids, attention_mask=mask)
    seen = sum(size for size, _ in kept.values())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bases, "shape_of", lambda base: shape)
        base = bases.BaseModel(id="x/y", parameters=1)
        counted = bases.memory_bytes(base, train=True, batch=batch, length=length, r=8, precision=precision)
    counted -= shape.lora_parameters(8) * 16 + batch * length * 64 * 12
    assert counted == pytest.approx(seen, rel=0.05)
