"""A blind comparison in a real browser: asked, voted with a key, the names shown after it, found in the history and by
its link, counted in the leaderboard."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from test_page import App, Visit, browser, free_port, text_of, visiting, wait_for_text  # noqa: F401
from tiny_bases import save_adapter

from lora_hub.answering import loading
from lora_hub.catalogue import bases

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("blind")
    model = loading.load_base(bases.get_base("built-in"))
    model.config._name_or_path = "built-in"
    return [str(save_adapter(model, root / f"secret{n}", seed=n, strength=0.05)) for n in range(2)]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    running = App(tmp_path_factory.mktemp("votes") / "home", free_port())
    try:
        running.start()
        yield running
    finally:
        running.close()


# Everything that was ever shown in the place of the answers, and every word that the server sent about them.
WATCH = """() => {
  window.seen = new Set();
  const look = () => window.seen.add(document.getElementById('lh-answers').innerHTML);
  const all = { childList: true, subtree: true, characterData: true };
  new MutationObserver(look).observe(document.getElementById('lh-answers'), all);
}"""


def test_blind_answers_are_voted_on_and_revealed(app: App, browser, adapters: list[str], tmp_path: Path) -> None:  # noqa: F811
    with visiting(browser, tmp_path) as visit:
        vote_blind(app, visit, adapters)
        assert visit.errors == [] and visit.strangers == []


def vote_blind(app: App, visit: Visit, adapters: list[str]) -> None:
    page = visit.open(f"{app.url}/?tab=compare&adapters={','.join(adapters)}")
    expect(page.locator("#lh-names")).to_contain_text("secret1")
    page.locator("#lh-blind input").check()
    page.locator("#lh-prompt textarea").fill("The teacher said")
    page.evaluate(WATCH)
    page.locator("#lh-ask").click()
    row = page.locator(".lh-votes")
    expect(row).to_be_visible()
    expect(page.locator("#lh-answers .lh-blind")).to_have_count(3)
    seen = page.evaluate("[...window.seen]")
    assert len(seen) > 1
    for shown in seen:
        assert not re.search("secret|[Bb]ase|tokens|data-pane|built-in|<code", shown), shown

    # A key votes, another one changes the vote, but not while somebody types.
    page.locator("#lh-prompt textarea").press("1")
    page.locator("h1").click()
    for key in ("1", "2"):
        page.keyboard.press(key)
        expect(row.locator(f"[data-vote-key='{key}']")).to_have_attribute("aria-pressed", "true")
    name = row.locator("button").first.get_attribute("data-value").split()[0]
    file = app.home / "comparisons" / f"{name}.json"
    order = json.loads(file.read_text())["order"]
    assert name not in page.url and all(str(order) not in shown for shown in seen)
    row.get_by_role("button", name="Show the names").click()
    wait_for_text(page, "#lh-answers", "You voted for answer 2")
    known = ["Base, no adapter", *adapters]
    titles = page.locator("#lh-answers article h4").all_inner_texts()
    assert [next(one for one in known if one in title) for title in titles] == [known[pane] for pane in order]
    lines = (app.home / "comparisons" / "votes.jsonl").read_text().splitlines()
    assert [json.loads(one).get("place", "reveal") for one in lines] == [0, 1, "reveal"]

    # It is in the history, opened by its link, and counted.
    page.get_by_text("History", exact=True).click()
    expect(page.locator("#lh-history tbody tr")).to_have_count(1)
    page.locator("#lh-history-search input, #lh-history-search textarea").fill("no such words")
    page.locator("#lh-history-search input, #lh-history-search textarea").press("Enter")
    wait_for_text(page, "#lh-history", "No comparison has these words.")
    page.get_by_text("Leaderboard", exact=True).click()
    wait_for_text(page, "#lh-boards", "not separable yet from")
    wait_for_text(page, "#lh-boards", "1 vote of 1 person.")
    linked = visit.open(f"{app.url}/?tab=compare&comparison={name}&lang=fa")
    wait_for_text(linked, "#lh-answers", "به پاسخ ۲ رأی دادید")
    linked.get_by_text("تاریخچه", exact=True).click()
    delete = linked.locator("#lh-history [data-value^='delete']")
    delete.click()
    expect(delete).to_have_attribute("data-value", re.compile("^delete!"))
    delete.click()
    wait_for_text(linked, "#lh-history", "نگه داشته نشده است")
    assert not file.exists()

    # An unfolded history has what was asked since, and says which models answered.
    page.locator("#lh-history-search input, #lh-history-search textarea").fill("")
    page.locator("#lh-blind input").uncheck()
    page.locator("#lh-ask").click()
    expect(page.locator("#lh-history tbody tr")).to_have_count(1)
    wait_for_text(page, "#lh-history", "Base, no adapter")
