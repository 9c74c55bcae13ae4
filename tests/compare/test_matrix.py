"""The organization's matrix on real adapters of the built-in base: each cell is computed once, for everybody; whoever
asks goes first; what others wrote into the organization's repo is checked."""

import json
import shutil
import threading
from pathlib import Path

import planted
import pytest
from huggingface_hub import HfApi
from persian import refused

from lora_hub import cli, use_cases
from lora_hub.compare import Comparer, matrix
from lora_hub.compare.matrix.cells import MOST_LINE_BYTES, Cell, read_cells, to_lines
from lora_hub.core.errors import HubError, RunError
from lora_hub.hub import write_matrix_file
from lora_hub.people import LOCAL
from lora_hub.ui.render import render_matrix
from lora_hub.use_cases import filling
from lora_hub.use_cases.served import SERVED

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
ORG = planted.ORG
CELL = Cell(
    adapter="a/b",
    commit="a" * 40,
    base="built-in",
    set="b" * 16,
    task="spam",
    metric="accuracy",
    value=80,
    low=70,
    high=90,
    rows=40,
    at="2026-11-30T01:00:00Z",
)


@pytest.fixture
def organization(hub, monkeypatch: pytest.MonkeyPatch, home: Path) -> str:
    """Two adapters of two tasks in an organization of the test's own, their runs on this machine."""
    planted.empty_organization(monkeypatch)
    for seed, task, labels in ((1, "spam", ("ham", "spam")), (2, "sentiment", ("negative", "positive"))):
        run_id = planted.make_version(seed, task=planted.task_of(task, labels), rows=20)
        planted.publish(run_id, f"{task}-tiny")
    return ORG


def test_each_cell_is_computed_once_for_everybody(hub, organization: str, home: Path, capsys) -> None:  # noqa: F811
    api, comparer = HfApi(), Comparer()
    empty = use_cases.read_matrix(LOCAL)
    (grid,) = empty.grids
    assert [column.task for column in grid.columns] == ["sentiment", "spam", "general"]
    # base and two adapters on two tasks, and what the adapters forgot
    assert (len(grid.rows), len(empty.wanted), empty.missing) == (3, 8, 8)

    # somebody asks meanwhile: the filling gives way, and goes on
    going = use_cases.fill_matrix(LOCAL, comparer)
    assert next(going) == (0, 8)
    with refused(RunError, match="being filled already"):
        next(use_cases.fill_matrix(LOCAL, comparer))
    asking = SERVED.under_way()
    asking.__enter__()
    threading.Timer(0.3, asking.__exit__, (None, None, None)).start()
    assert [*going][-1] == (8, 8)
    assert [*use_cases.fill_matrix(LOCAL, comparer)] == [(0, 0)], "nothing is computed twice"

    found = use_cases.read_matrix(LOCAL)
    (grid,) = found.grids
    own = {ref.task: cells for ref, cells in grid.rows if ref}
    assert own["sentiment"][0].value == own["spam"][1].value == 100.0 and found.missing == 0
    assert own["spam"][0].value < 100 and own["spam"][2].task == "general"
    info = api.dataset_info(f"{ORG}/lora-hub-matrix")
    assert info.private
    lines = Path(api.hf_hub_download(info.id, "cells.jsonl", repo_type="dataset")).read_bytes()
    assert len(lines.splitlines()) == 8 and b"prize" not in lines, "scores, never rows"

    # the numbers come out again from what is kept, by a documented command
    assert cli.main(["matrix", "--check", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["checked"] == 8
    # on another machine: no runs, and the same numbers
    shutil.rmtree(home / "matrix")
    planted.forget_runs()
    there = use_cases.read_matrix(LOCAL)
    assert [row[1] for row in there.grids[0].rows] == [row[1] for row in grid.rows] and not there.wanted
    assert cli.main(["matrix"]) == 0
    out = capsys.readouterr().out
    assert "Base built-in" in out and "100.0 (" in out
    for language, said in (("en", "95 % interval"), ("fa", "بازهٔ اطمینان ۹۵٪")):
        told = render_matrix.matrix(there, {"spam": "<b>Spam"}, language)
        assert said in told and told.count("<button") == 8 and "<b>Spam" not in told

    # what this machine computed is believed before the repo, which anybody who writes may change
    forged = [cell.model_copy(update={"value": 11.0, "low": 1.0}) for cell in read_cells(lines).values()]
    matrix.add_cells(ORG, [read_cells(lines)[forged[0].key]])
    api.upload_file(path_or_fileobj=to_lines(forged), path_in_repo="cells.jsonl", repo_id=info.id, repo_type="dataset")
    values = {cell.key: cell.value for _ref, row in use_cases.read_matrix(LOCAL).grids[0].rows for cell in row if cell}
    assert [key for key, value in values.items() if value != 11.0] == [forged[0].key]
    shutil.rmtree(home / "matrix")

    # a number that is not what comes out
    wrong = [cell.model_copy(update={"value": 12.0, "low": 1.0}) for cell in read_cells(lines).values()]
    hostile = b"[" * 9000 + b'\n{"adapter": "../x"}\n' + to_lines(wrong)
    api.upload_file(path_or_fileobj=hostile, path_in_repo="cells.jsonl", repo_id=info.id, repo_type="dataset")
    assert use_cases.read_matrix(LOCAL).grids[0].rows[0][1][0].value == 12.0
    run_id = planted.make_version(1, task=planted.task_of(), rows=20)
    assert run_id and cli.main(["matrix", "--check", "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["different"]
    # nobody's scores go where everybody reads them
    api.update_repo_settings(info.id, repo_type="dataset", private=False)
    with refused(HubError, match="is public, and the matrix is for the organization alone"):
        write_matrix_file(ORG, lambda old: old + b"x")


def test_it_is_filled_by_itself_when_nobody_asks(hub, organization: str, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(filling, "IDLE_SECONDS", 0.3)
    monkeypatch.setattr(filling, "LOOK_SECONDS", 0.05)
    filled = threading.Event()
    fill = filling._fill

    def seen(*arguments: object, **named: object) -> object:
        yield from fill(*arguments, **named)
        filled.set()

    monkeypatch.setattr(filling, "_fill", seen)
    with SERVED.under_way():
        ended = use_cases.start_filling(Comparer())
        assert not filled.wait(0.6), "somebody is being served"
    assert filled.wait(60)
    ended.set()
    assert use_cases.read_matrix(LOCAL).missing == 0


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"\xff",
        b"[" * 1500,
        CELL.model_dump_json().replace("80.0", "NaN").encode(),
        CELL.model_dump_json().replace("80.0", "95.0").encode(),  # outside its interval
        CELL.model_dump_json().replace("a/b", "a/../b").encode(),
        CELL.model_dump_json().replace('"way":1', '"way":2').encode(),
        CELL.model_dump_json().encode() + b" " * MOST_LINE_BYTES,
    ],
)
def test_what_is_no_cell_is_left_out(line: bytes) -> None:
    newer = CELL.model_copy(update={"value": 81.0, "at": "2026-11-30T02:00:00Z"})
    found = read_cells(line + b"\n" + to_lines([newer, CELL]))
    assert found == {CELL.key: newer} and matrix.read_cells(to_lines(found.values())) == found


def test_a_file_of_cells_is_never_larger_than_what_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was too large was read as none, and the next filling put its own cells alone into its place."""
    many = [CELL.model_copy(update={"at": f"2026-11-30T01:00:{n:02}Z", "set": f"{n:016x}"}) for n in range(60)]
    monkeypatch.setattr("lora_hub.compare.matrix.cells.MOST_BYTES", 40 * len(to_lines(many[:1])))
    found = read_cells(to_lines(many))
    assert [*found.values()] == many[-40:]


def test_what_one_adapter_breaks_is_its_own_cell() -> None:
    wanted = [matrix.Wanted("built-in", matrix.Column("spam", "b" * 16, 40), None)] * 2
    filler = matrix.Filler(Comparer().bases)
    told = iter([ZeroDivisionError("a bug of ours"), CELL])

    def compute(one: matrix.Wanted) -> Cell:
        found = next(told)
        if isinstance(found, Exception):
            raise found
        return found

    filler.compute = compute
    assert [cell for _wanted, cell in filler.fill(wanted)] == [None, CELL]
