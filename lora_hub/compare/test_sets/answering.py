"""Many rows answered by many models, each question once: what is kept is read, the rest is answered and kept.

    answers = answer_panes(bases, panes, task, examples)         answers[pane][row]

Answers are `evaluation.exam`'s: a question is put by `questions.put` and answered by `questions.answer_all`, here with
rows of several adapters in one batch. They are kept by the weights that answer, the base, the question's tokens and
all that decides the answer besides (`kept_answers`), after each part of some seconds, so that whoever is cut off goes
on where they were. Where everything is kept, no base is loaded.
"""

import hashlib
import time
from array import array
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lora_hub.catalogue import bases as catalogue_bases
from lora_hub.catalogue import cached
from lora_hub.compare.loaded_bases import Loaded, LoadedBases, without_base
from lora_hub.compare.panes import Pane, base_key, slot_name
from lora_hub.compare.test_sets.kept_answers import Book, digest, open_book
from lora_hub.core.schema import BASE, Answer, BaseModel, Task
from lora_hub.data.prompts.prepare import Example
from lora_hub.hub import TOKENIZER_FILES, adapter_config

# Counted up where the same question is answered otherwise than before: all that is kept is then asked again.
WAY_OF_ANSWERING = 1
# Adapters of one batch: more are answered group after group.
MOST_TOGETHER = 8
# Questions of the first part; the next ones are as large as takes about these seconds.
FIRST_PART, PART_SECONDS = 64, 5.0


@dataclass
class _Work:
    """A pane's questions. asked: in the order of the rows. keys: their digests. answers: as far as they are known.
    most: tokens of an answer in text. unfit: the base's examples leave no room for a row."""

    pane: Pane
    asked: list[Any]
    keys: list[str]
    book: Book
    most: int
    answers: list[Answer | None]
    unfit: bool = False

    @property
    def missing(self) -> list[int]:
        return [row for row, answer in enumerate(self.answers) if answer is None]


def answer_panes(
    bases: LoadedBases,
    panes: Sequence[Pane],
    task: Task,
    examples: Sequence[Example],
    *,
    owner: str = "",
    tokenizers: Sequence[Any] = (),
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[list[Answer] | None]:
    """The answers of every pane to every row, in the order of both; None for a base whose examples (`Pane.shown`) do
    not fit into its context before each of the rows. The panes may be of several bases; those of one are answered
    together.

    task: for panes without one (the base). owner: whose rows these are; the answers are kept for them alone.
    tokenizers: `load_tokenizers` of the panes, where they are loaded already. progress:
    answers there are, kept ones included, and answers in all. cancelled: is asked before each part; answers that are
    missing then have the finish "cancelled". Raises as `LoadedBases.hold` and `questions.answer_all`.
    """
    counter = _Counter(progress, len(panes) * len(examples))
    works: list[_Work | None] = [None] * len(panes)
    tokenizers = tokenizers or load_tokenizers(panes)
    groups = _group_by_base(panes)
    for places in groups:
        model = _name_base(panes[places[0]].base)
        for place in places:
            works[place] = _put(panes[place], tokenizers[place], task, list(examples), owner, model)
    counter.add(sum(len(work.asked) - len(work.missing) for work in works))
    for places in groups:
        waiting = [works[place] for place in places if works[place].missing]
        for start in range(0, len(waiting), MOST_TOGETHER):
            _answer_together(bases, waiting[start : start + MOST_TOGETHER], counter, cancelled or (lambda: False))
    stopped = Answer(finish="cancelled")
    return [None if work.unfit else [answer or stopped for answer in work.answers] for work in works]


def answer_once(
    pane: Pane, way: str, asked: Sequence[Any], ask: Callable[[], list[Answer] | None]
) -> list[Answer] | None:
    """A model's answers to questions that `ask` puts in a way of its own, kept as `answer_panes` keeps its own: nobody
    asks them twice. They are the same for everybody, so nobody's rows may be among them. way: names how they are put.
    asked: what tells them apart, as JSON. Of an answer that was kept there are no probabilities. None where `ask` was
    cancelled."""
    who = fingerprint_adapter(pane)
    book = open_book("", *_name_base(pane.base), who, 1.0 if who == BASE else pane.strength, way)
    keys = [digest(one) for one in asked]
    known = book.read(set(keys))
    if all(key in known for key in keys):
        return [known[key] for key in keys]
    answers = ask()
    if answers is not None:
        plain = [answer.model_copy(update={"probabilities": {}}) for answer in answers]
        book.add(dict(zip(keys, plain, strict=True)))
    return answers


@dataclass
class _Counter:
    """Tells how many answers there are."""

    progress: Callable[[int, int], None] | None
    total: int
    done: int = 0

    def add(self, more: int) -> None:
        self.done += more
        self.tell()

    def tell(self, ahead: int = 0) -> None:
        if self.progress is not None:
            self.progress(self.done + ahead, self.total)


def _group_by_base(panes: Sequence[Pane]) -> list[list[int]]:
    """The places of the panes of each base."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, pane in enumerate(panes):
        found[base_key(pane.base)].append(place)
    return list(found.values())


def load_tokenizers(panes: Sequence[Pane]) -> list[Any]:
    """The tokenizer that each pane is asked with: its own, or its base's. No base is loaded. Raises BaseError,
    AdapterError."""
    from lora_hub.answering import loading
    from lora_hub.answering.adapter_tokenizer import AdapterTokenizers

    found: list[Any] = [None] * len(panes)
    for places in _group_by_base(panes):
        with without_base([panes[place] for place in places]):
            tokenizer = loading.load_tokenizer(panes[places[0]].base)
        brought = AdapterTokenizers(tokenizer)
        for place in places:
            pane = panes[place]
            found[place] = brought.of(pane.folder, pane.name) if pane.folder is not None else tokenizer
    return found


def _put(pane: Pane, tokenizer: Any, task: Task, examples: list[Example], owner: str, model: list[Any]) -> _Work:
    """A pane's questions, with the answers that are kept. model: who it is the adapter of."""
    from lora_hub.answering import questions

    asked = questions.put(
        tokenizer,
        pane.task or task,
        [example.inputs for example in examples],
        adapter=slot_name(pane),
        calibration=pane.calibration,
        shown=pane.shown if pane.folder is None else (),
    )
    most = (pane.task or task).max_new_tokens
    calibration = pane.calibration.model_dump() if pane.calibration is not None else None
    who = fingerprint_adapter(pane)
    strength = 1.0 if who == BASE else pane.strength
    book = open_book(owner, *model, who, strength, calibration)
    keys = _digests(asked, most)
    known = book.read(set(keys), asked[0].labels if asked else ())
    return _Work(pane, asked, keys, book, most, [known.get(key) for key in keys])


def fingerprint_adapter(pane: Pane) -> str:
    """Digest of all in a pane's folder that decides its answers: weights, configuration, tokenizer. A commit that
    changes the card alone changes no answer. "base" for the base, and for an adapter that is asked at no strength."""
    if pane.folder is None or pane.strength == 0:
        return BASE
    names = [adapter_config.WEIGHTS_FILE, adapter_config.CONFIG_FILE]
    names += sorted({file.name for pattern in TOKENIZER_FILES for file in pane.folder.glob(pattern)})
    return digest(*(part for name in names for part in (name, _hash_file(pane.folder / name))))


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name_base(base: BaseModel) -> list[Any]:
    """What decides a base's answers: which it is (of one from the Hub its commit here, too, since a branch moves), and
    what it computes in."""
    from lora_hub.answering import loading

    folder = cached.cached_tokenizer(base) if catalogue_bases.folder_of(base) is None else None
    device = loading.pick_device()
    commit = folder.name if folder is not None else ""
    return [WAY_OF_ANSWERING, base_key(base), commit, device.type, loading.pick_precision(device)]


def _digests(asked: list[Any], most: int) -> list[str]:
    """The questions' digests: prompt, and what may be answered."""
    choices: dict[int, str] = {}
    found = []
    for one in asked:
        if one.choices is None:
            allowed = str(most)
        else:  # the questions of a pane share their choices
            allowed = choices.setdefault(id(one.choices), digest([one.labels, one.choices, one.ends]))
        found.append(digest(array("L", one.ids).tobytes(), allowed))
    return found


def _answer_together(bases: LoadedBases, works: list[_Work], counter: _Counter, cancelled: Callable[[], bool]) -> None:
    """Answers what is missing of panes of one base, part after part, and keeps each part."""
    if cancelled():
        return
    with bases.hold([work.pane for work in works], cancelled) as found:
        if found is None:
            return
        loaded, names = found
        for work, name in zip(works, names, strict=True):
            work.asked = [replace(one, adapter=name) for one in work.asked]
            if work.pane.folder is None and work.pane.shown and not _fits(loaded.stack, work):
                work.unfit = True
                counter.total -= len(work.asked)
                counter.add(len(work.missing) - len(work.asked))
        # Answers in text end at their task's length, and labels are chosen in another way: kinds do not mix.
        kinds: dict[int | None, list[tuple[_Work, int]]] = defaultdict(list)
        for work in works:
            if not work.unfit:
                kinds[work.most if work.asked[0].choices is None else None] += [(work, row) for row in work.missing]
        for most, waiting in kinds.items():
            # Questions of one row beside each other: they begin alike. Long ones first, as long as memory is free.
            waiting.sort(key=lambda one: (-len(one[0].asked[one[1]].ids), one[1]))
            _answer_parts(loaded, waiting, most or 0, counter, cancelled)


def _answer_parts(
    loaded: Loaded, waiting: list[tuple[_Work, int]], most: int, counter: _Counter, cancelled: Callable[[], bool]
) -> None:
    from lora_hub.answering import questions

    size, start = FIRST_PART, 0
    while start < len(waiting) and not cancelled():
        part = waiting[start : start + size]
        began = time.perf_counter()
        answers = questions.answer_all(
            loaded.stack,
            loaded.tokenizer,
            [work.asked[row] for work, row in part],
            max_new_tokens=most,
            progress=lambda done, total: counter.tell(done),
            cancelled=cancelled,
        )
        kept: dict[int, dict[str, Answer]] = defaultdict(dict)
        for (work, row), answer in zip(part, answers, strict=True):
            if answer.done and answer.finish != "cancelled":
                work.answers[row] = answer
                kept[id(work)][work.keys[row]] = answer
        for work in {id(work): work for work, _row in part}.values():
            work.book.add(kept[id(work)])
        counter.add(len(part))
        start += size
        size = max(FIRST_PART, int(len(part) * PART_SECONDS / max(time.perf_counter() - began, 1e-3)))


def _fits(stack: Any, work: _Work) -> bool:
    """Whether the base's context holds the examples before each of the rows, and an answer behind."""
    from lora_hub.answering.prefill import context_length

    longest = max(map(len, work.asked[0].choices)) if work.asked[0].choices else work.most
    return max(len(one.ids) for one in work.asked) + longest <= context_length(stack)
