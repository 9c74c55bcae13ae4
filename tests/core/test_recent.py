"""A dict that forgets what was asked for longest ago."""

from lora_hub.core.recent import Recent


def test_what_was_asked_for_longest_ago_goes() -> None:
    kept: Recent[str, int] = Recent(2)
    kept["a"], kept["b"] = 1, 2
    assert kept.get("a") == 1 and kept.get("c") is None and kept.get("c", 0) == 0
    kept["c"] = 3
    assert dict(kept) == {"a": 1, "c": 3}
    kept["a"] = 4  # put in again, it is the last one
    kept["d"] = 5
    assert dict(kept) == {"a": 4, "d": 5}


def test_room_is_what_the_values_take_and_the_last_one_stays() -> None:
    kept: Recent[str, bytes] = Recent(3, len)
    kept["a"], kept["b"] = b"1", b"12"
    assert list(kept) == ["a", "b"]
    kept["c"] = b"1234"
    assert list(kept) == ["c"]
