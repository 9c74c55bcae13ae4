"""Several tasks of one base in a real browser: added to a list, kept through a reload, trained together, shown in Runs.

The app is a process of its own, as in test_page.py.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright import sync_api as playwright
from test_page import RUN_SECONDS, App, Visit, browser, free_port, handle_of, visiting, wait_for_text

from lora_hub.runs.runners import local

expect = playwright.expect
__all__ = ["browser"]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    running = App(tmp_path_factory.mktemp("tasks") / "home", free_port())
    try:
        running.start()
        yield running
    finally:
        running.close()


def open_page(visit: Visit, app: App, query: str = "") -> object:
    page = visit.open(app.url + query)
    page.locator("#lh-reason p").wait_for()
    return page


def fill_with_sample(page: object, task: str, file: str) -> None:
    page.locator(f"#lh-task input[value='{task}']").check()
    expect(page.locator("#lh-sample")).to_be_enabled()
    page.locator("#lh-task-card blockquote").wait_for()
    page.locator("#lh-sample").click()
    wait_for_text(page, "#lh-data", file)


def put_on_list(page: object, task: str, file: str, count: int) -> None:
    fill_with_sample(page, task, file)
    expect(page.locator("#lh-add-task")).to_be_enabled()
    page.locator("#lh-add-task").click()
    expect(page.locator(".lh-entry")).to_have_count(count)
    # The form is free for the next one.
    expect(page.locator(f"#lh-task input[value='{task}']")).not_to_be_checked()
    expect(page.locator("#lh-data")).not_to_contain_text(file)
    expect(page.locator("#lh-add-task")).to_be_disabled()


def runs_of(app: App) -> set[Path]:
    return set((app.home / "runs").glob("*/spec.json"))


def set_steps(page: object, steps: int) -> None:
    page.locator("#lh-advanced").get_by_role("button").first.click()
    for key, value in (("steps", steps), ("evaluations", 2), ("max_held_out", 12)):
        field = page.locator(f"#lh-set-{key} :is(input, textarea)")
        field.fill(str(value))
        field.press("Enter")


def test_two_tasks_are_listed_kept_trained_in_one_go_and_seen(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        page = open_page(visit, app)
        set_steps(page, 6)
        base = page.locator("#lh-base input")
        expect(base).to_be_enabled()
        put_on_list(page, "spam", "spam.csv", 1)
        wait_for_text(page, ".lh-entry", "400 rows")
        wait_for_text(page, ".lh-entry", "spam-built-in")
        expect(base).to_be_disabled()
        wait_for_text(page, "#lh-base", "they share one base")
        wait_for_text(page, "#lh-train", "Train 1 task")
        put_on_list(page, "topic", "topic.csv", 2)
        wait_for_text(page, "#lh-train", "Train 2 tasks")
        wait_for_text(page, "#lh-reason", "2 tasks are on the list")

        # The list outlives a reload and is Persian on the Persian page; one is taken off and put on again.
        page.goto(f"{app.url}/?lang=fa", wait_until="domcontentloaded")
        expect(page.locator(".lh-entry")).to_have_count(2)
        wait_for_text(page, "#lh-train", "آموزش ۲ وظیفه")
        wait_for_text(page, "#lh-add-task", "افزودن وظیفه")
        wait_for_text(page, "#lh-tasks", "تشخیص هرزنامه")
        wait_for_text(page, "#lh-base", "یک مدل پایه دارند")
        expect(base).to_be_disabled()
        page.locator(".lh-entry", has_text="topic.csv").locator("[data-remove]").click()
        expect(page.locator(".lh-entry")).to_have_count(1)
        wait_for_text(page, "#lh-train", "آموزش ۱ وظیفه")
        # The same once more is told and does not count; a task that is ready in the form does.
        fill_with_sample(page, "spam", "spam.csv")
        wait_for_text(page, "#lh-reason", "از قبل در فهرست است")
        wait_for_text(page, "#lh-train", "آموزش ۱ وظیفه")
        page.locator("#lh-name :is(input, textarea)").fill("another")
        page.locator("#lh-name :is(input, textarea)").blur()
        wait_for_text(page, "#lh-train", "آموزش ۲ وظیفه")
        put_on_list(page, "topic", "topic.csv", 2)

        # One start for all; both end with scores, and each says what it was trained with.
        page.locator("#lh-train").click()
        page.wait_for_url("**run=spam-*")
        wait_for_text(page, "#lh-runs .lh-group", "۲ اجرای هم‌زمان")
        expect(page.locator("#lh-runs .lh-group .lh-item")).to_have_count(2)
        expect(page.locator("#lh-runs .lh-item", has_text="انجام شد")).to_have_count(2, timeout=RUN_SECONDS * 1000)
        for other in ("topic", "spam"):
            wait_for_text(page, "#lh-result", "هر یک به همان")
            wait_for_text(page, "#lh-run", "۲ وظیفه")
            wait_for_text(page, "#lh-run .lh-companions", "آموزش هم‌زمان با")
            # The pane may still be the run's that was left.
            page.locator(f"#lh-run .lh-companions [data-id^={other}-]").click()
            page.wait_for_url(f"**run={other}-*")
        expect(page.locator("#lh-plot svg").first).to_be_visible()
        # The list is empty again, and the base is free.
        page.get_by_role("tab", name="فاین‌تیون", exact=True).click()
        expect(page.locator(".lh-entry")).to_have_count(0)
        expect(base).to_be_enabled()
        assert visit.strangers == [] and visit.errors == []


def test_a_task_whose_file_is_gone_is_told_and_the_others_go_on(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        page = open_page(visit, app)
        put_on_list(page, "topic", "topic.csv", 1)
        put_on_list(page, "spam", "spam.csv", 2)
        before = runs_of(app)
        for kept in (app.home / "datasets").glob("*/topic.csv"):
            shutil.rmtree(kept.parent)
        page.locator("#lh-train").click()
        gone = page.locator(".lh-entry.lh-bad")
        expect(gone).to_have_count(1)
        wait_for_text(page, ".lh-entry.lh-bad", "topic.csv")
        wait_for_text(page, ".lh-entry-wrong", "Cannot be trained any more.")
        wait_for_text(page, "#lh-train", "Train 1 task")
        assert runs_of(app) == before
        # Which of them goes on is the person's to say: now only the other one is started, and what is broken stays.
        page.locator("#lh-train").click()
        page.wait_for_url("**run=spam-*")
        # Seen to be started; what it does then is the other test's.
        local.kill(handle_of(app, page.evaluate("new URLSearchParams(location.search).get('run')")))
        page.get_by_role("tab", name="Fine-tune", exact=True).click()
        expect(page.locator(".lh-entry")).to_have_count(1)
        page.locator("[data-remove]").click()
        expect(page.locator("#lh-base input")).to_be_enabled()
        assert visit.strangers == [] and visit.errors == []
