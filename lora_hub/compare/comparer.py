"""One question answered by a base and its adapters side by side, in one batch through the adapter stack.

`Comparer` holds the loaded bases; app.py creates one and passes it on. Each adapter gets the question in its own
template, as it was trained; the base gets the first adapter's.
"""

import gc
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lora_hub.answering.line import POLL_SECONDS, Line
from lora_hub.catalogue.bases import NoBase
from lora_hub.compare.panes import Pane, base_key, base_pane, resolve_adapter, slot_name
from lora_hub.core import store
from lora_hub.core.errors import AdapterError, BaseError, DataError, LoraHubError, SpecError
from lora_hub.core.messages import _, joined
from lora_hub.core.schema import BASE_EXAMPLES, Answer, BaseModel, PaneAnswer, Problem, Scores
from lora_hub.evaluation.minimum import check_metrics

# Bases kept in memory at once. Of those without a running question, the least recently used is unloaded first.
MAX_LOADED = 1
DEFAULT_NEW_TOKENS = 128
# Panes and a question, as `Comparer.stream` names its parts -> what it yields, and an error where it raises one.
Elsewhere = Callable[[Sequence[Pane], dict[str, Any]], Iterator[PaneAnswer | LoraHubError]]


@dataclass(frozen=True)
class Loaded:
    """A base in memory with its adapter stack and the queue of its visitors. tokenizers: those that adapters bring."""

    stack: Any
    tokenizer: Any
    visitors: Any
    tokenizers: Any

    def tokenizer_of(self, pane: Pane) -> Any:
        """The tokenizer for a pane: its own if it brings one. Raises AdapterError."""
        return self.tokenizers.of(pane.folder, pane.name) if pane.folder is not None else self.tokenizer


class Comparer:
    """Answers questions with bases and adapters. Thread-safe: visitors of the same base are answered in one running
    batch. Whoever needs another base waits, in order of arrival, until a loaded one is idle. base: overrides the base
    of every adapter, for adapters whose base is elsewhere on this machine or that name none. elsewhere: what answers a
    question in the place of this process (zero_gpu.py)."""

    def __init__(
        self,
        base: str = "",
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._base, self._elsewhere = base, elsewhere
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._users: Counter[str] = Counter()  # running questions, by the base's key
        self._freed = threading.Condition()
        self._line = Line()

    def resolve(self, adapters: Sequence[str | Pane]) -> list[Pane]:
        """The panes of these names: a run's id, a PEFT folder, a repo id or repo@revision. An item that is already a
        pane is returned unchanged.

        Raises AdapterError if one cannot be found, or if they do not share one base.
        """
        panes = [one if isinstance(one, Pane) else resolve_adapter(one, self._base) for one in adapters]
        for pane in panes[1:]:
            if base_key(pane.base) != base_key(panes[0].base):
                raise AdapterError(
                    _("{name} was made for {base}, {other} for {other_base}."),
                    _("Compare adapters of one base."),
                    name=panes[0].name,
                    base=panes[0].base.id,
                    other=pane.name,
                    other_base=pane.base.id,
                )
        return panes

    def stream(
        self,
        adapters: Sequence[str | Pane],
        *,
        base: bool = True,
        prompt: str = "",
        inputs: dict[str, Any] | None = None,
        max_new_tokens: int = 0,
        most_new_tokens: int = 0,
        temperature: float = 0.0,
        seed: int = 0,
        free_text: bool = False,
        reference: str = "",
        cancelled: Callable[[], bool] | None = None,
    ) -> Iterator[PaneAnswer]:
        """Yields the answers of all panes as they grow, the base's first if `base`.

        max_new_tokens: 0 means the task's own limit; it is capped at `most_new_tokens` if given, because a task may be
        a stranger's. Pass either `prompt` (for a task with several inputs, the whole prompt unchanged) or `inputs` by
        role. A pane whose task has labels answers with one of them, as in the exam, unless `free_text`. reference: the
        reference answer for the first adapter's task, if known.

        Raises AdapterError, BaseError, DataError, SpecError (an input that a task does not have).
        """
        panes = self.resolve(adapters)
        if not panes:
            raise AdapterError(_("No adapter was chosen."), _("Choose one to four adapters."))
        if self._elsewhere is not None:
            question = {
                "base": base,
                "prompt": prompt,
                "inputs": inputs,
                "max_new_tokens": max_new_tokens,
                "most_new_tokens": most_new_tokens,
                "temperature": temperature,
                "seed": seed,
                "free_text": free_text,
                "reference": reference,
            }
            yield from self._stream_elsewhere(panes, question, cancelled)
            return
        from lora_hub.answering import generate, questions
        from lora_hub.evaluation import metrics

        panes = [base_pane(panes[0]), *panes] if base else panes
        named = [panes[1].name, *(pane.name for pane in panes[1:])] if base else [pane.name for pane in panes]
        read = [
            questions.read_question(pane.task, name, prompt, inputs) for pane, name in zip(panes, named, strict=True)
        ]
        with self._asking(panes, cancelled) as found:
            if found is None:
                yield from (
                    PaneAnswer(pane=place, name=pane.name, revision=pane.revision, answer=Answer(finish="cancelled"))
                    for place, pane in enumerate(panes)
                )
                return
            loaded, names = found
            for _task, (inputs_read,) in read:
                questions.check_length(loaded.stack, inputs_read)
            asked = [
                questions.put(
                    loaded.tokenizer_of(pane),
                    *question,
                    adapter=name,
                    calibration=pane.calibration,
                    labels=() if free_text else questions.labels_of(pane.task),
                )[0]
                for pane, name, question in zip(panes, names, read, strict=True)
            ]
            judged_task = panes[1 if base else 0].task if reference else None

            def told(place: int, answer: Answer) -> PaneAnswer:
                pane, divergence, judgement = panes[place], None, None
                if answer.done and answer.finish != "cancelled":
                    if pane.folder is not None:
                        row = generate.PromptRow(ids=asked[place].ids, adapter=asked[place].adapter)
                        divergence = generate.divergence(loaded.stack, loaded.tokenizer, row, answer.ids)
                    if (
                        judged_task is not None
                        and pane.task is not None
                        and pane.task.id == judged_task.id
                        and (not pane.task.labels or reference in pane.task.labels)
                    ):
                        judgement = metrics.judge(judged_task, [answer.text], [reference])[0]
                return PaneAnswer(
                    pane=place,
                    name=pane.name,
                    revision=pane.revision,
                    answer=answer,
                    divergence=divergence,
                    judgement=judgement,
                    task=pane.task,
                )

            writing = [pane for pane, one in zip(panes, asked, strict=True) if one.choices is None]
            most = max_new_tokens or max(
                (pane.task.max_new_tokens if pane.task else DEFAULT_NEW_TOKENS for pane in writing), default=1
            )
            most = min(most, most_new_tokens or most)
            for place, answer in questions.stream(
                loaded.stack,
                loaded.tokenizer,
                asked,
                max_new_tokens=most,
                temperature=temperature,
                seed=seed,
                cancelled=cancelled,
                visitors=loaded.visitors,
            ):
                yield told(place, answer)

    def _stream_elsewhere(
        self, panes: Sequence[Pane], question: dict[str, Any], cancelled: Callable[[], bool] | None
    ) -> Iterator[PaneAnswer]:
        """The answers that come from elsewhere. Where the question is cancelled, those that have not ended end."""
        shown = [base_pane(panes[0]), *panes] if question["base"] else panes
        last = {
            place: PaneAnswer(pane=place, name=pane.name, revision=pane.revision) for place, pane in enumerate(shown)
        }
        for told in self._elsewhere(panes, question):
            if isinstance(told, LoraHubError):
                raise told
            last[told.pane] = told
            yield told
            if cancelled is not None and cancelled():
                break
        for told in last.values():
            if not told.done:
                yield told.model_copy(update={"answer": told.answer.model_copy(update={"finish": "cancelled"})})

    def score_file(
        self,
        adapters: Sequence[str | Pane],
        file: Path,
        mapping: dict[str, str] | None = None,
        *,
        base: bool = True,
        max_rows: int = 0,
        minimum: Mapping[str, float] | None = None,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> dict[str, Any]:
        """Scores the panes on a file of their task: {"rows": n, "metrics": {name: Scores}, "comparisons": {name:
        PairedComparison}, "problems": [Problem]}.

        max_rows: 0 means all rows. minimum: scores that will be required; raises SpecError, before anything is read, if
        it names a metric that a pane's task does not have. comparisons: each adapter against the base, if the base was
        asked. problems: what makes the scores less meaningful, such as labels that the adapter never learned. Raises
        DataError if the adapter knows none of the file's labels, because every score would be 0.
        """
        from lora_hub.data.checks import checks
        from lora_hub.data.columns import columns
        from lora_hub.data.inspector import inspect_file
        from lora_hub.data.mending.mends import for_test
        from lora_hub.data.prompts import prepare
        from lora_hub.data.prompts.split import cluster_examples
        from lora_hub.evaluation import exam

        panes = self.resolve(adapters)
        for pane in panes:
            if pane.task is not None:
                check_metrics(minimum or {}, pane.task)
        asked = next((pane for pane in panes if pane.task), None)
        task = asked.task if asked else None
        if task is None:
            raise AdapterError(
                _("{name} does not say which task it is for."),
                _("Give --prompt instead of --test."),
                name=panes[0].name,
            )
        try:
            columns.check_roles(task, mapping or {})
        except DataError as error:  # the request is wrong, not the data
            raise SpecError(error.said, error.advice) from error
        lost = panes[0].missing
        if base:
            first = replace(base_pane(panes[0]), task=task)
            panes = [
                first,
                *([replace(first, name=BASE_EXAMPLES, shown=panes[0].shown)] if panes[0].shown else []),
                *panes,
            ]
        kept = store.add_dataset(file)
        seen = inspect_file(kept, task, mapping, mends=for_test(asked.mends), is_test=True)
        columns.check_mapping(seen.table, task, seen.mapping)
        examples = prepare.build_examples(seen.table, task, seen.mapping)
        examples = examples[:max_rows] if max_rows else examples
        problems = [problem for problem in seen.table.problems if problem.code == "test-part"]
        problems += [
            found.problem for found in checks.find_unseen(task, seen.table, seen.mapping, seen.table, seen.mapping)
        ]
        if base and lost:
            problems.append(Problem(code="examples_missing", severity="warning", said=lost))
        if wrong := next((problem for problem in problems if problem.severity == "error"), None):
            raise DataError(wrong.said, wrong.advice)
        scores: dict[str, Scores] = {}
        answers: dict[str, list[Answer]] = {}
        clusters = cluster_examples(examples)
        with self._asking(panes) as (loaded, names):
            if task.is_chat:  # before any answer: find every row that any of the tokenizers refuses
                for tokenizer in {id(one): one for one in map(loaded.tokenizer_of, panes)}.values():
                    prepare.check_refused(tokenizer, task, examples)
            examples = prepare.written(loaded.tokenizer, examples)
            for pane, name in zip(panes, names, strict=True):
                shown = pane.shown if pane.folder is None else ()
                if shown and not exam.fit_context(loaded.stack, loaded.tokenizer, task, examples, shown):
                    continue  # rows longer than the run's leave the base no room for its examples
                if pane.task is not None and pane.task.id != task.id:
                    raise AdapterError(
                        _("{name} is for the task {task}, {other} for {other_task}."),
                        _("Score adapters of one task."),
                        name=pane.name,
                        task=pane.task.id,
                        other=panes[0].name,
                        other_task=task.id,
                    )
                told = (lambda done, total, name=pane.name: progress(name, done, total)) if progress else None
                answers[pane.name] = exam.answer_examples(
                    loaded.stack,
                    loaded.tokenizer_of(pane),
                    pane.task or task,
                    examples,
                    name,
                    calibration=pane.calibration,
                    shown=shown,
                    progress=told,
                )
                scores[pane.name] = exam.score_answers(task, answers[pane.name], examples, clusters)
        comparisons = exam.compare_all(task, answers, examples, scores, clusters) if base else {}
        return {"rows": len(examples), "metrics": scores, "comparisons": comparisons, "problems": problems}

    @contextmanager
    def _asking(
        self, panes: list[Pane], cancelled: Callable[[], bool] | None = None
    ) -> Iterator[tuple[Loaded, list[str]] | None]:
        """The panes' base with their adapters, and their names in its stack; all stay loaded until the block ends. None
        if `cancelled` returned true while this waited for others."""
        names = [slot_name(pane) for pane in panes]
        folders = {name: pane.folder for name, pane in zip(names, panes, strict=True) if pane.folder is not None}
        with self._using(panes, cancelled) as loaded:
            if loaded is None:
                yield None
                return
            with loaded.stack.hold(folders, cancelled=cancelled) as held:
                yield (loaded, names) if held is not None else None

    @contextmanager
    def _using(self, panes: list[Pane], cancelled: Callable[[], bool] | None) -> Iterator[Loaded | None]:
        """The panes' base in memory. It stays there until the block ends."""
        base = panes[0].base
        key = base_key(base)
        with self._line.turn(cancelled) as mine:
            try:
                loaded = self._load(key, base, cancelled) if mine else None
            except BaseError as error:
                whose = next((pane.name for pane in panes if pane.folder is not None), panes[0].name)
                hint = error.advice
                if isinstance(error, NoBase):  # an adapter has one base, so "choose another" would not help
                    hint = _(
                        "Name the base with --base where it is called otherwise or lies in a folder here, or try "
                        "again when the Hub has it and can be reached."
                    )
                raise BaseError(
                    joined(_("{name} cannot be asked without its base.", name=whose), error.said), hint
                ) from error
        try:
            yield loaded
        finally:
            if loaded is not None:
                with self._freed:
                    self._users[key] -= 1
                    self._freed.notify_all()

    def _load(self, key: str, base: BaseModel, cancelled: Callable[[], bool] | None) -> Loaded | None:
        """Called in turn only, so nobody else is loading."""
        from lora_hub.answering import generate, loading
        from lora_hub.answering.adapter_tokenizer import AdapterTokenizers
        from lora_hub.answering.stack import AdapterStack

        with self._freed:
            while key not in self._loaded and len(self._loaded) >= MAX_LOADED:
                idle = next((known for known in self._loaded if not self._users[known]), None)
                if idle is not None:
                    self._loaded.pop(idle).stack.close()
                elif cancelled is not None and cancelled():
                    return None
                else:
                    self._freed.wait(POLL_SECONDS)
            if key in self._loaded:
                self._loaded.move_to_end(key)
                self._users[key] += 1
                return self._loaded[key]
        gc.collect()  # a model and its layers form a reference cycle: without this two bases would be in memory
        tokenizer = loading.load_tokenizer(base)
        stack = AdapterStack(loading.load_base(base), base)
        tokenizers = AdapterTokenizers(tokenizer)
        loaded = Loaded(stack, tokenizer, generate.open_queue(stack, tokenizer), tokenizers)
        with self._freed:
            self._loaded[key] = loaded
            self._users[key] += 1
        return loaded
