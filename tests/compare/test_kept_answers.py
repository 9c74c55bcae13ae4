"""Many rows, many models, each question asked once: the exam's answers, kept, whatever is cut off or damaged."""

import json
import multiprocessing
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from test_adapters_of_others import BASE_TEMPLATE
from tiny_bases import build, byte_tokenizer, save_adapter

from lora_hub.catalogue import bases
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane
from lora_hub.compare.test_sets import answer_panes, answering, kept_answers
from lora_hub.compare.test_sets.kept_answers import answers_dir, open_book
from lora_hub.core.schema import BASE_EXAMPLES, Answer, Calibration, Task, Text2
from lora_hub.data.prompts.prepare import Example
from lora_hub.evaluation import exam

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
TONE = Task(
    id="tone",
    title=Text2(en="Tone"),
    instruction=Text2(en="?"),
    output="labels",
    labels=("no", "yes"),
    template="{text}",
    metrics=("accuracy",),
)
ECHO = TONE.model_copy(update={"id": "echo", "output": "text", "labels": (), "max_new_tokens": 5, "metrics": ("chrf",)})
ROWS = [Example(row, {"text": "ab"[row % 2] * (row % 5 + 1) + str(row)}, TONE.labels[row % 2]) for row in range(1, 21)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> list[Pane]:
    """A base as it is and with examples, and two adapters."""
    root = tmp_path_factory.mktemp("kept")
    build("llama").save_pretrained(root / "base")
    byte_tokenizer(BASE_TEMPLATE).save_pretrained(root / "base")
    base = bases.get_base(str(root / "base"))
    fitted = {"base": Calibration(offsets=(0.5, -0.5), scale=0.5)}
    plain = Pane("base", base, task=TONE, calibrations=fitted)
    shown = replace(plain, name=BASE_EXAMPLES, shown=(({"text": "aa"}, "no"), ({"text": "bb"}, "yes")))
    adapters = [
        Pane(f"a{seed}", base, task=TONE, folder=save_adapter(build("llama"), root / f"a{seed}", seed=seed))
        for seed in (1, 2)
    ]
    return [plain, shown, *adapters]


class Counting(LoadedBases):
    """How many models it handed out."""

    held = 0

    def hold(self, panes, cancelled=None):
        self.held += len(panes)
        return super().hold(panes, cancelled)


def by_the_exam(panes: list[Pane], task: Task, rows: list[Example]) -> list[list[Answer]]:
    with LoadedBases().hold(panes) as (loaded, names):
        return [
            exam.answer_examples(
                loaded.stack,
                loaded.tokenizer_of(pane),
                task,
                rows,
                name,
                calibration=pane.calibration,
                shown=pane.shown,
            )
            for pane, name in zip(panes, names, strict=True)
        ]


def check_same(answers: list[Answer], wanted: list[Answer]) -> None:
    """They say the same; how long they took is their own, and the last digits are their batch's."""
    for one, other in zip(answers, wanted, strict=True):
        assert (one.text, one.ids, one.finish) == (other.text, other.ids, other.finish)
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


@pytest.mark.parametrize("task", [TONE, ECHO], ids=["labels", "text"])
def test_the_answers_are_the_exams_and_a_second_time_no_base_is_loaded(tiny, task) -> None:
    asked = [replace(pane, task=task) for pane in tiny]
    wanted = by_the_exam(asked, task, ROWS)
    first, told = Counting(), []
    answers = answer_panes(first, asked, task, ROWS, progress=lambda *done: told.append(done))
    for of, theirs in zip(answers, wanted, strict=True):
        check_same(of, theirs)
    assert first.held == 4 and told[0] == (0, 80) and told[-1] == (80, 80)
    again = Counting()
    assert answer_panes(again, asked, task, ROWS) == answers and again.held == 0, "what is kept is what was answered"
    more = [*ROWS, Example(21, {"text": "new"}, "no")]
    told.clear()
    assert answer_panes(again, asked[:1], task, more, progress=lambda *done: told.append(done))[0][:20] == answers[0]
    assert told[0] == (20, 21)


def test_one_more_adapter_costs_one_adapter(tiny) -> None:
    loaded = Counting()
    answer_panes(loaded, tiny[:3], TONE, ROWS)
    assert loaded.held == 3
    answer_panes(loaded, tiny, TONE, ROWS)
    assert loaded.held == 4
    # Other weights, another calibration and another person's rows are other answers.
    folder = shutil.copytree(tiny[2].folder, answers_dir().parent / "copy")
    (folder / "README.md").write_text("another card")
    assert answer_panes(loaded, [replace(tiny[2], name="copy", folder=folder)], TONE, ROWS) and loaded.held == 4
    shutil.copyfile(tiny[3].folder / "adapter_model.safetensors", folder / "adapter_model.safetensors")
    answer_panes(loaded, [replace(tiny[2], folder=folder)], TONE, ROWS)
    assert loaded.held == 4, "the weights are the other adapter's, and so are the answers"
    answer_panes(loaded, [replace(tiny[0], calibrations={})], TONE, ROWS)
    assert loaded.held == 5
    answer_panes(loaded, [tiny[2]], TONE, ROWS, owner="eve")
    assert loaded.held == 6 and answers_dir("eve").is_dir()
    # Asked more weakly it answers otherwise; at no strength it is the base, without the base's calibration.
    whole, half, none = (
        answer_panes(loaded, [replace(tiny[2], strength=strength)], TONE, ROWS)[0] for strength in (1.0, 0.5, 0.0)
    )
    assert loaded.held == 7 and half != whole
    check_same(none, answer_panes(loaded, [replace(tiny[0], calibrations={})], TONE, ROWS)[0])
    kept_answers.forget("eve")
    assert not answers_dir("eve").exists() and answers_dir().is_dir()


def test_what_was_answered_before_a_cut_is_kept(tiny, monkeypatch) -> None:
    monkeypatch.setattr(answering, "FIRST_PART", 8)
    monkeypatch.setattr(answering, "PART_SECONDS", 0.0)
    parts = []
    stopped = answer_panes(LoadedBases(), [tiny[2]], TONE, ROWS, cancelled=lambda: parts.append(1) or len(parts) > 5)[0]
    done = sum(one.finish == "stop" for one in stopped)
    assert 0 < done < 20 and all(one.finish in ("stop", "cancelled") for one in stopped)
    told = []
    whole = answer_panes(LoadedBases(), [tiny[2]], TONE, ROWS, progress=lambda *done: told.append(done))[0]
    assert told[0] == (done, 20) and all(one.finish == "stop" for one in whole)


def test_examples_that_leave_no_room_for_a_row_are_told(tiny) -> None:
    long = [*ROWS, Example(21, {"text": "x" * 100}, "no")]  # the base reads 128 tokens
    told = []
    answers = answer_panes(LoadedBases(), tiny[:3], TONE, long, progress=lambda *done: told.append(done))
    assert answers[1] is None and len(answers[0]) == len(answers[2]) == 21 and told[-1] == (42, 42)


def test_a_damaged_book_loses_its_damaged_lines_alone() -> None:
    book = open_book("", "a model")
    keys = [f"{n:032x}" for n in range(5)]
    labelled = Answer(text="no", probabilities={"no": 0.75, "yes": 0.25}, tokens=1, finish="stop", ids=(7,))
    book.add(dict.fromkeys(keys[:3], labelled))
    lines = book.path.read_bytes().splitlines(keepends=True)
    book.path.write_bytes(lines[0] + lines[1].replace(b"0.75", b"[[[[") + b"\xff\n" + lines[2][:60])
    assert book.read(keys, ("no", "yes")) == {keys[0]: labelled}
    book.add({keys[3]: labelled})  # behind the line that was cut off
    assert book.read(keys, ("no", "yes")) == {keys[0]: labelled, keys[3]: labelled}
    assert book.read(keys, ("no",)) == {}, "probabilities of other labels"


def write_many(path: str, first: int) -> None:
    book = kept_answers.Book(Path(path))
    for n in range(first, first + 200):
        book.add({f"{n:032x}": Answer(text="متن " * 300, tokens=1, finish="stop")})


def test_two_processes_write_one_book() -> None:
    book = open_book("", "a model")
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_many, args=(str(book.path), first)) for first in (0, 200)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(book.read({f"{n:032x}" for n in range(400)})) == 400
    assert all(json.loads(line) for line in book.path.read_bytes().splitlines())


def test_kept_answers_take_no_more_than_they_may(monkeypatch) -> None:
    monkeypatch.setattr(kept_answers, "MOST_BYTES", 30_000)
    monkeypatch.setattr(kept_answers, "MOST_BOOK_BYTES", 20_000)
    old, new = open_book("eve", "old"), open_book("", "new")
    old.add({f"{n:032x}": Answer(text="x" * 900, finish="stop") for n in range(15)})
    for n in range(30):
        new.add({f"{n:032x}": Answer(text="x" * 900, finish="stop")})
    assert not old.path.exists() and 8_000 < new.path.stat().st_size <= 20_000
    kept = new.read({f"{n:032x}" for n in range(30)})
    assert f"{29:032x}" in kept and f"{0:032x}" not in kept, "the younger ones stay"
