"""What is left of a training is told by its later half."""

import pytest

from lora_hub.training import remaining


def test_what_the_machine_does_now_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"seconds": 100.0}
    monkeypatch.setattr(remaining.time, "monotonic", lambda: now["seconds"])
    left = remaining.Remaining(step=10)
    now["seconds"] += 2
    assert left.seconds_step(11) == 2
    for step in range(12, 31):  # 20 steps of two seconds
        now["seconds"] += 2
        assert left.seconds_step(step) == pytest.approx(2)
    for step in range(31, 36):  # now others take the machine
        now["seconds"] += 20
        last = left.seconds_step(step)
    assert 15 < last <= 20  # the mean of all would be 5.6
