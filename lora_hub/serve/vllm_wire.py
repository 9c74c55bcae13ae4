"""vLLM's HTTP wire, as its documentation has it, with what it refuses in words.

wire = VllmWire("http://gpu:8000")
wire.ask("GET", "/v1/models")
for told in wire.events({"model": "m", "prompt": [[1, 2]], "stream": True}, None): ...
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx

from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _
from lora_hub.models import ParameterError

# Seconds in which it has to accept a request, load an adapter, and say something new of an answer.
CONNECT_SECONDS, LOAD_SECONDS, SILENT_SECONDS = 10.0, 300.0, 120.0
# Of one event, and of all that it says about labels.
MOST_LINE, MOST_REPLY = 1 << 20, 256 << 20


class VllmWire:
    """Safe to use from any number of threads. url: with or without /v1. key: that the server asks for."""

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        headers = {"authorization": f"Bearer {key}"} if key else {}
        timeout = httpx.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS)
        self._client = httpx.Client(base_url=self.url, headers=headers, timeout=timeout, trust_env=False)

    def call(self, path: str, body: dict[str, Any], is_well: Sequence[str]) -> None:
        """Asks for something to be done. is_well: words of a refusal that says it is so already. Raises BaseError."""
        try:
            answered = self._client.post(path, json=body, timeout=httpx.Timeout(LOAD_SECONDS, connect=CONNECT_SECONDS))
        except httpx.HTTPError as error:
            raise self._unreached(error) from error
        said = answered.text[:2000].lower()
        if answered.is_success or (answered.status_code in (400, 404) and any(one in said for one in is_well)):
            return
        if answered.status_code == 404 and "lora" not in said:
            raise self.trouble(_("it loads no adapters (set VLLM_ALLOW_RUNTIME_LORA_UPDATING=True there)"))
        raise self._refused(answered.status_code, answered.text)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Its reply. Raises BaseError, and ParameterError where it refuses the question."""
        try:
            with self._client.stream(method, path, json=body) as answered:
                read = bytearray()
                for part in answered.iter_bytes():
                    read += part
                    if len(read) > MOST_REPLY:
                        raise self.trouble(_("its reply is too large"))
        except httpx.HTTPError as error:
            raise self._unreached(error) from error
        if not answered.is_success:
            raise self._refused(answered.status_code, read.decode(errors="replace"))
        try:
            told = json.loads(read)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise self.trouble(_("its reply is no JSON object"))
        return told

    def events(self, body: dict[str, Any], cancelled: Callable[[], bool] | None) -> Iterator[dict[str, Any]]:
        """The events of a completion. Whoever stops reading ends it there, too: the connection is closed."""
        try:
            with self._client.stream("POST", "/v1/completions", json=body) as answered:
                if not answered.is_success:
                    raise self._refused(answered.status_code, answered.read()[:2000].decode(errors="replace"))
                for line in answered.iter_lines():
                    if cancelled is not None and cancelled():
                        return
                    data = line.removeprefix("data:").strip()
                    if not line.startswith("data:") or len(line) > MOST_LINE:
                        continue
                    if data == "[DONE]":
                        return
                    try:
                        told = json.loads(data)
                    except (ValueError, RecursionError):
                        raise self.trouble(_("what it sends is no completion")) from None
                    if not isinstance(told, dict) or "error" in told:
                        raise self.trouble(_("it broke off: {said}", said=str(data)[:200]))
                    yield told
        except httpx.HTTPError as error:
            raise self._unreached(error) from error

    def _unreached(self, error: Exception) -> BaseError:
        return BaseError(
            _("The engine at {url} cannot be reached ({reason})."),
            _("Start it, or name another with --engine."),
            url=self.url,
            reason=type(error).__name__,
        )

    def _refused(self, status: int, said: str) -> BaseError | ParameterError:
        """What it refuses of a question is the question's fault."""
        try:
            told = json.loads(said)
            told = told.get("error", told)
            said = str(told.get("message", said))
        except (ValueError, AttributeError, RecursionError):
            pass
        said = " ".join(said.split())[:300]
        if status == 400:
            return ParameterError(
                "", _("The engine will not answer this: {said}"), _("Change it and ask again."), said=said
            )
        return self.trouble(_("HTTP {status}: {said}", status=str(status), said=said))

    def trouble(self, why: Any) -> BaseError:
        """What is said where it does not answer as it should. why: without a full stop."""
        return BaseError(
            _("The engine at {url} does not answer as vLLM does: {why}."),
            _("Look at its log; it has to be a vLLM with --enable-lora."),
            url=self.url,
            why=why,
        )
