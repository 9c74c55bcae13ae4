"""Early clicks either count or are not possible yet: a slow network, a slow machine, and responses out of order.

The app is a process of its own, as in test_page.py. What is slow is made slow on purpose: the requests of the page are
held back here, and the browser's processor is slowed down.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from page_calls import Caller
from playwright import sync_api as playwright
from sample_adapters import make_spec
from test_page import PATIENCE_MS, App, Visit, browser, free_port, visiting, wait_for_text

from lora_hub.core import events, store
from lora_hub.ui.tabs.finetune.finetune import OUTDATED

expect = playwright.expect
__all__ = ["browser"]
TABS = ("Fine-tune", "Runs", "Adapters", "Compare")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    running = App(tmp_path_factory.mktemp("wiring") / "home", free_port())
    try:
        running.start()
        yield running
    finally:
        running.close()


class Held:
    """The page's requests for answers, held back as long as `wants(body)` says so. body: what the page asked, as
    JSON."""

    def __init__(self, visit: Visit, wants: Callable[[dict], bool]) -> None:
        self.wants, self.waiting = wants, []
        self.asked: list[dict] = []
        visit.context.route("**/queue/join*", self._take)

    def _take(self, route: playwright.Route) -> None:
        self.asked.append(json.loads(route.request.post_data or "{}"))
        if self.wants(self.asked[-1]):
            self.waiting.append(route)
        else:
            route.continue_()

    def let_go(self) -> None:
        self.wants = lambda body: False
        for route in self.waiting:
            route.continue_()
        self.waiting.clear()


def slow_down(visit: Visit, page: object, factor: int) -> None:
    visit.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": factor})


def click_where_it_is(page: object, element: object) -> None:
    """A press of the mouse as a person makes it, whether or not the page takes it."""
    box = element.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def everything_follows(page: object) -> None:
    """A task is chosen, and so the page shows what follows from it."""
    wait_for_text(page, "#lh-task-card", "Is this message spam?")
    expect(page.locator("#lh-sample")).to_be_enabled()
    wait_for_text(page, "#lh-reason", "step 2")


def settles(page: object, selector: str, wanted: str, seconds: float = 4) -> None:
    """The text comes and stays: answers that were on their way are all there."""
    since = None
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while since is None or time.monotonic() - since < seconds:
        assert time.monotonic() < deadline, page.locator(selector).inner_text()
        there = wanted in page.locator(selector).inner_text()
        since = (since or time.monotonic()) if there else None
        page.wait_for_timeout(50)


def test_nothing_can_be_clicked_until_the_page_is_wired_and_then_all_of_it(
    app: App, browser: object, tmp_path: Path
) -> None:
    with visiting(browser, tmp_path) as visit:
        held = Held(visit, lambda body: True)
        page = visit.open(app.url)
        radio = page.locator("#lh-task input[value='spam']")
        label = page.locator("#lh-task label").first
        label.wait_for()
        for _ in range(3):
            click_where_it_is(page, label)
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
        # The other tabs cannot be opened yet, either: what is in them is not wired.
        for name in TABS[1:]:
            click_where_it_is(page, page.locator("#lh-tabs [role=tab]", has_text=name).first)
        assert page.evaluate("document.getElementById('lh-tabs').inert")
        assert not radio.is_checked() and "tab=" not in page.url
        # The header is no part of it: the other language can be asked for at once.
        assert page.locator("[data-language=fa]").evaluate("button => !button.closest('[inert]')")
        held.let_go()
        page.wait_for_function("!document.getElementById('lh-tabs').inert")
        page.evaluate("scrollTo(0, 0)")
        click_where_it_is(page, label)
        expect(radio).to_be_checked()
        everything_follows(page)
        assert visit.errors == []


@pytest.mark.parametrize("tab", TABS)
def test_each_tab_that_is_opened_by_its_address_waits_for_what_it_shows(
    app: App, browser: object, tmp_path: Path, tab: str
) -> None:
    with visiting(browser, tmp_path) as visit:
        held = Held(visit, lambda body: True)
        page = visit.open(f"{app.url}/?tab={tab.lower().replace('-', '')}&adapters=lora-hub/one")
        page.locator("#lh-tabs").wait_for()
        page.wait_for_function("document.getElementById('lh-tabs').inert")
        time.sleep(0.5)
        assert page.evaluate("document.getElementById('lh-tabs').inert"), "it woke before its answers were there"
        held.let_go()
        page.wait_for_function("!document.getElementById('lh-tabs').inert")
        expect(page.locator("#lh-tabs [role=tab][aria-selected=true]").first).to_have_text(tab)


def test_a_first_click_counts_on_a_slow_machine(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        page = visit.context.new_page()
        slow_down(visit, page, 12)
        page.goto(app.url, wait_until="domcontentloaded")
        # As soon as it can be clicked at all, and at once again: nothing is waited for in between.
        page.locator("#lh-task input[value='topic']").check()
        page.locator("#lh-task input[value='spam']").check()
        everything_follows(page)
        page.locator("#lh-sample").click()
        wait_for_text(page, "#lh-data", "spam.csv")
        page.locator("#lh-task input[value='topic']").check()
        page.locator("#lh-effort").get_by_text("Quick", exact=True).click()
        wait_for_text(page, "#lh-task-card", "about")
        page.locator("#lh-task input[value='spam']").check()
        expect(page.locator("#lh-train")).to_be_enabled()


def test_an_old_answer_that_comes_last_does_not_stay(app: App, browser: object, tmp_path: Path) -> None:
    """The look at the empty form is answered after the one at the chosen task."""
    with visiting(browser, tmp_path) as visit:
        # A look is what asks with the whole form.
        def looks(held: Held) -> list[dict]:
            return [body for body in held.asked if len(body.get("data", [])) >= 30]

        held = Held(visit, lambda body: looks(held) == [body])
        page = visit.open(app.url)
        page.locator("#lh-task input[value='spam']").check()
        everything_follows(page)
        assert len(held.waiting) == 1 and len(looks(held)) == 2
        held.let_go()
        settles(page, "#lh-task-card", "Is this message spam?")
        everything_follows(page)
        assert len(looks(held)) == 3, "the late answer was not looked at again"
        # An answer that never fits asks once; the same old one, after another that fitted, asks again.
        once, never, fits, late = page.evaluate(
            f"""() => {{ const outdated = {OUTDATED};
            return ['["a"]', '["a"]', '["b"]', '["a"]'].map((seen) => outdated(seen, 'b')); }}"""
        )
        assert once == never == fits != late
        page.locator("#lh-sample").click()
        wait_for_text(page, "#lh-data", "spam.csv")


def test_a_choice_made_while_the_sample_is_on_its_way_is_looked_at(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        page = visit.open(app.url)
        page.locator("#lh-task input[value='spam']").check()
        everything_follows(page)
        page.wait_for_timeout(500)
        taken = Held(visit, lambda body: len(body.get("data", [])) >= 30)
        page.locator("#lh-sample").click()
        page.locator("#lh-effort").get_by_text("Quick", exact=True).click()
        page.locator("#lh-task input[value='topic']").check()
        page.locator("#lh-parent input").fill("no-such/one")
        page.locator("#lh-parent input").press("Enter")
        wait_for_text(page, "#lh-parent-note", "Looking at this adapter")
        taken.let_go()
        wait_for_text(page, "#lh-data", "spam.csv")
        settles(page, "#lh-task-card", "about")
        settles(page, "#lh-parent-note", "no-such/one", 0.2)
        page.reload()
        wait_for_text(page, "#lh-task-card", "about")
        expect(page.locator("#lh-effort input[value=quick]")).to_be_checked()


def test_a_file_given_to_a_page_that_wakes_is_taken_when_it_is_awake(app: App, browser: object, tmp_path: Path) -> None:
    file = tmp_path / "early.csv"
    file.write_text(
        "text,label\n"
        + "".join(
            f"message number {place} {'win' if place % 2 else 'lunch'},{'spam' if place % 2 else 'ham'}\n"
            for place in range(60)
        )
    )
    with visiting(browser, tmp_path) as visit:
        held = Held(visit, lambda body: True)
        page = visit.open(app.url)
        page.locator("#lh-file input[type=file]").wait_for(state="attached")
        page.locator("#lh-file input[type=file]").set_input_files(str(file))
        time.sleep(0.5)
        held.let_go()
        wait_for_text(page, "#lh-data", "early.csv")


def test_runs_and_filters_clicked_quickly_end_with_the_last_one(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        page = visit.open(f"{app.url}/?tab=runs&run=no-such-run")
        wait_for_text(page, "#lh-run", "no-such-run")
        page.evaluate("""() => { for (const id of ['first', 'second', 'third']) {
          const button = document.createElement('button'); button.dataset.id = id;
          document.body.append(button); button.click(); button.remove(); } }""")
        wait_for_text(page, "#lh-run", "third")
        page.wait_for_url("**run=third*")


def test_a_question_that_comes_after_another_choice_is_not_asked(
    app: App, browser: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delete is pressed for one run, and its answer comes when the page shows another: that one's Delete then asks at
    its own first press, and deletes at the second."""
    monkeypatch.setenv("LORA_HUB_HOME", str(app.home))
    first, second = (store.create_run(make_spec(name)) for name in ("one", "two"))
    for run_id in (first, second):
        events.EventLog(store.events_file(run_id), "app-1").append("state", state="cancelled")
    with visiting(browser, tmp_path) as visit:
        page = visit.open(f"{app.url}/?tab=runs&run={first}")
        delete, asked = page.locator("#lh-delete"), page.locator("#lh-to-delete textarea")
        wait_for_text(page, "#lh-run", first)
        held = Held(visit, lambda body: len(body["data"]) == 3 and str(body["data"][1]).startswith(first))
        delete.click()
        page.locator(f"#lh-runs [data-id='{second}']").click()
        wait_for_text(page, "#lh-run", second)
        assert len(held.waiting) == 1
        with page.expect_response("**/queue/join*"):  # the answer, and what follows it
            held.let_go()
        settles(page, "#lh-delete", "Delete")
        expect(delete).to_have_text("Delete")
        expect(asked).to_have_value("")
        delete.click()
        wait_for_text(page, "#lh-delete", "press again")
        expect(asked).to_have_value(second)
        delete.click()
        expect(page.locator(f"#lh-runs [data-id='{second}']")).to_have_count(0)
        assert [path.name for path in (app.home / "runs").glob("spam-*")] == [first]


def test_each_button_that_asks_again_asks_for_what_is_chosen(app: App) -> None:
    """A question for another choice is taken back after each press: of runs, adapters, files and everything."""
    caller = Caller(app.url)
    for name, chosen, other in (
        ("lh-delete", ["run-2 cancelled"], "run-1"),
        ("lh-adapter-delete", ["lora-hub/two", None], "lora-hub/one@"),
        ("lh-data-delete", [None], "0123456789abcdef/one.csv"),
        ("lh-data-wipe", ["", True], " False"),
    ):
        pressing = next(one for one in caller.events if [name, "click"] in named(caller, one))
        after = [one for one in caller.events if one["trigger_after"] == pressing["id"]]
        assert any('"variant": "secondary"' in caller.call(one, ["en", *chosen, other]) for one in after), name


def named(caller: Caller, event: dict) -> list[list[str]]:
    return [[caller.name_of(target), kind] for target, kind in event["targets"]]
