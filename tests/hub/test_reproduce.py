"""A card's command makes the same run again: same rows, labels and settings, whatever the file and the task were
like."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi, ModelCard
from small_data import sentiment_rows

from lora_hub import hub, runs, use_cases
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.cli import main
from lora_hub.cli.parser import make_parser
from lora_hub.cli.screen import Screen
from lora_hub.cli.signals import Signals
from lora_hub.core import store
from lora_hub.core.schema import AdapterRef, Mend, Parent, Run, TrainSpec
from lora_hub.data.inspector import Inspector
from lora_hub.data.mending.mend_arguments import parse_mends
from lora_hub.hub.card import reproduce
from lora_hub.people import Person

WEIGHTS = "adapter_model.safetensors"
ROOT = Path(__file__).parents[2]
OWN_TASK = """
title: 'Tone of a "review", with: signs'
instruction: 'Is this {kind}? Say so: [yes, no]'
inputs: [review, shop]
optional_inputs: [shop]
output: labels
"""


def arguments_of(command: str, folder: Path) -> list[str]:
    """The words after `python -m lora_hub` as a shell takes the command apart; `hf` is not called."""
    script = f"hf() {{ :; }}\npython() {{ shift 2; printf '%s\\0' \"$@\"; }}\n{command}\n"
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


def planned_again(spec: TrainSpec, folder: Path, monkeypatch: pytest.MonkeyPatch) -> TrainSpec:
    """The spec that the command's run would have, started in the folder of the data."""
    arguments = arguments_of(reproduce.command(spec, "lora-hub/again"), folder)
    started: list[TrainSpec] = []

    def start(person: Person, given: TrainSpec, **named: bool) -> None:
        started.append(given)
        raise KeyboardInterrupt

    monkeypatch.setattr(use_cases, "start_run", start)
    monkeypatch.chdir(folder)
    options = make_parser().parse_args(arguments)
    options.screen = Screen()
    with Signals() as options.signals, pytest.raises(KeyboardInterrupt):
        options.command(options)
    return started[0]


def plan(
    file: Path, task: str, *, mends: tuple[str, ...] = (), mapping: dict[str, str] | None = None, **more
) -> TrainSpec:
    inspector, of = Inspector(), get_task(task)
    done = parse_mends(mends, inspector, file, of, mapping, **more.get("reading", {}))
    return runs.plan_run(
        file,
        of,
        bases.get_base("built-in"),
        mapping=mapping,
        mends=done,
        dataset_name=file.name,
        inspector=inspector,
        **more,
    ).spec


def assert_same(again: TrainSpec, spec: TrainSpec) -> None:
    for name in TrainSpec.model_fields:
        assert getattr(again, name) == getattr(spec, name), name


def test_encoding_delimiter_mends_and_settings(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(f"Café {text}", label) for text, label in sentiment_rows(60)]
    lines = ["text;label", *(f"{text};{label}" for text, label in [*rows, *rows[:5], ("Café again £", "Good ")])]
    file = tmp_path / "it's a file.csv"
    file.write_bytes("\r\n".join(lines).encode("cp1252"))
    reading = {"encoding": "cp1252", "delimiter": ";", "skip_broken": True}
    spec = plan(
        file,
        "sentiment",
        mends=("near-duplicate-labels", "duplicates"),
        reading=reading,
        effort="quick",
        overrides={"lr": "0.001", "lora.targets": "q_proj,v_proj", "patience": "1", "rslora": "true"},
        minimum={"accuracy": 12.5},
    )
    assert [mend.kind for mend in spec.dataset.mends] == ["relabel", "drop"] and spec.dataset.encoding
    assert_same(planned_again(spec, tmp_path, monkeypatch), spec)


def test_a_sheet_an_own_task_and_names_with_signs(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    import openpyxl

    column, labels = "what, they = wrote \u202e!", ("yes, please", "no = no")
    book = openpyxl.Workbook()
    book.active.title = "Notes"
    book.active.append(["nothing here"])
    sheet = book.create_sheet("The 'data'; $HOME")
    sheet.append([column, "label", "shop"])
    for text, label in sentiment_rows(60):
        sheet.append([text, label, "corner"])
    book.save(tmp_path / "-book.xlsx")
    own = tmp_path / "tone.yaml"
    own.write_text(OWN_TASK)
    spec = plan(
        tmp_path / "-book.xlsx",
        str(own),
        mapping={"review": column, "answer": "label", "shop": ""},
        mends=(json.dumps({"kind": "relabel", "values": {"good": labels[0], "bad": labels[1]}}),),
        reading={"sheet": sheet.title},
    )
    assert set(spec.mapping) == {"review", "answer"} and spec.dataset.sheet == sheet.title
    # what the adapter's repo tells of the task, with its labels frozen, stands where `hf download` puts it
    frozen = spec.task.model_copy(update={"labels": tuple(sorted(labels))})
    (tmp_path / "lora_hub.json").write_text(json.dumps({"task": frozen.model_dump(mode="json"), "spec": {}}))
    assert_same(planned_again(spec, tmp_path, monkeypatch), spec.model_copy(update={"task": frozen}))


def test_a_catalogue_task_that_was_changed_is_not_called_by_its_name_alone() -> None:
    task = get_task("sentiment")
    assert reproduce.is_catalogue_task(_spec(task)) and reproduce.is_catalogue_task(
        _spec(task.model_copy(update={"labels": ("bad", "good")}))
    )
    assert not reproduce.is_catalogue_task(_spec(task.model_copy(update={"max_new_tokens": 3})))


def _spec(task):
    from lora_hub.core.schema import DatasetInfo

    info = DatasetInfo(fingerprint="0" * 16, name="a.csv", rows=9, columns=("text", "label"), format="csv")
    return TrainSpec(
        task=task, base=bases.get_base("built-in"), dataset=info, mapping={"text": "text", "answer": "label"}
    )


def test_a_published_cards_command_trains_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The block as it stands on the card, in a shell: `hf` fetches the task, and the second run has the first one's
    spec. `reproduce` plans that run from the record, and holds the two adapters against each other."""
    import json
    import re

    file = tmp_path / "reviews.csv"
    file.write_text("review,label\n" + "\n".join(f"{text},{label}" for text, label in sentiment_rows(80)))
    (tmp_path / "tone.yaml").write_text(OWN_TASK)
    made = plan(file, str(tmp_path / "tone.yaml"), overrides={"steps": "2", "evaluations": "1"})
    run = runs.wait_for_run(runs.start_runs([made])[0].id)
    ref = runs.publish_run(run.id, org="lora-hub", name="card-command").ref
    block = re.search(r"```sh\n(hf download .*?)\n```", hub.read_card(ref.repo_id), re.S)[1]
    assert block.startswith("hf download lora-hub/card-command lora_hub.json")
    environment = {
        **os.environ,
        "LORA_HUB_HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        ["bash", "-ec", block], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    again = next(one for one in runs.list_runs() if one.id != run.id)
    assert again.spec.mapping == made.mapping and again.spec.steps == 2 and again.spec.dataset == made.dataset
    assert again.train_losses == run.train_losses
    started: list[TrainSpec] = []
    monkeypatch.setattr(use_cases, "start_run", lambda person, spec: started.append(spec) or again)
    assert main(["reproduce", f"{ref.repo_id}@v1", "--data", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["reproduced"] and told["same_weights"] and told["same_data"] and told["difference"] == 0
    assert told["recorded"] == told["published"] == told["again"] and told["rows"] == again.eval_rows
    assert started[0].task.labels == again.spec.task.labels and started[0].dataset == made.dataset
    # without a training, every figure of the card comes out of the published weights and the file
    check = ["--data", str(file), "--check", "--json"]
    assert main(["reproduce", f"{ref.repo_id}@v1", *check]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told == {"repo": f"{ref.repo_id}@v1", "checked": ref.revision, "different": []}
    assert main(["reproduce", ref.repo_id, *check, "--other-data"]) == 2 and capsys.readouterr()
    # against an adapter of other weights it is not reproduced, as far as the rows can tell
    other = publish_other_weights(run, tmp_path)
    status = main(["reproduce", other.repo_id, "--data", str(file), "--json"])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert not told["same_weights"] and status == (0 if told["reproduced"] else 4)
    assert told["published"] != told["recorded"], "the published adapter is asked, its record is not believed"
    card = ModelCard(Path(HfApi().hf_hub_download(other.repo_id, "README.md")).read_text())
    card.data.lora_hub["metrics"]["base"]["accuracy"] = {"value": 99.5, "low": 99, "high": 100, "rows": 8}
    HfApi().upload_file(path_or_fileobj=str(card).encode(), path_in_repo="README.md", repo_id=other.repo_id)
    # a card in Persian, too, has a second picture
    drawn = hub.draw_figure(run.spec.task, [], run.metrics, "fa")
    HfApi().upload_file(path_or_fileobj=drawn, path_in_repo="results.fa.svg", repo_id=other.repo_id)
    assert main(["reproduce", other.repo_id, *check]) == 4
    told = {one["figure"] for one in json.loads(capsys.readouterr().out.splitlines()[-1])["different"]}
    assert {"scores.adapter.accuracy.value", "comparison.difference"} <= told
    assert {"picture.results.svg", "picture.results.fa.svg"} <= told
    assert not [one for one in told if one.startswith(("scores.base", "counts"))]
    assert {"card.shelf.base.accuracy.value", "card.results.adapter.accuracy.value"} <= told, (
        "what lists and the Hub show"
    )
    assert "card.shelf.base.macro_f1.value" not in told


def publish_other_weights(run: Run, tmp_path: Path) -> AdapterRef:
    """The run's adapter with the signs of its matrices turned, with the record as it is."""
    import shutil

    from safetensors.numpy import load_file, save_file

    folder = shutil.copytree(store.run_folder(run.id) / "adapter", tmp_path / "turned")
    weights = {name: -40 * value if "lora_B" in name else value for name, value in load_file(folder / WEIGHTS).items()}
    save_file(weights, folder / WEIGHTS)
    return hub.publish_adapter(folder, spec=run.spec, scores=run.metrics, run_id=run.id, name="card-command-turned")


def test_a_mend_as_json_is_checked() -> None:
    from lora_hub.core.errors import DataError
    from lora_hub.data.mending.mend_arguments import mend_argument, parse_mend

    for mend in (
        Mend(kind="drop", values={"code": "duplicates"}),
        Mend(kind="relabel", values={"a": "b"}),
        Mend(kind="relabel", values={" a": "b,c"}),
        Mend(kind="mask"),
    ):
        assert parse_mend(mend_argument(mend), {}) == mend
    for wrong in ('{"kind": "nonsense"}', '{"kind": "drop", "values": {"code": "everything"}}', "{", '{"kind": 3}'):
        with pytest.raises(DataError):
            parse_mend(wrong, {})


def test_a_training_that_went_on_from_an_adapter_does_so_again() -> None:
    parent = Parent(repo_id="lora-hub/before", revision="c" * 40, version="v2", run="run-1")
    words = shlex.split(reproduce.command(_spec(get_task("sentiment")).model_copy(update={"parent": parent}), "o/n"))
    options = make_parser().parse_args([word for word in words[3:] if word != "\n"])
    assert options.begin == f"lora-hub/before@{'c' * 40}"
