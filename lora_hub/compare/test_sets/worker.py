"""A test's own process: read the rows, ask everybody, compute what was found. `python -m
lora_hub.compare.test_sets.worker TEST`.

It holds the test's lock, survives the app, and on SIGTERM ends as cancelled. One test answers at a time on a machine;
the next ones wait for it. Whatever ends it, what was answered is kept, so that it resumes where it was.
"""

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

from lora_hub.catalogue import bases
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane, find_here, resolve_adapter, with_examples_of
from lora_hub.compare.test_sets import folders, judge, reading
from lora_hub.compare.test_sets.answering import load_tokenizers
from lora_hub.compare.test_sets.fitting import find_seen, fit_test
from lora_hub.compare.test_sets.nouns import JudgeSpec, TestRow, TestSpec
from lora_hub.compare.test_sets.panes_asked import (
    AskedPanes,
    answer_test,
    ask_panes,
    few_shot_of,
    write_examples,
)
from lora_hub.compare.test_sets.results import compute_result
from lora_hub.core import file_lock, processes, run_lock, store
from lora_hub.core.crash import explain_crash
from lora_hub.core.errors import LoraHubError
from lora_hub.core.events import EventLog
from lora_hub.core.messages import joined
from lora_hub.core.schema import Answer, Problem, RunState
from lora_hub.hub import endpoint

# What the page draws from is told so often; and how long a test waits before it looks again whether it is its turn.
TELL_SECONDS, POLL_SECONDS = 0.5, 0.5


class Cancelled(Exception):
    """A person ended the test."""


class Worker:
    """One test's work."""

    def __init__(self, test_id: str) -> None:
        self.folder = folders.folder_of(test_id)
        self.spec: TestSpec = folders.read_spec(test_id)
        self.log = EventLog(self.folder / "events.jsonl", f"worker-{os.getpid()}-{time.time_ns()}")
        self._ended = False

    def end(self, *_: object) -> None:
        """The handler of a signal."""
        self._ended = True

    def cancelled(self) -> bool:
        return self._ended or (self.folder / "cancel").exists()

    def work(self) -> None:
        """Says in the events how it ended, whatever happens."""
        try:
            self._phase("waiting")
            with _turn(self.cancelled):
                self.log.append("state", state=RunState.RUNNING)
                self._answer()
            self.log.append("state", state=RunState.SUCCEEDED)
        except Cancelled:
            self.log.append("state", state=RunState.CANCELLED)
        except BaseException as error:
            print("".join(traceback.format_exception(error)), flush=True)
            told = explain_crash(error)
            self.log.append("error", message=told.said, hint=told.advice)
            self.log.append("state", state=RunState.FAILED)

    def _answer(self) -> None:
        # The Hub's client reads its address when it is imported, so what is asked of the Hub is known before.
        here = [None if commit else find_here(name, self.spec.base_of) for name, commit in self._named()]
        asked = self.spec.judge
        if asked is not None and not asked.url:
            here.append(None if asked.is_base or asked.commit else find_here(asked.name, self.spec.base_of))
        is_local = all(pane is not None and bases.folder_of(pane.base) is not None for pane in here)
        with nullcontext() if is_local else endpoint.connected():
            self._answer_connected()

    def _answer_connected(self) -> None:
        self._phase("loading")
        asked = self._panes()
        tokenizers = load_tokenizers(asked.panes)
        self._phase("reading")
        rows, problems = folders.read_rows(self.folder), folders.read_problems(self.folder)
        is_new = rows is None
        if rows is None:
            read = self._read(asked)
            read = replace(read, examples=write_examples(asked, read.examples, tokenizers))
            rows, problems = reading.to_rows(asked.task, read), [*read.problems, *self._seen(asked, read)]
        fitted = fit_test(asked, reading.to_examples(rows), tokenizers)
        asked, tokenizers, rows = fitted.asked, fitted.tokenizers, [rows[place] for place in fitted.places]
        if is_new or fitted.problems:
            folders.write_problems(self.folder, [*problems, *fitted.problems])
            folders.write_rows(self.folder, rows)
        loaded = LoadedBases()
        answers = answer_test(
            loaded,
            asked,
            reading.to_examples(rows),
            owner=self._owner,
            tokenizers=tokenizers,
            progress=self._counting("answering"),
            cancelled=self.cancelled,
        )
        if self.cancelled() or any(one.finish == "cancelled" for of in answers.values() for one in of):
            raise Cancelled
        judged_by = self._judge(loaded, rows, answers)
        self._phase("scoring")
        few_shot = few_shot_of(asked, answers)
        folders.write_answers(self.folder, answers)
        # From the files, so that whoever reads them finds the same.
        kept = folders.read_answers(self.folder, len(rows))
        found = compute_result(asked.task, rows, kept, folders.read_verdicts(self.folder))
        if judged_by is not None:
            found["judge"] = judged_by
        about = {
            pane.name: {"revision": pane.revision, "base": pane.base.id} for pane in asked.panes if pane.name in kept
        }
        told = few_shot["reason"].model_dump(mode="json") if few_shot["reason"] else None
        folders.write_result(self.folder, {**found, "panes": about, "few_shot": {**few_shot, "reason": told}})

    def _judge(
        self, loaded: LoadedBases, rows: list[TestRow], answers: dict[str, list[Answer]]
    ) -> dict[str, Any] | None:
        """Asks the judge and writes its verdicts: {name, url, trouble}. A judge that cannot be asked leaves the scores
        as they are, and says why."""
        spec = self.spec.judge
        if spec is None:
            return None
        self._phase("judging")
        told = {"name": spec.name, "url": spec.url, "trouble": None}
        try:
            verdicts = judge.judge_matches(
                loaded,
                spec,
                None if spec.url else self._judging_pane(spec),
                judge.plan_matches(rows, answers) + judge.voted_matches(self.spec.owner, self.spec.task.id),
                owner=self._owner,
                progress=self._counting("judging"),
                cancelled=self.cancelled,
            )
        except LoraHubError as error:
            trouble = joined(error.said, error.advice)
            return told | {"trouble": trouble.model_dump(mode="json")}
        if self.cancelled():
            raise Cancelled
        folders.write_verdicts(self.folder, verdicts)
        return told

    def _judging_pane(self, spec: JudgeSpec) -> Pane:
        if spec.is_base:
            base = bases.get_base(spec.name)
            return Pane(spec.name, base, base.revision)
        name = f"{spec.name.partition('@')[0]}@{spec.commit}" if spec.commit else spec.name
        return resolve_adapter(name, self.spec.base_of)

    @property
    def _owner(self) -> str:
        """For whom answers are kept."""
        return "" if self.spec.owner == "local" else self.spec.owner

    def _named(self) -> list[tuple[str, str]]:
        """(name, commit) of each adapter."""
        commits = self.spec.commits or ("",) * len(self.spec.adapters)
        return list(zip(self.spec.adapters, commits, strict=True))

    def _panes(self) -> AskedPanes:
        panes = []
        for name, commit in self._named():
            pane = resolve_adapter(f"{name.partition('@')[0]}@{commit}" if commit else name, self.spec.base_of)
            if not pane.shown and pane.run and pane.run == self.spec.examples_of:
                pane = with_examples_of(pane, pane.run)
            panes.append(replace(pane, name=name))
        return ask_panes(panes, base=self.spec.base, examples=self.spec.examples, every_base=True)

    def _read(self, asked: AskedPanes) -> reading.ReadRows:
        if self.spec.dataset is None:
            return reading.read_held_out_rows(self.spec.run, max_rows=self.spec.max_rows)
        file = store.dataset_file(self.spec.dataset)
        return reading.read_file(file, asked.task, self.spec.mapping, self.spec.mends, max_rows=self.spec.max_rows)

    def _seen(self, asked: AskedPanes, read: reading.ReadRows) -> list[Problem]:
        file = self.spec.dataset
        return find_seen(asked, file.fingerprint, read.problems) if file is not None else []

    def _phase(self, name: str) -> None:
        if self.cancelled():
            raise Cancelled
        print(f"[{time.strftime('%H:%M:%S')}] {name}", flush=True)
        self.log.append("progress", phase=name, step=0, total=0, eta=None)

    def _counting(self, phase: str) -> Callable[[int, int], None]:
        """What tells in the events how far a phase is."""
        began, told, first = time.monotonic(), 0.0, 0

        def tell(done: int, total: int) -> None:
            nonlocal told, first
            now = time.monotonic()
            if not told:
                first = done  # kept from before: they took no time
            if done < total and now - told < TELL_SECONDS:
                return
            told = now
            eta = (now - began) / (done - first) * (total - done) if done - first else None
            self.log.append("progress", phase=phase, step=done, total=total, eta=eta)

        return tell


@contextmanager
def _turn(cancelled: Callable[[], bool]) -> Iterator[None]:
    """Waits until no other test of this machine answers. Raises Cancelled."""
    lock = folders.tests_dir() / ".turn"
    while (held := file_lock.take(lock)) is None:
        if cancelled():
            raise Cancelled
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        os.close(held)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m lora_hub.compare.test_sets.worker", allow_abbrev=False)
    parser.add_argument("test", metavar="TEST")
    parser.add_argument("--locks", type=int, required=True, help="the open file that holds the test's lock")
    options = parser.parse_args(arguments)
    with run_lock.adopt(options.locks):
        worker = Worker(options.test)
        signal.signal(signal.SIGTERM, worker.end)
        worker.work()


if __name__ == "__main__":
    processes.set_environment()
    main(sys.argv[1:])
