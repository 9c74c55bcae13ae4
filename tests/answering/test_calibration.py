"""Label probabilities: a base's prior preference for a label is removed, and the calibration error is measured
correctly."""

import math
import random

import pytest

from lora_hub.answering.calibration import fit_calibration, probabilities
from lora_hub.core.schema import Calibration
from lora_hub.evaluation.calibration_error import calibration_error


def biased_rows(
    rows: int, seed: int, *, labels: int = 3, bias: float = 6.0, signal: float = 1.0, shares=None
) -> tuple[list, list[int]]:
    """Log likelihoods of a model that knows something and prefers its first label whatever it is asked."""
    draw = random.Random(seed)
    right = [draw.choices(range(labels), weights=shares)[0] for _ in range(rows)]
    logs = [
        [
            -20.0 + bias * (label == 0) + signal * 2 * (label == truth) + draw.gauss(0, abs(signal))
            for label in range(labels)
        ]
        for truth in right
    ]
    return logs, right


def accuracy(logs, right, calibration=None) -> float:
    chosen = [max(range(len(row)), key=lambda label, row=row: probabilities(row, calibration)[label]) for row in logs]
    return sum(one == other for one, other in zip(chosen, right, strict=True)) / len(right)


def test_what_a_base_prefers_anyway_is_taken_out() -> None:
    known, truth = biased_rows(60, 1)
    scored, right = biased_rows(400, 2)
    fitted = fit_calibration(known, truth, [1 / 3] * 3)
    assert accuracy(scored, right) < 0.45 and accuracy(scored, right, fitted) > 0.75
    assert fitted.rows == 60 and len(fitted.offsets) == 3


@pytest.mark.parametrize("factor", [0.05, 1.0, 30.0])
def test_likelihoods_on_any_scale_become_probabilities_that_keep(factor: float) -> None:
    """Long labels differ by hundreds of nats and short ones by one: the temperature makes both honest."""
    known, truth = biased_rows(100, 3)
    scored, right = biased_rows(600, 4)
    known, scored = ([[factor * log for log in row] for row in rows] for rows in (known, scored))
    fitted = fit_calibration(known, truth, [1 / 3] * 3)
    chances = [probabilities(row, fitted) for row in scored]
    sure = [max(row) for row in chances]
    hits = [row.index(max(row)) == truth for row, truth in zip(chances, right, strict=True)]
    raw = [max(probabilities(row)) for row in scored]
    assert calibration_error(sure, hits).value < 8
    assert calibration_error(raw, [False] * len(raw)).value > 30
    assert accuracy(scored, right, fitted) > 0.75


def test_a_base_that_knows_nothing_gives_the_commonest_label() -> None:
    shares = [0.1, 0.8, 0.1]
    known, truth = biased_rows(80, 5, signal=0.0, shares=shares)
    known = [[log + random.Random(place).gauss(0, 1) for log in row] for place, row in enumerate(known)]
    scored, right = biased_rows(300, 6, signal=0.0, shares=shares)
    assert accuracy(scored, right, fit_calibration(known, truth, shares)) > 0.7


def test_a_base_whose_likelihoods_say_the_contrary_is_at_chance_and_not_below() -> None:
    known, truth = biased_rows(60, 7, labels=2, signal=-1.0)
    scored, right = biased_rows(300, 8, labels=2, signal=-1.0)
    fitted = fit_calibration(known, truth, [0.5, 0.5])
    assert fitted.scale == 0 and accuracy(scored, right) < 0.5
    assert probabilities(scored[0], fitted) == pytest.approx([0.5, 0.5]) and 0.4 < accuracy(scored, right, fitted) < 0.6


def test_one_row_and_labels_that_no_row_has_are_enough() -> None:
    fitted = fit_calibration([[-3.0, -3.0, -900.0]], [1], [0.5, 0.5, 0.0])
    assert all(map(math.isfinite, [fitted.scale, *fitted.offsets]))
    assert sum(probabilities([-3.0, -3.0, -900.0], fitted)) == pytest.approx(1)
    with pytest.raises(ValueError, match="no rows"):
        fit_calibration([], [], [])


def test_probabilities_are_a_softmax_of_whatever_size() -> None:
    assert probabilities([-1000.0, -1000.0 + math.log(3)]) == pytest.approx([0.25, 0.75])
    assert probabilities([0.0, 0.0], Calibration(offsets=(0.0, math.log(4)), scale=5.0)) == pytest.approx([0.2, 0.8])


def test_the_calibration_error_is_that_of_its_definition() -> None:
    """30 rows at 0.95 of which 21 are right: 25 points; 10 at 0.55 of which 5 are: 5 points; weighted by rows 20."""
    found = calibration_error([0.95] * 30 + [0.55] * 10, [True] * 21 + [False] * 9 + [True] * 5 + [False] * 5)
    assert found.value == pytest.approx(0.75 * 25 + 0.25 * 5)
    assert found.low < found.value < found.high and found.rows == 40
    assert (
        calibration_error([1.0] * 5, [True] * 5).value == pytest.approx(0)
        and calibration_error([1.0] * 5, [True] * 5).high > 1
    )
    # errors of both signs in one bin cancel there, and in different bins they do not
    assert calibration_error([0.72, 0.78], [True, False]).value == pytest.approx(25)
    assert calibration_error([0.5, 0.9], [True, False]).value == pytest.approx(70)
