"""The engine of this process: one model's questions, answered in the running batch of its base beside everybody else's.

engine = LocalEngine(bases)
for piece in engine.answer(pane, wanted, cancelled=gone.is_set): ...
"""

import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lora_hub.compare import Loaded, LoadedBases, Pane
from lora_hub.core.schema import Answer
from lora_hub.models.putting import inputs_of, put_all
from lora_hub.models.stops import Stops
from lora_hub.models.wanted import Piece, Wanted

# Seeds that are drawn; what a program sends may be any whole number.
_SEEDS = 1 << 62


class LocalEngine:
    """Answers with the bases in this process's memory. Safe to use from any number of threads."""

    def __init__(self, bases: LoadedBases) -> None:
        self.bases = bases

    @classmethod
    def opened(cls, most_adapters: int, most_bytes: int) -> "LocalEngine":
        """An engine with bases of its own. most_adapters, most_bytes: as `LoadedBases`."""
        return cls(LoadedBases(most_adapters, most_bytes))

    def folders(self) -> Collection[Path]:
        """Of adapters that it may read again without being asked: none, they are in memory."""
        return ()

    def warm(self, pane: Pane) -> None:
        """Loads a pane's base, so that the first question does not wait for it. Raises BaseError."""
        with self.bases.hold([pane]):
            pass

    def answer(
        self, pane: Pane, wanted: Wanted, *, most_new_tokens: int = 0, cancelled: Callable[[], bool] | None = None
    ) -> Iterator[Piece]:
        """Yields each answer as it grows; the last piece of each has its `finish`. Raises ParameterError, AdapterError,
        BaseError, DataError."""
        from lora_hub.answering import questions

        with self.bases.hold([pane], cancelled) as held:
            if held is None:
                return
            loaded, (name,) = held
            for one in wanted.asked:
                questions.check_length(loaded.stack, inputs_of(one))
            asked = put_all(loaded.tokenizer_of(pane), pane, name, wanted)
            if asked[0].choices is not None:
                yield from self._label(loaded, asked, wanted, cancelled)
            else:
                yield from self._write(
                    loaded, pane, asked, wanted, wanted.tokens_for(pane.task, most_new_tokens), cancelled
                )

    def _label(
        self, loaded: Loaded, asked: Sequence[Any], wanted: Wanted, cancelled: Callable[[], bool] | None
    ) -> Iterator[Piece]:
        from lora_hub.answering import questions

        logs = loaded.labels.ask(list(asked), cancelled=cancelled)
        if logs is None:
            return
        yield from labelled(asked, [questions.choose(*pair) for pair in zip(asked, logs, strict=True)], wanted)

    def _write(
        self,
        loaded: Loaded,
        pane: Pane,
        asked: Sequence[Any],
        wanted: Wanted,
        most: int,
        cancelled: Callable[[], bool] | None,
    ) -> Iterator[Piece]:
        from lora_hub.answering import generate

        seed = secrets.randbelow(_SEEDS) if wanted.seed is None else wanted.seed % _SEEDS
        rows = [
            generate.PromptRow(one.ids, one.adapter, seed + sample, one.tokenizer)
            for one in asked
            for sample in range(wanted.samples)
        ]
        stops, is_raw = Stops(wanted.stop), pane.task is None and wanted.asked[0].text is not None
        open_rows = set(range(len(rows)))
        for row, answer in generate.stream(
            loaded.stack,
            loaded.tokenizer,
            rows,
            max_new_tokens=most,
            temperature=wanted.temperature,
            top_p=wanted.top_p,
            cancelled=cancelled,
            visitors=loaded.visitors,
        ):
            if row not in open_rows:
                continue
            place, sample = divmod(row, wanted.samples)
            piece = grown(
                Piece(place, sample, answer.text, answer.finish, answer.tokens, len(rows[row].ids)), stops, is_raw
            )
            if piece.finish:
                open_rows.discard(row)
            yield piece
            if not open_rows:  # what ended by one of its stops leaves the batch with the next step
                return


def grown(piece: Piece, stops: Stops, is_raw: bool) -> Piece:
    """The piece as it is told: without what may become a stop, and without the spaces around it, which belong to no
    answer to a task. is_raw: they are the text's own."""
    shown, has_ended = stops.cut(piece.text, is_complete=bool(piece.finish))
    if not is_raw:
        shown = shown.strip()
    return replace(piece, text=shown, finish="stop" if has_ended else piece.finish)


def labelled(asked: Sequence[Any], answers: Sequence[Answer], wanted: Wanted) -> Iterator[Piece]:
    """The pieces of labels that were chosen: all samples of a question are the same."""
    for place, (one, answer) in enumerate(zip(asked, answers, strict=True)):
        for sample in range(wanted.samples):
            yield Piece(place, sample, answer.text, "stop", answer.tokens, len(one.ids), dict(answer.probabilities))
