"""The page for everybody: no serious finding of axe-core and no text below 4.5:1, on every tab with real content in it,
light and dark, English and Persian, on a desk and on a phone; radios, accordions and progress for keyboards and screen
readers.

The app is a process of its own, as in test_page.py, with one small run that is trained and published before it starts.
axe-core travels in the package axe-playwright-python.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright import sync_api as playwright
from test_page import ROOT, App, anew, browser, free_port, text_of, visiting, wait_for_text
from test_page_wiring import Held

expect = playwright.expect
__all__ = ["browser"]
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
TABS = ("finetune", "runs", "adapters", "compare", "tests", "matrix", "data")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# Of what is found only what is wrong: to tell the rest takes longer than to find it. Colours are the same on a phone,
# and contrast.js measures them there, too.
AXE = {"resultTypes": ["violations"]}
AXE_ON_PHONE = {**AXE, "rules": {"color-contrast": {"enabled": False}}}
GRAVE = ("serious", "critical")
COVERED_CODE = """[...document.querySelectorAll('.lh-code')].filter((one) => {
  const [button, code] = [...one.children].map((part) => part.getBoundingClientRect());
  return button.left < code.right && code.left < button.right && button.top < code.bottom && code.top < button.bottom;
}).length"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    running = App(tmp_path_factory.mktemp("access") / "home", free_port())
    try:
        running.start()
        train(running)
        yield running
    finally:
        running.close()


def train(app: App) -> None:
    """Two small runs of one task, the first one published."""
    environment = {
        **os.environ,
        "LORA_HUB_HOME": str(app.home),
        "LORA_HUB_HUB": "embedded",
        "LORA_HUB_UPSTREAM": "off",
        "OMP_NUM_THREADS": "1",
    }
    for name in ("HF_ENDPOINT", "HF_TOKEN", "SPACE_ID"):
        environment.pop(name, None)
    sample = ROOT / "lora_hub" / "catalogue" / "tasks" / "samples" / "spam.csv"
    for more in (["--publish"], []):
        asked = [
            "train",
            str(sample),
            "--task",
            "spam",
            "--set",
            "steps=4",
            "--set",
            "max_held_out=60",
            "--json",
            *more,
        ]
        told = subprocess.run(
            [sys.executable, "-m", "lora_hub", *asked],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert told.returncode == 0, told.stderr


def fill_finetune(page: object) -> None:
    """Everything that Fine-tune can show: data with findings, the prompts, Advanced, both ways in, and a list."""
    page.locator("#lh-task input[value='spam']").check()
    expect(page.locator("#lh-sample")).to_be_enabled()
    page.locator("#lh-sample").click()
    wait_for_text(page, "#lh-data", "spam.csv")
    expect(page.locator("#lh-add-task")).to_be_enabled()
    page.locator("#lh-add-task").click()
    expect(page.locator(".lh-entry")).to_have_count(1)
    page.locator("#lh-task input[value='own']").check()
    page.locator("#lh-own-title").wait_for()
    page.locator("#lh-task input[value='spam']").check()
    expect(page.locator("#lh-sample")).to_be_enabled()
    page.locator("#lh-sample").click()
    wait_for_text(page, "#lh-data", "spam.csv")
    for fold in ("#lh-advanced button.label-wrap", "#lh-hub-open"):
        page.locator(fold).first.click()
    page.locator("#lh-settings table").first.wait_for()


def open_tab(page: object, tab: str) -> None:
    page.locator(f"#lh-tabs [role=tab][data-tab-id={tab}]").click()
    if tab == "runs":
        item = page.locator("#lh-runs .lh-item").last
        item.wait_for()
        if page.locator("#lh-examples table").count() == 0:
            item.click()
        page.locator("#lh-examples table").wait_for()
    if tab == "adapters":
        name = page.locator("#lh-shelf [data-open]").first
        name.wait_for()
        if not page.locator("#lh-card h1").count():
            name.click()
        page.locator("#lh-card h1").wait_for()
    if tab == "compare" and not page.locator("#lh-answers article").count():
        page.locator("#lh-example").click()
        page.locator("#lh-example-note p").wait_for()
        page.locator("#lh-ask").click()
        expect(page.locator("#lh-answers article:not([aria-busy])")).to_have_count(2)


def said(found: dict, where: str) -> list[str]:
    """axe's grave findings, one line each."""
    lines = []
    for violation in found["violations"]:
        if violation["impact"] in GRAVE:
            lines += [
                (
                    f"{where}: {violation['id']}: {node['target']} {node['html'][:120]} "
                    f"{node.get('failureSummary', '')[:200]}"
                )
                for node in violation["nodes"]
            ]
    return lines


def faults(page: object, where: str) -> list[str]:
    """What is grave, pale or too wide on the page as it stands, on a desk and on a phone, a line each."""
    wrong: list[str] = []
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        there = f"{where} {size['width']}"
        over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wrong += [f"{there}: {over} pixels too wide"] if over > 1 else []
        covered = page.evaluate(COVERED_CODE)
        wrong += [f"{there}: a button lies over {covered} pieces of code"] if covered else []
        # What moves and fades in is measured when it is there.
        page.wait_for_function(
            "document.getAnimations().every((one) => one.playState !== 'running' || "
            "one.effect.getTiming().iterations === Infinity)"
        )
        wrong += said(Axe().run(page, options=AXE if size is DESK else AXE_ON_PHONE).response, there)
        wrong += [f"{there}: {ratio}:1 {text!r} {place}" for ratio, text, place in page.evaluate(CONTRAST)]
    page.set_viewport_size(DESK)
    return wrong


# Each theme and each language once: what a theme does to a colour it does in every language.
@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "fa")])
def test_no_grave_finding_and_no_pale_text_on_any_tab(
    app: App, browser: object, tmp_path: Path, theme: str, language: str
) -> None:
    with visiting(browser, tmp_path) as visit:
        page = visit.open(f"{app.url}/?__theme={theme}&lang={language}&adapters=lora-hub/spam-built-in")
        page.locator("#lh-reason p").wait_for()
        assert page.evaluate("document.body.classList.contains('dark')") == (theme == "dark")
        fill_finetune(page)
        wrong: list[str] = []
        for tab in TABS:
            open_tab(page, tab)
            wrong += faults(page, f"{tab} {language} {theme}")
        assert not wrong, "\n".join(dict.fromkeys(wrong))
        assert visit.strangers == [] and visit.errors == []


def test_arrow_keys_walk_radios_and_folds_say_whether_they_are_open(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        page = visit.open(app.url)
        page.locator("#lh-reason p").wait_for()
        first = page.locator("#lh-task input[value='spam']")
        first.focus()
        page.keyboard.press("Space")
        wait_for_text(page, "#lh-task-card", "Is this message spam?")
        page.keyboard.press("ArrowRight")
        expect(page.locator("#lh-task input[value='sentiment']")).to_be_checked()
        expect(page.locator("#lh-task input[value='sentiment']")).to_be_focused()
        wait_for_text(page, "#lh-task-card", "What is the sentiment")
        page.keyboard.press("ArrowLeft")
        expect(first).to_be_checked()
        wait_for_text(page, "#lh-task-card", "Is this message spam?")
        # One group a set of radios: Tab leaves it, and it has its label.
        page.keyboard.press("Tab")
        assert page.evaluate("!document.activeElement.closest('#lh-task')")
        expect(page.get_by_role("radiogroup", name="Effort")).to_be_visible()
        names = page.evaluate(
            "[...document.querySelectorAll('#lh-tabs fieldset')].map((one) => new "
            "Set([...one.querySelectorAll('input[type=radio]')].map((input) => input.name)).size)"
        )
        assert set(names) == {1}

        fold = page.locator("#lh-advanced button.label-wrap")
        expect(fold).to_have_attribute("aria-expanded", "false")
        fold.focus()
        page.keyboard.press("Enter")
        expect(fold).to_have_attribute("aria-expanded", "true")
        assert page.locator(f"#{fold.get_attribute('aria-controls')}").is_visible()
        # Its fields stand in four columns on a desk, and are found with their help.
        columns = page.evaluate(
            "new Set([...document.querySelectorAll('.lh-overrides .form > *')].map((one) => "
            "Math.round(one.getBoundingClientRect().x))).size"
        )
        assert columns == 4, f"Advanced has {columns} columns"
        described = page.locator("#lh-set-lora-r :is(input, textarea)").get_attribute("aria-describedby")
        assert "rank of its matrices" in page.locator(f"#{described}").inner_text()
        fold.click()
        expect(fold).to_have_attribute("aria-expanded", "false")


def test_every_tab_is_as_wide_and_a_wide_table_keeps_its_buttons_in_sight(
    app: App, browser: object, tmp_path: Path
) -> None:
    with visiting(browser, tmp_path) as visit:
        page = visit.open(f"{app.url}/?adapters=lora-hub/spam-built-in")
        page.locator("#lh-reason p").wait_for()
        widths = {}
        for tab in TABS:
            page.locator(f"#lh-tabs [role=tab][data-tab-id={tab}]").click()
            panel = page.locator("#lh-tabs [role=tabpanel]:visible").first
            panel.wait_for()
            if tab == "runs":  # what is measured is what there is to see
                page.locator("#lh-runs .lh-item").last.wait_for()
            widths[tab] = page.evaluate("""() => {
                const shown = (all) => [...all].filter((one) => one.checkVisibility());
                const boxes = shown(document.querySelectorAll('#lh-tabs [role=tabpanel]'))
                  .flatMap((one) => shown(one.querySelectorAll('.lh-page, .lh-split')))
                  .map((one) => one.getBoundingClientRect());
                const [left, right] = [boxes.map((one) => one.left), boxes.map((one) => one.right)];
                return [Math.round(Math.min(...left)), Math.round(Math.max(...right))]; }""")
        assert len({tuple(one) for one in widths.values()}) == 1, widths
        page.set_viewport_size(PHONE)
        page.locator("#lh-tabs [role=tab][data-tab-id=adapters]").click()
        button = page.locator("#lh-shelf [data-compare]").first
        button.wait_for()
        box = button.bounding_box()
        assert 0 <= box["x"] and box["x"] + box["width"] <= PHONE["width"], "the button has to be scrolled to"
        # The plot's words are as large on a phone as on a desk.
        page.locator("#lh-tabs [role=tab][data-tab-id=runs]").click()
        page.locator("#lh-runs .lh-item").last.click()
        page.locator("#lh-loss .lh-tick").first.wait_for()
        # The list of runs is as long as it is, and a result's last column is there.
        assert (
            page.evaluate("(one => one.scrollHeight - one.clientHeight)(document.querySelector('#lh-runs .lh-list'))")
            <= 1
        )
        difference = page.locator("#lh-result td[data-head=Difference]").first.bounding_box()
        assert 0 <= difference["x"] and difference["x"] + difference["width"] <= PHONE["width"]
        sizes = page.evaluate(
            "[...document.querySelectorAll('#lh-loss .lh-tick')].map((one) => one.getBoundingClientRect().height)"
        )
        assert min(sizes) >= 14
        ticks = page.evaluate("""() => {
          const boxes = [...document.querySelectorAll('#lh-loss .lh-tick-x')]
            .map((one) => one.getBoundingClientRect()).sort((a, b) => a.x - b.x);
          return boxes.slice(1).every((one, place) => one.left >= boxes[place].right); }""")
        assert ticks, "the numbers of the steps run into each other"


def test_two_runs_of_one_task_are_told_apart_and_a_new_version_is_told_before_it_is_made(
    app: App, browser: object, tmp_path: Path
) -> None:
    with visiting(browser, tmp_path) as visit:
        page = visit.open(f"{app.url}/?tab=runs")
        items = page.locator("#lh-runs .lh-item")
        expect(items).to_have_count(2)
        wait_for_text(page, "#lh-runs", "Spam detection #1")
        wait_for_text(page, "#lh-runs", "Spam detection #2")
        wait_for_text(page, "#lh-runs", "Built-in · spam.csv")
        # The second run would become v2 of what the first one is: that is said, and what differs, before anything is
        # done.
        items.first.click()
        wait_for_text(page, "#lh-run", "Spam detection #2")
        wait_for_text(page, "#lh-planned", "This becomes a new version, v2, of lora-hub/spam-built-in.")
        expect(page.locator("#lh-publish")).to_have_text("Publish v2")
        page.locator("#lh-publish-name :is(input, textarea)").fill("another-name")
        page.locator("#lh-publish-name :is(input, textarea)").blur()
        wait_for_text(page, "#lh-planned", "the first version, v1, of lora-hub/another-name")
        page.locator("#lh-publish-name :is(input, textarea)").fill("")
        page.locator("#lh-publish-name :is(input, textarea)").blur()
        wait_for_text(page, "#lh-planned", "a new version, v2")
        items.last.click()
        wait_for_text(page, "#lh-planned", "This run is v1 of lora-hub/spam-built-in already.")
        expect(page.locator("#lh-publish")).to_have_text("Nothing new: this is v1 already")
        expect(page.locator("#lh-publish")).to_be_disabled()
        page.locator("#lh-publish-name :is(input, textarea)").fill("another-name")
        page.locator("#lh-publish-name :is(input, textarea)").blur()
        expect(page.locator("#lh-publish")).to_be_enabled()
        page.locator("#lh-publish-name :is(input, textarea)").fill("")
        page.locator("#lh-publish-name :is(input, textarea)").blur()
        expect(page.locator("#lh-publish")).to_be_disabled()
        # All held-out rows can be reached, a page at a time.
        total = (
            int(text_of(page, "#lh-examples .lh-pager span").rsplit(" ", 1)[1])
            if page.locator("#lh-examples .lh-pager").count()
            else 0
        )
        if total:
            page.locator("#lh-examples [data-put]", has_text="Next rows").click()
            expect(page.locator("#lh-examples tbody tr")).to_have_count(total - 50)
        # What is taken away is a file; another run stands beside it; a search hides what does not fit.
        for what, end in (("Metrics (CSV)", "-metrics.csv"), ("Plots (PNG)", ".png"), ("Plots (PNG)", ".png")):
            with page.expect_download() as coming:
                page.locator("#lh-run-files button", has_text=what).click()
            assert coming.value.suggested_filename.endswith(end)
        assert coming.value.path().read_bytes().startswith(b"\x89PNG")
        page.get_by_role("button", name="Beside other runs").click()
        page.locator("#lh-beside input").click()
        page.locator("#lh-beside [role=option]").first.click()
        page.keyboard.press("Escape")
        wait_for_text(page, "#lh-beside-plot table", "Lowest validation loss")
        page.locator("#lh-runs-search :is(input, textarea)").fill("nothing like it")
        wait_for_text(page, "#lh-runs", "No run fits")
        page.locator("#lh-runs-search :is(input, textarea)").fill("")
        expect(items).to_have_count(2)
        # A run is known in Compare by its name, base, data and time, and not by its id alone.
        items.first.click()
        wait_for_text(page, "#lh-planned", "a new version, v2")
        page.locator("#lh-show").get_by_text("adapter not fully right").click()
        # An example that is taken before the adapter's own field is drawn stands in it when it is.
        drawing = Held(visit, lambda body: len(body["data"]) == 4 and isinstance(body["data"][3], str))
        page.locator("#lh-run-compare").click()
        page.locator("#lh-ask").wait_for()
        page.locator("#lh-example").click()
        page.locator("#lh-example-note p").wait_for()
        taken = page.locator("#lh-prompt textarea").input_value()
        assert taken and len(drawing.waiting) == 1
        drawing.let_go()
        own = page.get_by_role("textbox", name="Text", exact=True)
        expect(own).to_have_value(taken)
        expect(page.locator("#lh-prompt textarea")).to_be_hidden()
        wait_for_text(page, "#lh-example-note", "Right answer")
        page.locator("#lh-ask").click()
        wait_for_text(page, "#lh-answers", "Spam detection #2")
        wait_for_text(page, "#lh-answers", "spam.csv")
        expect(page.locator("#lh-answers article header .lh-badge")).to_have_count(2)  # both are judged

        # What is typed while an example is on its way is not written over, and is no example.
        coming = Held(visit, lambda body: len(body["data"]) == 4 and isinstance(body["data"][3], bool))
        page.locator("#lh-example").click()
        own.fill("typed meanwhile")
        coming.let_go()
        expect(page.locator("#lh-example-note p")).to_have_count(0)
        expect(own).to_have_value("typed meanwhile")
        # Back to another tab forgets neither, and neither does another reload.
        page.locator("#lh-free-text input").check()
        with anew(page):
            page.reload()
        expect(own).to_have_value("typed meanwhile")
        expect(page.locator("#lh-free-text input")).to_be_checked()
        page.wait_for_timeout(900)  # two steps of one moment are one place to come back to
        page.locator("#lh-tabs [role=tab][data-tab-id=adapters]").click()
        page.wait_for_url("**tab=adapters*")
        page.go_back()
        page.wait_for_url("**tab=compare*")
        page.go_back()
        page.wait_for_url("**tab=runs*")
        expect(page.locator("#lh-runs")).to_be_visible()
        expect(page.locator("#lh-show input[value=wrong]")).to_be_checked()
        page.locator("#lh-tabs [role=tab][data-tab-id=compare]").click()
        expect(page.locator("#lh-names")).to_contain_text("Spam detection #2")
        wait_for_text(page, "#lh-names", "spam.csv")
        expect(own).to_have_value("typed meanwhile")
        page.wait_for_url("**adapters=spam-*")

        # A question of several inputs goes from one prompt into its own fields and back.
        kept = {"adapter": "a", "inputs": {"question": "Who?", "context": "She."}, "prompt": "Who?\nShe.", "taken": "1"}
        told = page.evaluate(
            """(kept) => { const {redrawn, asking, placed} = window.loraHub.question;
              redrawn('', '', '', '', ''); asking('', true);
              return [placed(kept, '', '', ''), redrawn('question\\ncontext', kept, 'Who?\\nShe.', '', ''),
                      redrawn('', kept, '', 'Who?', 'Her.'), redrawn('text', kept, 'Other', 'Who?', 'Her.')]; }""",
            json.dumps(kept),
        )
        assert told == [
            ["Who?\nShe.", "", ""],
            ["Who?\nShe.", "Who?", "She."],
            ["Who?\nHer.", "Who?", "Her."],
            ["Other", "Other", ""],
        ]

        # A run that ends while another tab is open is told where the person has allowed it.
        notices = page.evaluate(
            """() => { const told = [];
              window.Notification = class { static permission = 'granted'; constructor(...said) { told.push(said); } };
              window.loraHub.ended(JSON.stringify({runs: [{id: 'a', name: 'Spam', said: 'It has ended.'}]}));
              return told.map(([name, more]) => [name, more.body]); }"""
        )
        assert notices == [["Spam", "It has ended."]]
        # A run's settings go back into the form.
        page.locator("#lh-tabs [role=tab][data-tab-id=runs]").click()
        page.locator("#lh-run-files button", has_text="Start from this run").click()
        page.wait_for_url("**tab=finetune*")
        wait_for_text(page, "#lh-file", "spam.csv")
        expect(page.locator("#lh-task input[value=spam]")).to_be_checked()
        assert visit.errors == []


def test_an_entry_of_the_list_goes_back_into_the_form(app: App, browser: object, tmp_path: Path) -> None:
    with visiting(browser, tmp_path) as visit:
        page = visit.open(app.url)
        page.locator("#lh-reason p").wait_for()
        for task in ("spam", "topic"):
            page.locator(f"#lh-task input[value='{task}']").check()
            expect(page.locator("#lh-sample")).to_be_enabled()
            page.locator("#lh-sample").click()
            wait_for_text(page, "#lh-data", f"{task}.csv")
            page.locator("#lh-effort").get_by_text("Quick" if task == "spam" else "Balanced", exact=True).click()
            page.locator("#lh-name :is(input, textarea)").fill(f"my-{task}")
            page.locator("#lh-name :is(input, textarea)").blur()
            if task == "spam":
                expect(page.locator("#lh-add-task")).to_be_enabled()
                page.locator("#lh-add-task").click()
                expect(page.locator(".lh-entry")).to_have_count(1)
        expect(page.locator("#lh-add-task")).to_be_enabled()
        # What is in the form by then goes on the list, and the place of what is edited waits for it: nothing is lost.
        page.locator("[data-edit]").click()
        wait_for_text(page, "#lh-data", "spam.csv")
        expect(page.locator("#lh-task input[value='spam']")).to_be_checked()
        expect(page.locator("#lh-name :is(input, textarea)")).to_have_value("my-spam")
        expect(page.locator("#lh-effort input[value=quick]")).to_be_checked()
        entries = page.locator(".lh-entry")
        expect(entries).to_contain_text(["spam.csv", "topic.csv"])
        expect(entries.nth(0)).to_contain_text("being edited")
        wait_for_text(page, "#lh-train", "Train 2 tasks")
        # A form that is not ready keeps what it has.
        page.locator("#lh-task input[value='question-answering']").check()
        wait_for_text(page, "#lh-reason", "is not ready")
        entries.nth(1).locator("[data-edit]").click()
        page.get_by_text("The form holds another task, which is not ready").wait_for()
        wait_for_text(page, "#lh-data", "spam.csv")
        expect(entries.nth(0)).to_contain_text("being edited")
        # What is saved stands where it stood, and what is not wanted after all is as it was.
        page.locator("#lh-task input[value='spam']").check()
        page.locator("#lh-name :is(input, textarea)").fill("my-other")
        page.locator("#lh-name :is(input, textarea)").blur()
        expect(page.locator("#lh-add-task")).to_be_enabled()
        page.locator("#lh-add-task").click()
        expect(entries).to_contain_text(["my-other", "my-topic"])
        expect(page.locator(".lh-edited")).to_have_count(0)
        entries.nth(1).locator("[data-edit]").click()
        expect(entries.nth(1)).to_contain_text("being edited")
        wait_for_text(page, "#lh-data", "topic.csv")
        entries.nth(1).locator("[data-edit]").click()
        expect(page.locator(".lh-edited")).to_have_count(0)
        expect(page.locator("#lh-data")).not_to_contain_text("topic.csv")
        expect(entries).to_contain_text(["my-other", "my-topic"])
