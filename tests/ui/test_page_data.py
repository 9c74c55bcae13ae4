"""The data room in a real browser: files of all kinds in, problems mended and undone, nothing lost that was corrected.

The app is a process of its own, as in test_page.py. One person's browser visits it again and again, so that its scripts
are fetched once; between two tests it forgets what it kept.
"""

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright import sync_api as playwright
from test_page import App, Visit, anew, browser, free_port, text_of, wait_for_text
from tiny_gguf import tiny_model, write_gguf

expect = playwright.expect
__all__ = ["browser"]
EVIL = '<img src=x onerror="window.evil=1">${window.evil=1}{{evil}}'
PERSIAN = ["این کتاب بسیار خوب بود", "غذا سرد و بی‌مزه بود", "بازی بازیگران تحسین‌برانگیز بود", "هتل کثیف و پرسروصدا بود"]


LIMIT_MB = 60


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    running = App(tmp_path_factory.mktemp("data") / "home", free_port())
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("LORA_HUB_MAX_UPLOAD_MB", str(LIMIT_MB))
            running.start()
        yield running
    finally:
        running.close()


@pytest.fixture(scope="module")
def person(app: App, browser: object) -> Iterator[Visit]:
    visit = Visit(browser)
    yield visit
    visit.context.close()


@pytest.fixture
def visit(person: Visit, tmp_path: Path) -> Iterator[Visit]:
    """The person's browser with nothing kept in it. A test that fails leaves a picture."""
    person.strangers.clear()
    person.errors.clear()
    yield person
    for page in list(person.context.pages):
        picture = Path(os.environ.get("LORA_HUB_PICTURES") or tmp_path) / f"data-{int(time.time() * 1000)}.png"
        page.screenshot(path=str(picture))
        page.evaluate("localStorage.clear()")
        page.close()
    assert person.strangers == [], "the page asked somebody else"
    assert person.errors == []


def messy_rows() -> list[tuple[str, str]]:
    """64 rows: the last four repeat the first ones, one label is written in two ways, one text is a page's enemy."""
    rows = [
        (f"win the free prize number {place} now", "spam") if place % 2 else (f"see you at lunch on day {place}", "ham")
        for place in range(60)
    ]
    rows[2] = (rows[2][0] + " " + EVIL, "ham")
    rows[10] = (rows[10][0], "Ham")
    return rows + rows[:4]


def write(
    file: Path, rows: list[tuple], header: tuple = ("message", "kind"), encoding: str = "utf-8", delimiter: str = ","
) -> Path:
    with file.open("w", newline="", encoding=encoding) as opened:
        csv.writer(opened, delimiter=delimiter).writerows([header, *rows])
    return file


def open_page(visit: Visit, app: App, query: str = "") -> object:
    page = visit.open(app.url + query)
    page.locator("#lh-reason p").wait_for()
    return page


def choose_task(page: object, task: str) -> None:
    page.locator(f"#lh-task input[value='{task}']").check()
    wait_for_text(page, "#lh-task-card", "")
    page.locator("#lh-task-card blockquote").wait_for()


def drop(page: object, file: Path) -> None:
    page.locator("#lh-file input[type=file]").set_input_files(str(file))
    wait_for_text(page, "#lh-data", file.name)


def choose(page: object, field: str, option: str) -> None:
    page.locator(f"{field} input").click()
    page.get_by_role("option", name=option, exact=True).click()


def card(page: object, code: str) -> object:
    return page.locator(f'#lh-problems [data-code="{code}"]')


def test_problems_are_cards_that_can_be_mended_undone_and_looked_into(app: App, visit: Visit, tmp_path: Path) -> None:
    page = open_page(visit, app)
    choose_task(page, "spam")
    drop(page, write(tmp_path / "messy.csv", messy_rows()))
    wait_for_text(page, "#lh-data", "64 rows")
    wait_for_text(page, "#lh-plan", "about")  # the whole look has come, and no card moves any more
    repeated = card(page, "duplicates")
    expect(repeated).to_contain_text("4 rows")

    # The rows behind a problem, and closed again.
    repeated.locator("[data-rows]").click()
    expect(page.locator(".lh-badrows tbody tr")).to_have_count(4)
    wait_for_text(page, ".lh-badrows", "win the free prize number 1 now")
    expect(page.locator(".lh-badrows tbody th").first).to_have_text("61")
    repeated.locator("[data-rows]").click()
    expect(page.locator(".lh-badrows")).to_have_count(0)

    # Mend: the card is gone, the rows are fewer, the mend is listed. Undo: as before.
    repeated.locator("[data-mend]").first.click()
    wait_for_text(page, ".lh-done", "Left out: repeated rows")
    expect(repeated).to_have_count(0)
    wait_for_text(page, "#lh-data", "60 of 64 rows")
    wait_for_text(page, ".lh-done", "4 rows")
    card(page, "near-duplicate-labels").locator("[data-mend]").first.click()
    wait_for_text(page, ".lh-done", "Labels renamed: Ham → ham")
    expect(page.locator(".lh-done li")).to_have_count(2)
    page.locator("[data-undo]").first.click()
    expect(page.locator(".lh-done li")).to_have_count(1)
    expect(repeated).to_contain_text("4 rows")
    wait_for_text(page, "#lh-data", "64 rows")
    repeated.locator("[data-mend]").first.click()
    expect(page.locator(".lh-done li")).to_have_count(2)
    page.locator("[data-undo-all]").click()
    expect(page.locator(".lh-done")).to_have_count(0)
    expect(card(page, "near-duplicate-labels")).to_be_visible()

    # What a file holds stays text wherever it is shown.
    expect(page.locator("#lh-preview td").filter(has_text="<img").first).to_be_visible()
    assert (
        page.evaluate("window.evil") is None
        and page.locator("#lh-preview img, #lh-prompts img, #lh-problems img").count() == 0
    )


def test_task_and_columns_are_proposed_anew_for_what_was_filled(app: App, visit: Visit, tmp_path: Path) -> None:
    page = open_page(visit, app)
    teams = ("Billing", "Repairs", "Delivery")
    rows = [(f"a ticket that says thing number {n} is wrong", teams[n // 20] if n % 20 == 0 else "") for n in range(60)]
    drop(page, write(tmp_path / "merged.csv", rows, ("Ticket text", "Team")))
    expect(page.locator("#lh-task input[value='instruction']")).to_be_checked()
    card(page, "blank-below").locator("[data-mend]").first.click()
    expect(page.locator("#lh-task input[value='topic']")).to_be_checked()
    wait_for_text(page, ".lh-labels", "Repairs")
    expect(page.locator("#lh-problems .lh-bad")).to_have_count(0)
    # Undone, the task is again what the file alone tells.
    page.locator("[data-undo]").first.click()
    expect(page.locator("#lh-task input[value='instruction']")).to_be_checked()
    # A task that was chosen stays.
    choose_task(page, "intent")
    card(page, "blank-below").locator("[data-mend]").first.click()
    wait_for_text(page, ".lh-labels", "Repairs")
    expect(page.locator("#lh-task input[value='intent']")).to_be_checked()


def test_labels_are_renamed_and_merged_and_a_half_typed_name_stays(app: App, visit: Visit, tmp_path: Path) -> None:
    page = open_page(visit, app)
    choose_task(page, "sentiment")
    rows = [(f"the film number {place} was {'fine' if place % 3 else 'dull'}", str(place % 3)) for place in range(90)]
    drop(page, write(tmp_path / "stars.csv", rows, ("review", "label")))
    labels = page.locator(".lh-labels")
    expect(labels.locator("input[data-label]")).to_have_count(3)
    if not labels.evaluate("fold => fold.open"):
        labels.locator("summary").click()
    expect(labels.locator('input[data-label="0"]')).to_have_value("negative")
    labels.locator('input[data-label="0"]').fill("bad")
    # Another look at the form leaves what is being typed as it is.
    page.locator("#lh-effort").get_by_text("Quick", exact=True).click()
    wait_for_text(page, "#lh-plan", "about")
    expect(labels.locator('input[data-label="0"]')).to_have_value("bad")
    labels.locator('input[data-label="1"]').fill("good")
    labels.locator('input[data-label="2"]').fill("good")
    labels.locator("[data-rename]").click()
    wait_for_text(page, ".lh-done", "90 rows")
    expect(labels.locator("input[data-label]")).to_have_count(2)
    wait_for_text(page, ".lh-labels", "60")
    expect(page.locator("#lh-prompts .lh-prompt mark").first).to_have_text("bad")


def test_nothing_corrected_is_lost_when_the_file_is_read_anew(app: App, visit: Visit, tmp_path: Path) -> None:
    page = open_page(visit, app)
    choose_task(page, "instruction")
    rows = [
        (f"do the thing number {place}", f"with that {place}", f"“done” number {place}", f"spare {place}")
        for place in range(60)
    ]
    header = ("instruction", "input", "output", "spare")
    drop(page, write(tmp_path / "orders.csv", [*rows, *rows[:3]], header, "cp1252", ";"))
    wait_for_text(page, "#lh-data", "windows-1252")
    wait_for_text(page, "#lh-data", "separator ;")
    optional, answer = page.locator("#lh-role-1 input"), page.locator("#lh-role-3 input")
    expect(optional).to_have_value("input")
    choose(page, "#lh-role-1", "(none)")
    expect(page.locator("#lh-preview th.lh-taken")).to_have_count(2)
    expect(optional).to_have_value("(none)")
    choose(page, "#lh-role-3", "spare")
    expect(page.locator("#lh-prompts .lh-prompt mark").first).to_have_text("spare 0")
    card(page, "duplicates").locator("[data-mend]").first.click()
    wait_for_text(page, "#lh-data", "60 of 63 rows")

    def all_there(word: str) -> None:
        wait_for_text(page, "#lh-data", word)
        wait_for_text(page, "#lh-data", "60 of 63 rows")
        expect(optional).to_have_value("(none)")
        expect(answer).to_have_value("spare")
        expect(page.locator(".lh-done li")).to_have_count(1)

    choose(page, "#lh-encoding", "iso-8859-1")
    all_there("latin-1")
    page.reload()
    all_there("separator ;")
    # Another task and back: its roles are other ones, and these wait.
    choose_task(page, "translation")
    expect(page.locator("#lh-role-2")).to_have_count(0)
    choose_task(page, "instruction")
    all_there("separator ;")
    # A new file starts clean.
    drop(page, write(tmp_path / "others.csv", rows, header))
    expect(optional).to_have_value("input")
    expect(answer).to_have_value("output")
    expect(page.locator(".lh-done")).to_have_count(0)


def test_a_table_can_be_pasted_a_sheet_chosen_and_the_sample_taken(app: App, visit: Visit, tmp_path: Path) -> None:
    import openpyxl

    page = open_page(visit, app)
    choose_task(page, "spam")
    page.locator("#lh-paste-open").click()
    page.locator("#lh-use-pasted").click()
    wait_for_text(page, "#lh-paste", "Nothing was pasted")
    pasted = "\n".join(["text\tlabel", *(f"{text}\t{label}" for text, label in messy_rows()[11:55])])
    page.locator("#lh-pasted textarea").fill(pasted)
    page.locator("#lh-use-pasted").click()
    wait_for_text(page, "#lh-data", "44 rows")
    wait_for_text(page, "#lh-data", "pasted.tsv")
    expect(page.locator("#lh-paste")).to_have_count(0)
    page.locator("#lh-sample").click()
    wait_for_text(page, "#lh-data", "spam.csv")

    book = openpyxl.Workbook()
    for name, count in (("First", 41), ("Second", 52)):
        sheet = book.create_sheet(name)
        sheet.append(("message", "kind"))
        for row in messy_rows()[11 : 11 + count]:
            sheet.append((name + " " + row[0].replace("<", ""), row[1]))
    book.remove(book["Sheet"])
    book.save(tmp_path / "two.xlsx")
    drop(page, tmp_path / "two.xlsx")
    wait_for_text(page, "#lh-data", "sheet First")
    wait_for_text(page, "#lh-data", "41 rows")
    expect(page.locator("#lh-delimiter")).to_have_count(0)
    choose(page, "#lh-sheet", "Second")
    wait_for_text(page, "#lh-data", "52 rows")
    wait_for_text(page, "#lh-preview", "Second ")
    page.reload()
    wait_for_text(page, "#lh-data", "sheet Second")

    # A base without the Hub: one that a package carries is offered, and a file of one's own is read in.
    page.locator("#lh-bases summary").click()
    page.locator('#lh-bases button[data-base="SmolLM2-135M-Instruct"]').click()  # what each base takes here
    expect(page.locator("#lh-get-base")).to_contain_text("92.9 MB from the package index")
    expect(page.locator("#lh-train")).to_be_disabled()
    field = page.locator("#lh-base input")
    field.fill(str(write_gguf(tmp_path / "our tiny.gguf", tiny_model("llama"))))
    field.press("Enter")
    expect(page.locator("#lh-get-base")).to_have_text("Read this file in (once)")
    page.locator("#lh-get-base").click()
    wait_for_text(page, "#lh-base-card", "fits this machine")
    expect(field).to_have_value("Tiny (our-tiny)")
    expect(page.locator("#lh-get-base")).to_be_hidden()
    wait_for_text(page, "#lh-plan", "Steps")


def test_a_dataset_comes_from_the_hub_and_the_token_is_forgotten(app: App, visit: Visit, tmp_path: Path) -> None:
    push_dataset(app, tmp_path)
    page = open_page(visit, app)
    choose_task(page, "spam")
    page.locator("#lh-hub-open").click()
    page.locator("#lh-hub-name :is(input, textarea)").fill("lora-hub/no-such-thing")
    page.locator("#lh-hub-token input").fill("hf_secret_of_mine")
    page.locator("#lh-fetch").click()
    page.locator("#lh-hub-note .lh-bad").wait_for()
    expect(page.locator("#lh-hub-token input")).to_have_value("")
    page.locator("#lh-hub-name :is(input, textarea)").fill("lora-hub/messages")
    page.locator("#lh-fetch").click()
    wait_for_text(page, "#lh-data", "44 rows")
    wait_for_text(page, "#lh-hub-note", "is here")
    assert page.locator("#lh-role-1 input").input_value() == "kind"
    assert "hf_secret_of_mine" not in page.content() + app.log() + str(page.evaluate("Object.values(localStorage)"))


def push_dataset(app: App, folder: Path) -> None:
    """A dataset in the app's own embedded Hub, by the client and a process of its own: this one's client has another
    Hub."""
    rows = write(folder / "messages.csv", messy_rows()[11:55])
    url, token = (
        json.loads((app.home / "hub" / "server.json").read_text())["url"],
        (app.home / "hub" / "token").read_text().strip(),
    )
    script = (
        "import sys; from huggingface_hub import HfApi; api = HfApi(); api.create_repo('lora-hub/messages', "
        "repo_type='dataset', exist_ok=True);"
        "api.upload_file(path_or_fileobj=sys.argv[1], path_in_repo='messages.csv', repo_id='lora-hub/messages', "
        "repo_type='dataset')"
    )
    environment = {
        **os.environ,
        "HF_ENDPOINT": url,
        "HF_TOKEN": token,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(folder / "hf"),
    }
    subprocess.run(
        [sys.executable, "-c", script, str(rows)], env=environment, check=True, timeout=60, capture_output=True
    )


def test_the_persian_page_tells_problems_in_persian_and_cells_read_right_to_left(
    app: App, visit: Visit, tmp_path: Path
) -> None:
    rows = [(f"{PERSIAN[place % 4]} شمارهٔ {place}", "خوب" if place % 2 == 0 else "بد") for place in range(60)]
    page = open_page(visit, app, "/?lang=fa")
    choose_task(page, "sentiment")
    drop(page, write(tmp_path / "نظرها.csv", [*rows, *rows[:5]], ("نظر", "برچسب")))
    wait_for_text(page, "#lh-data", "۶۵ سطر")
    wait_for_text(page, "#lh-problems", "تکرار")
    said = text_of(page, "#lh-problems .lh-card >> nth=0")
    assert not any("a" <= letter <= "z" for letter in said.lower()), said
    cell = page.locator("#lh-preview td .lh-text").first
    assert cell.evaluate("cell => getComputedStyle(cell).direction") == "rtl"
    box, text = page.locator("#lh-preview td").first.bounding_box(), cell.bounding_box()
    assert abs(box["x"] + box["width"] - text["x"] - text["width"]) < 20
    assert page.locator("#lh-preview th").first.evaluate("head => getComputedStyle(head).direction") == "rtl"
    card(page, "duplicates").locator("[data-mend]").first.click()
    wait_for_text(page, ".lh-done", "کنار گذاشته شد: سطرهای تکراری")
    page.set_viewport_size({"width": 390, "height": 800})
    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert over <= 1, f"the page is {over} pixels too wide"
    with anew(page):
        page.get_by_role("button", name="English").click(no_wait_after=True)
    wait_for_text(page, ".lh-done", "Left out: repeated rows")
    assert page.locator("#lh-preview td .lh-text").first.evaluate("cell => getComputedStyle(cell).direction") == "rtl"


def test_a_large_upload_shows_its_progress_and_the_page_stays_usable(app: App, visit: Visit, tmp_path: Path) -> None:
    large = tmp_path / "large.csv"
    text = "a long message about nothing at all, " * 12
    with large.open("w") as file:
        file.write("message,kind\n")
        for place in range(90_000):
            file.write(f'"{place} {text}",{"spam" if place % 2 else "ham"}\n')
    assert large.stat().st_size > 40e6
    page = open_page(visit, app)
    choose_task(page, "spam")
    # Slow enough to be seen, fast enough for a test: 40 MB in some five seconds.
    wire = visit.context.new_cdp_session(page)
    wire.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 9_000_000},
    )
    page.locator("#lh-file input[type=file]").set_input_files(str(large))
    page.get_by_text("Uploading").first.wait_for()
    # Meanwhile the page answers: its own clicks, and another visitor.
    began = time.monotonic()
    page.locator("#lh-effort").get_by_text("Quick", exact=True).click()
    page.locator("#lh-task input[value='topic']").check()
    wait_for_text(page, "#lh-task-card", "about")
    assert time.monotonic() - began < 10 and "large.csv" not in text_of(page, "#lh-data")
    wait_for_text(page, "#lh-data", "90,000 rows")
    expect(page.locator("#lh-preview tbody tr")).to_have_count(5)


def test_a_file_over_the_limit_is_told_before_it_is_sent(app: App, visit: Visit, tmp_path: Path) -> None:
    page = open_page(visit, app)
    posted: list[str] = []
    page.on("request", lambda request: posted.append(request.url) if "/upload" in request.url else None)
    big = tmp_path / "big.csv"
    with big.open("wb") as file:
        file.write(b"a,b\n")
        file.truncate(LIMIT_MB * 1_000_000 + 1)
    page.locator("#lh-file input[type=file]").set_input_files(str(big))
    wait_for_text(page, "#lh-too-large", f"larger than {LIMIT_MB}.0 MB")
    assert posted == []
    page.locator("#lh-file input[type=file]").set_input_files(str(write(tmp_path / "messy.csv", messy_rows())))
    wait_for_text(page, "#lh-data", "messy.csv")
    expect(page.locator("#lh-too-large")).to_be_hidden()


def replace(page: object, file: Path) -> None:
    """Takes the file away that is there, and drops another."""
    page.locator("#lh-file").get_by_label("Clear").first.click()
    drop(page, file)


def topics(folder: Path, name: str = "tickets.csv") -> Path:
    return write(
        folder / name,
        [(f"my lamp number {n} came late and broken", ("billing", "repairs", "delivery")[n % 3]) for n in range(60)],
        ("text", "team"),
    )


def test_a_task_that_the_page_proposed_is_proposed_anew_for_the_next_file(
    app: App, visit: Visit, tmp_path: Path
) -> None:
    page = open_page(visit, app)
    checked = page.locator("#lh-task input:checked")
    drop(page, write(tmp_path / "messages.csv", messy_rows()[:60]))
    expect(checked).to_have_value("spam")
    replace(page, topics(tmp_path))
    expect(checked).to_have_value("topic")
    # It is still a guess after a reload.
    page.reload()
    wait_for_text(page, "#lh-data", "tickets.csv")
    drop(page, write(tmp_path / "more.csv", messy_rows()[:60]))
    expect(checked).to_have_value("spam")
    # What a person clicked stays, and is questioned where the data speaks against it.
    choose_task(page, "sentiment")
    replace(page, topics(tmp_path, "others.csv"))
    expect(checked).to_have_value("sentiment")
    questioned = card(page, "other-task")
    expect(questioned).to_contain_text("does not look like data for “Sentiment”")
    expect(page.locator("#lh-reason")).to_contain_text("the data looks like “Topic”")
    expect(page.locator("#lh-train")).to_be_enabled()
    questioned.get_by_role("button", name="Use “Topic”").click()
    expect(checked).to_have_value("topic")
    expect(card(page, "other-task")).to_have_count(0)
    expect(page.locator("#lh-reason")).to_have_text("Ready.")
    # That was a choice, too.
    replace(page, write(tmp_path / "again.csv", messy_rows()[:60]))
    expect(checked).to_have_value("topic")
    expect(card(page, "other-task")).to_contain_text("Spam detection")


def test_what_was_clicked_is_there_after_a_reload_that_waits_for_nothing(
    app: App, visit: Visit, tmp_path: Path
) -> None:
    page = open_page(visit, app)
    drop(page, topics(tmp_path))
    page.reload()  # the file is shown and not yet looked at
    wait_for_text(page, "#lh-data", "tickets.csv")
    expect(page.locator("#lh-task input:checked")).to_have_value("topic")
    choose_task(page, "sentiment")
    page.locator("#lh-effort input[value=thorough]").check()
    page.reload()
    wait_for_text(page, "#lh-data", "tickets.csv")
    expect(page.locator("#lh-task input:checked")).to_have_value("sentiment")
    expect(page.locator("#lh-effort input:checked")).to_have_value("thorough")
    expect(card(page, "other-task")).to_contain_text("does not look like data for “Sentiment”")


def test_persian_rows_are_put_in_persian_unless_it_is_chosen_otherwise(app: App, visit: Visit, tmp_path: Path) -> None:
    page = open_page(visit, app)
    choose_task(page, "sentiment")
    drop(
        page,
        write(
            tmp_path / "reviews.csv",
            [(f"{PERSIAN[n % 4]} {n}", ("مثبت", "منفی")[n % 2]) for n in range(60)],
            ("text", "label"),
        ),
    )
    expect(page.locator("#lh-prompts")).to_contain_text("احساس این متن چیست؟")
    page.locator("#lh-advanced > button").click()
    page.get_by_label("Instruction language").click()
    page.get_by_role("option", name="en", exact=True).click()
    expect(page.locator("#lh-prompts")).to_contain_text("What is the sentiment of this text?")


def test_a_test_file_goes_with_the_file_that_it_came_for(app: App, visit: Visit, tmp_path: Path) -> None:
    page = open_page(visit, app)
    drop(page, topics(tmp_path))
    page.get_by_role("button", name="A held-out file of your own").click()
    page.locator("#lh-test-file input[type=file]").set_input_files(str(topics(tmp_path, "test.csv")))
    expect(page.locator("#lh-test-file")).to_contain_text("test.csv")
    replace(page, topics(tmp_path, "next.csv"))
    expect(page.locator("#lh-test-file")).not_to_contain_text("test.csv")
