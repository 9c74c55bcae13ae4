"""Signed-in sessions: how long they last, as whom, and how often the Hub is asked."""

import threading

import pytest

from lora_hub.core.errors import AccessError
from lora_hub.people import STRANGER, Person, Sessions
from lora_hub.people import sessions as room
from lora_hub.people.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


WILL = Person(id="will", roles={"lora-hub": "write"}, token="hf_of_will")


def test_a_session_is_its_persons_until_its_end() -> None:
    clock = Clock()
    sessions = Sessions(lambda token: WILL, clock)
    name = sessions.open(WILL, 60)
    assert len(name) >= 40 and sessions.find(name) == WILL and sessions.find(name).token == "hf_of_will"
    for other in ("", name[:-1], name.lower(), "x" * 5000):
        assert sessions.find(other).id == "" and not sessions.find(other).token
    clock.now += 60
    assert sessions.find(name) == STRANGER and len(sessions) == 0
    again = sessions.open(WILL, 60)
    assert again != name
    sessions.close(again)
    assert sessions.find(again) == STRANGER


def test_who_is_signed_in_is_named_for_each_session() -> None:
    clock = Clock()
    sessions = Sessions(lambda token: WILL, clock)
    ada = Person(id="ada", roles={"lora-hub": "admin"}, token="hf_of_ada")
    first = sessions.open(WILL, 60)
    for who, seconds in ((ada, 60), (WILL, 30)):
        sessions.open(who, seconds)
    sessions.find(first)
    assert [one.id for one in sessions.people()] == ["will", "will", "ada"] and sessions.people()[0].token
    clock.now += 30
    sessions.close(first)
    assert [one.id for one in sessions.people()] == ["ada"]


def test_no_name_of_a_session_is_kept() -> None:
    sessions = Sessions(lambda token: WILL)
    name = sessions.open(WILL, 60)
    assert name not in repr(vars(sessions)) and "hf_of_will" not in repr(vars(sessions))


def test_a_role_that_was_taken_away_counts_soon() -> None:
    clock, asked, answer = Clock(), [], [WILL]

    def ask(token: str) -> Person | None:
        asked.append(token)
        if isinstance(answer[0], Exception):
            raise answer[0]
        return answer[0]

    sessions = Sessions(ask, clock)
    name = sessions.open(WILL, 10_000)
    sessions.find(name)
    assert asked == []
    clock.now += room.ROLES_SECONDS
    answer[0] = Person(id="will", roles={"lora-hub": "read"})
    assert sessions.find(name).role == "read" and sessions.find(name).token == "hf_of_will"
    assert asked == ["hf_of_will"]
    clock.now += room.ROLES_SECONDS
    answer[0] = OSError("the Hub is down")
    assert sessions.find(name).role == "read", "what it said last still counts"
    for gone in (None, Person(id="another")):
        name = sessions.open(WILL, 10_000)
        clock.now += room.ROLES_SECONDS
        answer[0] = gone
        assert sessions.find(name).id == "" and sessions.find(name).id == ""


def test_there_are_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_SESSIONS", 20)
    monkeypatch.setattr(room, "MOST_STRANGERS", 5)
    sessions = Sessions(lambda token: WILL)
    first = [sessions.open(WILL, 60) for _ in range(room.MOST_OF_ONE + 1)]
    assert sessions.find(first[0]).id == "" and sessions.find(first[1]).id == "will"
    for number in range(30):
        sessions.open(Person(id=f"p{number}"), 60)
        sessions.find("", f"10.0.0.{number}")
    assert len(sessions) == 20 and len(sessions._paces) <= 25


def test_requests_of_a_minute_are_counted_for_all_sessions_of_a_person() -> None:
    sessions = Sessions(lambda token: WILL)
    one, two = (sessions.find(sessions.open(WILL, 60)) for _ in range(2))
    assert one.pace is two.pace and one.pace is not sessions.find("", "10.0.0.1").pace
    assert sessions.find("", "10.0.0.1").pace is sessions.find("wrong", "10.0.0.1").pace


def test_a_pace() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert [pace.take(2) for _ in range(2)] == [0, 0]
    clock.now += 20
    assert pace.take(2) == 40
    clock.now += 39.5
    assert pace.take(2) == pytest.approx(0.5)
    clock.now += 0.5
    assert pace.take(2) == 0 and pace.take(2) == 0 and pace.take(2) == 60
    together = Pace()
    threads = [threading.Thread(target=lambda: [together.take(50) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(together._times) == 50


def test_of_a_programs_first_requests_that_come_at_once_one_asks() -> None:
    asked, may_answer = [], threading.Event()

    def ask(token: str) -> Person:
        asked.append(token)
        may_answer.wait(30)
        return Person(id="will")

    sessions, found = Sessions(ask), []
    threads = [
        threading.Thread(target=lambda: found.append(sessions.find_program("hf_wills", "1.2.3.4")))
        for _number in range(2 * room.MOST_UNKNOWN)
    ]
    for thread in threads:
        thread.start()
    may_answer.set()
    for thread in threads:
        thread.join(30)
    assert asked == ["hf_wills"] and [one.id for one in found] == ["will"] * len(threads)


def test_many_unknown_tokens_are_not_called_wrong() -> None:
    sessions = Sessions(lambda _token: None)
    for number in range(room.MOST_UNKNOWN):
        with pytest.raises(AccessError, match="does not accept this token"):
            sessions.find_program(f"hf_{number}", "1.2.3.4")
    with pytest.raises(AccessError, match="Too many tokens that are not known"):
        sessions.find_program("hf_another", "1.2.3.4")
    # What cannot be a header is asked of nobody.
    with pytest.raises(AccessError, match="does not accept this token"):
        Sessions(lambda _token: pytest.fail("asked")).find_program("hf_\xff", "1.2.3.4")
