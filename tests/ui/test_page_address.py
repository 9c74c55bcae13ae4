"""Reload, another language and Back keep the tab, the run and what was typed; what is secret is never kept.

The app is a process of its own, as in test_page.py.
"""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright import sync_api as playwright
from test_page import App, anew, browser, free_port, visiting, wait_for_text

expect = playwright.expect
__all__ = ["browser"]
TOKEN = "hf_" + "aBcDeFgH" * 4


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    running = App(tmp_path_factory.mktemp("address") / "home", free_port())
    try:
        running.start()
        yield running
    finally:
        running.close()


def awake(page: object) -> object:
    page.wait_for_function("document.getElementById('lh-tabs') && !document.getElementById('lh-tabs').inert")
    return page


def tab_of(page: object) -> str:
    return page.locator("#lh-tabs [role=tab][aria-selected=true]").first.get_attribute("data-tab-id")


def shows(page: object, tab: str) -> None:
    expect(page.locator(f"#lh-tabs [role=tab][data-tab-id={tab}]")).to_have_attribute("aria-selected", "true")


def open_tab(page: object, tab: str) -> None:
    page.locator(f"#lh-tabs [role=tab][data-tab-id={tab}]").click()
    shows(page, tab)
    page.wait_for_url(f"**tab={tab}*")
    page.wait_for_timeout(900)  # two steps of one moment are one place to come back to


def test_back_and_forward_go_through_tabs_and_runs(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        page = awake(visit.open(f"{app.url}/?run=first"))
        shows(page, "runs")
        wait_for_text(page, "#lh-run", "'first'")
        open_tab(page, "compare")
        open_tab(page, "adapters")
        page.go_back()
        shows(page, "compare")
        page.go_back()
        shows(page, "runs")
        wait_for_text(page, "#lh-run", "'first'")
        # Another run is a place of its own.
        page.evaluate(
            """() => { const one = document.createElement('button'); one.dataset.id = 'second';
                 document.body.append(one); one.click(); one.remove(); }"""
        )
        wait_for_text(page, "#lh-run", "'second'")
        page.wait_for_url("**run=second*")
        page.go_back()
        wait_for_text(page, "#lh-run", "'first'")
        page.go_forward()
        wait_for_text(page, "#lh-run", "'second'")
        assert visit.errors == []


def test_a_reload_and_another_language_keep_tab_and_run(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        page = awake(visit.open(f"{app.url}/?run=first"))
        for tab in ("finetune", "adapters", "compare", "runs"):
            open_tab(page, tab)
            page.reload()
            awake(page)
            shows(page, tab)
            assert "run=first" in page.url
        for language, word in (("فارسی", "rtl"), ("English", "ltr")):
            with anew(page):
                page.get_by_role("button", name=language).click(no_wait_after=True)
            awake(page)
            assert page.evaluate("document.documentElement.dir") == word
            shows(page, "runs")
            wait_for_text(page, "#lh-run", "first")


def test_what_is_typed_comes_back_after_a_reload_and_in_another_language(
    app: App, browser: object, tmp_path: Path
) -> None:
    with visiting(browser, tmp_path) as visit:
        page = awake(visit.open(app.url))
        page.locator("#lh-task input[value='own']").check()
        page.locator("#lh-own-title :is(input, textarea)").fill("Tone of a letter")
        name = page.locator("#lh-name :is(input, textarea)")
        # Half a name: the field is left by nothing but the reload itself.
        name.press_sequentially("half a na")
        open_tab(page, "adapters")
        page.locator("#lh-filter-org :is(input, textarea)").fill("another-team")
        open_tab(page, "compare")
        prompt = page.locator("#lh-prompt textarea")
        prompt.fill("Is this message\nspam?")
        page.locator("#lh-tabs button.label-wrap", has_text="How they answer").click()
        page.locator("#lh-most-tokens input").fill("37")
        for again in (
            lambda: page.reload(),
            lambda: page.get_by_role("button", name="فارسی").click(no_wait_after=True),
        ):
            with anew(page):
                again()
            awake(page)
            shows(page, "compare")
            expect(prompt).to_have_value("Is this message\nspam?")
            # The page's own values are these, too, and not only what the fields show.
        open_tab(page, "finetune")
        expect(name).to_have_value("half a na")
        expect(page.locator("#lh-own-title :is(input, textarea)")).to_have_value("Tone of a letter")
        wait_for_text(page, "#lh-reason", "دستور")
        assert "عنوان" not in page.locator("#lh-reason").inner_text(), (
            "the title came back into the field and not into the page"
        )
        open_tab(page, "adapters")
        expect(page.locator("#lh-filter-org :is(input, textarea)")).to_have_value("another-team")
        # What was emptied stays empty.
        open_tab(page, "compare")
        prompt.fill("")
        with anew(page):
            page.reload()
        awake(page)
        expect(prompt).to_have_value("")
        # Another window of the same person knows nothing of it.
        other = awake(visit.open(f"{app.url}/?tab=adapters"))
        expect(other.locator("#lh-filter-org :is(input, textarea)")).to_have_value("lora-hub")
        assert visit.errors == []


def test_no_token_is_kept_wherever_it_was_typed(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        page = awake(visit.open(app.url))
        page.locator("#lh-hub-open").click()
        page.locator("#lh-hub-name :is(input, textarea)").fill("owner/name")
        page.locator("#lh-hub-token input").fill(TOKEN)
        open_tab(page, "compare")
        page.locator("#lh-prompt textarea").fill(f"my token is {TOKEN}")
        page.reload()
        awake(page)
        kept = page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}, location.href])")
        assert "owner/name" in kept and TOKEN not in kept
        expect(page.locator("#lh-prompt textarea")).to_have_value("")


def test_other_sites_cannot_use_the_page(app: App, browser: object, tmp_path: Path) -> None:
    """By a name of their own that means this machine, or from a page that is open beside ours."""
    with httpx.Client(base_url=app.url) as client:
        assert client.get("/").status_code == 200
        turned_away = client.get("/", headers={"Host": f"evil.example:{app.port}"})
        assert (
            turned_away.status_code == 421
            and "'evil.example'" in turned_away.text
            and "LORA_HUB_HOSTS" in turned_away.text
        )
        for path in ("/gradio_api/upload", "/gradio_api/queue/join"):
            assert client.post(path, headers={"Origin": "https://evil.example"}).status_code == 403
    with other_site() as site, visiting(browser, tmp_path) as visit:
        page = visit.open(site)
        with page.expect_response("**/gradio_api/upload") as answered:
            page.evaluate(
                """(url) => { const form = new FormData(); form.append('files', new Blob(['a']), 'a.csv');
                     fetch(url, {method: 'POST', mode: 'no-cors', body: form}).catch(() => {}); }""",
                f"{app.url}/gradio_api/upload",
            )
        assert answered.value.status == 403


@contextmanager
def other_site() -> Iterator[str]:
    """The address of another page on this machine."""

    class Hello(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>Other</title><link rel=icon href=data:,>")

        def log_message(self, *given: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
