"""Adapters of a few random numbers, in the form that a run leaves them, and how to publish them. For tests of the Hub's
side."""

import json
from pathlib import Path

import httpx2
import numpy
import pytest
from safetensors.numpy import save_file

from lora_hub import hub as hubs
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.core.schema import AdapterRef, BaseModel, DatasetInfo, Problem, Score, TrainSpec
from lora_hub.hub.record import make_record

ORG = "lora-hub"
SCORES = {
    "base": {"accuracy": Score(value=50.0, low=43.0, high=57.0)},
    "adapter": {"accuracy": Score(value=95.0, low=91.5, high=98.0)},
}
CLOSED = "http://127.0.0.1:9"  # the discard port: nobody listens


def make_spec(name: str = "", **update) -> TrainSpec:
    task = get_task("spam").model_copy(update={"labels": ("ham", "spam")})
    problem = Problem(code="short", severity="warning", message="row 7 says SECRET-ROW")
    dataset = DatasetInfo(
        fingerprint="0123456789abcdef",
        name="spam.csv",
        rows=600,
        columns=("v1", "v2"),
        format="csv",
        problems=(problem,),
    )
    whole = {
        "task": task,
        "base": local_base(),
        "dataset": dataset,
        "mapping": {"text": "v2", "answer": "v1"},
        "name": name,
        **update,
    }
    return TrainSpec(**whole)


def local_base() -> BaseModel:
    return BaseModel(id="/home/somebody/models/Tiny-1M", folder="/home/somebody/models/Tiny-1M", fingerprint="cd" * 32)


def make_folder(folder: Path, spec: TrainSpec, seed: int = 0) -> Path:
    """An adapter's folder as a run leaves it, with a few random numbers for weights."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = numpy.random.default_rng(seed).random((4, 8), dtype=numpy.float32)
    save_file({"base_model.model.layer.lora_A.weight": weights}, folder / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "r": 4,
        "base_model_name_or_path": "/home/somebody/models/Tiny-1M",
        "task_type": "CAUSAL_LM",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    record = make_record(spec, spec.task, f"run-{seed}", SCORES, {"train_rows": 480, "eval_rows": 120}, 10)
    record["libraries"] = {"peft": "0.0.trained"}
    (folder / "lora_hub.json").write_text(json.dumps(record))
    return folder


def write_log(path: Path) -> Path:
    lines = [
        {"source": "w", "seq": 0, "at": 1.0, "kind": "state", "data": {"state": "running", "handle": {"pid": 4711}}},
        {"source": "w", "seq": 1, "at": 2.0, "kind": "metric", "data": {"step": 5, "loss": 1.25}},
        {"source": "w", "seq": 2, "at": 3.0, "kind": "exam", "data": {"note": "SECRET-ROW"}},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def publish(tmp_path: Path, name: str, *, seed: int = 0, spec: TrainSpec | None = None, **more) -> AdapterRef:
    spec = spec or make_spec(name)
    folder = make_folder(tmp_path / f"adapter-{seed}", spec, seed)
    more = {"log": write_log(tmp_path / "events.jsonl"), **more}
    return hubs.publish_adapter(folder, spec=spec, scores=SCORES, run_id=f"run-{seed}", **more)


def watch_hub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of all requests that the Hub's client makes from now on."""
    found: list[str] = []
    send = httpx2.Client.send
    monkeypatch.setattr(
        httpx2.Client, "send", lambda self, request, **how: found.append(str(request.url)) or send(self, request, **how)
    )
    return found
