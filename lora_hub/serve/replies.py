"""Answers in OpenAI's objects: whole, and as the chunks of a stream.

reply = Reply(ChatRequest(...), wanted)
reply.whole(pieces)                     the response
reply.chunks(piece)                     the chunks that a piece of an answer adds
"""

import json
import math
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from lora_hub.models import Piece, Wanted, read_calls
from lora_hub.serve.requests import Asking, ChatRequest

Json = dict[str, Any]
# Of a label that is certain beyond what a float holds.
LEAST_LOGPROB = -9999.0


class Reply:
    """The answer to one request. request: as it was sent; wanted: as it was asked."""

    def __init__(self, request: Asking, wanted: Wanted) -> None:
        self._request, self._wanted = request, wanted
        self._is_chat = isinstance(request, ChatRequest)
        self._tools = request.offered if isinstance(request, ChatRequest) else []
        self._id = f"{'chatcmpl' if self._is_chat else 'cmpl'}-{uuid.uuid4().hex}"
        self._created = int(time.time())
        self._last: dict[int, Piece] = {}  # by the choice's index
        self._sent: dict[int, str] = {}

    def whole(self) -> Json:
        """The response, once all pieces were added."""
        choices = [self._choice(index, self._last[index], self._wholly(index)) for index in sorted(self._last)]
        return {**self._head(""), "choices": choices, "usage": self.usage()}

    def add(self, piece: Piece) -> list[Json]:
        """Adds a piece. Returns the chunks with which a stream tells it."""
        index = piece.place * self._wanted.samples + piece.sample
        chunks = []
        if index not in self._last and self._is_chat:
            chunks.append(self._chunk(index, {"role": "assistant", "content": ""}))
        self._last[index] = piece
        new = ""
        if not self._tools:  # what may be a call is told when it is complete
            new = piece.text[len(self._sent.get(index, "")) :]
            if new:
                self._sent[index] = piece.text
        if new and not piece.finish:
            chunks.append(self._chunk(index, {"content": new} if self._is_chat else new))
        if piece.finish:
            chunks += self._last_chunks(index, piece, new)
        return chunks

    def usage(self) -> Json:
        prompts = {piece.place: piece.prompt_tokens for piece in self._last.values()}
        asked, answered = sum(prompts.values()), sum(piece.tokens for piece in self._last.values())
        return {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}

    def usage_chunk(self) -> Json:
        return {**self._head(".chunk"), "choices": [], "usage": self.usage()}

    def _head(self, kind: str) -> Json:
        model = next((piece.model for piece in self._last.values()), self._wanted.model)
        name = f"chat.completion{kind}" if self._is_chat else "text_completion"
        return {"id": self._id, "object": name, "created": self._created, "model": model}

    def _wholly(self, index: int) -> Json | str:
        """The message of a choice, or its text."""
        piece = self._last[index]
        if not self._is_chat:
            return piece.text
        text, calls = read_calls(piece.text, self._tools) if self._tools else (piece.text, [])
        message: Json = {"role": "assistant", "content": text if text or not calls else None, "refusal": None}
        if calls:
            message["tool_calls"] = [_call(call) for call in calls]
        return message

    def _choice(self, index: int, piece: Piece, said: Json | str) -> Json:
        key = "message" if self._is_chat else "text"
        finish = "tool_calls" if isinstance(said, dict) and said.get("tool_calls") else piece.finish
        return {"index": index, key: said, "logprobs": self._logprobs(piece), "finish_reason": finish}

    def _last_chunks(self, index: int, piece: Piece, new: str) -> Iterator[Json]:
        if not self._is_chat:
            yield self._chunk(index, new, piece.finish)
            return
        said = self._wholly(index)
        calls = said.get("tool_calls", [])
        delta: Json = (
            {"content": said["content"]} if self._tools and said["content"] else {"content": new} if new else {}
        )
        if calls:
            delta["tool_calls"] = [{"index": place, **call} for place, call in enumerate(calls)]
        logprobs = self._logprobs(piece)
        if delta:
            yield self._chunk(index, delta, logprobs=logprobs)
        yield self._chunk(index, {}, "tool_calls" if calls else piece.finish)

    def _chunk(self, index: int, delta: Json | str, finish: str = "", logprobs: Json | None = None) -> Json:
        key = "delta" if self._is_chat else "text"
        choice = {"index": index, key: delta, "logprobs": logprobs, "finish_reason": finish or None}
        told = {**self._head(".chunk"), "choices": [choice]}
        return {**told, "usage": None} if self._request.with_usage else told

    def _logprobs(self, piece: Piece) -> Json | None:
        """The chances of the labels, as those of one token which is the whole label."""
        if not self._wanted.logprobs or not isinstance(self._request, ChatRequest):
            return None
        likely = sorted(piece.probabilities.items(), key=lambda pair: -pair[1])
        most = self._request.top_logprobs or 0
        chosen = _token(piece.text, piece.probabilities.get(piece.text, 0.0))
        return {"content": [{**chosen, "top_logprobs": [_token(*one) for one in likely[:most]]}], "refusal": None}


def classified(wanted: Wanted, pieces: list[Piece]) -> Json:
    """The response of /v1/classify: vLLM's form (`label`, `probs`), and the chance of each label by its name."""
    pieces = sorted(pieces, key=lambda piece: piece.place)
    asked = sum(piece.prompt_tokens for piece in pieces)
    return {
        "id": f"classify-{uuid.uuid4().hex}",
        "object": "list",
        "created": int(time.time()),
        "model": next((piece.model for piece in pieces), wanted.model),
        "data": [
            {
                "index": piece.place,
                "label": piece.text,
                "probs": _rounded(piece.probabilities.values()),
                "num_classes": len(piece.probabilities),
                "probabilities": dict(zip(piece.probabilities, _rounded(piece.probabilities.values()), strict=True)),
            }
            for piece in pieces
        ],
        "usage": {"prompt_tokens": asked, "completion_tokens": 0, "total_tokens": asked},
    }


def model_object(name: str, owner: str, created: int, **more: Any) -> Json:
    return {"id": name, "object": "model", "created": created, "owned_by": owner, **more}


def event(told: Json | str) -> bytes:
    """One event of a stream."""
    text = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return f"data: {text}\n\n".encode()


def _call(call: Mapping[str, Any]) -> Json:
    arguments = json.dumps(call["arguments"], ensure_ascii=False)
    return {
        "id": f"call_{uuid.uuid4().hex[:24]}",
        "type": "function",
        "function": {"name": call["name"], "arguments": arguments},
    }


def _token(text: str, chance: float) -> Json:
    logprob = math.log(chance) if chance > 0 else LEAST_LOGPROB
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def _rounded(chances: Any) -> list[float]:
    return [round(chance, 6) for chance in chances]
