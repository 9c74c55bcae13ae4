"""The shelf in a browser: found, sorted, several at once, a collection, unpublished and put back; in Persian, dark and
on a phone."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd
from playwright import sync_api as playwright
from test_page import browser, open_tab, visiting, wait_for_text  # noqa: F401  browser: a fixture
from test_page_access import faults
from test_page_people import Place, sign_in

ORG = "lora-hub"
expect = playwright.expect
SHELF = {
    "spam-fa": ("spam", "fa", 97.0, "دسته‌بندی پیام‌ها"),
    "spam-en": ("spam", "en", 91.0, "Spam of the shop"),
    "tone": ("sentiment", "en", 64.5, "Tone <img src=x onerror=alert(1)>"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("shelf"), {"ada": "admin", "rita": "read"})
    api = made.api("ada")
    for name, (task, language, score, title) in SHELF.items():
        scores = {
            who: {"accuracy": {"value": v, "low": 1.0, "high": 99.0}} for who, v in (("base", 50.0), ("adapter", score))
        }
        ours = {"task": task, "title": title, "base": "built-in", "metrics": scores, "owner": "ada", "size": 1_900_000}
        card = {"tags": ["lora-hub", "lora", f"task:{task}"], "language": [language], "lora_hub": ours}
        api.create_repo(f"{ORG}/{name}")
        files = {
            "README.md": f"---\n{json.dumps(card)}\n---\n\n# {name}\n",
            "lora_hub.json": json.dumps({"task": {"id": task}}),
            "adapter_config.json": json.dumps({"peft_type": "LORA", "r": 4}),
        }
        added = [CommitOperationAdd(path, text.encode()) for path, text in files.items()]
        done = api.create_commit(f"{ORG}/{name}", added, commit_message="Publish")
        api.create_tag(f"{ORG}/{name}", tag="v1", revision=done.oid)
    try:
        yield made
    finally:
        made.close()
    failed = (made.app.home / "app.log").read_text().partition("Traceback")[2]
    assert not failed, failed[:4000]


def shows(page: object, *wanted: str, ordered: bool = False) -> None:
    """Waits until the shelf holds these, and no others."""
    page.wait_for_function(
        """([wanted, ordered]) => {
          const found = [...document.querySelectorAll('#lh-shelf [data-open]')];
          const names = found.map((one) => one.dataset.open.split('/')[1]);
          if (!ordered) { names.sort(); wanted.sort(); }
          return JSON.stringify(names) === JSON.stringify(wanted); }""",
        arg=[list(wanted), ordered],
    )


def choose(page: object, field: str, option: str) -> None:
    page.locator(f"{field} input").click()
    page.get_by_role("option", name=option, exact=True).click()


def test_the_shelf_in_a_browser(place: Place, browser: object, tmp_path: Path) -> None:  # noqa: F811
    with visiting(browser, tmp_path) as visit:
        page = visit.open(f"{place.app.url}/?tab=adapters")
        sign_in(page, place, "ada")
        shows(page, *SHELF)
        # Found as it is typed, and sorted; the address tells it.
        search = page.locator("#lh-shelf-search :is(input, textarea)")
        search.press_sequentially("SPAM ada")
        shows(page, "spam-fa", "spam-en")
        choose(page, "#lh-shelf-sort", "Score")
        shows(page, "spam-fa", "spam-en", ordered=True)
        page.wait_for_url(re.compile("shelf=search.*SPAM.*sort.*score"))
        # Two boxes, by keyboard; they stay checked while others are shown. What is done with several is there then.
        expect(page.locator("#lh-picked-compare")).to_be_hidden()
        wait_for_text(page, "#lh-shelf", "Check several to compare them")
        for name in ("spam-fa", "spam-en"):
            page.locator(f'[data-pick="{ORG}/{name}"]').focus()
            page.keyboard.press("Space")
        wait_for_text(page, ".lh-picked", "2 selected")
        search.fill("tone")
        shows(page, "tone")
        wait_for_text(page, ".lh-picked", "2 selected")
        search.fill("")
        shows(page, *SHELF)
        assert page.locator("[data-pick]:checked").count() == 2
        page.locator("#lh-picked-compare").click()
        wait_for_text(page, "#lh-names", f"{ORG}/spam-fa")
        wait_for_text(page, "#lh-names", f"{ORG}/spam-en")
        open_tab(page, "Adapters")
        # A collection of both, by which the shelf is shown.
        target = page.locator("#lh-picked-collection input")
        target.fill("For <b>customers</b>")
        target.press("Enter")
        page.locator("#lh-picked-add").click()
        wait_for_text(page, ".toast-body", "For <b>customers</b> now holds 2 adapters")
        expect(page.locator("[data-pick]:checked")).to_have_count(0)
        choose(page, "#lh-shelf-collection", "For <b>customers</b>")
        shows(page, "spam-fa", "spam-en", ordered=True)
        composed_from_examples(page)
        unpublished_and_put_back(page, place)
        assert visit.errors == [] and visit.strangers == []


def composed_from_examples(page: object) -> None:
    """Typed examples are read, and what stands against a sum is said: these adapters have no weights."""
    page.locator("#lh-compose-section button.label-wrap").click()
    typed = page.locator("#lh-compose-examples textarea")
    typed.press_sequentially("You won a prize, call =>")
    typed.blur()
    page.locator("#lh-compose").click()
    expect(page.locator(".toast-body", has_text="is no example")).to_be_visible()
    lines = "\n".join(
        f"{text} number {n} => {label}" for n in range(4) for text, label in (("Win", "spam"), ("Hi", "ham"))
    )
    typed.fill(lines)
    typed.blur()
    page.locator("#lh-compose").click()
    wait_for_text(page, "#lh-composed", "0 adapters of built-in that can be summed")
    wait_for_text(page, "#lh-composed", f"{ORG}/spam-fa is left out:")
    expect(page.locator("#lh-compose")).to_be_visible()
    expect(page.locator("#lh-compose-stop")).to_be_hidden()
    assert faults(page, "composing from examples") == []


def unpublished_and_put_back(page: object, place: Place) -> None:
    page.locator(f'[data-open="{ORG}/spam-fa"]').click()
    button = page.locator("#lh-adapter-unpublish")
    expect(button).to_have_text("Unpublish")
    button.click()
    wait_for_text(page, "#lh-adapter-going", "In these collections: For <b>customers</b>.")
    expect(button).to_have_text("Unpublish: press again")
    # The other button takes the question over, and both ask again.
    page.locator("#lh-adapter-delete").click()
    wait_for_text(page, "#lh-adapter-going", "goes for good")
    expect(button).to_have_text("Unpublish")
    button.click()
    wait_for_text(page, "#lh-adapter-going", "Nothing is deleted")
    expect(page.locator("#lh-adapter-delete")).to_have_text("Delete")
    button.click()
    expect(button).to_have_text("Put back on the shelf")
    shows(page, "spam-en")
    assert place.api("ada").model_info(f"{ORG}/spam-fa").private
    page.locator("#lh-tabs button.label-wrap", has_text="More filters").click()
    page.locator("#lh-shelf-state").get_by_text("Unpublished", exact=True).click()
    shows(page, "spam-fa")
    wait_for_text(page, "#lh-shelf", "unpublished")
    button.click()
    expect(button).to_have_text("Unpublish")
    expect(page.locator("#lh-shelf [data-open]")).to_have_count(0)
    assert not place.api("ada").model_info(f"{ORG}/spam-fa").private


def test_a_reader_on_a_phone_in_persian(place: Place, browser: object, tmp_path: Path) -> None:  # noqa: F811
    with visiting(browser, tmp_path, "fa-IR") as visit:
        page = visit.open(
            f"{place.app.url}/?lang=fa&__theme=dark&tab=adapters&shelf=form%3Dtable%26sort%3Dnonsense%26search%3Dfa"
        )
        sign_in(page, place, "rita")
        shows(page, "spam-fa")
        wait_for_text(page, "#lh-shelf table", "فارسی")
        for hidden in ("#lh-picked-add", "#lh-adapter-unpublish"):
            expect(page.locator(hidden)).to_be_hidden()
        page.locator("#lh-shelf-search :is(input, textarea)").fill("")
        shows(page, *SHELF)
        page.locator("[data-pick]").first.check()
        wait_for_text(page, ".lh-picked", "۱ مورد انتخاب شده")
        assert faults(page, "the shelf, as a table, Persian, dark") == []
        page.set_viewport_size({"width": 390, "height": 844})
        expect(page.locator("#lh-filter-org")).to_be_hidden()
        assert (
            page.evaluate(
                "document.querySelector('#lh-shelf').getBoundingClientRect().top - "
                "document.querySelector('#lh-shelf-search').getBoundingClientRect().top"
            )
            < 360
        )
        page.locator("#lh-shelf-more > .label-wrap").click()
        expect(page.locator("#lh-filter-org :is(input, textarea)")).to_be_visible()
        assert visit.errors == []
