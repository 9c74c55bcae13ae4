"""Finding settings: each candidate is trained as it would be alone, the lowest validation loss is kept, and what became
of each can be seen."""

import json
import math
from pathlib import Path

import pytest
from safetensors.torch import load_file
from test_run_folders import make_run
from test_together import learn, make_rows, make_spec, make_task
from tiny_bases import build, byte_tokenizer

from lora_hub.core import store
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import Candidate, Run, Sweep
from lora_hub.training import sweep
from lora_hub.ui.render.runs.sweep_plot import sweep_plot

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


def run_sweep(folder: Path, **changes: object) -> tuple:
    told: list[tuple[str, dict]] = []
    spec = make_spec(**{"sweep": 4, **changes})
    folder.mkdir(exist_ok=True)
    found = sweep.train_sweep(
        spec,
        build("llama"),
        byte_tokenizer(),
        make_rows(24, 0),
        make_rows(10, 50),
        folder,
        report=lambda kind, **data: told.append((kind, data)),
    )
    return *found, told


def folded(told: list[tuple[str, dict]]) -> Run:
    """The run that these events make."""
    run_id = make_run(*[("worker-1-1", kind, data) for kind, data in told])
    return store.read_run(run_id)


def test_the_first_candidate_is_the_spec_and_alpha_goes_with_the_rank() -> None:
    spec = make_spec(sweep=8)
    made = sweep.make_candidates(spec)
    assert made[0] == spec.model_copy(update={"sweep": 0})
    assert [(one.lr / spec.lr, one.lora.r) for one in made] == [
        (1, 4), (2, 4), (0.5, 4), (4, 4), (1, 8), (2, 8), (1, 2), (4, 8)
    ]  # fmt: skip
    assert {one.seed for one in made} == {spec.seed}, "it chooses the rows that are held out, too"
    assert {one.lora.scale for one in made} == {spec.lora.scale}
    assert len(sweep.make_candidates(make_spec(sweep=4))) == 4
    assert max(one.lr for one in sweep.make_candidates(make_spec(sweep=4, lr=0.9))) == 1


def test_each_candidate_is_what_it_would_be_alone_and_the_best_is_kept(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sweep, "HALVED", {1 / 12: 2, 0.5: 1})
    trained, chosen, told = run_sweep(tmp_path / "all")
    made, losses = sweep.make_candidates(make_spec(sweep=4)), {}
    seen = folded(told).sweep
    first = [dict(one.losses)[1] for one in seen.candidates]
    better = sorted(range(4), key=first.__getitem__)[:2]
    assert [one.dropped for one in seen.candidates if one.dropped == 1] == [1, 1]
    assert {place for place, one in enumerate(seen.candidates) if one.dropped != 1} == {*better}
    for place in better:
        alone, _told = make_task(tmp_path / str(place), lr=made[place].lr, r=made[place].lora.r)
        losses[place] = dict(learn_with_looks(alone, (1, 6)))
        assert dict(seen.candidates[place].losses)[1] == pytest.approx(losses[place][1], abs=1e-4)
    best = min(better, key=lambda place: losses[place][6])
    assert seen.chosen == best and seen.candidates[sum(better) - best].dropped == 6
    mine = load_file(tmp_path / "all" / "adapter" / "adapter_model.safetensors")
    for key, value in load_file(tmp_path / str(best) / "adapter" / "adapter_model.safetensors").items():
        assert (mine[key] - value).abs().max() < 1e-4, key
    assert trained.best_loss == pytest.approx(min(losses[best].values()), abs=1e-4)
    assert (chosen, trained.folder) == (made[best], tmp_path / "all" / "adapter")
    assert json.loads((trained.folder / "adapter_config.json").read_text())["r"] == chosen.lora.r
    # the run's own curves are those of the one that was kept
    run = folded(told)
    assert min(loss for step, loss in run.eval_losses if step) == pytest.approx(trained.best_loss)
    assert len(run.train_losses) == 12 and run.total_steps == 12


def test_one_that_is_behind_is_not_the_one_that_is_kept(tmp_path: Path) -> None:
    """Looks that follow on each other: it has been looked at again before it drops out."""
    places = [tmp_path / str(place) for place in range(3)]
    for place in places:
        place.mkdir()
    race = sweep.Race(places, 6, lambda *_: None)
    for number, loss in enumerate((3.0, 1.0, 2.0)):
        race.look(number, 1, loss)
    race.look(0, 2, 0.5)
    race.decide(2)
    for number, loss in ((1, 0.9), (2, 0.8)):
        race.look(number, 2, loss)
    race.decide(3)
    assert race.out == {0, 1}


def learn_with_looks(task: object, looks: tuple[int, ...]) -> list[tuple[int, float]]:
    """Trains a task alone; its validation losses after its own looks and these."""
    task.early_looks = looks
    found: list[tuple[int, float]] = []

    def report(kind: str, **data: object) -> None:
        if kind == "metric" and data.get("step") and "eval_loss" in data:
            found.append((data["step"], data["eval_loss"]))

    task.report = report
    learn([task], mode="together")
    return found


def test_a_run_that_goes_on_has_the_candidates_that_were_still_in_the_race(tmp_path: Path) -> None:
    places = [tmp_path / str(place) for place in range(3)]
    for place in places:
        place.mkdir()
    told: list[tuple[int, int]] = []
    race = sweep.Race(places, 24, lambda *dropped: told.append(dropped))
    for number, loss in enumerate((3.0, 1.0, 2.0)):
        race.look(number, 2, loss)
    race.decide(2)
    assert told == [], "the others may not have been looked at yet"
    race.decide(3)
    assert told == [(0, 2)] and sweep.Race(places, 24, told.append).out == {0}
    (places[1] / "dropped").touch()
    (places[2] / "dropped").touch()
    assert sweep.Race(places, 24, told.append).out == set(), "that all are out is no race's end"
    race.look(1, 6, 2.5)  # the other one has stopped by itself, or failed
    race.decide(7)
    assert race.out == {0}


def test_a_candidate_that_fails_is_left_out_and_all_of_them_are_an_error(tmp_path: Path, monkeypatch) -> None:
    whole = sweep.make_candidates

    def with_bad(*bad: int):
        def make(spec):
            made = whole(spec)
            for place in bad:
                made[place] = made[place].model_copy(
                    update={"lora": made[place].lora.model_copy(update={"targets": ("no_such_layer",)})}
                )
            return made

        return make

    monkeypatch.setattr(sweep, "make_candidates", with_bad(0))
    _trained, chosen, told = run_sweep(tmp_path / "one", sweep=2, steps=4)
    assert chosen.lr == 4e-3
    seen = folded(told).sweep
    assert "no_such_layer" in seen.candidates[0].failed.en and seen.chosen == 1
    assert math.isinf(seen.candidates[0].best_loss)
    monkeypatch.setattr(sweep, "make_candidates", with_bad(0, 1))
    with pytest.raises(SpecError, match="no_such_layer"):
        run_sweep(tmp_path / "none", sweep=2, steps=4)


def test_what_no_sweep_tells_is_an_unread_line_and_changes_nothing() -> None:
    good = ("sweep", {"candidates": [{"lr": 1e-3, "r": 4, "alpha": 8}] * 2})
    bad = [{"chosen": 7}, {"chosen": "x"}, {"number": -1, "step": 1, "eval_loss": 2}, {"number": 0, "step": "a"}, {}]
    run = folded([good, *[("sweep", one) for one in bad]])
    assert run.sweep.chosen == -1 and run.sweep.candidates[0].losses == ()
    assert any(note.en.startswith("5 of this run's events") for note in run.notes), run.notes
    assert folded([("sweep", {"chosen": 0})]).sweep is None
    resumed = folded([good, ("sweep", {"number": 0, "step": 5, "eval_loss": 2.0}), good])
    assert resumed.sweep.candidates[0].losses == ((5, 2.0),)
    again = folded([good, *[("sweep", {"number": 0, "step": step, "eval_loss": 2.0}) for step in (5, 10, 5)]])
    assert again.sweep.candidates[0].losses == ((5, 2.0),)


@pytest.mark.parametrize("language", ["en", "fa"])
def test_the_settings_are_shown_as_curves_and_a_table(language: str) -> None:
    told = [Candidate(lr=1e-3 * place, r=8, alpha=16, losses=((0, 3.0), (5, 2.0), (10, place))) for place in (1, 2)]
    drawn = sweep_plot(
        Sweep(candidates=(*told, told[0].model_copy(update={"failed": _("<b>")})), chosen=0), 10, language
    )
    assert drawn.count("<polyline") == 3 and drawn.count("lh-sweep-kept") == 1 and "&lt;b&gt;" in drawn
    assert (
        ("1.0000" in drawn) == (language == "en")
        and ("0.0020" in drawn) == (language == "en")
        and ("۰٫۰۰۲۰" in drawn) == (language == "fa")
    )
    assert sweep_plot(None, 10, language) == ""
    assert "<polyline" not in sweep_plot(Sweep(candidates=(Candidate(lr=1, r=1, alpha=1),)), 0, language)
