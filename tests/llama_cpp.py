"""llama.cpp itself, as the package `xllamacpp` carries it: what it reads in a GGUF file, and what it answers."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xllamacpp


class LlamaCpp:
    """A model in this process, with an adapter beside it."""

    def __init__(self, model: Path, adapter: Path | None, context: int) -> None:
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        params.n_ctx, params.n_parallel, params.warmup = context, 1, False
        params.cpuparams.n_threads = 1
        params.verbosity = -1
        params.fit_params = False
        if adapter is not None:
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
        self._server = xllamacpp.Server(params)

    def tokens(self, text: str) -> list[int]:
        """Without what the model begins texts with; the names of special tokens count as such."""
        return self._ask("tokenize", {"content": text, "add_special": False, "parse_special": True})["tokens"]

    def next_tokens(self, ids: list[int], most: int = 5) -> dict[int, float]:
        """The likeliest next tokens, with their log likelihood; none where the likeliest is a part of a letter, which
        llama.cpp's server does not tell."""
        asked = {"prompt": ids, "n_predict": 8, "n_probs": most, "temperature": 0, "ignore_eos": True}
        told = self._ask("completion", asked | {"return_tokens": True})
        first = told.get("completion_probabilities", [{"id": -1}])[0]
        return {one["id"]: one["logprob"] for one in first["top_logprobs"]} if first["id"] == told["tokens"][0] else {}

    def answer(self, prompt: str, **asked: Any) -> str:
        return self._ask("completion", {"prompt": prompt, "temperature": 0, **asked})["content"]

    def _ask(self, door: str, asked: dict[str, Any]) -> dict[str, Any]:
        address = f"{self._server.listening_address}/{door}"
        request = urllib.request.Request(address, json.dumps(asked).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


@contextmanager
def loaded(model: Path, adapter: Path | None = None, context: int = 256) -> Iterator[LlamaCpp]:
    """Raises RuntimeError where llama.cpp refuses the model or the adapter."""
    yield LlamaCpp(model, adapter, context)
