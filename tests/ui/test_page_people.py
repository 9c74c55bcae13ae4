"""An organization's app with four people at once: a member who writes, one who reads, an admin and a stranger, each in
a browser of their own, signed in with the embedded Hub."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from playwright import sync_api as playwright
from test_local_hub import Server, start_server
from test_page import App, Visit, browser, free_port, open_tab, visiting, wait_for_text  # noqa: F401  browser: a fixture
from test_page_access import faults
from test_page_tasks import set_steps

SECRET = "the-secret-of-the-app"
PEOPLE = {"ada": "admin", "will": "write", "cora": "contributor", "rita": "read", "sam": ""}
SCOPES = "openid profile read-repos write-repos manage-repos"
expect = playwright.expect


def token_of(name: str) -> str:
    return f"hf_{name}_0123456789"


class Place:
    """A team's Hub, and the app that its people sign in to. people: name -> role in the organization; "": none."""

    def __init__(self, folder: Path, people: dict[str, str] = PEOPLE, **environment: str) -> None:
        port = free_port()
        accounts = {
            "users": {name: {"token": token_of(name), "fullname": name.title()} for name in people},
            "orgs": {"lora-hub": {"members": {name: role for name, role in people.items() if role}}},
            "oauth": {"app": {"secret": SECRET, "redirect": [f"http://127.0.0.1:{port}/login/callback"]}},
        }
        (folder / "accounts.json").write_text(json.dumps(accounts))
        self.hub: Server = start_server(folder / "hub", "--accounts", str(folder / "accounts.json"))
        self.app = App(
            folder / "home",
            port,
            LORA_HUB_HUB="",
            HF_ENDPOINT=self.hub.url,
            HF_TOKEN="hf_of_the_app_itself",
            OAUTH_CLIENT_ID="app",
            OAUTH_CLIENT_SECRET=SECRET,
            OAUTH_SCOPES=SCOPES,
            OPENID_PROVIDER_URL=self.hub.url,
            **environment,
        )
        self.app.start()

    def api(self, name: str) -> HfApi:
        """The Hub's client as this person."""
        return HfApi(self.hub.url, token=token_of(name))

    def close(self) -> None:
        self.app.close()
        self.hub.kill()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("people"))
    try:
        yield made
    finally:
        made.close()
    # Nobody's token, and no secret, is in any file of the app or of its Hub.
    kept = b"".join(file.read_bytes() for file in made.app.home.parent.rglob("*") if file.is_file())
    assert not re.search(rb"hf_oauth_[\w-]{8}", kept) and b"hf_of_the_app_itself" not in kept
    failed = (made.app.home / "app.log").read_text().partition("Traceback")[2]
    assert not failed, failed[:4000]


def sign_in(page: object, place: Place, name: str) -> None:
    page.locator("header [data-sign-in]").click()
    page.locator("input[name=token]").fill(token_of(name))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{place.app.url}/**")
    wait_for_text(page, ".lh-me", name)


def tabs_of(page: object) -> list[str]:
    page.locator("#lh-tabs").wait_for()
    return [one.inner_text() for one in page.get_by_role("tab").all() if one.is_visible()]


def test_four_people_in_one_app(place: Place, browser: object, tmp_path: Path) -> None:  # noqa: F811
    with (
        visiting(browser, tmp_path / "stranger") as outside,
        visiting(browser, tmp_path / "will") as wills,
        visiting(browser, tmp_path / "rita", "fa-IR") as ritas,
        visiting(browser, tmp_path / "ada") as adas,
    ):
        stranger, will = outside.open(place.app.url), wills.open(place.app.url)
        rita, ada = ritas.open(place.app.url), adas.open(place.app.url)
        a_stranger_stands_before_the_door(stranger, rita)
        assert faults(rita, "the door, Persian") == []
        for page, name in ((will, "will"), (rita, "rita"), (ada, "ada")):
            sign_in(page, place, name)
        run = will_trains(will)
        rita_sees_nothing_of_it(rita, place, run)
        ada_sees_it_all(ada, place, run)
        published = will_publishes_as_himself(will, place)
        will_shares_and_rita_compares(will, rita, place, run, published)
        assert faults(will, "Runs of a member") == []
        rita.goto(f"{place.app.url}/?lang=fa&tab=organization&__theme=dark")
        wait_for_text(rita, "#lh-standing", "کاراکترهای یک پرسش")
        assert faults(rita, "Organization of a reader, Persian, dark") == []
        ada_opens_the_door(ada, stranger, place, run, published)
        ada_cancels_wills_run_and_will_deletes_his(ada, will, place, run)
        will_leaves(will, wills, place, tmp_path)
        for visit in (outside, wills, ritas, adas):
            assert visit.errors == [] and visit.strangers == []


def a_stranger_stands_before_the_door(english: object, persian: object) -> None:
    for page, said, button in (
        (english, "its members train, share and compare adapters here", "Sign in with the Hub at 127.0.0.1"),
        (persian, "اعضایش اینجا آداپتور آموزش می‌دهند", "ورود با هاب"),
    ):
        wait_for_text(page, ".lh-door", said)
        expect(page.locator(".lh-door").get_by_text(button)).to_be_visible()
        expect(page.locator("#lh-tabs")).to_be_hidden()
        page.wait_for_timeout(1000)
        expect(page.locator(".toast-body")).to_have_count(0)


def will_trains(page: object) -> str:
    assert tabs_of(page) == ["Fine-tune", "Runs", "Adapters", "Compare", "Test sets", "Matrix", "Data", "Organization"]
    wait_for_text(page, "#lh-plan", "Runs and tests of yours that wait or work: 0 of 4 at a time")
    page.locator("#lh-task input[value=spam]").check()
    expect(page.locator("#lh-sample")).to_be_enabled()
    page.locator("#lh-sample").click()
    wait_for_text(
        page, "#lh-roles", "'label' is a usual name for it, and it holds 2 different short values (ham, spam)"
    )
    page.locator("#lh-effort input[value=quick]").check()
    set_steps(page, 8)  # what it learns is not asked here
    wait_for_text(page, "#lh-plan", "Steps8")
    expect(page.locator("#lh-train")).to_be_enabled()
    page.locator("#lh-train").click()
    page.wait_for_url(re.compile("run=spam"))
    wait_for_text(page, "#lh-result", "accuracy")
    wait_for_text(page, "#lh-runs", "by will")
    return re.search(r"run=([\w.-]+)", page.url)[1]


def rita_sees_nothing_of_it(page: object, place: Place, run: str) -> None:
    assert tabs_of(page) == ["اجراها", "آداپتورها", "مقایسه", "مجموعه‌های آزمون", "ماتریس", "سازمان"]
    wait_for_text(page, ".lh-me", "عضو خواننده")
    page.goto(f"{place.app.url}/?lang=fa&tab=runs&run={run}")
    wait_for_text(page, "#lh-run", "نیست")
    assert run not in page.locator("#lh-runs").inner_html()
    expect(page.locator("#lh-delete")).to_be_hidden()


def ada_sees_it_all(page: object, place: Place, run: str) -> None:
    page.goto(f"{place.app.url}/?tab=runs&run={run}")
    wait_for_text(page, "#lh-runs", "by will")
    wait_for_text(page, "#lh-result", "accuracy")
    expect(page.locator("#lh-visibility")).to_be_visible()


def will_publishes_as_himself(page: object, place: Place) -> str:
    expect(page.locator("#lh-publish")).to_be_enabled()
    page.locator("#lh-publish").click()
    wait_for_text(page, "#lh-published", "lora-hub/")
    repo = re.search(r"lora-hub/[\w.-]+", page.locator("#lh-published").inner_text())[0]
    api = place.api("ada")
    assert {author for commit in api.list_repo_commits(repo)[:1] for author in commit.authors} == {"will"}
    record = Path(api.hf_hub_download(repo, "lora_hub.json", cache_dir=place.app.home.parent / "looked")).read_text()
    assert '"owner"' not in record and str(place.app.home) not in record
    return repo


def will_shares_and_rita_compares(will: object, rita: object, place: Place, run: str, repo: str) -> None:
    will.locator("#lh-visibility").get_by_text("the organization").click()
    wait_for_text(will, "#lh-runs", "shared with the organization")
    rita.goto(f"{place.app.url}/?lang=fa&tab=runs&run={run}")
    wait_for_text(rita, "#lh-runs", "اشتراک با سازمان")
    rita.locator("#lh-result section").wait_for()
    for hidden in ("#lh-visibility", "#lh-delete", "#lh-publish", "#lh-log"):
        expect(rita.locator(hidden)).to_be_hidden()
    ask(rita, place, repo, "fa")


def ask(page: object, place: Place, repo: str, language: str) -> None:
    page.goto(f"{place.app.url}/?lang={language}&tab=compare&adapters={repo}")
    page.locator("#lh-input-0 textarea").fill("Win a free prize now, call 0900 123456")
    page.locator("#lh-ask").click()
    expect(page.locator("#lh-answers article:not([aria-busy])")).to_have_count(2)
    wait_for_text(page, "#lh-answers", "spam")


def ada_opens_the_door(ada: object, stranger: object, place: Place, run: str, repo: str) -> None:
    open_tab(ada, "Organization")
    wait_for_text(ada, "#lh-standing", "Your role in lora-hub: admin.")
    assert faults(ada, "Organization of an admin") == []
    ada.locator("#lh-policy-strangers input").click()
    ada.get_by_role("option", name="browse and compare").click()
    ada.locator("#lh-policy-hours textarea, #lh-policy-hours input").fill("0")
    ada.locator("#lh-policy-save").click()
    wait_for_text(ada, ".toast-body", "Longest run (hours) (hours) is")
    assert not (place.app.home / "organization.json").exists()
    ada.locator("#lh-policy-hours textarea, #lh-policy-hours input").fill("2")
    ada.locator("#lh-policy-upload-mb textarea, #lh-policy-upload-mb input").fill("۰٫۰۲")
    ada.locator("#lh-policy-rows textarea, #lh-policy-rows input").fill("100,000")
    ada.locator("#lh-policy-save").click()
    wait_for_text(ada, ".toast-wrap", "Saved")
    kept = json.loads((place.app.home / "organization.json").read_text())
    assert kept == {"strangers": "compare", "hours": 2.0, "upload_mb": 0.02, "rows": 100_000}
    stranger.reload()
    assert tabs_of(stranger) == ["Runs", "Adapters", "Compare", "Matrix"]
    stranger.goto(f"{place.app.url}/?tab=runs&run={run}")
    wait_for_text(stranger, "#lh-run", "There is no run")
    ask(stranger, place, repo, "en")


def ada_cancels_wills_run_and_will_deletes_his(ada: object, will: object, place: Place, run: str) -> None:
    open_tab(will, "Organization")
    wait_for_text(will, "#lh-standing", "Runs and tests that wait or work")
    expect(will.locator("#lh-policy")).to_be_hidden()
    open_tab(will, "Fine-tune")
    will.locator("#lh-effort input[value=thorough]").check()
    steps = will.locator("#lh-set-steps :is(input, textarea)")
    steps.fill("")
    steps.press("Enter")
    expect(will.locator("#lh-plan")).not_to_contain_text("Steps8")
    expect(will.locator("#lh-train")).to_be_enabled()
    will.locator("#lh-train").click()
    will.wait_for_url(lambda url: "run=spam" in url and run not in url)
    second = re.search(r"run=([\w.-]+)", will.url)[1]
    ada.goto(f"{place.app.url}/?tab=runs&run={second}")
    ada.locator("#lh-cancel").click()
    wait_for_text(ada, "#lh-run", "cancelled")
    wait_for_text(will, "#lh-run", "cancelled")
    will.locator("#lh-delete").click()
    wait_for_text(will, "#lh-delete", "press again")
    # Another run's Delete has not been pressed, and coming back to this one asks anew.
    for other in (run, second):
        will.locator(f"#lh-runs [data-id='{other}']").click()
        wait_for_text(will, "#lh-run", other)
        expect(will.locator("#lh-delete")).to_have_text("Delete")
        assert will.locator("#lh-to-delete textarea").input_value() == ""
    will.locator("#lh-delete").click()
    wait_for_text(will, "#lh-delete", "press again")
    will.wait_for_timeout(3000)  # no tick of the page takes the question back
    wait_for_text(will, "#lh-delete", "press again")
    will.locator("#lh-delete").click()
    expect(will.locator(f"#lh-runs [data-id='{second}']")).to_have_count(0)
    assert not (place.app.home / "runs" / second).exists() and (place.app.home / "runs" / run).exists()


def will_leaves(page: object, visit: Visit, place: Place, folder: Path) -> None:
    names = {cookie["name"]: cookie for cookie in visit.context.cookies()}
    session = names["lora_hub_session"]
    assert session["httpOnly"] and session["sameSite"] == "Lax" and "hf_" not in session["value"]
    open_tab(page, "Fine-tune")
    page.locator("#lh-name textarea, #lh-name input").fill("wills-own")
    other = visit.open(f"{place.app.url}/?tab=runs")
    wait_for_text(other, "#lh-runs", "by will")
    page.locator(".lh-me button").click()
    expect(page.locator("header [data-sign-in]")).to_be_visible()
    # His other tab sees it, too, without a warning every two seconds.
    expect(other.locator("header [data-sign-in]")).to_be_visible()
    expect(other.locator(".toast-body")).to_have_count(0)
    assert "by will" not in other.locator("#lh-runs").inner_text()
    other.close()
    assert "lora_hub_session" not in {cookie["name"] for cookie in visit.context.cookies()}
    # The session is over at the server, too: its name opens nothing any more.
    visit.context.add_cookies([session])
    page.reload()
    expect(page.locator("header [data-sign-in]")).to_be_visible()
    cora_comes_to_his_browser(page, place, folder)


def cora_comes_to_his_browser(page: object, place: Place, folder: Path) -> None:
    """She sees nothing of what he typed or uploaded there, and learns of a file that is too large before it is sent."""
    page.goto(f"{place.app.url}/?tab=adapters")
    sign_in(page, place, "cora")
    open_tab(page, "Fine-tune")
    expect(page.locator("#lh-name textarea, #lh-name input")).to_have_value("")
    expect(page.locator("#lh-file")).not_to_contain_text("spam")
    (folder / "large.csv").write_text("text,label\n" + "hello,ham\n" * 3000)
    page.locator("#lh-file input[type=file]").set_input_files(folder / "large.csv")
    wait_for_text(page, "#lh-too-large", "larger than the 0.02 MB that are allowed here")
