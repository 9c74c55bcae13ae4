"""What the page shows of a version in production: the record, which may be a stranger's, and what became of a
promotion."""

from types import SimpleNamespace

from lora_hub.core.messages import _
from lora_hub.hub import Measured, Production, Promotion
from lora_hub.hub.promotion import Promotions
from lora_hub.ui.render.shelf import render_production

COMMIT = "a" * 40
FOUND = Measured(
    metric="<b>x",
    against="<i>v1",
    rows=40,
    score=80,
    other=70,
    difference=10,
    low=1,
    high=19,
    p=0.01,
)
ENTRY = Promotion(
    at="<script>",
    by='"><img src=x>',
    kind="reason",
    version="v2",
    commit=COMMIT,
    before="v1",
    before_commit="b" * 40,
    reason="<a href=javascript:1>",
    task=FOUND,
    general=FOUND,
)


def test_a_strangers_record_is_words() -> None:
    place = Production("a/b", "v2", COMMIT, True, {"v2": COMMIT}, Promotions((ENTRY,)))
    for language, said in (("en", "is in production"), ("fa", "نسخهٔ اصلی است")):
        told = render_production.production(place, language)
        assert said in told and "{" not in told
        assert not any(bad in told for bad in ("<script", "<img", "<a ", "<b>", "<i>"))
    nothing = Production("a/b", "", "", False, {}, Promotions())
    assert "No version is in production" in render_production.production(nothing, "en")


def test_what_became_of_it_is_said_first() -> None:
    for why, moved, said in (
        ("better", True, "v2</bdi> is in production now: it is measured better"),
        ("reason", True, "for the reason that was given"),
        ("", False, "was not promoted"),
    ):
        found = SimpleNamespace(why=why, moved=moved, version="v2", said=_("{name} was deleted.", name="<b>"))
        told = render_production.outcome(found, "en")
        assert said in told and ('role="alert"' in told) == (not moved) and "<b>" not in told
    assert "v1</bdi> is in production again" in render_production.rolled_back(
        ENTRY.model_copy(update={"version": "v1", "before": "v2"}), "en"
    )
