"""The embedded Hub with the tools people have: the `hf` command, transformers, peft, datasets; and large files."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_local_hub import ROOT, TOKENS, Server, _client, server  # noqa: F401


def environment(server: Server, folder: Path) -> dict[str, str]:  # noqa: F811
    """What a person sets: the address and their token. So large files go by Xet, as the client does it unasked."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "LORA_HUB_"))}
    return kept | {
        "HF_ENDPOINT": server.url,
        "HF_TOKEN": TOKENS["alice"],
        "HF_HOME": str(folder / "cache"),
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }


def test_the_hf_command(server: Server, tmp_path: Path) -> None:  # noqa: F811
    def hf(*arguments: str) -> str:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("hf")), *arguments],
            cwd=tmp_path,
            env=environment(server, tmp_path),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a.txt").write_text("hello")
    (tmp_path / "d" / "w.bin").write_bytes(bytes(5000))
    assert "alice" in hf("auth", "whoami")
    assert "/lora-hub/by-command/commit/" in hf("upload", "lora-hub/by-command", "d", ".")
    hf("download", "lora-hub/by-command", "--local-dir", "out")
    assert (tmp_path / "out" / "w.bin").read_bytes() == bytes(5000) and (
        tmp_path / "out" / "a.txt"
    ).read_text() == "hello"
    assert "lora-hub/by-command" in hf("models", "ls", "--author", "lora-hub", "--json")


LIBRARIES = """
import json, torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from peft import LoraConfig, PeftModel, get_peft_model
words = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2}, unk_token="[UNK]"))
words.pre_tokenizer = pre_tokenizers.Whitespace()
PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]").push_to_hub("lora-hub/tiny")
sizes = {"vocab_size": 3, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
base = LlamaForCausalLM(LlamaConfig(**sizes)).eval()
base.push_to_hub("lora-hub/tiny")
ids = AutoTokenizer.from_pretrained("lora-hub/tiny")("a b", return_tensors="pt").input_ids
loaded = AutoModelForCausalLM.from_pretrained("lora-hub/tiny").eval()
with torch.no_grad():
    same_base = torch.equal(base(ids).logits, loaded(ids).logits)
    adapted = get_peft_model(loaded, LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)).eval()
    expected = adapted(ids).logits
    adapted.push_to_hub("lora-hub/tiny-lora")
    again = AutoModelForCausalLM.from_pretrained("lora-hub/tiny")
    again = PeftModel.from_pretrained(again, "lora-hub/tiny-lora").eval()
    same_adapter = torch.equal(expected, again(ids).logits)
    changed = not torch.equal(base(ids).logits, expected)
from huggingface_hub import HfApi
print(json.dumps({"base": same_base, "adapter": same_adapter, "changed": changed,
                  "tags": HfApi().model_info("lora-hub/tiny-lora").tags,
                  "parameters": HfApi().model_info("lora-hub/tiny").safetensors.total,
                  "counted": sum(p.numel() for p in base.state_dict().values())}))
"""
ROWS = """
import json, datasets
made = datasets.Dataset.from_dict({"text": ["سلام", "hello"], "label": [0, 1]})
made.push_to_hub("lora-hub/rows")
print(json.dumps(datasets.load_dataset("lora-hub/rows", split="train").to_list()))
"""


def run(script: str, server: Server, folder: Path) -> object:  # noqa: F811
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment(server, folder),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_transformers_and_peft_push_and_load(server: Server, tmp_path: Path) -> None:  # noqa: F811
    said = run(LIBRARIES, server, tmp_path)
    assert said["base"] and said["adapter"] and said["changed"] and said["parameters"] == said["counted"]
    assert {"lora", "peft", "base_model:adapter:lora-hub/tiny"} <= set(said["tags"])


def test_datasets_push_and_load(server: Server, tmp_path: Path) -> None:  # noqa: F811
    assert run(ROWS, server, tmp_path) == [{"text": "سلام", "label": 0}, {"text": "hello", "label": 1}]


@pytest.mark.parametrize("size", [100_000_000, int(os.environ.get("LORA_HUB_TEST_LARGE_BYTES") or 300_000_000)])
def test_large_files_stream_with_bounded_memory(server: Server, tmp_path: Path, size: int) -> None:  # noqa: F811
    """100 MB whole, and more than 256 MB in parts; the server stays below 200 MiB."""
    from huggingface_hub import hf_hub_download

    repo = server.api().create_repo("lora-hub/large", exist_ok=True).repo_id
    block, digest = os.urandom(1_000_000), hashlib.sha256()
    with open(tmp_path / "large.bin", "wb") as file:
        for n in range(size // 1_000_000):
            piece = n.to_bytes(8, "little") + block[8:]
            digest.update(piece)
            file.write(piece)
    started = time.monotonic()
    server.api().upload_file(repo_id=repo, path_in_repo=f"{size}.bin", path_or_fileobj=tmp_path / "large.bin")
    up = time.monotonic()
    (tmp_path / "large.bin").unlink()
    fetched = hf_hub_download(repo, f"{size}.bin", endpoint=server.url, token=TOKENS["alice"], cache_dir=tmp_path / "c")
    down = time.monotonic()
    with open(fetched, "rb") as file:
        assert hashlib.file_digest(file, "sha256").digest() == digest.digest()
    peak = int(
        next(
            line
            for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
            if line.startswith("VmHWM")
        ).split()[1]
    )
    print(f"{size} bytes: up {up - started:.1f} s, down {down - up:.1f} s, server at most {peak / 1024:.0f} MiB")
    assert peak < 200 * 1024
    assert list((server.folder / "incoming").iterdir()) == []
    server.api().delete_repo(repo)
