"""Compare in a real browser: adapters of two bases, one of them at half its strength, a pane that answers again, a chat
that goes on and is edited, by keyboard, in Persian, on a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright import sync_api as playwright
from test_compare_bases import adapters
from test_page import App, browser, free_port, visiting

expect = playwright.expect
__all__ = ["adapters", "browser"]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    running = App(tmp_path_factory.mktemp("compare") / "home", free_port())
    try:
        running.start()
        yield running
    finally:
        running.close()


def test_one_question_in_all_its_ways(app: App, browser: object, adapters: list[str], tmp_path: Path) -> None:  # noqa: F811
    names = [adapters[0], adapters[2]]
    with visiting(browser, tmp_path) as visit:
        # The router, in an organization without adapters: the base alone answers, and its pane says why.
        page = visit.open(f"{app.url}/?tab=compare&adapters=auto")
        page.locator("#lh-names input").click()
        expect(page.get_by_role("option", name="Auto: the adapter that the question is for")).to_be_visible()
        page.locator("#lh-prompt textarea").fill("hello")
        page.locator("#lh-ask").click()
        alone = page.locator("#lh-answers article:not([aria-busy])")
        expect(alone).to_have_count(1)
        expect(alone).to_contain_text("The base answers: the organization has no adapter of built-in yet.")

        page.goto(f"{app.url}/?tab=compare&adapters={','.join(names)}")
        page.get_by_text("How they answer").click()
        page.locator("#lh-most-tokens input").fill("12")
        page.locator("#lh-sliders [data-strength]").nth(1).fill("0.5")
        expect(page.locator("#lh-sliders output").nth(1)).to_have_text("0.5")
        prompt = page.locator("#lh-prompt textarea")
        prompt.fill("hello")
        prompt.press("Control+Enter")
        done = page.locator("#lh-answers article:not([aria-busy])")
        expect(done).to_have_count(3)
        last = done.nth(2)
        expect(last).to_contain_text("strength 0.50")
        expect(last.locator(".lh-which bdi")).to_have_text("base1")
        expect(last).to_contain_text("tokens a second")
        assert "Changes nothing" not in page.locator("#lh-answers").inner_text()

        # Drawn anew, that pane alone changes; what is selected in another stays selected.
        page.locator("#lh-temperature input").fill("2")
        panes = page.locator("#lh-answers .lh-panes")
        first = str(panes.get_attribute("data-asked"))
        prompt.press("Control+Enter")
        expect(panes).not_to_have_attribute("data-asked", first)
        expect(done).to_have_count(3)
        before = [done.nth(n).locator(".lh-answer").inner_text() for n in range(3)]
        page.evaluate("getSelection().selectAllChildren(document.querySelector('#lh-answers .lh-answer'))")
        last.get_by_role("button", name="Answer again").press("Enter")
        expect(last.locator(".lh-answer")).not_to_have_text(before[2])
        expect(done).to_have_count(3)
        assert [done.nth(n).locator(".lh-answer").inner_text() for n in range(2)] == before[:2]
        assert page.evaluate("getSelection().toString().trim()") == before[0].strip()

        # A chat: each pane goes on from its own answers, and its last turn can be asked in other words.
        page.locator("#lh-goes-on input").check()
        for count, text in enumerate(("first turn", "and سلام?")):
            prompt.fill(text)
            page.locator("#lh-ask").click()
            expect(prompt).to_have_value("")
            expect(done.first.locator(".lh-turns li")).to_have_count(2 * count)
        expect(done.first.locator(".lh-turn-user")).to_contain_text("first turn")
        page.locator("#lh-chat-edit").click()
        expect(prompt).to_have_value("and سلام?")

        page.set_viewport_size({"width": 390, "height": 800})
        page.locator('[data-language="fa"]').click()
        expect(page.locator("html")).to_have_attribute("dir", "rtl")
        expect(prompt).to_have_value("and سلام?")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
