"""Promoting and rolling back in the page, and reading the matrix: with the keyboard, on a phone, in Persian."""

import os
from pathlib import Path

import planted
import pytest
from playwright import sync_api as playwright
from test_page import App, browser, free_port, open_tab, visiting, wait_for_text  # noqa: F401  browser: a fixture
from test_page_access import faults

ORG = planted.ORG
expect = playwright.expect
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


def test_a_version_is_promoted_and_taken_back_and_the_matrix_is_read(
    hub,
    browser,  # noqa: F811
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planted.empty_organization(monkeypatch)
    for seed in (1, 2):
        planted.publish(planted.make_version(seed), "gated-in-the-page")
    where = {name: os.environ[name] for name in ("HF_ENDPOINT", "HF_TOKEN") if name in os.environ}
    app = App(home, free_port(), LORA_HUB_HUB="", LORA_HUB_ORG=ORG, **where)
    app.start()
    try:
        with visiting(browser, tmp_path) as visit:
            page = visit.open(app.url)
            open_tab(page, "Adapters")
            page.locator(f'[data-open="{ORG}/gated-in-the-page"]').click()
            wait_for_text(page, "#lh-production", "No version is in production")
            # the newest is offered; the base is its opponent
            page.locator("#lh-promote").click()
            wait_for_text(page, "#lh-promoted", "v2 is in production now")
            wait_for_text(page, "#lh-production", "v2 is in production")
            wait_for_text(page, "#lh-adapter", "production")
            # an admin's reason for the other one, and back
            page.locator("#lh-promote-reason textarea").fill("to try it")
            page.locator("#lh-promote").click()
            wait_for_text(page, "#lh-promoted", "v1 is in production now")
            page.locator("#lh-roll-back").click()
            wait_for_text(page, "#lh-promoted", "v2 is in production again")
            wait_for_text(page, "#lh-card", "rolled back (local)")

            open_tab(page, "Matrix")
            page.locator("#lh-matrix-fill").click()
            expect(page.locator("#lh-matrix .lh-h")).to_have_count(3)
            cell = page.locator("#lh-matrix tbody tr").last.locator("button").first
            cell.focus()
            expect(page.locator("#lh-matrix .lh-matrix-told")).to_contain_text("95 % interval")
            expect(page.locator("#lh-matrix .lh-matrix-told")).to_contain_text("rows.")
            # in Persian and in the dark
            page.goto(f"{app.url}/?__theme=dark&lang=fa&tab=matrix")
            page.locator("#lh-matrix .lh-h").first.focus()
            expect(page.locator("#lh-matrix .lh-matrix-told")).to_contain_text("بازهٔ اطمینان")
            assert faults(page, "matrix fa") == [] and visit.errors == [] and visit.strangers == []
            if pictures := os.environ.get("LORA_HUB_PICTURES"):
                page.screenshot(path=f"{pictures}/matrix-fa.png", full_page=True)
    finally:
        app.close()
