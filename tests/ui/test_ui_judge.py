"""The judge on the page: what it said is shown as text, and nothing goes to an address without a word."""

import pytest
from persian import refused

from lora_hub.compare.test_sets.judged import compute_judged
from lora_hub.compare.test_sets.nouns import Verdict
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _
from lora_hub.ui.render.test_sets import render_judged, render_tests
from lora_hub.ui.tabs.test_sets import test_sets_judge

BY = {"name": "<b>big</b>", "url": "http://127.0.0.1:1/v1", "trouble": None}


@pytest.mark.parametrize(("language", "base"), [("en", "Base"), ("fa", "مدل پایه")])
def test_what_the_judge_said_is_shown(language: str, base: str) -> None:
    verdicts = [Verdict(row=n, a="base", b="<i>v2</i>", forward="b", backward="b") for n in range(9)]
    verdicts += [Verdict(vote="0" * 16, a="x", b="y", forward="a", backward="a")]
    found = {"judge": BY, "judged": compute_judged(verdicts, {n: n for n in range(9)})}
    shown = render_judged.judged(found, render_tests.pane_name, language)
    assert "&lt;b&gt;big" in shown and "&lt;i&gt;v2" in shown and "<i>" not in shown and 'class="lh-good"' in shown
    assert base in shown or base.lower() in shown
    assert ("9 to 0" if language == "en" else "۹ در برابر ۰") in shown
    assert ("agrees with you on 1 of 1" if language == "en" else "با شما هم‌نظر است") in shown
    assert render_judged.judged({}, render_tests.pane_name, language) == ""


def test_a_judge_that_could_not_be_asked_says_why() -> None:
    trouble = _("The judge at {host} cannot be asked: {reason}.", host="<b>h</b>", reason="x").model_dump(mode="json")
    shown = render_judged.judged({"judge": {**BY, "trouble": trouble}}, render_tests.pane_name, "en")
    assert "cannot be asked: x" in shown and "<b>h" not in shown and "<ul" not in shown


def test_nothing_is_sent_without_a_word() -> None:
    with refused(SpecError, match="would be sent to the judge"):
        test_sets_judge.check("https://example.com/v1", "big", False)
    assert test_sets_judge.check("https://example.com/v1", "big", True) == {
        "judge": "https://example.com/v1",
        "judge_model": "big",
    }
    assert test_sets_judge.check("built-in", "big", False) == {"judge": "built-in", "judge_model": ""}
    assert test_sets_judge.check(None, "", False)["judge"] == ""
