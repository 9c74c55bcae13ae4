"""Two people of an organization compare, vote blind, run a test set, read the matrix, promote and roll back: once in
English, at a desk, with answers in Persian, and once in Persian, on phones, with answers in English.

Nothing is trained: the versions are planted (`planted.py`), and what they answer is known. What the page says is held
against what is on the Hub and in what the page saves.
"""

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright import sync_api as playwright
from test_page import ROOT, Visit, browser, visiting, wait_for_text
from test_page_access import DESK, PHONE, faults
from test_page_people import Place, sign_in, token_of

from lora_hub.ui.render.text import number

expect, ORG = playwright.expect, "lora-hub"
__all__ = ["browser"]


@dataclass(frozen=True)
class Said:
    """What the page says in a language. labels, words: of the adapters and their rows, in the other language."""

    task: str
    labels: tuple[str, str]
    words: str
    seeds: tuple[int, int]
    voted: str
    tie: str
    counted: str
    unclear: str
    better: str
    good: str
    again: str
    production: str
    cell: str
    no_rows: str
    not_found: str
    base: str
    hidden: str
    shared: str
    reader: str


SAID = {
    "en": Said(
        task="spam",
        labels=("خبر خوب", "خبر بد"),
        seeds=(2, 3),
        words="جایزه تماس خانه امشب ناهار رایگان بلیت مادر کار پول پاسخ دیرتر جلسه پیشنهاد لطفاً سفر",
        voted="You voted for answer 2",
        tie="You voted for a tie",
        counted="votes of 2 people",
        unclear="not separable yet from",
        better=r"{a} is better than {b}: \+{points} points, 95 % interval [\d.]+ to [\d.]+, 40 rows",
        good="{version} is in production now: it is measured better",
        again="{version} is in production again, instead of {other}",
        production="{version} is in production",
        cell="{name} on Spam detection: Accuracy {value}, 95 % interval {low} to {high}, 40 rows",
        no_rows="No rows were chosen",
        not_found="No comparison has these words",
        base="Base, no adapter",
        hidden="There is no comparison",
        shared="Members of the organization can open it",
        reader="A comparison by ada",
    ),
    "fa": Said(
        task="sentiment",
        labels=("good news", "bad news"),
        seeds=(1, 2),
        words="win prize call home tonight lunch free ticket mother works cash reply later meeting offer please",
        voted="به پاسخ ۲ رأی دادید",
        tie="به تساوی رأی دادید",
        counted="رأی از ۲ نفر",
        unclear="تفکیک‌پذیر نیست",
        better=r"{a} بهتر از {b} است: \+{points}\u200f? واحد، بازهٔ اطمینان ۹۵٪ از [۰-۹٫]+ تا [۰-۹٫]+، ۴۰ سطر",
        good="اکنون {version} نسخهٔ اصلی است: در ارزیابی بهتر بود",
        again="نسخهٔ {version} دوباره به‌جای {other} نسخهٔ اصلی است",
        production="نسخهٔ {version} نسخهٔ اصلی است",
        cell="دقت {value}، بازهٔ اطمینان ۹۵٪ از {low} تا {high}، ۴۰ سطر",
        no_rows="سطری انتخاب نشده است",
        not_found="هیچ مقایسه‌ای این کلمه‌ها",
        base="مدل پایه",
        hidden="مقایسه‌ای",
        shared="اعضای سازمان",
        reader="مقایسه‌ای از",
    ),
}


# In a process of its own, which talks to the people's Hub: this one's client has another.
PLANT = """import json, sys, planted
for one in json.loads(sys.argv[1]):
    planted.publish_two(**one)"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("two"), {"ada": "admin", "will": "write"})
    try:
        environment = made.app.environment() | {
            "HF_TOKEN": token_of("ada"),
            "HF_HUB_CACHE": str(made.app.home.parent / "planting"),
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        wanted = [
            {
                "name": f"two-{language}",
                "task_id": said.task,
                "labels": said.labels,
                "words": said.words,
                "seeds": said.seeds,
                "owner": "ada",
                "file": str(made.app.home.parent / f"{language}.csv"),
            }
            for language, said in SAID.items()
        ]
        asked = [sys.executable, "-c", PLANT, json.dumps(wanted)]
        done = subprocess.run(asked, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        yield made
    finally:
        made.close()
    failed = (made.app.home / "app.log").read_text().partition("Traceback")[2]
    assert not failed, failed[:4000]


# Everything that was ever shown in the place of the answers, and so every word that the server sent about them.
WATCH = """() => {
  window.seen = new Set();
  const look = () => window.seen.add(document.getElementById('lh-answers').innerHTML);
  const all = { childList: true, subtree: true, characterData: true };
  new MutationObserver(look).observe(document.getElementById('lh-answers'), all);
}"""


def saved(page: Any, button: str) -> bytes:
    with page.expect_download() as told:
        page.locator(button).click()
    return Path(told.value.path()).read_bytes()


def picture(page: Any, name: str) -> None:
    if pictures := os.environ.get("LORA_HUB_PICTURES"):
        page.screenshot(path=f"{pictures}/two-{name}.png", full_page=True)


@pytest.mark.parametrize(("language", "size"), [("en", DESK), ("fa", PHONE)])
def test_two_people(place: Place, browser: object, tmp_path: Path, language: str, size: dict[str, int]) -> None:  # noqa: F811
    spoken = {"en": "en-US", "fa": "fa-IR"}[language]
    with (
        visiting(browser, tmp_path / "ada", spoken) as adas,
        visiting(browser, tmp_path / "will", spoken) as wills,
    ):
        two = Two(place, adas, wills, language, size)
        two.compare_and_vote()
        two.run_a_test_set()
        two.promote_and_roll_back()
        two.read_the_matrix()
        for visit in (adas, wills):
            assert visit.errors == [] and visit.strangers == []


class Two:
    """Both people's pages, and what they do on them."""

    def __init__(self, place: Place, adas: Visit, wills: Visit, language: str, size: dict[str, int]) -> None:
        self.place, self.language, self.said = place, language, SAID[language]
        self.repo, self.api = f"{ORG}/two-{language}", place.api("ada")
        self.file = place.app.home.parent / f"{language}.csv"
        self.url = f"{place.app.url}/?lang={language}"
        self.ada, self.will = adas.open(self.url), wills.open(self.url)
        for page, name in ((self.ada, "ada"), (self.will, "will")):
            page.set_viewport_size(size)
            sign_in(page, place, name)

    def show(self, page: Any, address: str) -> None:
        page.goto(f"{self.url}&{address}", wait_until="domcontentloaded")

    def number(self, value: float) -> str:
        return number(value, self.language, 1)

    def reads_right(self, page: Any, selector: str) -> None:
        """What is written in the other language runs the other way than the page, and begins at its own side."""
        page.locator(selector).first.wait_for()
        ways = page.locator(selector).evaluate_all("all => all.map((one) => getComputedStyle(one).direction)")
        assert ways and set(ways) == {"rtl" if self.language == "en" else "ltr"}, (selector, ways)

    def is_narrow(self, page: Any) -> None:
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    # --- blind: each votes, both votes count, and a comparison is another person's only when it is shared ---

    def compare_and_vote(self) -> None:
        texts = self.said.words.split()
        name = self.ada_votes(" ".join(texts[:6]))
        link = f"tab=compare&comparison={name}"
        self.show(self.will, link)
        wait_for_text(self.will, ".toast-body", self.said.hidden)
        self.ada.locator(f"#lh-answers [data-value='share {name}']").click()
        wait_for_text(self.ada, ".toast-body", self.said.shared)
        expect(self.ada.locator(f"#lh-answers [data-value='unshare {name}']")).to_be_visible()
        self.show(self.will, link)
        wait_for_text(self.will, "#lh-answers", self.said.reader)
        expect(self.will.locator("#lh-answers article")).to_have_count(3)
        self.reads_right(self.will, "#lh-answers .lh-answer")
        picture(self.will, f"{self.language}-linked")
        self.will_votes(" ".join(texts[5:11]))
        self.read_the_votes()

    def ada_votes(self, text: str) -> str:
        page = self.ada
        self.ask_blind(page, text)
        row = page.locator(".lh-votes")
        picture(page, f"{self.language}-blind")
        for shown in page.evaluate("[...window.seen]"):
            assert not re.search("two-|@v|[Bb]ase|مدل پایه|tokens|data-pane|built-in|<code", shown), shown
        # A key votes, another one changes the vote, but not while somebody types.
        page.locator("#lh-history-section button.label-wrap").click()
        page.locator("#lh-history-search :is(input, textarea)").press("3")
        expect(row.locator("[aria-pressed=true]")).to_have_count(0)
        page.locator("h1").click()
        for key in ("1", "2"):
            page.keyboard.press(key)
            expect(row.locator(f"[data-vote-key='{key}']")).to_have_attribute("aria-pressed", "true")
        name = row.locator("button").first.get_attribute("data-value").split()[0]
        kept = self.kept("ada")
        order = json.loads((kept / f"{name}.json").read_text())["order"]
        # The board tells of a vote as soon as it counts.
        page.locator("#lh-board-section button.label-wrap").click()
        expect(page.locator("#lh-boards")).not_to_be_empty()
        board = page.locator("#lh-boards").inner_html()
        row.locator("[data-value$=reveal]").click()
        wait_for_text(page, "#lh-answers", self.said.voted)
        page.wait_for_function("(board) => document.querySelector('#lh-boards').innerHTML !== board", arg=board)
        expect(page.locator("#lh-boards .lh-board")).not_to_have_count(0)
        known = [self.said.base, f"{self.repo}@v1", f"{self.repo}@v2"]
        titles = page.locator("#lh-answers article h4").all_inner_texts()
        assert [next(one for one in known if one in title) for title in titles] == [known[pane] for pane in order]
        lines = [json.loads(one) for one in (kept / "votes.jsonl").read_text().splitlines()]
        assert [one.get("place", "reveal") for one in lines][-3:] == [0, 1, "reveal"]
        picture(page, f"{self.language}-revealed")
        return name

    def will_votes(self, text: str) -> None:
        self.ask_blind(self.will, text)
        tie = self.will.locator(".lh-votes [data-value$=tie]")
        tie.click()
        expect(tie).to_have_attribute("aria-pressed", "true")
        self.will.locator(".lh-votes [data-value$=reveal]").click()
        wait_for_text(self.will, "#lh-answers", self.said.tie)

    def ask_blind(self, page: Any, text: str) -> None:
        self.show(page, f"tab=compare&adapters={self.repo}@v1,{self.repo}@v2")
        wait_for_text(page, "#lh-names", "@v2")
        page.locator("#lh-blind input").check()
        page.locator("#lh-input-0 textarea").fill(text)
        page.evaluate(WATCH)
        page.locator("#lh-ask").click()
        expect(page.locator(".lh-votes")).to_be_visible()
        expect(page.locator("#lh-answers .lh-blind")).to_have_count(3)
        self.reads_right(page, "#lh-answers .lh-answer")
        self.is_narrow(page)

    def read_the_votes(self) -> None:
        """Both people's votes are in the organization's repo, each in a file of its own, and the board counts them."""
        page = self.ada
        page.locator("#lh-boards-again").click()
        wait_for_text(page, "#lh-boards", self.said.counted)
        wait_for_text(page, "#lh-boards", self.said.unclear)
        picture(page, f"{self.language}-board")
        votes = [
            json.loads(one) for who in ("ada", "will") for one in self.lines("lora-hub-votes", f"votes/{who}.jsonl")
        ]
        ours = [one for one in votes if one["task"] == self.said.task]
        assert [one["choice"] for one in ours] == ["one", "tie"] and ours[0]["place"] == 1
        search = page.locator("#lh-history-search :is(input, textarea)")
        search.fill("no such words")
        search.press("Enter")
        wait_for_text(page, "#lh-history", self.said.not_found)
        search.fill("")
        search.press("Enter")
        rows = page.locator("#lh-history tbody tr")
        expect(rows).to_have_count(1)
        picture(page, f"{self.language}-history")
        delete = rows.locator("[data-value^=delete]")
        delete.click()
        expect(delete).to_have_attribute("data-value", re.compile("^delete!"))
        delete.click()
        expect(rows).to_have_count(0)
        assert [*self.kept("ada").glob("*.json")] == []

    def kept(self, name: str) -> Path:
        """Where somebody's comparisons are."""
        return self.place.app.home / "people" / name / "comparisons"

    def lines(self, repo: str, path: str, kind: str = "dataset") -> list[str]:
        """Of a file of the organization's."""
        repo, folder = repo if "/" in repo else f"{ORG}/{repo}", self.place.app.home.parent / "looked"
        told = self.api.hf_hub_download(repo, path, repo_type=kind, cache_dir=folder)
        return Path(told).read_text().splitlines()

    # --- a test set ---

    def run_a_test_set(self) -> None:
        page = self.will
        self.show(page, "tab=tests")
        page.locator("#lh-test-start").click()
        wait_for_text(page, "#lh-test-refused", self.said.no_rows)
        page.locator("#lh-test-upload input[type=file]").set_input_files(self.file)
        expect(page.locator("#lh-test-rows input")).to_have_value(self.file.name)
        names = page.locator("#lh-test-adapters input")
        for version in ("v1", "v2"):
            names.fill(f"{self.repo}@{version}")
            names.press("Enter")
        page.locator("#lh-test-start").click()
        expect(page.locator("#lh-test-result tbody tr")).to_have_count(3)
        expect(page.locator("#lh-test-refused")).to_have_text("")
        self.is_narrow(page)
        picture(page, f"{self.language}-test")
        self.read_what_was_found(page)

    def read_what_was_found(self, page: Any) -> None:
        """The page's numbers are those of the answers that it saves."""
        rows = list(csv.DictReader(io.StringIO(saved(page, "#lh-test-csv").decode("utf-8-sig"))))
        assert len(rows) == 40
        self.reads_right(page, "#lh-test-answers td > div")
        panes = [f"{self.repo}@v1", f"{self.repo}@v2"]
        right = {one: [row[one] == row["reference"] for row in rows] for one in panes}
        share = {one: 100 * sum(of) / len(rows) for one, of in right.items()}
        table = page.locator("#lh-test-result tbody")
        for one in panes:
            expect(table.locator("tr", has_text=one).locator("b").first).to_have_text(self.number(share[one]))
        points = self.number(share[panes[1]] - share[panes[0]])
        told = self.said.better.format(a=panes[1], b=panes[0], points=points)
        pairs = re.sub("[\u2066-\u2069«»]", "", page.locator(".lh-pairs").inner_text())
        assert re.search(told, pairs), (told, pairs)
        pair = next(one for one in json.loads(saved(page, "#lh-test-json"))["pairs"] if one["a"] == panes[1])
        assert pair["low"] < share[panes[1]] - share[panes[0]] < pair["high"]

    # --- production ---

    def promote_and_roll_back(self) -> None:
        """Will promotes by measurement, one version after the other; Ada sees who did it, and takes it back."""
        will, ada = self.will, self.ada
        self.open_adapter(will)
        expect(will.locator("#lh-promote")).to_be_visible()
        expect(will.locator("#lh-promote-reason")).to_be_hidden()
        will.locator("#lh-promote-version input").click()
        will.get_by_role("option", name="v1").click()
        for version in ("v1", "v2"):
            expect(will.locator("#lh-promote-version input")).to_have_value(version)
            will.locator("#lh-promote").click()
            wait_for_text(will, "#lh-promoted", self.said.good.format(version=version))
            assert self.in_production() == version
        self.is_narrow(will)
        picture(will, f"{self.language}-promoted")
        self.open_adapter(ada)
        expect(ada.locator("#lh-promote-reason")).to_be_visible()
        wait_for_text(ada, "#lh-production", self.said.production.format(version="v2"))
        wait_for_text(ada, "#lh-production", "will")
        ada.locator("#lh-roll-back").click()
        wait_for_text(ada, "#lh-promoted", self.said.again.format(version="v1", other="v2"))
        assert self.in_production() == "v1"
        told = [json.loads(one) for one in self.lines(self.repo, "promotions.jsonl", "model")]
        assert [(one["by"], one["version"]) for one in told] == [("will", "v1"), ("will", "v2"), ("ada", "v1")]
        wait_for_text(ada, "#lh-card", "ada")
        picture(ada, f"{self.language}-rolled-back")

    def open_adapter(self, page: Any) -> None:
        self.show(page, "tab=adapters")
        page.locator(f'[data-open="{self.repo}"]').click()

    def in_production(self) -> str:
        tags = {one.name: one.target_commit for one in self.api.list_repo_refs(self.repo).tags}
        return next(name for name in ("v1", "v2") if tags[name] == tags["production"])

    # --- the matrix ---

    def read_the_matrix(self) -> None:
        """Ada fills it; what it shows her and Will is what the organization's repo has, computed once."""
        self.show(self.ada, "tab=matrix")
        self.ada.locator("#lh-matrix-fill").click()
        name = self.repo.rpartition("/")[2]
        own = f"#lh-matrix tr:has(th bdi:text-is('{name}')) .lh-own"
        self.ada.locator(own).wait_for()
        expect(self.ada.locator("#lh-matrix-stop")).to_be_hidden()
        cells = [json.loads(one) for one in self.lines("lora-hub-matrix", "cells.jsonl")]
        cell = next(one for one in cells if one["adapter"] == self.repo and one["task"] == self.said.task)
        told = self.said.cell.format(name=name, **{one: self.number(cell[one]) for one in ("value", "low", "high")})
        picture(self.ada, f"{self.language}-matrix")
        self.show(self.will, "tab=matrix&__theme=dark")
        for page in (self.ada, self.will):
            expect(page.locator(own)).to_have_text(number(cell["value"], self.language, 0))
            page.locator(own).focus()
            wait_for_text(page, "#lh-matrix .lh-matrix-told", told)
        expect(self.will.locator("#lh-matrix-fill")).to_be_hidden()
        self.is_narrow(self.will)
        picture(self.will, f"{self.language}-matrix-dark")
        if self.language == "fa":
            assert faults(self.will, "the matrix, Persian, dark") == []
