"""The shelf without a browser: its pages, what is kept of a listing, the boxes, and the page's ids."""

import re
from collections import Counter

import pytest
from test_who_may import PEOPLE

from lora_hub import use_cases
from lora_hub.compare import Comparer
from lora_hub.core.errors import HubError, HubUnreachableError
from lora_hub.core.messages import as_message
from lora_hub.core.schema import AdapterRef
from lora_hub.data.inspector import Inspector
from lora_hub.people import LOCAL
from lora_hub.ui.render import render_own_data
from lora_hub.ui.render.shelf import render_shelf
from lora_hub.ui.tabs.shelf import shelf_kept, shelf_picked
from lora_hub.ui.tabs.shelf.adapters_tab import page_of
from lora_hub.ui.tabs.shelf.shelf_kept import KeptListings


def test_no_two_parts_of_the_page_have_the_same_id(monkeypatch: pytest.MonkeyPatch, hub) -> None:
    """The browser keeps choices and what was typed by these ids, and styles and scripts find fields by them."""
    from lora_hub.api import Endpoints
    from lora_hub.ui import app
    from lora_hub.ui.frame.page import Labels

    monkeypatch.setattr(app, "tabs_here", lambda: app.TABS)  # the tab of those who sign in, too
    blocks = app.build(hub, Endpoints(Comparer(), Inspector()), Labels())
    ids = Counter(one["props"]["elem_id"] for one in blocks.config["components"] if one["props"].get("elem_id"))
    assert len(ids) > 50 and {name: count for name, count in ids.items() if count > 1} == {}
    # A choice that is made while the one before is still worked on counts: Gradio drops it where an event may be asked
    # "once", which it is where the first of several triggers is no change. These are presses, told by a hidden field.
    named = {one["id"]: one["props"].get("elem_id") for one in blocks.config["components"]}
    dropped = {
        f"{named.get(target)} {event}"
        for one in blocks.config["dependencies"]
        if one["trigger_mode"] == "once" and one["backend_fn"]
        for target, event in one["targets"]
        if event in ("change", "input", "upload", "clear")
    }
    presses = {"lh-edited change", "lh-start-from change", "lh-again change", "lh-file clear", "lh-test-upload upload"}
    # What these do is the same whatever is chosen: a first press on Delete is forgotten.
    presses |= {f"{one} input" for one in ("lh-adapter-version", "lh-data-file", "lh-data-owner", "lh-data-adapters")}
    assert dropped == presses


def many(count: int) -> list[AdapterRef]:
    return [AdapterRef(repo_id=f"lora-hub/a{n}", size=1_500_000, languages=("fa",), owner="ada") for n in range(count)]


@pytest.mark.parametrize("form", [render_shelf.CARDS, render_shelf.TABLE])
def test_a_long_shelf_is_drawn_a_page_at_a_time(form: str) -> None:
    found = many(1000)
    view = render_shelf.View(
        found, 1000, "lora-hub", form=form, page=2, where='data-put="x" data-value="{page}"', picked={"lora-hub/a50"}
    )
    shown = render_shelf.shelf(view, "en")
    names = re.findall(r'data-open="([^"]*)"', shown)
    assert names == [ref.repo_id for ref in found[render_shelf.PAGE : 2 * render_shelf.PAGE]]
    assert shown.count(" checked>") == 1 and "1,000 adapters" in shown and len(shown) < 150_000
    assert "Persian" in shown and "1.5 MB" in shown and 'data-value="3"' in shown
    assert "فارسی" in render_shelf.shelf(view, "fa")


@pytest.mark.parametrize(
    ("turned", "page"),
    [("2 abc", 2), ("9 abc", 3), ("2 other", 1), ("", 1), ("0 abc", 1), ("x abc", 1), ("-1 abc", 1), ("² abc", 1)],
)
def test_a_page_belongs_to_one_list(turned: str, page: int) -> None:
    assert page_of(turned, "abc", 2 * render_shelf.PAGE + 1) == page


def test_an_empty_shelf_says_why() -> None:
    assert "No adapter matches" in render_shelf.shelf(render_shelf.View([], 3, "lora-hub"), "en")
    assert "Fine-tune" in render_shelf.shelf(render_shelf.View([], 0, "lora-hub"), "en")
    assert "Fine-tune" not in render_shelf.shelf(render_shelf.View([], 0, "lora-hub", may_train=False), "en")


def test_all_that_would_be_deleted_is_named() -> None:
    data = use_cases.OwnData(LOCAL.id, (), ("spam-1",), 5_000_000, (), ("test-1", "test-2"), 3)
    shown = render_own_data.everything(data, "en")
    assert "1 run, 0 files, 2 tests, 3 comparisons, 5.0 MB in all." in shown
    assert "Nothing is kept here." in render_own_data.everything(use_cases.OwnData(LOCAL.id, (), (), 9, ()), "en")


@pytest.mark.parametrize("told", ["", "{", "5", '{"a": 1}', "null"])
def test_boxes_that_a_browser_made_up_are_none(told: str) -> None:
    assert shelf_picked.names_of(told) == []


def test_a_filter_asks_the_hub_nothing_and_nobody_sees_anothers_listing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def list_adapters(person, **named):
        asked.append(person.id)
        return [AdapterRef(repo_id=f"lora-hub/of-{person.id}")]

    monkeypatch.setattr(use_cases, "list_adapters", list_adapters)
    monkeypatch.setattr(use_cases, "list_collections", lambda person, org: [])
    kept, ada, will = KeptListings(), PEOPLE["admin"], PEOPLE["write"]
    for _ in range(3):
        assert kept.listed(ada, "lora-hub").adapters[0].repo_id == "lora-hub/of-ada"
        assert kept.listed(will, "lora-hub").adapters[0].repo_id == "lora-hub/of-will"
    assert asked == ["ada", "will"]
    kept.forget(ada)
    kept.listed(ada, "lora-hub"), kept.listed(will, "lora-hub"), kept.refresh(will, "lora-hub")
    assert asked == ["ada", "will", "ada", "will"]
    monkeypatch.setattr(shelf_kept, "KEPT_SECONDS", 0.0)
    kept.listed(ada, "lora-hub")
    assert asked[-1] == "ada" and len(asked) == 5
    for place in range(2 * shelf_kept.MOST_KEPT):
        kept.listed(ada, f"org-{place}")
    assert len(kept._kept) == shelf_kept.MOST_KEPT


def test_a_hub_that_cannot_be_asked_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(person, **named):
        raise HubUnreachableError(as_message("it is down"))

    monkeypatch.setattr(use_cases, "list_adapters", fails)
    kept, ada = KeptListings(), PEOPLE["admin"]
    with pytest.raises(HubUnreachableError):
        kept.refresh(ada, "lora-hub")
    assert kept.listed(ada, "lora-hub").failed
    # A Hub without collections still has a shelf.
    monkeypatch.setattr(use_cases, "list_adapters", lambda person, **named: many(1))

    def no_collections(person, org):
        raise HubError(as_message("there are none here"))

    monkeypatch.setattr(use_cases, "list_collections", no_collections)
    assert len(kept.refresh(ada, "lora-hub").adapters) == 1 and kept.listed(ada, "lora-hub").collections == ()
