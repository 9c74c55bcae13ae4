"""Hired hardware in a real browser: two tasks are priced, trained by one job of the Hub, and come back with what the
job took beside the estimate. The app trains nothing itself; the Hub's jobs are processes of this machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright import sync_api as playwright
from test_local_hub import ACCOUNTS, TOKENS, Server, start_server
from test_page import RUN_SECONDS, App, browser, free_port, visiting, wait_for_text
from test_page_tasks import open_page, put_on_list, set_steps

expect = playwright.expect
__all__ = ["browser"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("page-jobs-hub")
    (folder / "accounts.json").write_text(json.dumps(ACCOUNTS))
    started = start_server(folder / "hub", "--accounts", str(folder / "accounts.json"), "--jobs")
    yield started
    started.kill()


@pytest.fixture(scope="module")
def app(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    settings = {"LORA_HUB_HUB": "", "HF_ENDPOINT": server.url, "HF_TOKEN": TOKENS["alice"]}
    running = App(tmp_path_factory.mktemp("page-jobs") / "home", free_port(), **settings)
    try:
        running.start()
        yield running
    finally:
        running.close()


def test_two_tasks_are_priced_and_trained_by_one_job(app: App, server: Server, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        page = open_page(visit, app)
        set_steps(page, 6)
        page.locator("#lh-hardware input").click()
        page.get_by_role("option", name="Nvidia T4 (small)").click()
        put_on_list(page, "spam", "spam.csv", 1)
        put_on_list(page, "topic", "topic.csv", 2)
        # What both cost stands there before anything is started.
        price = page.locator("#lh-tasks .lh-hired")
        expect(price).to_contain_text("t4-small at $0.40 an hour, paid by lora-hub: about")
        expect(price).to_contain_text("That is for 2 runs, which one job trains.")
        page.locator("#lh-train").click()
        page.wait_for_url("**run=spam-*")
        wait_for_text(page, "#lh-run .lh-hired", "t4-small at $0.40 an hour")
        expect(page.locator("#lh-runs .lh-item", has_text="succeeded")).to_have_count(2, timeout=RUN_SECONDS * 1000)
        wait_for_text(page, "#lh-run .lh-hired", "t4-small: 1 job took")
        wait_for_text(page, "#lh-run .lh-hired", "That is for 2 runs, which one job trains. The estimate was")
        expect(page.locator("#lh-plot svg").first).to_be_visible()
        [job] = server.api().list_jobs(namespace="lora-hub")
        assert page.locator("#lh-run .lh-hired a").get_attribute("href").endswith(job.id)
        assert visit.strangers == [] and visit.errors == []
