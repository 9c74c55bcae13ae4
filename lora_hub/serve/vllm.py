"""The engine elsewhere: the same questions, sent to a vLLM server that has the base.

    engine = VllmEngine("http://gpu:8000", AdapterTokenizers(tokenizer), sends_repos=True)
    for piece in engine.answer(pane, wanted): ...

Each question is put in the adapter's own template here and sent as token ids to its /v1/completions, so that vLLM's
chat template has no part in it. Labels are judged as here, by the likelihood of each whole label (`prompt_logprobs`).

An adapter is loaded at its first question (/v1/load_lora_adapter, which vLLM has with
VLLM_ALLOW_RUNTIME_LORA_UPDATING=True) and unloaded when others need its place (/v1/unload_lora_adapter). vLLM is told
the adapter's folder, which has to be the same path there, or with `sends_repos` its repository, which vLLM fetches by
itself, always its newest commit; versions then are refused.

Proved against a stub of vLLM's documented wire (tests/serve/test_vllm.py), and against nothing else.
"""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lora_hub.compare import Pane
from lora_hub.core.messages import _
from lora_hub.core.schema import Answer
from lora_hub.models import NoModel, Piece, Stops, Wanted, grown, labelled, put_all
from lora_hub.serve.vllm_wire import VllmWire

# Adapters that are loaded there at most, and bytes of their files.
MOST_LOADED, MOST_BYTES = 64, 16 << 30
_POLL_SECONDS = 0.05


class VllmEngine:
    """Safe to use from any number of threads. url: of vLLM, with or without /v1. key: it asks for. tokenizers: as
    `adapter_tokenizer.AdapterTokenizers`. sends_repos: name repositories and not folders."""

    bases = None  # the router reads a base's hidden states, which no wire gives

    def __init__(
        self,
        url: str,
        tokenizers: Any,
        *,
        key: str = "",
        sends_repos: bool = False,
        most_loaded: int = MOST_LOADED,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._wire = VllmWire(url, key)
        self._tokenizers, self._sends_repos = tokenizers, sends_repos
        self._most_loaded, self._most_bytes = most_loaded, most_bytes
        self._base_name = ""
        self._lock = threading.Condition()
        self._loaded: OrderedDict[str, int] = OrderedDict()  # bytes by name, least recently asked first
        self._loading: set[str] = set()
        self._paths: dict[str, str] = {}  # by name, where folders are sent
        self._users: Counter[str] = Counter()

    def folders(self) -> Collection[Path]:
        """Of the adapters that are loaded there: it reads them again whenever its own memory was too small."""
        with self._lock:
            return [Path(self._paths[name]) for name in (*self._loaded, *self._loading) if name in self._paths]

    def warm(self, pane: Pane) -> None:
        """Finds by which name the base is known there. Raises BaseError."""
        listed = self._wire.ask("GET", "/v1/models").get("data")
        names = [one.get("id") for one in listed or () if isinstance(one, dict) and not one.get("parent")]
        if not names or not isinstance(names[0], str):
            raise self._wire.trouble(_("it lists no base"))
        self._base_name = names[0]

    def answer(
        self, pane: Pane, wanted: Wanted, *, most_new_tokens: int = 0, cancelled: Callable[[], bool] | None = None
    ) -> Iterator[Piece]:
        """As `LocalEngine.answer`."""
        tokenizer = self._tokenizers.of(pane.folder, pane.name) if pane.folder is not None else self._tokenizers.base
        asked = put_all(tokenizer, pane, pane.name, wanted)
        with self._using(pane, cancelled) as model:
            if model is None:
                return
            if asked[0].choices is not None:
                yield from labelled(asked, self._chosen(model, asked), wanted)
            else:
                yield from self._written(
                    model, pane, asked, wanted, wanted.tokens_for(pane.task, most_new_tokens), cancelled
                )

    def _written(
        self,
        model: str,
        pane: Pane,
        asked: Sequence[Any],
        wanted: Wanted,
        most: int,
        cancelled: Callable[[], bool] | None,
    ) -> Iterator[Piece]:
        from lora_hub.answering.generate import end_tokens_of

        body = {
            "model": model,
            "prompt": [one.ids for one in asked],
            "max_tokens": most,
            "temperature": wanted.temperature,
            "top_p": wanted.top_p,
            "n": wanted.samples,
            "stream": True,
            "add_special_tokens": False,
            "stop_token_ids": sorted(end_tokens_of(asked[0].tokenizer)),
            **({"seed": wanted.seed} if wanted.seed is not None else {}),
            **({"stop": list(wanted.stop)} if wanted.stop else {}),
        }
        stops, is_raw = Stops(wanted.stop), pane.task is None and wanted.asked[0].text is not None
        texts: dict[int, str] = {}
        counts: Counter[int] = Counter()
        left = len(asked) * wanted.samples
        for told in self._wire.events(body, cancelled):
            for choice in told.get("choices") or ():
                index, new = choice.get("index"), choice.get("text")
                if (
                    not isinstance(index, int)
                    or not isinstance(new, str)
                    or not 0 <= index < len(asked) * wanted.samples
                ):
                    raise self._wire.trouble(_("what it sends is no completion"))
                texts[index] = texts.get(index, "") + new
                counts[index] += bool(new)
                finish = choice.get("finish_reason") or ""
                left -= bool(finish)
                place, sample = divmod(index, wanted.samples)
                piece = Piece(place, sample, texts[index], finish, counts[index], len(asked[place].ids))
                yield grown(piece, stops, is_raw)
        if left and not (cancelled is not None and cancelled()):
            raise self._wire.trouble(_("an answer has no end"))

    def _chosen(self, model: str, asked: Sequence[Any]) -> list[Answer]:
        """The label of each question, by the likelihood of each whole label after the prompt."""
        from lora_hub.answering import questions

        rows = [(place, label) for place, one in enumerate(asked) for label in range(len(one.choices))]
        body = {
            "model": model,
            "prompt": [asked[place].ids + asked[place].choices[label] for place, label in rows],
            "max_tokens": 1,
            "temperature": 0,
            "prompt_logprobs": 1,
            "add_special_tokens": False,
        }
        choices = self._wire.ask("POST", "/v1/completions", body).get("choices")
        logs: list[list[float]] = [[0.0] * len(one.choices) for one in asked]
        try:
            for choice in choices:
                place, label = rows[choice["index"]]
                ids = asked[place].choices[label]
                told = choice["prompt_logprobs"][-len(ids) :]
                logs[place][label] = sum(
                    float(one[str(token)]["logprob"]) for one, token in zip(told, ids, strict=True)
                )
            if len(choices) != len(rows):
                raise ValueError
        except (KeyError, IndexError, TypeError, ValueError):
            raise self._wire.trouble(_("it does not tell the likelihood of the labels")) from None
        return [questions.choose(*pair) for pair in zip(asked, logs, strict=True)]

    @contextmanager
    def _using(self, pane: Pane, cancelled: Callable[[], bool] | None) -> Iterator[str | None]:
        """The name of a pane's model there, loaded, and not unloaded until the block ends."""
        if pane.folder is None:
            if not self._base_name:
                self.warm(pane)
            yield self._base_name
            return
        name, path, size = self._place_of(pane)
        if not self._sends_repos:
            self._paths[name] = path
        if not self._load(name, path, size, cancelled):
            yield None
            return
        try:
            yield name
        finally:
            with self._lock:
                self._users[name] -= 1
                self._lock.notify_all()

    def _place_of(self, pane: Pane) -> tuple[str, str, int]:
        """By which name an adapter is loaded, what vLLM is told of where it lies, and its bytes."""
        size = sum(file.stat().st_size for file in pane.folder.iterdir() if file.is_file())
        if not self._sends_repos:
            return f"{pane.name}@{pane.revision}" if pane.revision else pane.name, str(pane.folder.resolve()), size
        repo, _at, revision = pane.name.partition("@")
        if not pane.revision or (revision and revision != pane.revision):
            raise NoModel(
                _("vLLM fetches the newest version of a repository, and {name} is another.", name=pane.name),
                _("Ask without a version, or give the engine the same folders (--engine-adapters folders)."),
            )
        return f"{repo}@{pane.revision}", repo, size

    def _load(self, name: str, path: str, size: int, cancelled: Callable[[], bool] | None) -> bool:
        """Whether it is loaded now, and in use; not where `cancelled` said so while others used all there is."""
        with self._lock:
            while name in self._loading or (name not in self._loaded and not self._has_room(size)):
                if cancelled is not None and cancelled():
                    return False
                self._lock.wait(_POLL_SECONDS)
            self._users[name] += 1
            if name in self._loaded:
                self._loaded.move_to_end(name)
                return True
            gone = self._make_room(size)
            self._loading |= {name, *gone}
        is_there = False
        try:
            for other in gone:
                self._wire.call("/v1/unload_lora_adapter", {"lora_name": other}, ("not found", "cannot be found"))
            self._wire.call("/v1/load_lora_adapter", {"lora_name": name, "lora_path": path}, ("already",))
            is_there = True
        finally:
            with self._lock:
                self._loading -= {name, *gone}
                if is_there:
                    self._loaded[name] = size
                else:
                    self._users[name] -= 1
                self._lock.notify_all()
        return True

    def _has_room(self, size: int) -> bool:
        used = [name for name in self._loaded if self._users[name]]
        taken = sum(self._loaded[name] for name in used)
        others = len(used) + len(self._loading)
        return others < self._most_loaded and (taken + size <= self._most_bytes or not used)

    def _make_room(self, size: int) -> list[str]:
        """Takes away those that nobody asks, the least recently asked first, until one more fits."""
        gone = []
        for name in [name for name in self._loaded if not self._users[name]]:
            if len(self._loaded) < self._most_loaded and sum(self._loaded.values()) + size <= self._most_bytes:
                break
            del self._loaded[name]
            self._paths.pop(name, None)
            gone.append(name)
        return gone
