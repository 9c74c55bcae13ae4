"""Adapters on the built-in base with random weights, published from runs whose held-out rows' right answers are chosen:
so a version is as good as a test wants it, without any training."""

import copy
import functools
import json
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi
from peft import LoraConfig, get_peft_model
from small_data import held_out_row, write_csv

from lora_hub import hub as hubs
from lora_hub.answering import loading
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.compare import Comparer
from lora_hub.compare.panes import find_here
from lora_hub.compare.test_sets import answer_panes
from lora_hub.core import events, store
from lora_hub.core.schema import AdapterRef, DatasetInfo, Score, Task
from lora_hub.data.prompts.prepare import Example
from lora_hub.evaluation import metrics
from lora_hub.hub.record import make_record
from lora_hub.runs import run_rows
from lora_hub.training import recipe

SCORES = {who: {"accuracy": Score(value=50.0, low=40.0, high=60.0, rows=40)} for who in ("base", "adapter")}
WORDS = "win prize call home tonight lunch free ticket mother works cash reply later meeting offer please".split()


# The account's own namespace. Tests that need an organization without anything of others take it one after another.
ORG = "local"


def empty_organization(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an organization in which nothing is published, for this process from now on."""
    monkeypatch.setenv("LORA_HUB_ORG", ORG)
    for kind, found in (("model", HfApi().list_models(author=ORG)), ("dataset", HfApi().list_datasets(author=ORG))):
        for repo in list(found):
            HfApi().delete_repo(repo.id, repo_type=kind)
    return ORG


@functools.cache
def _base() -> torch.nn.Module:
    return loading.load_base(bases.get_base(bases.BUILT_IN))


def task_of(task_id: str = "spam", labels: tuple[str, ...] = ("ham", "spam")) -> Task:
    return get_task(task_id).model_copy(update={"labels": labels})


def texts(count: int, words: list[str] = WORDS) -> list[str]:
    """Different texts, none nearly another. words: sixteen."""
    return [
        f"{words[n % 16]} {words[(7 * n + n // 16) % 16]} {n * 37} {words[(3 * n) % 16]} {chr(97 + n % 26) * 3}"
        for n in range(count)
    ]


def make_version(
    seed: int,
    *,
    task: Task | None = None,
    name: str = "",
    answers_of: str = "",
    rows: int = 40,
    words: list[str] = WORDS,
    owner: str = "local",
    strength: float = 0.3,
    file: Path | None = None,
) -> str:
    """A run that has succeeded, with an adapter of random weights. Its held-out rows' right answers are those that the
    run `answers_of` gives: its own by default. words: of its rows. owner: whose run it is, which their organization
    sees. file: that it says it was trained on, with the columns text and answer. Returns the run's id."""
    task = task or task_of()
    info = DatasetInfo(fingerprint=f"{seed:016x}", name="x.csv", rows=200, columns=("text", "answer"), format="csv")
    if file is not None:
        kept = store.add_dataset(file)
        info = info.model_copy(update={"fingerprint": store.dataset_fingerprint(kept), "name": kept.name})
    spec = recipe.make_spec(task, bases.get_base(bases.BUILT_IN), info, {"text": "text", "answer": "answer"})
    spec = spec.model_copy(update={"name": name, "seed": seed})
    run_id = store.create_run(spec)
    folder = store.run_folder(run_id)
    save(folder / "adapter", seed, strength)
    record = make_record(spec, task, run_id, SCORES, {"train_rows": 160, "eval_rows": rows}, 10)
    (folder / "adapter" / "lora_hub.json").write_text(json.dumps(record))
    log = events.EventLog(store.events_file(run_id), "worker-7-1")
    for kind, data in (
        ("submitted", {"owner": owner, "visibility": "organization"}),
        ("state", {"state": "queued", "attempt": 1}),
        ("state", {"state": "running"}),
        ("adapter", {"folder": "adapter", "best_step": 3}),
        ("state", {"state": "succeeded"}),
    ):
        log.append(kind, **data)
    examples = [Example(n, {"text": text}, task.labels[0]) for n, text in enumerate(texts(4 * rows, words), 1)]
    right = answer_panes(Comparer().bases, [find_here(answers_of or run_id)], task, examples)[0]
    held = [
        held_out_row(one.row, one.inputs, answer.text, base=task.labels[0], adapter=answer.text)
        for one, answer in zip(examples, right, strict=True)
    ]
    each = rows // len(task.labels)  # as many of each label, so that whoever says always the same is not right
    held = [row for label in task.labels for row in [one for one in held if one.reference == label][:each]]
    run_rows.write_held_out(folder, metrics.judge_rows(task, held))
    return run_id


def save(folder: Path, seed: int, strength: float = 0.3) -> None:
    torch.manual_seed(seed)
    made = get_peft_model(
        copy.deepcopy(_base()), LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, strength)
    made.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)


def publish(run_id: str, name: str) -> AdapterRef:
    spec = store.read_spec(run_id).model_copy(update={"name": name})
    ref = hubs.publish_adapter(store.run_folder(run_id) / "adapter", spec=spec, scores=SCORES, run_id=run_id, name=name)
    log = events.EventLog(store.events_file(run_id), "worker-7-2")
    log.append("adapter", published=ref.model_dump(mode="json"))
    return ref


def publish_two(
    name: str, task_id: str, labels: tuple[str, str], words: str, seeds: tuple[int, int], owner: str, file: str
) -> None:
    """Two versions of one adapter. file: where the held-out rows of the second one go, as CSV. For a process of its
    own, which talks to another Hub than the tests' (`HF_ENDPOINT`)."""
    task = task_of(task_id, tuple(labels))
    for seed in seeds:
        run = make_version(seed, task=task, words=words.split(), owner=owner, strength=0.6)
        publish(run, name)
    rows = run_rows.read_held_out(store.run_folder(run), expected=0, task=task).rows
    write_csv(Path(file), [(row.inputs["text"], row.reference) for row in rows])


def forget_runs() -> None:
    """As on another machine."""
    for run_id in store.list_run_ids():
        shutil.rmtree(store.run_folder(run_id))
