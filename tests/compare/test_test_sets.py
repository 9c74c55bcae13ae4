"""Test sets in their process: what they find, what they leave, cut off and resumed, and each number computed again."""

import csv
import io
import json
import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from persian import refused
from sample_adapters import make_spec
from small_data import write_csv
from test_adapters_of_others import BASE_TEMPLATE, change
from test_who_may import run_of
from tiny_bases import build, byte_tokenizer, save_adapter

from lora_hub import hub, use_cases
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks.catalogue import get_task
from lora_hub.cli import main
from lora_hub.compare import Comparer, test_sets
from lora_hub.compare.panes import Pane, pane_of_folder
from lora_hub.compare.test_sets import ask_panes, reading
from lora_hub.compare.test_sets.fitting import find_seen, fit_test
from lora_hub.compare.test_sets.panes_asked import AskedPanes
from lora_hub.core import events, growing_file, run_lock, settings, store
from lora_hub.core.errors import AccessError, DataError, RunError, SpecError
from lora_hub.core.schema import BASE, BASE_EXAMPLES, BaseModel, Calibration, Problem, RunState, Score
from lora_hub.data.prompts.prepare import Example
from lora_hub.hub.record import make_record
from lora_hub.people import LOCAL, policy
from lora_hub.people.person import Person
from lora_hub.runs.spreadsheet import safe_cell
from lora_hub.ui.render.test_sets import render_tests
from lora_hub.use_cases import filling

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
ROWS = [(f"{'ba'[n % 2] * (n % 7 + 1)} {n}", ("ham", "spam")[n % 2]) for n in range(40)]
PATIENCE = 90.0


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two random adapters of a tiny base, as runs of ours leave them."""
    root = tmp_path_factory.mktemp("tested")
    build("llama").save_pretrained(root / "base")
    byte_tokenizer(BASE_TEMPLATE).save_pretrained(root / "base")
    base = bases.get_base(str(root / "base"))
    made = []
    for seed in (1, 2):
        folder = save_adapter(build("llama"), root / f"a{seed}", seed=seed)
        change(folder, base_model_name_or_path=str(root / "base"))
        spec = make_spec(base=base)
        spec = spec.model_copy(update={"task": spec.task.model_copy(update={"template": "{text}"})})
        scores = {"base": {"accuracy": Score(value=50, low=40, high=60)}}
        (folder / "lora_hub.json").write_text(
            json.dumps(make_record(spec, spec.task, f"run-{seed}", scores, {"train_rows": 8, "eval_rows": 8}, 1))
        )
        made.append(str(folder))
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "more.csv"
    with path.open("w", newline="") as out:
        csv.writer(out).writerows([("text", "label", "source"), *((*row, "=1+1") for row in ROWS)])
    return path


def start(adapters: list[str], who: Person = LOCAL, **named) -> test_sets.TestState:
    base = str(Path(adapters[0]).parent / "base")
    return use_cases.start_test(who, Comparer(base), adapters, base_of=base, **named)


def ended(test_id: str) -> test_sets.TestState:
    until = time.monotonic() + PATIENCE
    while not (state := test_sets.look(test_id)).state.is_final:
        assert time.monotonic() < until
        time.sleep(0.05)
    return state


def test_a_test_asks_everybody_and_every_number_follows_from_its_files(adapters, file, capsys) -> None:
    state = start(adapters, file=file)
    assert not state.state.is_final and state.spec.name == "more.csv"
    state = ended(state.id)
    assert state.state is RunState.SUCCEEDED, (settings.home() / "tests" / state.id / "log.txt").read_text()
    assert (state.done, state.total) == (120, 120)
    report = use_cases.read_test(LOCAL, state.id)
    assert list(report.result["metrics"]) == ["base", *adapters] and report.result["rows"] == 40
    assert set(report.result["metrics"][adapters[0]]) >= {"accuracy", "calibration_error"}
    assert len(report.result["pairs"]) == 3 and report.result["few_shot"]["scored"] is False
    assert all(row.columns == {"source": "=1+1"} and len(row.answers) == 3 for row in report.rows)
    # By the door of the shell: the same figures, in one process.
    base = f"--base={Path(adapters[0]).parent / 'base'}"
    assert main(["compare", "--test", str(file), base, *(f"--adapter={one}" for one in adapters), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["pairs"] == report.result["pairs"] and told["few_shot"]["scored"] is False
    for name in adapters:
        assert told["metrics"][name]["accuracy"] == pytest.approx(report.result["metrics"][name]["accuracy"])
    assert main(["tests", "show", state.id, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["few_shot"] == told["few_shot"] and isinstance(shown["few_shot"]["reason"], str)
    # Computed again: all of it agrees, and what somebody changed by hand does not.
    assert main(["tests", "check", state.id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checked"] > 40
    path = settings.home() / "tests" / state.id / "result.json"
    changed = json.loads(path.read_text())
    changed["pairs"][0]["p"] /= 2
    changed["metrics"]["base"]["accuracy"]["value"] += 1
    path.write_text(json.dumps(changed))
    assert main(["tests", "check", state.id, "--json"]) == 4
    wrong = json.loads(capsys.readouterr().out)["disagree"]
    assert [one["what"] for one in wrong][0] == "metrics.base.accuracy.value" and len(wrong) == 2
    # Out of it: no cell is a formula, and another adapter later is all that is computed.
    rows = list(csv.DictReader(io.StringIO(test_sets.to_csv(report.rows))))
    assert rows[0]["source"] == "'=1+1" and rows[3]["reference"] == "spam" and len(rows) == 40
    assert main(["tests", "delete", state.id]) == 0 and main(["tests"]) == 0


def test_a_killed_test_is_lost_and_goes_on_where_it_was(adapters, tmp_path) -> None:
    file = write_csv(tmp_path / "plain.csv", ROWS)  # no column but what the task reads
    state = start(adapters[:1], file=file, examples=False)
    while not (handle := test_sets.look(state.id).handle):
        time.sleep(0.02)
    os.kill(handle["pid"], signal.SIGKILL)
    state = ended(state.id)
    assert state.state is RunState.LOST and "killed" in state.error.message
    with refused(RunError, match="is lost|has ended already"):
        use_cases.cancel_test(LOCAL, state.id)
    use_cases.resume_test(LOCAL, state.id)
    state = ended(state.id)
    assert state.state is RunState.SUCCEEDED and state.attempt == 2
    with refused(RunError, match="Only a test that failed, was cancelled or was lost"):
        use_cases.resume_test(LOCAL, state.id)
    kept = [path.stat().st_size for path in (settings.home() / "cache" / "answers" / "local").iterdir()]
    assert len(kept) == 2 and all(kept)


def test_what_cannot_be_tested_is_refused_before_a_process_starts(adapters, file, tmp_path) -> None:
    with refused(SpecError, match="one set of rows"):
        start(adapters)
    with refused(SpecError, match="one set of rows"):
        start(adapters, file=file, run="some-run")
    strange = write_csv(tmp_path / "strange.csv", [("a b c", "blue"), ("d e f", "green")] * 6)
    with refused(DataError, match="labels that no training row has"):
        start(adapters, file=strange)
    with refused(RunError):
        start(adapters, run="no-such-run-1")
    with refused(RunError, match="There is no test '../x'"):
        test_sets.look("../x")
    assert not test_sets.list_tests()


def test_rows_that_nobody_can_be_asked_are_told(tmp_path) -> None:
    rows = [(f"a text {n}", "ham" if n % 2 else "") for n in range(10)]
    kept = store.add_dataset(write_csv(tmp_path / "gaps.csv", [*rows, ("", "spam"), ("another text", "spam")]))
    read = reading.read_file(kept, make_spec().task, None, ())
    assert len(read.examples) == 6 and [one.code for one in read.problems] == ["left-out"]
    assert read.problems[0].said.en.startswith("6 of 12 rows have no right answer or lack an input")
    assert len(reading.read_file(kept, make_spec().task, None, (), max_rows=2).examples) == 2
    with refused(SpecError, match="-2 rows cannot be made"):
        reading.read_file(kept, make_spec().task, None, (), max_rows=-2)


def made(owner: str, state: str = "succeeded", **named: str) -> str:
    """A test's folder without a process."""
    spec = test_sets.TestSpec(
        id=test_sets.new_id("spam"),
        owner=owner,
        created=1.0,
        name="rows.csv",
        task=make_spec().task,
        adapters=("a/b",),
        **named,
    )
    folder = settings.home() / "tests" / spec.id
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(spec.model_dump_json())
    log = events.app_log(folder / "events.jsonl")
    log.append("state", state="queued", attempt=1)
    log.append("state", state=state)
    return spec.id


def person(name: str, role: str) -> Person:
    return Person(id=name, roles={settings.organization(): role}, token="hf_x")


def test_a_test_is_its_owners_and_goes_with_their_data() -> None:
    eve, will, ada = person("eve", "write"), person("will", "write"), person("ada", "admin")
    hers = made("eve")
    assert [one.id for one in use_cases.list_tests(eve)] == [hers] == [one.id for one in use_cases.list_tests(ada)]
    assert use_cases.list_tests(will) == []
    for ask in (use_cases.refresh_test, use_cases.read_test, use_cases.check_test, use_cases.delete_test):
        with refused(RunError, match="that you may see"):
            ask(will, hers)
    open_book = test_sets.answers_dir("eve")
    open_book.mkdir(parents=True)
    (open_book / "some.jsonl").write_text("{}\n")
    assert any(part.kind == "tests" and part.owner == "eve" for part in use_cases.measure_disk(ada).parts)
    assert use_cases.delete_data(eve).tests == (hers,)
    assert not open_book.exists() and test_sets.list_tests() == []


def test_tests_count_among_what_one_may_have_at_work(adapters, file, monkeypatch) -> None:
    eve = person("eve", "write")
    policy.write(policy.Policy(waiting_runs=1, bases="any", rows=30))
    kept = use_cases.add_dataset(eve, file)
    panes = Comparer(str(Path(adapters[0]).parent / "base")).resolve(adapters[:1])
    monkeypatch.setattr("lora_hub.use_cases.testing.resolved", lambda *given: panes)
    with refused(AccessError, match="has 40 rows, and 30 may be tested"):
        use_cases.start_test(eve, Comparer(), adapters[:1], file=kept)
    busy = made("eve", "running")
    too_many = "1 run or test of yours waits or works"
    with run_lock.take(settings.home() / "tests" / busy):
        with refused(AccessError, match=too_many):
            use_cases.start_test(eve, Comparer(), adapters[:1], file=kept, max_rows=20)
        # A run finds them counted, too, and so does whoever looks at what they may.
        with refused(AccessError, match=too_many):
            use_cases.start_runs(eve, [make_spec(base=bases.get_base("built-in"))])
        standing = use_cases.look_at_standing(eve)
        assert standing.going == 1 and standing.disk_mb * 1e6 > kept.stat().st_size, "its folder is theirs, too"
        assert filling.is_busy(), "nothing is computed ahead meanwhile"


def test_a_test_is_read_once_and_then_what_its_process_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    read, plain = [], growing_file.read_line
    monkeypatch.setattr(growing_file, "read_line", lambda line: read.append(line) or plain(line))
    one, reader = made("local", "running"), test_sets.TestReader()
    folder = settings.home() / "tests" / one
    log = events.app_log(folder / "events.jsonl")
    with run_lock.take(folder):
        for done in range(50):
            log.append("progress", phase="answering", step=done, total=50, eta=1.0)
        (folder / "events.jsonl").open("ab").write(b'{"kind": "progress", "da')  # cut off by a crash
        assert test_sets.list_tests(reader)[0].done == 49 and len(read) == 53
        assert test_sets.list_tests(reader)[0].done == 49 and len(read) == 53, "nothing is new"
        log.append("progress", phase="scoring", step=0, total=0, eta=None)
        again = test_sets.look(one, reader)
        assert (again.phase, again.done) == ("scoring", 49) and len(read) == 55
    assert test_sets.look(one, reader).state is RunState.LOST
    test_sets.delete_test(one)
    assert test_sets.list_tests(reader) == []


def test_a_test_is_shared_by_its_owner_and_taken_back() -> None:
    eve, will, ada = person("eve", "write"), person("will", "write"), person("ada", "admin")
    rita, nobody = person("rita", "read"), Person(id="olaf", token="hf_x")
    policy.write(policy.Policy(strangers="compare"))
    hers = made("eve")
    assert use_cases.share_test(eve, hers, "organization").visibility == "organization"
    for member in (will, rita):
        assert [one.id for one in use_cases.list_tests(member)] == [hers]
        assert use_cases.read_test(member, hers).state.owner == "eve"
    with refused(AccessError, match="This is eve's"):
        use_cases.share_test(will, hers, "private")
    with refused(AccessError, match="This is eve's"):
        use_cases.delete_test(will, hers)
    assert use_cases.list_tests(nobody) == [], "no member"
    with refused(SpecError, match="A test cannot be 'public'"):
        use_cases.share_test(eve, hers, "public")
    assert use_cases.share_test(ada, hers, "private").visibility == "private"
    with refused(RunError, match="that you may see"):
        use_cases.read_test(will, hers)


def test_the_shell_shares_a_test(capsys) -> None:
    one = made("local")
    for action, visibility in (("share", "organization"), ("unshare", "private")):
        assert main(["tests", action, one, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["shared"] == visibility == test_sets.look(one).visibility
    assert main(["tests", "share", "spam-0"]) == 1 and "There is no test" in capsys.readouterr().err


def test_rows_of_anothers_run_are_shared_by_them_alone() -> None:
    ada = person("ada", "admin")
    run = run_of("will", "private")
    hers = made("ada", run=run, run_owner="will")
    with refused(AccessError, match="another person's and not shared"):
        use_cases.share_test(ada, hers, "organization")
    use_cases.share_run(person("will", "write"), run, "organization")
    assert use_cases.share_test(ada, hers, "organization").visibility == "organization"
    assert use_cases.share_test(ada, made("ada", run=run, run_owner="ada"), "organization")
    gone = made("ada", run="spam-1", run_owner="will")
    with refused(AccessError, match="not shared"):
        use_cases.share_test(ada, gone, "organization")


def test_each_of_several_bases_is_a_model_of_the_test(tmp_path) -> None:
    task = get_task("spam").model_copy(update={"labels": ("ham", "spam")})
    ours, theirs = (BaseModel(id=name, revision="a" * 40) for name in ("org/ours", str(tmp_path / "theirs")))
    mine = Calibration(offsets=(0.0, 0.1))
    panes = [
        Pane("a", ours, task=task, folder=tmp_path, calibrations={BASE: mine}),
        Pane("b", theirs, task=task, folder=tmp_path),
        Pane("c", ours, task=task, folder=tmp_path),
    ]
    asked = ask_panes(panes, base=True, examples=False, every_base=True).panes
    assert [pane.name for pane in asked] == ["base (org/ours)", "base (theirs)", "a", "b", "c"]
    assert [pane.base for pane in asked[:2]] == [ours, theirs] and asked[0].calibration == mine
    assert [render_tests.pane_name(pane.name, "en") for pane in asked[:2]] == ["Base org/ours", "Base theirs"]
    for one in (panes[:1], [panes[0], panes[2]]):
        assert [pane.name for pane in ask_panes(one, base=True, examples=False, every_base=True).panes][0] == BASE


def test_who_was_trained_on_the_very_file_is_told(adapters, file, tmp_path) -> None:
    base = str(Path(adapters[0]).parent / "base")
    seen = tmp_path / "seen"
    shutil.copytree(adapters[0], seen)
    record = json.loads((seen / "lora_hub.json").read_text())
    of_file = store.fingerprint(file)
    record["dataset"] |= {"fingerprint": "of what was put together", "parts": [{"fingerprint": of_file}, 7, {}]}
    (seen / "lora_hub.json").write_text(json.dumps(record))
    panes = [pane_of_folder(str(one), Path(one), base) for one in (seen, adapters[1])]
    asked = ask_panes(panes, base=True, examples=False)
    (problem,) = find_seen(asked, of_file, [])
    assert " was trained on this very file: it has seen most of these rows" in problem.said.en
    # An adapter that goes on from such a one has learned them, too.
    record["spec"] = {**record["spec"], "parent": {"files": [7, of_file]}}
    (after,) = find_seen(
        replace(asked, panes=[replace(panes[1], trained_before=hub.files_before(record))]), of_file, []
    )
    assert f"{panes[1].name} goes on from an adapter that was trained on this very file" in after.said.en
    assert hub.files_before({"spec": {"parent": []}}) == () == hub.files_before({})
    # Of a file with a test part that is asked, and nobody is trained on it.
    assert not find_seen(asked, of_file, [Problem(code="test-part", severity="info", said=problem.said)])
    asked_of = {"file": file, "base_of": base, "base": False, "examples": False, "max_rows": 2}
    state = ended(use_cases.start_test(LOCAL, Comparer(base), [str(seen), adapters[1]], **asked_of).id)
    report = use_cases.read_test(LOCAL, state.id)
    assert [one.code for one in report.problems] == ["trained-on"] and len(report.rows) == 2
    record["dataset"] = {"fingerprint": ["x"], "parts": "none"}
    assert hub.files_of(record) == () == hub.files_of({"dataset": []})


def test_a_row_that_is_too_long_is_left_out_for_all_and_examples_become_fewer(adapters) -> None:
    tokenizer = byte_tokenizer(BASE_TEMPLATE)
    base = bases.get_base(str(Path(adapters[0]).parent / "base")).model_copy(update={"context": 120})
    task = make_spec().task.model_copy(update={"template": "{text}"})
    examples = [Example(row, {"text": "a" * size}, "ham") for row, size in ((1, 5), (2, 300), (3, 40))]
    shown = tuple(({"text": f"{n} {'b' * 8}"}, "spam") for n in range(6))

    def fit(**of: Any) -> Any:
        plain, few = Pane(BASE, base, task=task), Pane(BASE_EXAMPLES, base, task=task, shown=shown, **of)
        asked = AskedPanes([plain, few, replace(plain, name="a", folder=Path(adapters[0]))], task, (), len(shown))
        return fit_test(asked, examples, [tokenizer] * 3)

    found = fit()
    assert found.places == [0, 2] and "1 of 3 rows is longer than a base reads at once" in found.problems[0].said.en
    assert "row 2" in found.problems[0].said.en and len(found.asked.panes) == len(found.tokenizers) == 3
    assert 0 < found.asked.shown == len(found.asked.panes[1].shown) < 6 and found.asked.missing is None
    # Calibrated for six, it is not asked with fewer: what to do is said.
    found = fit(calibrations={BASE_EXAMPLES: Calibration(offsets=(0.0, 0.1))})
    assert [pane.name for pane in found.asked.panes] == [BASE, "a"] and len(found.tokenizers) == 2
    assert "row" in found.asked.missing.en and "120 tokens" in found.asked.missing.en and found.asked.shown == 0
    examples = examples[1:2]
    with refused(DataError, match="1 of 1 rows is longer than a base reads at once"):
        fit()


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "＝1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert safe_cell(text) == f"'{text}" and safe_cell("a=1") == "a=1" and safe_cell("") == ""
