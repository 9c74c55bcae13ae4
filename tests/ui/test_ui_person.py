"""The signed-in person, as the page's head and its handlers see them."""

import json
import re

import pytest

from lora_hub.people import LOCAL, STRANGER, Person, policy
from lora_hub.ui.frame import person
from lora_hub.ui.frame.asking import ASKING, who_asks_in
from lora_hub.ui.frame.page import Labels

EVE = Person(id="eve", name="</script><script>alert(1)//", roles={"lora-hub": "write"}, token="hf_of_eve")


def known(of: Person) -> dict:
    told = person.facts(of)
    assert told.count("<script>") == told.count("</script>") == 1, "no name ends the script"
    return json.loads(re.fullmatch(r"<script>window\.loraHubPerson = (.*);</script>", told)[1])


def test_the_head_says_who_asks_and_nothing_secret() -> None:
    told = known(EVE)
    largest, kept = told.pop("largest"), told.pop("kept")
    assert largest["bytes"] == 100_000_000 and "100 MB" in largest["said"]["en"] and "۱۰۰" in largest["said"]["fa"]
    assert len(kept) == 16 and kept != known(STRANGER)["kept"] and known(STRANGER)["largest"] is None
    assert told == {
        "id": "eve",
        "name": EVE.name,
        "avatar": "",
        "role": "write",
        "may": "nothing browse compare train publish",
    }
    assert "hf_of" not in person.facts(EVE) and known(STRANGER)["may"] == "nothing"
    policy.write(policy.Policy(strangers="compare"))
    assert known(STRANGER)["may"] == "nothing browse compare"


def test_who_cannot_be_told_is_a_stranger_where_people_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    assert who_asks_in({}) is LOCAL
    for variable in ("SPACE_ID", "OAUTH_CLIENT_ID"):
        with monkeypatch.context() as here:
            here.setenv(variable, "x/y")
            assert who_asks_in({}) is STRANGER and not STRANGER.is_local
            assert who_asks_in({ASKING: lambda: EVE}) is EVE


def test_a_space_without_sign_in_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "org/space")
    door, badge = person.door(Labels()), person.badge(Labels())
    assert "hf_oauth: true" in door and "login/huggingface" not in door + badge
    monkeypatch.setenv("OAUTH_CLIENT_ID", "the-app")
    door, badge = person.door(Labels()), person.badge(Labels())
    assert "hf_oauth: true" not in door and 'href="login/huggingface"' in door and 'href="login/huggingface"' in badge
