"""The Test sets tab for its owner and for others: who is shown Share, what it says, and a link to what is not for
them."""

from types import SimpleNamespace
from typing import Any

import pytest
from test_test_sets import made, person

from lora_hub.compare.test_sets import TestReader
from lora_hub.people import LOCAL, Person
from lora_hub.ui.tabs.test_sets import test_sets_watch

SHARE = 5  # among what `look` draws


@pytest.fixture
def testing(monkeypatch: pytest.MonkeyPatch) -> test_sets_watch.Testing:
    monkeypatch.setattr(test_sets_watch, "inform", lambda said, language: None)
    return test_sets_watch.Testing(SimpleNamespace(tests=TestReader()))


def look(testing: test_sets_watch.Testing, who: Person, test_id: str, language: str = "en") -> list[Any]:
    return testing.look(language, test_id, "", "all", "file", "", None, None, person=who)


def test_a_test_is_shared_with_a_button_and_seen_by_its_link(testing: test_sets_watch.Testing) -> None:
    eve, rita = person("eve", "write"), person("rita", "read")
    hers = made("eve", "failed")
    there, head = look(testing, rita, hers)[:2]
    assert hers not in there and "There is no test" in head and "ask its owner to share it" in head
    drawn = look(testing, eve, hers)
    assert (drawn[SHARE].visible, drawn[SHARE].value) == (True, "Share")
    assert f'data-link="?tab=tests&amp;test={hers}"' in drawn[1] and "by eve" in drawn[0]
    testing.share("en", hers, person=eve)
    assert look(testing, eve, hers)[SHARE].value == "Keep private"
    there, head = look(testing, rita, hers)[:2]
    assert hers in there and "shared with the organization" in there and "rows.csv" in head
    assert not look(testing, rita, hers)[SHARE].visible
    testing.share("en", hers, person=eve)
    assert hers not in look(testing, rita, hers)[0]
    assert len(look(testing, eve, "")) == len(drawn), "as many as the tab has places"


def test_on_a_laptop_there_is_nobody_to_share_with(testing: test_sets_watch.Testing) -> None:
    mine = made("local", "failed")
    drawn = look(testing, LOCAL, mine)
    assert not drawn[SHARE].visible and "data-link" in drawn[1] and "local" not in drawn[0]
