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

from lora_hub.catalogue import bases
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import find_here, resolve_adapter
from lora_hub.compare.test_sets import folders, reading
from lora_hub.compare.test_sets.answering import load_tokenizers
from lora_hub.compare.test_sets.nouns import TestSpec
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
from lora_hub.core.events import EventLog
from lora_hub.core.schema import RunState
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
        self._began, self._first, self._told = 0.0, 0, 0.0

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
        is_local = all(pane is not None and bases.folder_of(pane.base) is not None for pane in here)
        with nullcontext() if is_local else endpoint.connected():
            self._answer_connected()

    def _answer_connected(self) -> None:
        self._phase("reading")
        asked = self._panes()
        tokenizers = load_tokenizers(asked.panes)
        rows = folders.read_rows(self.folder)
        if rows is None:
            read = self._read(asked)
            read = replace(read, examples=write_examples(asked, read.examples, tokenizers))
            rows = reading.to_rows(asked.task, read)
            folders.write_problems(self.folder, read.problems)
            folders.write_rows(self.folder, rows)
        self._began = time.monotonic()
        owner = "" if self.spec.owner == "local" else self.spec.owner
        answers = answer_test(
            LoadedBases(),
            asked,
            reading.to_examples(rows),
            owner=owner,
            tokenizers=tokenizers,
            progress=self._progress,
            cancelled=self.cancelled,
        )
        if self.cancelled() or any(one.finish == "cancelled" for of in answers.values() for one in of):
            raise Cancelled
        self._phase("scoring")
        few_shot = few_shot_of(asked, answers)
        folders.write_answers(self.folder, answers)
        # From the files, so that whoever reads them finds the same.
        kept = folders.read_answers(self.folder, len(rows))
        found = compute_result(asked.task, rows, kept)
        about = {
            pane.name: {"revision": pane.revision, "base": pane.base.id} for pane in asked.panes if pane.name in kept
        }
        told = few_shot["reason"].model_dump(mode="json") if few_shot["reason"] else None
        folders.write_result(self.folder, {**found, "panes": about, "few_shot": {**few_shot, "reason": told}})

    def _named(self) -> list[tuple[str, str]]:
        """(name, commit) of each adapter."""
        commits = self.spec.commits or ("",) * len(self.spec.adapters)
        return list(zip(self.spec.adapters, commits, strict=True))

    def _panes(self) -> AskedPanes:
        panes = []
        for name, commit in self._named():
            pane = resolve_adapter(f"{name.partition('@')[0]}@{commit}" if commit else name, self.spec.base_of)
            panes.append(replace(pane, name=name))
        return ask_panes(panes, base=self.spec.base, examples=self.spec.examples)

    def _read(self, asked: AskedPanes) -> reading.ReadRows:
        if self.spec.dataset is None:
            return reading.read_held_out_rows(self.spec.run, max_rows=self.spec.max_rows)
        file = store.dataset_file(self.spec.dataset)
        return reading.read_file(file, asked.task, self.spec.mapping, self.spec.mends, max_rows=self.spec.max_rows)

    def _phase(self, name: str) -> None:
        if self.cancelled():
            raise Cancelled
        print(f"[{time.strftime('%H:%M:%S')}] {name}", flush=True)
        self.log.append("progress", phase=name, step=0, total=0, eta=None)

    def _progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._told:
            self._first = done  # kept from before: they took no time
        if done < total and now - self._told < TELL_SECONDS:
            return
        self._told = now
        answered = done - self._first
        eta = (now - self._began) / answered * (total - done) if answered else None
        self.log.append("progress", phase="answering", step=done, total=total, eta=eta)


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
