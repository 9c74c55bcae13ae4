"""A test set in a real browser: a file is dropped, two adapters and their base answer it, and what was found is read in
English and Persian, saved as pictures and tables, and asked again in Compare."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright import sync_api as playwright
from sample_adapters import make_spec
from small_data import write_csv
from test_page import App, browser, free_port, visiting, wait_for_text
from tiny_bases import save_adapter

from lora_hub.answering import loading
from lora_hub.catalogue import bases
from lora_hub.core.schema import Score
from lora_hub.hub.record import make_record

expect = playwright.expect
__all__ = ["browser"]
ROWS = [("=2+2 جایزه بردید، همین حالا تماس بگیرید", "spam"), ("فردا ساعت پنج می‌بینمت", "ham")]
ROWS += [(f"{'win a prize now ' * (n % 4 + 1)}{n}", "spam") for n in range(9)]
ROWS += [(f"see you {'at home ' * (n % 3 + 1)}{n}", "ham") for n in range(9)]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    running = App(tmp_path_factory.mktemp("tests") / "home", free_port())
    try:
        running.start()
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two random adapters of the built-in base, of the task spam."""
    base, made = bases.get_base("built-in"), []
    model = loading.load_base(base)
    for seed in (1, 2):
        folder = save_adapter(model, tmp_path_factory.mktemp("made") / f"v{seed}", seed=seed, strength=0.05)
        spec = make_spec(base=base)
        scores = {"base": {"accuracy": Score(value=50, low=40, high=60)}}
        record = make_record(spec, spec.task, f"run-{seed}", scores, {"train_rows": 8, "eval_rows": 8}, 1)
        (folder / "lora_hub.json").write_text(json.dumps(record))
        made.append(folder)
    return made


def of_text(adapter: Path, folder: Path) -> Path:
    """The same adapter, for a task that is answered in text."""
    shutil.copytree(adapter, folder)
    record = json.loads((folder / "lora_hub.json").read_text())
    record["task"] |= {"output": "text", "labels": [], "metrics": ["chrf"]}
    (folder / "lora_hub.json").write_text(json.dumps(record))
    return folder


def saved(page: object, button: object) -> bytes:
    with page.expect_download() as told:
        button.click()
    return Path(told.value.path()).read_bytes()


def test_a_test_set_from_a_dropped_file_to_a_question(
    app: App, browser: object, adapters: list[Path], tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "messages.csv", ROWS)
    with visiting(browser, tmp_path) as visit:
        # What is empty says what it is for, and leads to where it is filled.
        page = visit.open(f"{app.url}/?tab=compare")
        page.locator("#lh-nothing [data-go]").click()
        expect(page.locator("#lh-tabs [role=tab][data-tab-id=finetune]").first).to_have_attribute(
            "aria-selected", "true"
        )
        page = visit.open(f"{app.url}/?tab=tests")
        wait_for_text(page, "#lh-tests", "No test yet")
        wait_for_text(page, "#lh-test-head", "how sure is that?")
        page.locator("#lh-test-upload input[type=file]").set_input_files(file)
        expect(page.locator("#lh-test-rows input")).to_have_value("messages.csv")
        names = page.locator("#lh-test-adapters input")
        for folder in adapters:
            names.fill(str(folder))
            names.press("Enter")
        # A task with labels needs no judge; one in text is offered it, and told what would go where before it does.
        expect(page.locator("#lh-test-judging")).to_be_hidden()
        names.fill(str(of_text(adapters[0], tmp_path / "writer")))
        names.press("Enter")
        page.locator("#lh-test-judging button").first.click()
        judge = page.locator("#lh-test-judge input")
        judge.fill("http://10.0.0.1/v1")
        judge.press("Enter")
        wait_for_text(page, "#lh-test-judge-told", "could read what is sent")
        expect(page.locator("#lh-test-judge-agreed input")).to_be_hidden()
        page.locator("#lh-test-judge-model input, #lh-test-judge-model textarea").fill("<b>big</b>")
        judge.fill("http://127.0.0.1:1/v1")
        judge.press("Enter")
        wait_for_text(page, "#lh-test-judge-told", "goes to 127.0.0.1:1, for its model <b>big</b>")
        expect(page.locator("#lh-test-judge-agreed input")).to_be_visible()
        names.press("Backspace")
        expect(page.locator("#lh-test-judging")).to_be_hidden()
        page.locator("#lh-test-start").click()
        wait_for_text(page, "#lh-test-result", "20 rows")
        wait_for_text(page, "#lh-test-head", "succeeded")
        expect(page.locator("#lh-test-result tbody tr")).to_have_count(3)
        expect(page.locator(".lh-pairs li")).to_have_count(3)
        # Pictures are chosen, and saved as they are.
        expect(page.locator("#lh-test-picture .ytick")).to_have_count(3)
        assert b"<svg" in saved(page, page.locator("[data-save=svg]"))
        assert saved(page, page.locator("[data-save=png]"))[:8] == b"\x89PNG\r\n\x1a\n"
        page.locator("#lh-test-plot input").click()
        page.get_by_role("option", name="Confusion matrix").click()
        wait_for_text(page, "#lh-test-above", "Confusion matrix")
        expect(page.locator("#lh-test-picture .hm")).to_have_count(1)
        expect(page.locator("#lh-test-pane")).to_be_visible()
        # Tables are saved without a formula in them.
        rows = list(csv.DictReader(io.StringIO(saved(page, page.locator("#lh-test-csv")).decode("utf-8-sig"))))
        assert len(rows) == 20 and rows[0]["text"].startswith("'=2+2 جایزه")
        assert json.loads(saved(page, page.locator("#lh-test-json")))["pairs"]
        # In Persian, on a phone: the same test, read from the right, nothing wider than the screen.
        page.set_viewport_size({"width": 390, "height": 844})
        # The tabs are not squeezed into one row: those that do not fit stand behind a button.
        expect(page.locator(".overflow-menu > button").first).to_be_visible()
        link = page.locator("#lh-test-head [data-link]").get_attribute("data-link")
        assert page.url.endswith(link[1:].partition("&")[2]), "the address names the test"
        page.goto(f"{app.url}/{link}&lang=fa", wait_until="domcontentloaded")
        wait_for_text(page, "#lh-test-result", "۲۰ سطر")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        name, mark = (page.locator(f"#lh-test-picture {one}").first for one in (".ytick text", ".scatterlayer .point"))
        assert 360 > name.bounding_box()["x"] > mark.bounding_box()["x"], "read from the right"
        told = page.locator("#lh-test-picture .ytick text").all_text_contents()
        assert len(set(told)) == 3, "names that are cut still differ"
        box = page.locator("#lh-test-picture").bounding_box()
        marks = [one.bounding_box() for one in page.locator("#lh-test-picture .scatterlayer .point").all()]
        assert len(marks) == 3
        assert all(box["x"] < one["x"] < box["x"] + box["width"] - one["width"] for one in marks), "seen at first"
        # What is wider than the screen is reached with keys, and so with a finger.
        page.set_viewport_size({"width": 280, "height": 844})
        expect(page.locator("#lh-test-picture")).to_have_attribute("tabindex", "0")
        page.locator("#lh-test-picture").press("ArrowLeft")
        page.wait_for_function("document.querySelector('#lh-test-picture').scrollLeft < 0")
        page.set_viewport_size({"width": 390, "height": 844})
        page.locator("#lh-test-plot input").click()
        page.get_by_role("option", name="ماتریس درهم‌ریختگی").click()
        title, label = (page.locator(f"#lh-test-picture {one}").first for one in (".ytitle", ".ytick text"))
        page.locator("#lh-test-picture .hm").wait_for()
        label = label.bounding_box()
        assert title.bounding_box()["x"] >= label["x"] + label["width"], "an axis' title stands beyond its words"
        page.locator("#lh-test-show input[value=all]").check()
        page.locator("[data-put=lh-test-ask]").first.click()
        expect(page.locator("#lh-prompt textarea, #lh-input-0 textarea").locator("visible=true").first).to_have_value(
            ROWS[0][0]
        )
        assert visit.strangers == [] and visit.errors == []
