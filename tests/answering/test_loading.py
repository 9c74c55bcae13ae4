"""Loading bases from folders and Hubs, and the error messages when that fails."""

import json
import os
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from persian import refused
from safetensors.torch import load_file, save_file
from tiny_bases import build, byte_tokenizer
from transformers import tokenization_utils_base

from lora_hub.answering import loading
from lora_hub.catalogue import bases
from lora_hub.core.errors import BaseError
from lora_hub.core.schema import BaseModel

SHARED_MODELS = Path(__file__).resolve().parents[3] / "shared" / "data" / "models"


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    build("llama").save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    """A copy that a test may break."""
    return shutil.copytree(saved, tmp_path / "base")


def local(folder: Path, **fields) -> BaseModel:
    return BaseModel(id=folder.name, folder=str(folder), parameters=20_000, **fields)


def change_config(folder: Path, name: str = "config.json", **values) -> None:
    values = json.loads((folder / name).read_text()) | values
    (folder / name).write_text(json.dumps({key: value for key, value in values.items() if value is not None}))


def test_a_folder_comes_back_frozen_in_eval_mode_and_whole(saved):
    base = bases.get_base(str(saved))
    model, tokenizer = loading.load_base(base, device="cpu"), loading.load_tokenizer(base)
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    original = build("llama")
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), original.parameters(), strict=True))
    assert tokenizer.padding_side == "left"
    assert tokenizer.decode(tokenizer("سلام").input_ids) == "سلام"
    assert loading.load_base(base, precision="bf16").dtype == torch.bfloat16


def test_a_text_that_is_counted_to_see_whether_it_fits_warns_nobody(saved, monkeypatch):
    said, folder, text = [], saved, "one two three " * 2000
    monkeypatch.setattr(tokenization_utils_base.logger, "warning", lambda *told: said.append(told))
    for tokenizer in (loading.load_tokenizer(bases.get_base("built-in")), loading.read_tokenizer(folder)):
        tokenizer.model_max_length = 512
        assert len(tokenizer(text)["input_ids"]) > 512
    assert said == []


def test_the_built_in_base_loads():
    base = bases.get_base("built-in")
    assert sum(p.numel() for p in loading.load_base(base).parameters()) == base.parameters
    assert loading.load_tokenizer(base).chat_template


@pytest.mark.parametrize(
    ("names", "pad"),
    [
        ({"pad_token": None, "unk_token": "<bos>"}, "<pad>"),  # a vocabulary that has one, unnamed
        ({"pad_token": None, "vocabulary": "!"}, "<end>"),
    ],
)
def test_a_missing_pad_token_is_found_and_the_end_token_is_the_last_resort(folder, names, pad):
    if "vocabulary" in names:
        for file in ("tokenizer.json", "tokenizer_config.json"):
            path = folder / file
            path.write_text(path.read_text().replace("<pad>", names["vocabulary"]))
    change_config(folder, "tokenizer_config.json", pad_token=None, unk_token=names.get("unk_token"))
    tokenizer = loading.load_tokenizer(local(folder))
    assert tokenizer.pad_token == pad
    assert tokenizer.padding_side == "left"
    padded = tokenizer(["a", "abc<end>"], padding=True)
    assert padded["attention_mask"] == [[0, 0, 0, 1], [1, 1, 1, 1]], "a written end token is never masked"


def test_the_chat_models_own_tokenizer():
    folder = SHARED_MODELS / "TinyStories-Instruct-3M-chat"
    if not folder.is_dir():
        pytest.skip("the model is not here")
    tokenizer = loading.load_tokenizer(bases.get_base(str(folder)))
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == 14018
    assert tokenizer.chat_template


def test_what_does_not_fit_is_refused_with_the_figures(saved):
    huge = local(saved).model_copy(update={"parameters": 10**13, "folder": "", "id": "some/giant"})
    with refused(
        BaseError, match=r"10,000,000 million parameters and needs [\d.]+ GB of memory as fp32; [\d.]+ GB are free"
    ):
        loading.check_memory(huge, torch.device("cpu"), "fp32")
    unknown = BaseModel(id="x", folder=str(saved))
    assert loading._count_parameters(unknown) == sum(p.numel() for p in build("llama").parameters())
    loading.check_memory(unknown, torch.device("cpu"), "fp32")
    assert 0 < loading.available_memory() < 2**50


def test_damaged_and_foreign_folders_are_told_in_words(saved, tmp_path):
    def broken(name: str) -> Path:
        return shutil.copytree(saved, tmp_path / name)

    cases = {}
    cut = broken("cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:-500])
    cases["damaged|cannot be loaded"] = cut
    holes = broken("holes")
    tensors = load_file(holes / "model.safetensors")
    gone = "model.layers.1.mlp.up_proj.weight"
    save_file({k: v for k, v in tensors.items() if k != gone}, holes / "model.safetensors", metadata={"format": "pt"})
    cases[f"lack the tensor '{gone}'"] = holes
    bare = broken("bare")
    (bare / "model.safetensors").unlink()
    cases["model.safetensors"] = bare
    pickled = broken("pickled")
    (pickled / "model.safetensors").unlink()
    torch.save(tensors, pickled / "pytorch_model.bin")
    cases["cannot be loaded"] = pickled
    strange = broken("strange")
    change_config(strange, model_type="never-heard-of", architectures=None)
    cases["of a kind that transformers .* does not know"] = strange
    own_code = broken("own_code")
    change_config(own_code, model_type="mine", auto_map={"AutoConfig": "code.C", "AutoModelForCausalLM": "code.M"})
    (own_code / "code.py").write_text("raise SystemExit('this must never run')")
    cases["runs code of its own"] = own_code
    garbled = broken("garbled")
    (garbled / "config.json").write_text("{")
    cases["damaged|cannot be loaded|not a valid JSON"] = garbled
    empty = tmp_path / "empty"
    empty.mkdir()
    cases["has no config.json"] = empty
    for words, folder in cases.items():
        with refused(BaseError, match=words) as caught:
            loading.load_base(local(folder), device="cpu")
        assert caught.value.hint and "\n" not in caught.value.message
    garbled = broken("tokens")
    (garbled / "tokenizer.json").write_text('{"version": 1')
    with refused(BaseError):
        loading.load_tokenizer(local(garbled))


def test_unknown_device_and_missing_quantization_library(saved):
    if not torch.cuda.is_available():
        with refused(BaseError, match="no CUDA device"):
            loading.load_base(local(saved), device="cuda")
    if find_spec("bitsandbytes") is None:
        with refused(BaseError, match="bitsandbytes is not installed"):
            loading.load_base(local(saved), quantization="nf4")


def test_threads_load_one_after_another(saved):
    base = local(saved)
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        expected = build("llama")(input_ids=ids).logits
        with ThreadPoolExecutor(4) as pool:
            models = list(pool.map(lambda _: loading.load_base(base, device="cpu"), range(4)))
            list(pool.map(lambda _: loading.load_tokenizer(base), range(4)))
        for model in models:
            assert torch.equal(model(input_ids=ids).logits, expected)


class Hub(BaseHTTPRequestHandler):
    """Answers as the real one does for repos that are missing, gated or without the revision; hangs up on owner
    'down'."""

    def do_HEAD(self) -> None:
        code, name = {"/no": (401, "RepoNotFound"), "/ga": (403, "GatedRepo"), "/re": (404, "RevisionNotFound")}.get(
            self.path.removeprefix("/api/models")[:3], (0, "")
        )
        if not code:
            self.connection.close()
            return
        self.send_response(code)
        self.send_header("X-Error-Code", name)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD

    def log_message(self, *args) -> None:
        pass


ASK = """
import json, sys
from lora_hub.answering import loading
from lora_hub.core.errors import BaseError
from lora_hub.core.schema import BaseModel
said = {}
for name in ("nothing/here", "gated/model", "revised/model", "down/model"):
    base = BaseModel(id=name, revision="v9" if name.startswith("rev") else "", parameters=1000)
    for load in (loading.load_tokenizer, loading.load_base)[: 2 if name == "gated/model" else 1]:
        try:
            load(base)
        except BaseError as error:
            said.setdefault(name, []).append(error.message)
print(json.dumps(said))
"""


def test_what_a_hub_refuses_is_told_in_words(tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")} | {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path),
        "NO_PROXY": "127.0.0.1",
        "HF_HUB_DISABLE_XET": "1",
        "DISABLE_SAFETENSORS_CONVERSION": "1",
    }
    # a process of its own: the client fixes its endpoint when it is imported
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
    )
    server.shutdown()
    assert done.returncode == 0, done.stderr[-2000:]
    said = json.loads(done.stdout.splitlines()[-1])
    for name, words in {
        "nothing/here": "There is no base 'nothing/here' on this Hub",
        "gated/model": "'gated/model' is gated",
        "revised/model": "'revised/model' has no revision 'v9'",
        "down/model": "the Hub cannot be reached",
    }.items():
        assert said[name] and all(words in message for message in said[name]), said[name]
