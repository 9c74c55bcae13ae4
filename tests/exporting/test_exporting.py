"""Exports: merged weights and GGUF files of tiny models, beside PEFT, transformers' reader and llama.cpp itself."""

import json
import re
import shutil
import zipfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import gguf
import numpy
import pytest
import torch
from huggingface_hub import HfApi, ModelCard
from peft import PeftModel
from persian import refused
from safetensors import SafetensorError
from tiny_bases import CONFIGS, build, save_adapter
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config

from lora_hub import use_cases
from lora_hub.answering.peft_folder import read_adapter
from lora_hub.catalogue import bases
from lora_hub.converting import gguf_base
from lora_hub.core.errors import AdapterError, BaseError, HubError, LoraHubError, SpecError
from lora_hub.core.schema import Task
from lora_hub.exporting import (
    Exported,
    Source,
    Step,
    agreement,
    asking,
    check,
    export,
    export_card,
    gguf_files,
    k_quants,
    writing,
)
from lora_hub.exporting.gguf_shape import read_shape
from lora_hub.exporting.merging import MergedModel
from lora_hub.people import LOCAL

TEXT = "the answer is 42 or سلام"
CHAT = (
    "{% for message in messages %}<|user|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|reply|>{% endif %}"
)


@pytest.fixture(autouse=True)
def reads_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads a GGUF file in this process, except where a test asks for the process of its own: it takes seconds."""
    if request.node.name != "test_the_files_ask_as_the_adapter_was_trained":
        monkeypatch.setattr("lora_hub.converting.unpack", gguf_base._write_folder)


def tokenizer_of_bytes() -> PreTrainedTokenizerFast:
    """Byte pairs after GPT-2's split, with marks of a chat: 259 tokens, without four bytes that no text here has."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = ["<pad>", "<s>", "</s>", *letters[:-4], "he", "<|user|>", "<|reply|>", "<|end|>"]
    core = Tokenizer(models.BPE({token: number for number, token in enumerate(names)}, [("h", "e")]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens(["<pad>", "<s>", "</s>", "<|user|>", "<|reply|>", "<|end|>"])
    made = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    made.chat_template = CHAT
    return made


def save_base(folder: Path, kind: str, *, tied: bool = False, dtype: torch.dtype = torch.float32) -> Path:
    model = build(kind)
    model.config.tie_word_embeddings = tied
    if tied:
        model.lm_head.weight = model.get_input_embeddings().weight
    model.to(dtype).save_pretrained(folder)
    tokenizer_of_bytes().save_pretrained(folder)
    return folder


def source_of(folder: Path, kind: str = "llama", *, tied: bool = False, **options: object) -> Source:
    base = save_base(folder / "base", kind, tied=tied)
    model = AutoModelForCausalLM.from_pretrained(base)
    adapter = save_adapter(model, folder / "adapter", **options)
    return Source("Spam!", adapter, bases.get_base(str(base)), base)


def made_by(source: Source, kind: str, type_: str, folder: Path) -> Exported:
    *steps, made = export(source, kind, type_, folder)
    assert all(isinstance(step, Step) for step in steps) and isinstance(made, Exported)
    return made


def logits(model: object) -> torch.Tensor:
    ids = tokenizer_of_bytes()(TEXT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        return model(ids).logits[0]


def with_peft(source: Source) -> torch.Tensor:
    return logits(PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(source.base_folder), source.folder))


@pytest.mark.parametrize(
    ("kind", "tied", "options"),
    [
        ("llama", False, {"use_rslora": True}),
        ("llama", True, {"target_modules": ["q_proj", "lm_head"]}),
        ("qwen3", True, {"alpha_pattern": {"q_proj": 3}, "rank_pattern": {"v_proj": 2}}),
        ("gpt2", True, {"target_modules": ["c_attn", "c_proj", "lm_head"], "fan_in_fan_out": True}),
    ],
)
def test_merged_weights_answer_as_the_adapter(kind: str, tied: bool, options: dict, tmp_path: Path) -> None:
    source = source_of(tmp_path, kind, tied=tied, **options)
    made = made_by(source, "merged", "", tmp_path / "made")
    model = AutoModelForCausalLM.from_pretrained(made.folder)
    assert torch.allclose(logits(model), with_peft(source), atol=2e-3)
    assert made.agreement is not None and made.agreement.percent == 100 and made.agreement.unit == "tokens"
    assert model.config.tie_word_embeddings is (tied and "lm_head" not in options.get("target_modules", ()))
    assert {"tokenizer.json", "chat_template.jinja", "generation_config.json", "README.md"} <= {*made.files}
    assert " on a base from a folder.\n" in (made.folder / "README.md").read_text()


@pytest.mark.parametrize("tied", [False, True])
def test_embeddings_with_more_rows_take_the_place_of_the_bases(tied: bool, tmp_path: Path) -> None:
    """As PEFT saves them where the base got new tokens. A GGUF adapter, which has no place for them, is refused."""
    source = source_of(tmp_path, tied=tied)
    model = AutoModelForCausalLM.from_pretrained(source.base_folder)
    model.resize_token_embeddings(266, mean_resizing=False)
    wrapped = PeftModel.from_pretrained(model, source.folder)
    with torch.no_grad():
        model.get_input_embeddings().weight.add_(0.05)
    expected = logits(wrapped)
    wrapped.save_pretrained(source.folder, save_embedding_layers=True)
    made = made_by(source, "merged", "", tmp_path / "made")
    merged = AutoModelForCausalLM.from_pretrained(made.folder)
    assert merged.config.vocab_size == 266 and merged.config.tie_word_embeddings is tied
    assert torch.allclose(logits(merged), expected, atol=2e-3) and made.agreement.percent == 100
    with refused(AdapterError, "embed_tokens.weight, which a GGUF adapter cannot hold"):
        made_by(source, "gguf-adapter", "", tmp_path / "refused")


def test_the_base_keeps_its_type_and_what_is_tied_is_stored_once(tmp_path: Path) -> None:
    base = save_base(tmp_path / "base", "llama", tied=True, dtype=torch.bfloat16)
    adapter = save_adapter(AutoModelForCausalLM.from_pretrained(base), tmp_path / "adapter")
    with MergedModel(base, read_adapter(adapter)) as merged:
        assert "lm_head.weight" not in merged.names
        name = "model.layers.0.mlp.up_proj.weight"
        assert merged.tensor(name).dtype is torch.bfloat16
        assert torch.equal(merged.tensor(name), merged.tensor(name, exact=True).bfloat16())


def check_says(model: object, ids: list[int], expected: torch.Tensor, *, within: float = 0.02) -> None:
    """That llama.cpp finds the same tokens as likely, after some beginnings of a text. expected: log likelihoods."""
    compared = 0
    for count in (3, 7, 11, 15, len(ids)):
        for token, log in model.next_tokens(ids[:count]).items():
            assert log == pytest.approx(expected[count - 1, token].item(), abs=within)
            compared += 1
    assert compared >= 5


@pytest.mark.parametrize("kind", ["llama", "qwen2", "qwen3"])
def test_a_gguf_model_is_the_merged_model(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="xllamacpp is not installed")
    # Its tokenizer's class adds a token of its own, which the base has not.
    told = {key: value for key, value in CONFIGS["llama"]().to_dict().items() if key not in ("head_dim", "model_type")}
    monkeypatch.setitem(CONFIGS, "qwen2", lambda: Qwen2Config(**told))
    source = source_of(tmp_path, kind, use_rslora=True)
    made = made_by(source, "gguf", "f32", tmp_path / "made")
    assert made.tensors == len(MergedModel(source.base_folder, read_adapter(source.folder)).names)
    assert (made.largest_error, made.agreement.percent) == (0.0, 100)
    ids, expected = tokenizer_of_bytes()(TEXT)["input_ids"], with_peft(source).log_softmax(-1)
    with llama_cpp.loaded(made.folder / made.files[0]) as model:
        assert model.tokens(TEXT) == ids
        check_says(model, ids, expected)


def test_gemma_s_norms_are_as_llama_cpp_adds_them(tmp_path: Path) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="xllamacpp is not installed")
    source = source_of(tmp_path, "gemma3", tied=True)
    file = source.base_folder / "config.json"
    config = {"layer_types": ["sliding_attention"] * 2, "query_pre_attn_scalar": 8}  # llama.cpp has every sixth whole
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    made, tokenizer = tmp_path / "made.gguf", tokenizer_of_bytes()
    with MergedModel(source.base_folder, read_adapter(source.folder)) as merged:
        shape, words = read_shape(merged.config), json.loads((source.base_folder / "tokenizer.json").read_text())
        [*gguf_files.write_model(made, merged, shape, words, tokenizer, "f32", name="gemma")]
        [*gguf_files.read_back(made, gguf_files.model_tensors(merged, shape))]
    ids, expected = tokenizer(TEXT)["input_ids"], with_peft(source).log_softmax(-1)
    with llama_cpp.loaded(made) as model:
        check_says(model, ids, expected)


@pytest.mark.parametrize(
    "options", [{}, {"use_rslora": True, "alpha_pattern": {"k_proj": 5}}, {"target_modules": ["q_proj", "lm_head"]}]
)
def test_a_gguf_adapter_beside_its_base_is_the_adapter(options: dict, tmp_path: Path) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="xllamacpp is not installed")
    source = source_of(tmp_path, **options)
    made = made_by(source, "gguf-adapter", "f32", tmp_path / "made")
    nothing = save_adapter(AutoModelForCausalLM.from_pretrained(source.base_folder), tmp_path / "none", strength=0.0)
    base = made_by(replace(source, folder=nothing), "gguf", "f32", tmp_path / "base-gguf")
    ids, expected = tokenizer_of_bytes()(TEXT)["input_ids"], with_peft(source).log_softmax(-1)
    with llama_cpp.loaded(base.folder / base.files[0], made.folder / made.files[0]) as model:
        check_says(model, ids, expected)
    assert made.tensors == 2 * len(read_adapter(source.folder).layers)


def mood(**more: object) -> Task:
    return Task.model_validate(
        {
            "id": "mood",
            "title": {"en": "Mood", "fa": "حال"},
            "instruction": {"en": "Which mood?", "fa": "چه حالی؟"},
            "inputs": ["text"],
            "output": "labels",
            "labels": ("good", "bad"),
            "answer": {"en": "Mood", "fa": "حال"},
            "template": "{instruction} {text}",
            "metrics": ["accuracy"],
            **more,
        }
    )


def test_the_card_of_an_export_asks_as_the_adapter_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its code is run in the export's folder, and its metadata are read as the Hub reads them."""
    source = replace(source_of(tmp_path), task=mood(), repo="o/spam", base_repo="o/base", revision="ab" * 20)
    made = made_by(source, "merged", "", tmp_path / "made")
    card = ModelCard((made.folder / "README.md").read_text())
    told = card.data.to_dict()
    assert told["base_model"] == ["o/base", "o/spam"] and told["base_model_relation"] == "merge"
    assert (told["license"], told["library_name"], told["pipeline_tag"]) == (
        "unknown",
        "transformers",
        "text-generation",
    )
    assert "```text\n<|user|>Which mood? Put the text here.<|end|><|reply|>\n```" in card.text
    assert "It answers with one of: good, bad." in card.text
    (code,) = re.findall(r"```python\n(.*?)\n```", card.text, re.DOTALL)
    monkeypatch.chdir(made.folder)
    exec(code, {})
    asked = [{"text": "Put the text here."}]
    (answer,) = agreement.ask_adapter(replace(source, rows=tuple(asked)), tokenizer_of_bytes()).answers
    assert capsys.readouterr().out.split()[1] == answer
    # One that is put into a repo says so; of several inputs each has its place, and typed words are the whole prompt.
    several = replace(source, task=mood(inputs=["text", "question"], template="{text}: {question}"), put_into="o/gguf")
    card = export_card.readme(
        "gguf", "q8_0", several, tokenizer_of_bytes(), start="llama-server -m a.gguf", agreement=""
    )
    assert "hf download o/gguf --local-dir gguf && cd gguf\nllama-server -m a.gguf" in card
    assert "Ollama is given the whole prompt" in card
    assert "Put the text here.: Put the question here.<|end|>" in card and 'base_model_relation: "quantized"' in card
    assert asking.question(several, tokenizer_of_bytes())["prompt"].startswith("<|user|>Put the text here.: Put the q")


def test_the_files_ask_as_the_adapter_was_trained(tmp_path: Path) -> None:
    labels, task = ("good", "bad"), mood()
    rows = tuple({"text": f"text {number}"} for number in range(6))
    source = replace(source_of(tmp_path), task=task, rows=rows)
    made = made_by(source, "gguf", "q8_0", tmp_path / "made")
    assert made.agreement.unit == "answers" and made.agreement.of == 6
    asked = json.loads((made.folder / "question.json").read_text())
    assert asked["prompt"] == "<|user|>Which mood? Put the text here.<|end|><|reply|>"
    assert asked["grammar"] == 'root ::= "good" | "bad"' and asked["stop"] == ["<|end|>"]
    modelfile = (made.folder / "Modelfile").read_text()
    assert 'TEMPLATE """<|user|>Which mood? {{ .Prompt }}<|end|><|reply|>"""' in modelfile
    assert modelfile.startswith(f"FROM ./{made.files[0]}\n") and made.command == f"llama-server -m {made.files[0]}"
    reader = gguf.GGUFReader(made.folder / made.files[0])
    assert reader.fields["tokenizer.chat_template"].contents() == CHAT
    kinds = {tensor.tensor_type.name for tensor in reader.tensors if "up" in tensor.name}
    assert kinds == {"Q8_0"} and 0 < made.largest_error < 0.01
    llama_cpp = pytest.importorskip("llama_cpp", reason="xllamacpp is not installed")
    with llama_cpp.loaded(made.folder / made.files[0]) as model:
        assert model.answer(asked["prompt"], grammar=asked["grammar"], n_predict=8).strip() in labels


def read_as_go(template: str, prompt: str) -> str:
    """What Go's text/template makes of a template with texts and the prompt: what stands between the first "{{" and
    its end has to be a value."""
    said, rest = "", template
    while "{{" in rest:
        before, _opened, rest = rest.partition("{{")
        value = re.match(r'\s*(?:("(?:[^"\\]|\\.)*")|\.Prompt)\s*\}\}', rest)
        assert value, f"{{{{{rest}"
        said, rest = said + before + (json.loads(value[1]) if value[1] else prompt), rest[value.end() :]
    return said + rest


@pytest.mark.parametrize(
    "text", ['{"a": {}} is', "{{ .System }}", "{{{", '"""', '{"""}}', "}{", "{", '"', "{{- /* */}}"]
)
def test_an_ollama_template_is_the_prompt_whatever_is_in_it(text: str) -> None:
    made = f"{asking._go(text)}{{{{ .Prompt }}}}{asking._go(text)}"
    assert read_as_go(made, "PROMPT") == f"{text}PROMPT{text}"
    assert '"""' not in made


def test_peft_s_folder_as_a_zip(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    made = made_by(source, "peft", "", tmp_path / "made")
    with zipfile.ZipFile(made.folder / made.files[0]) as packed:
        packed.extractall(tmp_path / "out")
    assert PeftModel.from_pretrained(build("llama"), tmp_path / "out").peft_config["default"].r == 4


def test_for_a_browser_it_is_one_file(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    beside = made_by(source, "gguf-adapter", "f16", tmp_path / "beside")
    *steps, made = export(source, "gguf-adapter", "f16", tmp_path / "made", packed=True)
    assert (steps[-1].done, steps[-1].total) == (3, 3) and made.files == ("Spam-gguf-adapter-f16.zip",)
    assert [one.name for one in made.folder.iterdir()] == [*made.files]
    with zipfile.ZipFile(made.folder / made.files[0]) as packed:
        assert packed.testzip() is None
        told = {file: packed.read(file) for file in packed.namelist()}
    assert told == {file: (beside.folder / file).read_bytes() for file in beside.files}


def test_templates_in_a_folder_of_their_own_are_files_of_the_export(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    (more := source.base_folder / "additional_chat_templates").mkdir()
    (more / "tools.jinja").write_text(CHAT)
    *_steps, made = export(source, "merged", "", tmp_path / "made", packed=True)
    with zipfile.ZipFile(made.folder / made.files[0]) as packed:
        assert packed.read("additional_chat_templates/tools.jinja").decode() == CHAT


def test_what_others_do_to_its_folders_meanwhile_is_told(tmp_path: Path) -> None:
    source = source_of(tmp_path)
    first, second = (export(source, "gguf-adapter", "f16", tmp_path / "made") for _ in range(2))
    next(second)
    assert [*first][-1].files
    with refused(SpecError, "is there already and is not empty"):
        list(second)
    packing = export(source, "peft", "", tmp_path / "zip")
    next(packing)
    shutil.rmtree(source.folder)
    with refused(AdapterError, "There is no adapter in"):
        list(packing)
    assert not (tmp_path / "zip").exists()


@pytest.mark.parametrize("tied", [False, True])
def test_k_quants_are_stored_as_llama_cpp_stores_them(
    tied: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    llama_cpp = pytest.importorskip("llama_cpp", reason="xllamacpp is not installed")
    # Rows that divide into blocks of 256, and some that divide into blocks of 32 only.
    wide = {"hidden_size": 256, "intermediate_size": 288, "head_dim": 64, "num_key_value_heads": 4}
    monkeypatch.setitem(CONFIGS, "wide", lambda: LlamaConfig(**{**CONFIGS["llama"]().to_dict(), **wide}))
    source = source_of(tmp_path, "wide", tied=tied)
    made = made_by(source, "gguf", "q4_k_m", tmp_path / "made")
    file = made.folder / made.files[0]
    assert 0.03 < made.largest_error < 0.13 and made.tensors == 21 - tied
    types = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(file).tensors}
    assert types["output_norm.weight"] == "F32" and types["blk.0.attn_q.weight"] == "Q4_K"
    assert [types[f"blk.{layer}.ffn_down.weight"] for layer in (0, 1)] == ["Q5_0", "Q8_0"]  # rows of 288 numbers
    assert [types[f"blk.{layer}.attn_v.weight"] for layer in (0, 1)] == ["Q4_K", "Q6_K"]
    assert types["token_embd.weight"] == ("Q6_K" if tied else "Q4_K") and types.get("output.weight", "Q6_K") == "Q6_K"
    read = tmp_path / "read"
    read.mkdir()
    gguf_base._write_folder(file, read)
    ids = tokenizer_of_bytes()(TEXT)["input_ids"]
    expected = logits(AutoModelForCausalLM.from_pretrained(read, dtype="float32")).log_softmax(-1)
    with llama_cpp.loaded(file) as model:
        check_says(model, ids, expected, within=0.5)  # it rounds what goes in, too


def test_which_tensors_have_more_bits() -> None:
    told = [
        k_quants.type_of(f"blk.{n}.ffn_down.weight", 512, "q5_k_m", layers=16, is_tied=False).name for n in range(16)
    ]
    assert [n for n, kind in enumerate(told) if kind == "Q6_K"] == [0, 1, 4, 7, 10, 13, 14, 15]
    assert k_quants.type_of("blk.3.attn_q.weight", 48, "q6_k", layers=16, is_tied=False).name == "F16"


def test_what_cannot_be_made_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(tmp_path, use_dora=True)
    with refused(AdapterError, "DoRA"):
        check(source, "gguf-adapter", "")
    with refused(AdapterError, r"\(DoRA\): merge it with PEFT's merge_and_unload"):
        check(source, "merged", "")
    assert check(source, "peft", "") == ("peft", "")
    with refused(SpecError, "q9"):
        check(source, "gguf", "q9")
    with refused(SpecError, "onnx"):
        check(source, "onnx", "")
    plain = source_of(tmp_path / "plain")
    monkeypatch.setattr(k_quants, "_library", lambda: None)
    with refused(BaseError, "q4_k_m is rounded by.*pip install xllamacpp"):
        check(plain, "gguf", "q4_k_m")
    built_in = replace(plain, base=bases.get_base("built-in"))
    with refused(AdapterError, "splits texts"):
        check(built_in, "gguf", "")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with refused(SpecError, "not empty"):
        next(export(plain, "merged", "", tmp_path / "full"))
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file", tmp_path / "file" / "made", tmp_path / ("x" * 300)):
        with refused(SpecError, "cannot be written"):
            next(export(plain, "merged", "", place))
    (tmp_path / "file").unlink()
    # As one file it takes the largest of its own once more.
    adapter = (plain.folder / "adapter_model.safetensors").stat().st_size
    free = writing.LEFT_BYTES + 3 * adapter
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda _place: shutil._ntuple_diskusage(1 << 60, 0, free))
    for packed in (True, False):
        going = export(plain, "gguf-adapter", "", tmp_path / "made", packed=packed)
        with refused(LoraHubError, "on the disk") if packed else nullcontext():
            next(going)
        going.close()
    monkeypatch.setattr(writing, "LEFT_BYTES", 1 << 60)
    with refused(LoraHubError, "on the disk"):
        next(export(plain, "merged", "", tmp_path / "made"))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["adapter", "base", "full", "plain"]


def test_whoever_stops_it_leaves_nothing(tmp_path: Path) -> None:
    source = source_of(tmp_path / "in")
    going = export(source, "gguf", "f32", tmp_path / "out" / "made")
    for _step in range(5):
        assert isinstance(next(going), Step)
    going.close()
    assert [*(tmp_path / "out").iterdir()] == []


@pytest.mark.parametrize(
    ("kind", "error"),
    [("merged", SafetensorError("I/O error: No space left on device")), ("gguf", OSError("8 requested and 4 written"))],
)
def test_a_disk_that_fills_up_is_told(
    kind: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In words of its own, by those that write tensors."""
    source = source_of(tmp_path / "in")

    def fails(*_given: object) -> None:
        monkeypatch.setattr(writing, "FULL_DISK_BYTES", 1 << 60)
        raise error

    monkeypatch.setattr("lora_hub.exporting.merging.save_file", fails)
    monkeypatch.setattr("gguf.GGUFWriter.write_tensor_data", fails)
    with refused(LoraHubError, "is full"):
        [*export(source, kind, "", tmp_path / "out" / "made")]
    assert [*(tmp_path / "out").iterdir()] == []


def test_numbers_that_a_type_cannot_hold_are_found_when_read_back(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "a.gguf", "llama")
    numbers = numpy.full((1, 32), 1e30, dtype=numpy.float32)  # its scale is infinite in half precision
    numbers[0, 0] = 1.0
    kind = gguf.GGMLQuantizationType.Q8_0
    with numpy.errstate(over="ignore"):
        writer.add_tensor("x", gguf.quants.quantize(numbers, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with refused(LoraHubError, "differs from the model at x"), numpy.errstate(invalid="ignore"):
        [*gguf_files.read_back(tmp_path / "a.gguf", {"x": lambda: numbers})]


def test_an_export_is_put_into_a_repo_of_its_own(hub: object, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\ntags:\n- lora-hub-export\n---\n")
    assert use_cases.push_export(LOCAL, made_of(tmp_path), "An export!").endswith("/lora-hub/An-export")
    assert use_cases.check_push(LOCAL, "An export!") == "lora-hub/An-export"  # and may be written again
    HfApi().create_repo("lora-hub/no-export")
    HfApi().upload_file(repo_id="lora-hub/no-export", path_in_repo="a.txt", path_or_fileobj=b"mine")
    for name, said in (
        ("no-export", "is no export"),
        ("elsewhere/x", "elsewhere"),
        ("a/b/c", "no name of a repo"),
        ("lora-hub/", "no name of a repo"),
        ("!", "no letters"),
    ):
        with refused(HubError, said):
            use_cases.check_push(LOCAL, name)


def made_of(folder: Path) -> Exported:
    return Exported(folder, "merged", "", ("README.md",))


def test_an_export_that_answers_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(tmp_path / "in")
    monkeypatch.setattr("lora_hub.exporting.merging.add", lambda base, weights, transposed=False: -base)
    with refused(LoraHubError, "places in sample texts it gives the same next token"):
        [*export(source, "merged", "", tmp_path / "out" / "made")]
    assert [*(tmp_path / "out").iterdir()] == []


def test_shapes_that_a_file_cannot_say() -> None:
    llama = json.loads((bases.built_in_folder() / "config.json").read_text())
    assert read_shape(llama).family == "llama"
    for odd in (
        {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0}},
        {"hidden_act": "relu"},
        {"layer_types": ["sliding_attention"] * 4},
        {"partial_rotary_factor": 0.5},
    ):
        with refused(BaseError, "GGUF"):
            read_shape(llama | odd)
    scaled = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    rope = scaled | {"rope_theta": 500000.0, "original_max_position_embeddings": 8192}
    freqs = read_shape(llama | {"head_dim": 64, "rope_parameters": rope}).freqs
    assert (len(freqs), freqs[0], freqs[-1]) == (32, 1.0, 8.0)
