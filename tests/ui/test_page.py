"""The whole journey in a real browser against the real app: fine-tune, watch, publish, find, compare.

The app is a process of its own with a folder and a port of its own; it is killed and started again while a run goes on.
A step that fails leaves a picture: its path is in the failure's message.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import into_use
import pytest
from conftest import end_hub
from playwright import sync_api as playwright
from small_data import sentiment_rows, write_csv
from test_privacy import open_to_others

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# A machine that does other things, too, is slow and not wrong.
PATIENCE_MS = int(os.environ.get("LORA_HUB_PATIENCE_MS", 120_000))
RUN_SECONDS = 420
playwright.expect.set_options(timeout=PATIENCE_MS)


class App:
    """The app as a person starts it."""

    code = ROOT

    def __init__(self, home: Path, port: int, **settings: str) -> None:
        """settings: more of the environment."""
        self.home, self.port, self.settings = home, port, settings
        self.url = f"http://127.0.0.1:{port}"
        self.process: subprocess.Popen | None = None

    def environment(self) -> dict[str, str]:
        hidden = ("HF_ENDPOINT", "HF_TOKEN", "SPACE_ID", "DISPLAY")
        return {name: value for name, value in os.environ.items() if name not in hidden} | {
            "LORA_HUB_HOME": str(self.home),
            "LORA_HUB_PORT": str(self.port),
            "LORA_HUB_HUB": "embedded",
            "LORA_HUB_UPSTREAM": "off",
            "LORA_HUB_NO_BROWSER": "1",
            "OMP_NUM_THREADS": "1",
            **self.settings,
        }

    def start(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "app.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=self.code, env=self.environment(), stdout=log, stderr=log
            )
        until = time.monotonic() + 120
        while time.monotonic() < until:
            assert self.process.poll() is None, self.log()
            try:
                with urllib.request.urlopen(self.url, timeout=10):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise AssertionError(f"the app did not answer: {self.log()}")

    def kill(self) -> None:
        """Ends the app without a word, as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def log(self) -> str:
        return (self.home / "app.log").read_text(errors="replace")[-3000:]

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        # The Hub belongs to the home, not to the app: it goes on.
        end_hub(self.home / "hub")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    running = App(tmp_path_factory.mktemp("page") / "home", free_port())
    try:
        running.start()
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    found = (
        os.environ.get("LORA_HUB_CHROMIUM")
        or shutil.which("chromium-headless-shell")
        or shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if not found:
        pytest.fail("There is no Chromium here; `make test` installs one.")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


class Visit:
    """A person's browser: a context whose requests and errors are written down."""

    def __init__(self, browser: object, language: str = "en-US") -> None:
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, locale=language)
        self.context.set_default_timeout(PATIENCE_MS)
        self.strangers: list[str] = []
        self.errors: list[str] = []

    def open(self, url: str) -> object:
        page = self.context.new_page()
        page.on("request", lambda request: self._note(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(url, wait_until="domcontentloaded")
        return page

    def _note(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.strangers.append(url)


@contextmanager
def visiting(browser: object, folder: Path, language: str = "en-US") -> Iterator[Visit]:
    """A visit that leaves pictures of its pages where it fails, in LORA_HUB_PICTURES or in the test's folder."""
    visit = Visit(browser, language)
    try:
        yield visit
    except BaseException:
        pictures = Path(os.environ.get("LORA_HUB_PICTURES") or folder)
        pictures.mkdir(parents=True, exist_ok=True)
        for place, page in enumerate(visit.context.pages):
            picture = pictures / f"page-{int(time.time())}-{place}.png"
            page.screenshot(path=str(picture), full_page=True)
            print(f"what the page showed: {picture}")
        raise
    finally:
        visit.context.close()


@contextmanager
def anew(page: object) -> Iterator[None]:
    """What is done in it loads the page again. It ends when the new page has begun: a changed address is none."""
    page.evaluate("window.isOld = true")
    yield
    page.wait_for_function("!window.isOld && document.readyState !== 'loading'")


def text_of(page: object, selector: str) -> str:
    return page.locator(selector).inner_text()


def open_tab(page: object, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def wait_for_text(page: object, selector: str, wanted: str, timeout: float = PATIENCE_MS) -> None:
    playwright.expect(page.locator(selector)).to_contain_text(wanted, timeout=timeout)


def test_from_a_dropped_file_to_a_compared_adapter(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        fine_tune_to_compare(app, visit, tmp_path)


def fine_tune_to_compare(app: App, visit: Visit, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "feelings.csv", sentiment_rows(120), ("review", "feeling"))
    page = visit.open(app.url)

    # Step 1: the header says where we are; a task, a file, the columns, the exact text, a plan.
    wait_for_text(page, "#lh-header", "Embedded Hub")
    wait_for_text(page, "#lh-header", "lora-hub")
    wait_for_text(page, "#lh-reason", "step 1")
    playwright.expect(page.locator("#lh-train")).to_be_disabled()
    page.get_by_role("radio", name="Sentiment").check()
    wait_for_text(page, "#lh-reason", "step 2")
    page.locator("#lh-file input[type=file]").set_input_files(str(file))
    wait_for_text(page, "#lh-data", "120 rows")
    wait_for_text(page, "#lh-data", "feelings.csv")
    answer = page.locator("#lh-role-1 input")
    playwright.expect(answer).to_have_value("feeling")
    # Correct a column, see what it does, and put it right again.
    answer.click()
    page.get_by_role("option", name="review").click()
    playwright.expect(page.locator("#lh-train")).to_be_disabled()
    answer.click()
    page.get_by_role("option", name="feeling").click()
    marked = page.locator("#lh-prompts .lh-prompt mark").first
    playwright.expect(marked).to_have_text("bad")
    wait_for_text(page, "#lh-prompts", "was")
    page.locator("#lh-effort").get_by_text("Quick", exact=True).click()
    wait_for_text(page, "#lh-base-card", "fits this machine")
    page.get_by_text("Advanced: every setting and why").click()
    wait_for_text(page, "#lh-settings", "rank 8")
    # What is wrong with a setting stands at its field and beside Train, under the field's own name.
    rate, wrong = page.locator("#lh-set-lr :is(input, textarea)"), "“Learning rate”: 'abc' is not a number."
    rate.fill("abc")
    rate.press("Enter")
    wait_for_text(page, "#lh-reason", wrong)
    playwright.expect(page.locator("#lh-set-lr")).to_have_attribute("data-wrong", wrong)
    playwright.expect(rate).to_have_attribute("aria-invalid", "true")
    rate.fill("")
    rate.press("Enter")
    playwright.expect(page.locator("[data-wrong], [aria-invalid]")).to_have_count(0)
    page.locator("#lh-set-lora-r input, #lh-set-lora-r textarea").fill("4")
    page.locator("#lh-set-lora-r input, #lh-set-lora-r textarea").press("Enter")
    wait_for_text(page, "#lh-settings", "set by you")
    page.locator("#lh-name input, #lh-name textarea").fill("feelings")
    wait_for_text(page, "#lh-plan", "about")
    playwright.expect(page.locator("#lh-train")).to_be_enabled()
    page.locator("#lh-train").click()

    # Step 2: the run is in the address; a reload, a second tab and a killed app do not touch it.
    page.wait_for_url("**run=sentiment-*")
    # The keyboard goes on where the page does.
    page.wait_for_function("document.activeElement.dataset.tabId === 'runs'")
    run_id = page.evaluate("new URLSearchParams(location.search).get('run')")
    wait_for_text(page, "#lh-run", run_id)
    page.reload()
    wait_for_text(page, "#lh-run", run_id)
    second = visit.open(f"{app.url}/?run={run_id}")
    wait_for_text(second, "#lh-run", run_id)
    # The form still says what is being trained, and tells so as long as it is.
    open_tab(second, "Fine-tune")
    wait_for_text(second, "#lh-under-way", "A run of exactly this is under way.")
    handle = handle_of(app, run_id)
    app.kill()
    assert is_alive(handle), "the run went with the app"
    app.start()
    page.goto(f"{app.url}/?run={run_id}", wait_until="domcontentloaded")
    wait_for_text(page, "#lh-run", run_id)
    wait_for_text(page, "#lh-loss", "validation", RUN_SECONDS * 1000)

    # Step 3: base and adapter on the same rows, the examples, publishing.
    wait_for_text(page, "#lh-run", "succeeded", RUN_SECONDS * 1000)
    open_tab(page, "Fine-tune")
    playwright.expect(page.locator("#lh-under-way a")).to_have_count(0)
    open_tab(page, "Runs")
    wait_for_text(page, "#lh-result", "held-out rows")
    wait_for_text(page, "#lh-result", "Accuracy")
    wait_for_text(page, "#lh-examples", "Right answer")
    every_row = page.locator("#lh-examples tbody tr").count()
    page.locator("#lh-show").get_by_text("better than the base").click()
    playwright.expect(page.locator("#lh-examples tbody tr")).not_to_have_count(every_row)
    page.get_by_role("button", name=re.compile("^Log .$")).click()
    wait_for_text(page, "#lh-log", "training")
    # The run's own adapter as files of transformers: cancelled, which leaves nothing, and then taken away.
    page.get_by_role("button", name=re.compile("^Export the adapter .$")).click()
    merged = into_use.take_away(page, "merged weights", tmp_path, part="lh-run-export", cancels=True)
    assert merged.name == "feelings-merged.zip"
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= into_use.names_in(merged)
    assert len([*(app.home / "cache" / "uploads").glob("export-*")]) == 1
    # While another name is typed, what publishing would do is told of that one.
    named = page.locator("#lh-publish-name :is(input, textarea)")
    named.press_sequentially("typed-name")
    wait_for_text(page, "#lh-planned", "lora-hub/typed-name")
    playwright.expect(page.locator("#lh-planned")).not_to_have_class(re.compile("lh-outdated"))
    named.fill("")
    playwright.expect(page.locator("#lh-planned")).not_to_contain_text("typed-name")
    page.locator("#lh-publish").click()
    wait_for_text(page, "#lh-published", "Published as lora-hub/")
    link = page.locator("#lh-published a").get_attribute("href")
    with urllib.request.urlopen(link, timeout=30) as answered:
        assert answered.status == 200
    name = text_of(page, "#lh-published").split("Published as ")[1].split()[0]
    # What was uploaded, trained and published is for this user alone, and what only a resume would need is gone.
    ours = {str(app.home), str(app.home / "app.log")}
    assert set(open_to_others(app.home)) <= ours and list((app.home / "cache" / "uploads").rglob("feelings.csv"))
    kept = {path.name for path in (app.home / "runs" / run_id).iterdir()}
    assert "adapter" in kept and "checkpoints" not in kept

    # Step 4: on the shelf, by task; its card; Compare from its row.
    open_tab(page, "Adapters")
    row = page.locator(f'[data-open="{name}"]')
    row.wait_for()
    page.locator("#lh-filter-task input").click()
    page.get_by_role("option", name="Translation").click()
    wait_for_text(page, "#lh-shelf", "No adapter matches")
    page.locator("#lh-filter-task input").click()
    page.get_by_role("option", name="Sentiment").click()
    row.click()
    wait_for_text(page, "#lh-adapter", "v1")
    wait_for_text(page, "#lh-card", name)
    wait_for_text(page, "#lh-adapter", "Works in")
    peft = into_use.names_in(into_use.take_away(page, "PEFT", tmp_path))
    assert {"adapter_config.json", "adapter_model.safetensors"} <= peft
    into_use.put_to_use(app, "built-in", name, sentiment_rows(120)[:8])
    page.locator(f'[data-compare="{name}"]').click()

    # Step 5: the base and the adapter answer one held-out example beside each other.
    wait_for_text(page, "#lh-names", name)
    page.locator("#lh-input-0 textarea").wait_for()
    page.locator("#lh-example").click()
    wait_for_text(page, "#lh-example-note", "held-out row")
    assert page.locator("#lh-input-0 textarea").input_value()
    page.locator("#lh-ask").click()
    done = page.locator("#lh-answers article:not([aria-busy])")
    playwright.expect(done).to_have_count(2)
    wait_for_text(page, '#lh-answers [data-pane="base"]', "tokens")
    wait_for_text(page, f'#lh-answers [data-pane="{name}"]', "done")
    assert page.locator(f'#lh-answers [data-pane="{name}"] .lh-answer').inner_text() in ("good", "bad")
    assert "Changes nothing" not in text_of(page, f'#lh-answers [data-pane="{name}"]')
    assert "adapters=" in page.url

    # A label comes with probabilities, and an example with a verdict; a changed question takes the verdict from the
    # panes until it is asked.
    assert "%" in text_of(page, f'#lh-answers [data-pane="{name}"] .lh-chances')
    verdict = page.locator(f'#lh-answers [data-pane="{name}"] header .lh-badge')
    playwright.expect(verdict).to_be_visible()
    asked = page.locator("#lh-input-0 textarea").input_value()
    wait_for_text(page, "#lh-answers .lh-asked", asked)
    page.locator("#lh-input-0 textarea").press_sequentially(" More.")
    playwright.expect(verdict).to_be_hidden()
    wait_for_text(page, "#lh-answers", "The question has changed")
    page.locator("#lh-ask").click()
    wait_for_text(page, "#lh-answers .lh-asked", f"{asked} More.")
    playwright.expect(done).to_have_count(2)
    playwright.expect(page.locator("#lh-answers .lh-stale-note")).to_be_hidden()
    playwright.expect(verdict).to_have_count(0)
    playwright.expect(page.locator("#lh-example-note p")).to_have_count(0)
    # Pasting changes a question, too, and so do cutting and undoing.
    for keys in ("Control+A", "Control+C", "End", "Control+V"):
        page.locator("#lh-input-0 textarea").press(keys)
    playwright.expect(page.locator("#lh-answers .lh-stale-note")).to_be_visible()
    page.locator("#lh-ask").click()
    wait_for_text(page, "#lh-answers .lh-asked", f"More.{asked}")
    playwright.expect(done).to_have_count(2)

    # Step 6: what is not needed any more goes, each time on the second press only: the adapter, the file, all the rest.
    open_tab(page, "Adapters")
    page.locator(f'[data-open="{name}"]').click()
    delete = page.locator("#lh-adapter-delete")
    delete.click()
    wait_for_text(page, "#lh-adapter-going", f"The repository {name} goes for good, for everybody")
    playwright.expect(page.locator(f'[data-open="{name}"]')).to_have_count(1)
    delete.click()
    wait_for_text(page, "#lh-shelf", "No adapter")
    playwright.expect(delete).to_be_hidden()
    open_tab(page, "Data")
    wait_for_text(page, "#lh-files", "feelings.csv")
    page.locator("#lh-data-file input").click()
    page.get_by_role("option", name="feelings.csv").click()
    delete = page.locator("#lh-data-delete")
    delete.click()
    wait_for_text(page, "#lh-data-delete", "press again")
    wait_for_text(page, "#lh-file-going", "1 run was made of feelings.csv: it keeps its results")
    delete.click()
    playwright.expect(page.locator("#lh-files")).not_to_contain_text("feelings.csv")
    assert (app.home / "runs" / run_id).is_dir()
    wait_for_text(page, "#lh-everything", "1 run")
    page.locator("#lh-data-wipe").click()
    wait_for_text(page, "#lh-everything", "This goes for good")
    page.locator("#lh-data-wipe").click()
    wait_for_text(page, "#lh-everything", "Nothing is kept here")
    assert not (app.home / "runs" / run_id).exists()

    assert visit.strangers == [], "the page asked somebody else"
    assert visit.errors == []


def test_persian_is_the_whole_page_and_nothing_typed_is_lost(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        switch_to_persian(app, visit)


def switch_to_persian(app: App, visit: Visit) -> None:
    page = visit.open(app.url)
    page.get_by_role("radio", name="Spam detection").check()
    wait_for_text(page, "#lh-task-card", "Is this message spam?")
    page.locator("#lh-sample").click()
    wait_for_text(page, "#lh-data", "spam.csv")
    playwright.expect(page.locator("#lh-train")).to_be_enabled()
    page.wait_for_function("localStorage.getItem('lora_hub_form')")
    before = page.evaluate("localStorage.getItem('lora_hub_form')")
    page.locator("#lh-name input, #lh-name textarea").fill("my-own-name")
    page.locator("#lh-name input, #lh-name textarea").blur()
    page.wait_for_function("before => localStorage.getItem('lora_hub_form') !== before", arg=before)
    with anew(page):
        page.get_by_role("button", name="فارسی").click(no_wait_after=True)
    page.wait_for_function("document.documentElement.dir === 'rtl' && document.documentElement.lang === 'fa'")
    wait_for_text(page, "#lh-data", "spam.csv")
    wait_for_text(page, "#lh-task-card", "آیا این پیام هرزنامه است؟")
    playwright.expect(page.locator("#lh-name input, #lh-name textarea")).to_have_value("my-own-name")
    playwright.expect(page.locator("#lh-train")).to_contain_text("شروع آموزش")
    assert page.get_by_role("tab", name="اجراها").is_visible()
    # The file that is in use is named where another can be dropped, though the field itself holds none any more.
    wait_for_text(page, "#lh-file", "spam.csv")
    page.reload()
    page.wait_for_function("document.documentElement.dir === 'rtl'")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 1, f"the page is {overflow} pixels too wide"
    assert visit.strangers == [] and visit.errors == []


def test_a_persian_browser_gets_persian_and_bad_files_get_a_sentence(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path, "fa-IR") as visit:
        page = visit.open(app.url)
        page.wait_for_function("document.documentElement.dir === 'rtl'")
        with anew(page):
            page.get_by_role("button", name="English").click(no_wait_after=True)
        page.wait_for_function("document.documentElement.dir === 'ltr'")
        wait_for_text(page, "#lh-reason", "step 1")
        page.get_by_role("radio", name="Spam detection").check()
        wait_for_text(page, "#lh-reason", "step 2")
        empty = tmp_path / "empty.csv"
        empty.write_text("")
        page.locator("#lh-file input[type=file]").set_input_files(str(empty))
        page.locator("#lh-data .lh-bad").wait_for()
        assert "Traceback" not in page.content()
        playwright.expect(page.locator("#lh-train")).to_be_disabled()
        lost = visit.open(f"{app.url}/?run=no-such-run")
        wait_for_text(lost, "#lh-run", "There is no run 'no-such-run'")
        nothing = visit.open(f"{app.url}/?tab=compare")
        nothing.locator("#lh-ask").click()
        nothing.get_by_text("Choose at least one adapter.").wait_for()
        # What says so covers nothing of the header, in which there are buttons.
        nothing.wait_for_function(
            "document.querySelector('.toast-body').getBoundingClientRect().top >= "
            "document.getElementById('lh-header').getBoundingClientRect().bottom - 1"
        )
        open_tab(nothing, "Adapters")
        nothing.locator("#lh-filter-org input, #lh-filter-org textarea").fill("no-such-team")
        nothing.locator("#lh-refresh").click()
        wait_for_text(nothing, "#lh-shelf", "There is no organization 'no-such-team'")
        assert visit.strangers == [] and visit.errors == []


def handle_of(app: App, run_id: str) -> dict:
    """How the worker of a run is found: from its events, as the app finds it."""
    from lora_hub.core import events

    folded = events.parse_lines((app.home / "runs" / run_id / "events.jsonl").read_text(encoding="utf-8").splitlines())
    return next(event.data["handle"] for event in folded if "handle" in event.data)


def is_alive(handle: dict) -> bool:
    from lora_hub.runs.runners import local

    return local.is_alive(handle)
