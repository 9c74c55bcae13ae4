"""The signed-in person, as the page's head and its handlers see them."""

import json
import re

import pytest

from lora_hub.people import LOCAL, STRANGER, Person, policy
from lora_hub.people.rules import Action
from lora_hub.ui.frame import person
from lora_hub.ui.frame.asking import ASKING, who_asks_in
from lora_hub.ui.frame.page import Labels
from lora_hub.ui.render import render_standing
from lora_hub.use_cases import Standing

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


def test_limits_are_told_before_they_are_met() -> None:
    will = Person(id="will", roles={"lora-hub": "write"})
    allowed = policy.Policy(waiting_runs=2, minutes_a_day=10)
    for going, minutes, said in (
        (0, 3.2, "Runs and tests of yours that wait or work: 0 of 2 at a time. 3 of your 10 minutes a day are used."),
        (1, 12.0, "Your 10 minutes of training a day are used up."),
        (2, 0.0, "2 runs and tests of yours wait or work, and no more may."),
    ):
        standing = Standing(will, "lora-hub", (Action.TRAIN,), allowed, going, minutes)
        assert said in render_standing.left(standing, "en")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://huggingface.co", "Sign in with Hugging Face"),
        ("http://team:8000/", "Sign in with the Hub at team:8000"),
    ],
)
def test_the_button_names_the_hub_that_it_leads_to(url: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTH_CLIENT_ID", "app")
    monkeypatch.setenv("OPENID_PROVIDER_URL", url)
    assert said in re.sub("[\u2066-\u2069]", "", person.door(Labels(["en"])))
