"""A language is one .po file: a generated language appears in every sentence and on every tab, without a word of
English or Persian."""

import json
import re
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright import sync_api as playwright
from small_data import sentiment_rows, write_csv
from test_page import PATIENCE_MS, ROOT, App, browser, free_port, visiting  # noqa: F401  the browser is a fixture
from third_language import PERSIAN, changed, fragments, write_catalogue

from lora_hub.core import languages
from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _, several
from lora_hub.locale import update
from lora_hub.ui.frame import early
from lora_hub.ui.frame.page import Labels
from lora_hub.ui.render import render, render_problems, text

LANGUAGES = ("de", "he")
expect = playwright.expect


@pytest.fixture(scope="module")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("locale")
    for language in LANGUAGES:
        write_catalogue(folder, language)
    return folder


@pytest.fixture
def known(catalogues: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORA_HUB_LOCALE", str(catalogues))


# --- sentences ---


def values_for(*texts: str) -> dict[str, object]:
    """A value for each place: a number where its format asks for one."""
    found: dict[str, object] = {}
    for one in texts:
        for _literal, name, spec, _conversion in string.Formatter().parse(one):
            if name is not None:
                found[name] = 3 if spec or name == "count" else found.get(name, "a1.csv")
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_told_in_it(known: None, language: str) -> None:
    told = 0
    for one in update.read_all(language):
        if not one.id:
            continue
        sentence, many = (one.id, "") if isinstance(one.id, str) else one.id
        shown = Message(sentence=sentence, many=many, values=values_for(sentence, many)).in_language(language)
        assert not PERSIAN.search(shown), shown
        english = [part for part in fragments(many or sentence) if part in shown.replace("a1.csv", "")]
        assert english == [], (sentence, shown)
        told += 1
    assert told > 1500


def test_it_is_found_named_and_directed_by_its_code_alone(known: None) -> None:
    assert languages.languages() == ("en", "de", "he")
    assert [languages.autonym(one) for one in languages.languages()] == ["English", "Deutsch", "עברית"]
    head = early.head(languages.languages())
    assert json.dumps({"en": "ltr", "de": "ltr", "he": "rtl"}) in head and not PERSIAN.search(head)
    assert f'content: "{changed("Warning", "de")}"' in early.style_of("de")
    labels = Labels()
    assert labels.i18n.translations_dict.keys() == {"en", "de", "he"}
    assert labels.both(_("Train")).count("<span") == 3


def test_it_writes_numbers_lists_and_dates_as_cldr_has_them(known: None) -> None:
    assert text.number(1234567.8, "de", 1) == "1.234.567,8" and text.percent(93.25, "de") == "93,2\xa0%"
    assert languages.in_digits("1,234.5", "ar") == "1,234.5" and languages.in_digits("1,234.5", "ps") == "۱٬۲۳۴٫۵"
    meant = _("Did you mean {near}?", near=several("abc", "and")).in_language("de")
    assert meant.endswith(" “a”, “b” und “c”?"), meant
    meant = _("Did you mean {near}?", near=several("abc", "or")).in_language("he")
    marked = [f"“\u2068{name}\u2069”" for name in "abc"]
    assert meant.endswith(f" {marked[0]}, {marked[1]} או {marked[2]}?"), meant
    assert text.iso_moment("2026-03-05T21:17", "de") == "05.03.2026 21:17"
    assert text.iso_moment("2026-03-05T21:17", "en") == "2026-03-05 21:17"
    assert re.fullmatch(r"05\.03\.2026, \d\d:\d\d", text.moment(1772712000, "de"))
    assert text.own_digits("80-95 9", "de") == "80-95 9"


def test_names_keep_to_themselves_where_they_read_the_other_way(known: None) -> None:
    said = _("{name} is here.")
    assert text.t(said, "he", name="a.csv").startswith("\u2068a.csv\u2069")
    assert text.t(said, "de", name="a.csv").startswith("a.csv ")
    assert text.t(said, "de", name="متن").startswith("\u2068متن\u2069")
    card = render.error_card(DataError(said, _("Choose another name (--name)."), name="a.csv"), "he")
    assert 'dir="rtl"' in card and "<bdi>a.csv</bdi>" in card
    assert render_problems._said(said.filled({"name": "x"}), "he")[1] == "rtl"


# --- the page ---

# Every text that is seen or read aloud, with whether it stands where data, code and names do.
TEXTS = """() => {
  const found = [];
  const data = 'pre, code, bdi, blockquote, .lh-text, .lh-answer, .lh-asked, .lh-log, #lh-card, [role=option], h1,'
    + ' [data-language], [data-label]';
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const place = walker.currentNode.parentElement;
    const said = walker.currentNode.textContent.trim();
    if (!said || place.closest('script, style') || !place.checkVisibility()) continue;
    found.push([said, Boolean(place.closest(data))]);
  }
  for (const one of document.querySelectorAll('[aria-label], [placeholder], [title], [aria-valuetext]')) {
    if (!one.checkVisibility()) continue;
    for (const name of ['aria-label', 'placeholder', 'title', 'aria-valuetext']) {
      const said = (one.getAttribute(name) || '').trim();
      if (said) found.push([said, Boolean(one.closest(data))]);
    }
  }
  return found;
}"""


class Reader:
    """Reads pages, and says what of the English catalogue or of Persian is seen on one."""

    def __init__(self, language: str) -> None:
        ids = [one.id if isinstance(one.id, tuple) else (one.id,) for one in update.read_all(language) if one.id]
        parts = {part.strip() for one in ids for sentence in one for part in fragments(sentence)}
        # Alone, where no data is, a sentence is ours, however short it is; inside another text it may be a value.
        self.whole = {sentence for one in ids for sentence in one if re.search("[A-Za-z]{2}", sentence)}
        self.parts = re.compile("|".join(re.escape(one) for one in sorted(parts) if len(one.split()) > 2))

    def check(self, page: object, where: str) -> None:
        for said, is_data in page.evaluate(TEXTS):
            plain = re.sub("[\u2066-\u2069]", "", said)
            assert not PERSIAN.search(plain), (where, said)
            if not is_data:
                assert plain not in self.whole, (where, said)
                assert not self.parts.search(plain), (where, said)


@pytest.fixture(scope="module")
def app(catalogues: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app with the generated languages, and a run that is finished and published."""
    home = tmp_path_factory.mktemp("third") / "home"
    running = App(home, free_port(), LORA_HUB_LOCALE=str(catalogues))
    file = write_csv(home.parent / "feelings.csv", sentiment_rows(120), ("review", "feeling"))
    train = [sys.executable, "-m", "lora_hub", "train", "--task", "sentiment", "--effort", "quick", "--publish", file]
    try:
        made = subprocess.run(
            [str(word) for word in train], cwd=ROOT, env=running.environment(), capture_output=True, text=True
        )
        assert made.returncode == 0, made.stdout + made.stderr
        running.start()
        yield running
    finally:
        running.close()


@pytest.mark.parametrize("language", ["he"])  # it is read from the right, and the sentences of both are asked above
def test_the_page_shows_it_whole_on_every_tab(
    app: App,
    browser: object,  # noqa: F811
    tmp_path: Path,
    known: None,
    language: str,
) -> None:
    with visiting(browser, tmp_path) as visit:
        page = visit.open(f"{app.url}/?lang={language}")
        way = languages.direction(language)
        page.wait_for_function(
            f"document.documentElement.lang === '{language}' && document.documentElement.dir === '{way}'"
        )
        reader = Reader(language)
        fine_tune(page, reader, tmp_path)
        runs_adapters_and_compare(page, app, reader, language)
        assert visit.errors == [] and visit.strangers == []


def fine_tune(page: object, reader: Reader, folder: Path) -> None:
    """Step by step: a task of one's own, each way in, a broken file, problems, a plan, the list."""
    page.locator("#lh-reason p").wait_for()
    reader.check(page, "an empty form")
    page.locator("#lh-task input[value=own]").check()
    page.locator("#lh-own-title").wait_for()
    page.locator("#lh-paste-open").click()
    page.locator("#lh-pasted textarea").wait_for()
    page.locator("#lh-use-pasted").click()
    page.locator("#lh-paste .lh-bad").wait_for()
    reader.check(page, "a task of one's own, and nothing pasted")
    page.locator("#lh-hub-open").click()
    page.locator("#lh-hub-name").wait_for()
    page.locator("#lh-fetch").click()
    page.locator("#lh-hub-note .lh-bad").wait_for()
    reader.check(page, "nothing to fetch")
    (folder / "empty.csv").write_text("")
    page.locator("#lh-file input[type=file]").set_input_files(str(folder / "empty.csv"))
    page.locator("#lh-data .lh-bad").wait_for()
    reader.check(page, "an empty file")
    page.locator("#lh-task input[value=spam]").check()
    expect(page.locator("#lh-sample")).to_be_enabled()
    page.locator("#lh-sample").click()
    expect(page.locator("#lh-train")).to_be_enabled()
    page.locator("#lh-advanced button").first.click()
    page.locator("#lh-settings table").first.wait_for()
    page.evaluate("document.querySelectorAll('#lh-tabs details').forEach((fold) => { fold.open = true; })")
    reader.check(page, "a plan")
    page.locator("#lh-exact").click()
    page.locator("#lh-prompts .lh-prompt").first.wait_for()
    page.locator("#lh-add-task").click()
    page.locator("#lh-tasks .lh-entry").wait_for()
    page.locator(".toast-body").first.wait_for()
    reader.check(page, "a task on the list")


def runs_adapters_and_compare(page: object, app: App, reader: Reader, language: str) -> None:
    [run] = (app.home / "runs").glob("sentiment-*")
    page.goto(f"{app.url}/?lang={language}&tab=runs&run={run.name}", wait_until="domcontentloaded")
    page.locator("#lh-result section").wait_for()
    page.locator("#lh-examples table").wait_for()
    page.locator("#lh-planned .lh-card").wait_for()
    reader.check(page, "a finished run")
    page.goto(f"{app.url}/?lang={language}&tab=runs&run=no-such-run", wait_until="domcontentloaded")
    page.locator("#lh-run .lh-bad").wait_for()
    reader.check(page, "a run that is not there")
    page.goto(f"{app.url}/?lang={language}&tab=adapters", wait_until="domcontentloaded")
    page.locator("#lh-shelf [data-open]").first.click()
    page.locator("#lh-adapter table").wait_for()
    reader.check(page, "an adapter")
    page.locator("#lh-shelf [data-compare]").first.click()
    page.locator("#lh-input-0 textarea").wait_for()
    page.locator("#lh-example").click()
    page.locator("#lh-example-note p").wait_for()
    page.locator("#lh-ask").click()
    expect(page.locator("#lh-answers article:not([aria-busy])")).to_have_count(2)
    reader.check(page, "two answers")
