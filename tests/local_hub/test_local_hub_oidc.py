"""Sign in with the embedded Hub: a real Gradio app in a real Chromium, and what is refused."""

import base64
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright import sync_api as playwright
from test_local_hub import Server, start_server

TOKEN = "hf_ana_0123456789"
BACK = "http://127.0.0.1:9/login/callback"
SECRET = "the-secret-of-the-test-app"
ACCOUNTS = {
    "users": {
        "ana": {"token": TOKEN, "fullname": "Ana <b>Lima", "email": "ana@example.org"},
        "ben": {"token": "hf_ben_01"},
    },
    "orgs": {
        "lora-hub": {"fullname": "LoRA Hub", "members": {"ana": "write", "ben": "admin"}},
        "readers": {"fullname": "Readers", "members": {"ana": "read"}},
        "others": {"members": {"ben": "admin"}},
    },
    "oauth": {
        "test-app": {"secret": SECRET, "redirect": [BACK], "fullname": "The <i>test"},
        "open-app": {"secret": "", "redirect": [BACK]},
    },
}
APP = """
import sys, gradio as gr
from huggingface_hub import whoami
def tell(profile: gr.OAuthProfile | None, token: gr.OAuthToken | None) -> str:
    if profile is None or token is None:
        return "nobody is signed in"
    known = whoami(token.token)
    orgs = sorted((org["name"], org["roleInOrg"]) for org in known["orgs"])
    return f"signed in as {profile.username} ({profile.name}), whoami says {known['name']} of {orgs} for {token.scope}"
with gr.Blocks() as page:
    gr.LoginButton()
    said = gr.Textbox(label="said", elem_id="said")
    page.load(tell, None, said)
page.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), quiet=True)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hub")
    (folder / "accounts.json").write_text(json.dumps(ACCOUNTS))
    started = start_server(folder / "hub", "--accounts", str(folder / "accounts.json"))
    yield started
    started.kill()
    assert "Traceback" not in started.log, started.log[-4000:]
    for hidden in (TOKEN, SECRET, "hf_oauth_", "code="):
        assert hidden not in started.log
    kept = b"".join(file.read_bytes() for file in started.folder.rglob("*") if file.is_file())
    assert not re.search(rb"hf_oauth_[\w-]{43}", kept) and TOKEN.encode() not in kept


def post(server: Server, path: str, **fields: str) -> tuple[int, dict, bytes]:
    """Sends a form; `_basic` is the id and secret for the header."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if basic := fields.pop("_basic", ""):
        headers["Authorization"] = f"Basic {base64.b64encode(basic.encode()).decode()}"
    request = urllib.request.Request(server.url + path, urlencode(fields).encode(), headers)

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay).open(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


ASKED = {"response_type": "code", "client_id": "test-app", "redirect_uri": f"{BACK}?_target_url=%2F", "state": "s&1"}


def approve(server: Server, **changed: str) -> str:
    """A code, as the page gives it to who approves."""
    status, headers, _ = post(
        server, "/oauth/authorize", **ASKED | {"token": TOKEN, "scope": "openid profile"} | changed
    )
    assert status == 303 and headers["location"].startswith(BACK) and TOKEN not in headers["location"]
    answer = parse_qs(urlsplit(headers["location"]).query)
    assert answer["state"] == ["s&1"] and answer["_target_url"] == ["/"]
    return answer["code"][0]


def exchange(server: Server, code: str, **changed: str) -> tuple[int, dict]:
    fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": ASKED["redirect_uri"]}
    status, _, body = post(server, "/oauth/token", **fields | {"_basic": f"test-app:{SECRET}"} | changed)
    return status, json.loads(body)


def test_the_page_names_the_app_and_what_it_will_be_able_to_do(server: Server) -> None:
    query = urlencode(ASKED | {"scope": "openid write-repos", "state": '"><script>'})
    status, headers, body = server.fetch(f"/oauth/authorize?{query}", Accept="text/html")
    text = body.decode()
    assert status == 200 and "The &lt;i&gt;test" in text and "change repositories in your name" in text
    assert "<i>" not in text and "<script>" not in text and "email" not in text
    assert (
        "frame-ancestors 'none'" in headers["content-security-policy"] and "set-cookie" not in headers and BACK in text
    )


def test_a_code_becomes_an_id_token_that_authlib_trusts(server: Server) -> None:
    """With PKCE."""
    from joserfc import jwt
    from joserfc.jwk import KeySet

    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    code = approve(
        server, scope="openid profile email", nonce="n1", code_challenge=challenge, code_challenge_method="S256"
    )
    status, answer = exchange(server, code, code_verifier=verifier)
    assert status == 200 and answer["token_type"] == "bearer" and answer["scope"] == "openid profile email"
    about = json.loads(server.fetch("/.well-known/openid-configuration")[2])
    keys = json.loads(server.fetch(about["jwks_uri"].removeprefix(server.url))[2])
    assert all("d" not in key and key["alg"] == "RS256" for key in keys["keys"])
    facts = jwt.decode(answer["id_token"], KeySet.import_key_set(keys), algorithms=["RS256"]).claims
    assert (
        (facts["iss"], facts["aud"], facts["nonce"])
        == (server.url, "test-app", "n1")
        == (about["issuer"], "test-app", "n1")
    )
    assert facts["exp"] > time.time() and facts["email"] == "ana@example.org" and "orgs" not in facts
    told = json.loads(server.fetch("/oauth/userinfo", token=answer["access_token"])[2])
    assert (told["sub"], told["preferred_username"], told["name"]) == (facts["sub"], "ana", "Ana <b>Lima")
    assert [(org["preferred_username"], org["name"], org["roleInOrg"]) for org in told["orgs"]] == [
        ("lora-hub", "LoRA Hub", "write"),
        ("readers", "Readers", "read"),
    ]
    assert len({org["sub"] for org in told["orgs"]}) == 2 and told["picture"] == ""
    plain = json.loads(
        server.fetch("/oauth/userinfo", token=exchange(server, approve(server, scope="openid"))[1]["access_token"])[2]
    )
    nothing = json.loads(
        server.fetch("/oauth/userinfo", token=exchange(server, approve(server, scope=" "))[1]["access_token"])[2]
    )
    assert plain == nothing == {"sub": facts["sub"]}


@pytest.mark.parametrize(
    "changed",
    [
        {"redirect_uri": "https://evil.example/login/callback"},
        {"redirect_uri": f"{BACK}/more"},
        {"redirect_uri": f"{BACK}\\@evil.example/"},
        {"redirect_uri": f"{BACK}#x"},
        {"redirect_uri": BACK.removesuffix("/callback")},
        {"redirect_uri": f"https://evil.example/?{BACK}"},
        {"redirect_uri": ""},
        {"client_id": "unknown-app"},
        {"client_id": "open-app", "redirect_uri": "http://127.0.0.1"},
        {"scope": "openid everything"},
        {"response_type": "token"},
        {"code_challenge": "x", "code_challenge_method": "plain"},
    ],
)
def test_a_request_that_is_wrong_is_told_here_and_leads_nowhere(server: Server, changed: dict) -> None:
    for answer in (
        server.fetch(f"/oauth/authorize?{urlencode(ASKED | changed)}", Accept="text/html"),
        post(server, "/oauth/authorize", **ASKED | changed | {"token": TOKEN}),
    ):
        assert answer[0] == 400 and "location" not in answer[1] and b"<form" not in answer[2]


@pytest.mark.parametrize(
    "changed",
    [
        {"_basic": "test-app:wrong"},
        {"_basic": f"unknown:{SECRET}"},
        {"_basic": "test-app:"},
        {"_basic": "open-app:"},
        {"_basic": "test-app"},
        {"_basic": ""},
        {"_basic": "", "client_id": "test-app"},
        {"_basic": "", "client_id": "test-app", "client_secret": "wrong"},
    ],
)
def test_a_wrong_secret_gets_nothing_and_costs_the_code_nothing(server: Server, changed: dict) -> None:
    code = approve(server)
    status, answer = exchange(server, code, **changed)
    assert (status, answer["error"]) == (401, "invalid_client")
    assert exchange(server, code)[0] == 200


@pytest.mark.parametrize(
    ("asked", "changed"),
    [
        ({}, {"redirect_uri": BACK}),
        ({}, {"code": "no-such-code"}),
        ({}, {"grant_type": "refresh_token"}),
        ({}, {"code_verifier": "none-was-announced"}),
        ({"code_challenge": "x" * 43}, {}),
        ({"code_challenge": "x" * 43, "code_challenge_method": "S256"}, {"code_verifier": "another"}),
    ],
)
def test_a_code_is_good_for_its_own_request_only(server: Server, asked: dict, changed: dict) -> None:
    status, answer = exchange(server, **{"code": approve(server, **asked)} | changed)
    assert (status, answer["error"]) == (400, "invalid_grant") and "access_token" not in answer


def test_a_code_is_good_once(server: Server) -> None:
    code = approve(server)
    assert exchange(server, code)[0] == 200
    assert exchange(server, code)[1]["error"] == "invalid_grant"


def test_who_approves_shows_a_token_of_their_own(server: Server) -> None:
    for token, status in (("hf_nobody", 401), ("", 401), (exchange(server, approve(server))[1]["access_token"], 403)):
        answer = post(server, "/oauth/authorize", **ASKED | {"token": token})
        assert answer[0] == status and "location" not in answer[1]


def test_codes_and_tokens_end(tmp_path: Path) -> None:
    """The clock of this test's own server is its records: they are set back."""
    from starlette.testclient import TestClient

    from lora_hub.local_hub.accounts import Accounts
    from lora_hub.local_hub.app import Hub
    from lora_hub.local_hub.store import Store

    (tmp_path / "accounts.json").write_text(json.dumps(ACCOUNTS))
    hub = Hub(Store(tmp_path / "hub"), Accounts(tmp_path / "hub", tmp_path / "accounts.json", ""), "x")
    client = TestClient(hub, follow_redirects=False)

    def take(seconds: float) -> object:
        sent = client.post("/oauth/authorize", data=ASKED | {"token": TOKEN})
        code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
        until, *rest = hub.codes[code]
        assert 55 < until - time.time() <= 60
        hub.codes[code] = until - seconds, *rest
        fields = {"grant_type": "authorization_code", "code": code, "redirect_uri": ASKED["redirect_uri"]}
        return client.post("/oauth/token", data=fields, auth=("test-app", SECRET))

    assert take(61).json()["error"] == "invalid_grant"
    access = take(0).json()["access_token"]
    known = {"Authorization": f"Bearer {access}"}
    assert client.get("/api/whoami-v2", headers=known).json()["name"] == "ana"
    assert client.get("/oauth/userinfo").status_code == 401
    assert client.get("/oauth/userinfo", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 403, (
        "that is for apps"
    )
    key, (user, until) = next(iter(hub.accounts.granted.items()))
    assert access.encode() not in key and 8 * 3600 - 60 < until - time.time() <= 8 * 3600
    hub.accounts.granted[key] = user, time.time() - 1
    assert client.get("/api/whoami-v2", headers=known).status_code == 401
    assert client.get("/oauth/userinfo", headers=known).status_code == 401


def test_an_app_may_what_it_was_allowed_and_its_user_may(server: Server) -> None:
    from huggingface_hub import HfApi

    HfApi(server.url, TOKEN).create_repo("lora-hub/hidden", private=True)
    found = {}
    for scope in ("openid profile", "openid read-repos", "openid write-repos", "openid jobs write-repos"):
        token = exchange(server, approve(server, scope=scope))[1]["access_token"]
        api = found[scope] = HfApi(server.url, token)
        assert api.whoami()["name"] == "ana" and len(api.whoami()["orgs"]) == 2
    assert [api.repo_exists("lora-hub/hidden") for api in found.values()] == [False, True, True, True]
    for scope in ("openid profile", "openid read-repos"):
        for attempt in (
            lambda api: api.create_repo("lora-hub/more"),
            lambda api: api.create_repo("ana/more"),
            lambda api: api.upload_file(repo_id="lora-hub/hidden", path_in_repo="x", path_or_fileobj=b"x"),
            lambda api: api.create_discussion("lora-hub/hidden", "A question"),
            lambda api: api.delete_repo("lora-hub/hidden"),
        ):
            with pytest.raises(Exception, match="40[34]|not allowed|not found"):
                attempt(found[scope])
    writer = found["openid write-repos"]
    writer.upload_file(repo_id="lora-hub/hidden", path_in_repo="x", path_or_fileobj=b"x")
    with pytest.raises(Exception, match="rights"):
        writer.create_repo("readers/more")


@pytest.fixture
def app(server: Server, tmp_path: Path) -> Iterator[str]:
    """A Gradio app that believes to run in a Space, on loopback, with a line of its own in the accounts file; its
    address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, file = f"http://127.0.0.1:{port}", server.folder.parent / "accounts.json"
    line = {"secret": "another-secret", "redirect": [f"{url}/login/callback"], "fullname": "lora-hub/app"}
    file.write_text(json.dumps(ACCOUNTS | {"oauth": ACCOUNTS["oauth"] | {"gradio-app": line}}))
    hidden = ("HF_", "LORA_HUB_", "GRADIO_", "OAUTH_")
    known = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    known |= {
        "SYSTEM": "spaces",
        "SPACE_ID": "lora-hub/app",
        "OPENID_PROVIDER_URL": server.url,
        "OAUTH_CLIENT_ID": "gradio-app",
    }
    known |= {"OAUTH_CLIENT_SECRET": "another-secret", "OAUTH_SCOPES": "openid profile write-repos"}
    known |= {"HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "hf"), "GRADIO_ANALYTICS_ENABLED": "False"}
    with open(tmp_path / "app.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", APP, str(port)], env=known, cwd=tmp_path, stdout=log, stderr=log
        )
    try:
        until = time.monotonic() + 90
        while True:
            assert process.poll() is None and time.monotonic() < until, (tmp_path / "app.log").read_text()
            try:
                urllib.request.urlopen(f"{url}/config", timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def test_a_gradio_app_signs_people_in(server: Server, app: str, tmp_path: Path) -> None:
    found = (
        os.environ.get("LORA_HUB_CHROMIUM")
        or shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    if not found:
        pytest.fail("There is no Chromium here; `make test` installs one.")
    seen: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        page = browser.new_context(locale="en-US").new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: seen.append(request.url))
        try:
            page.goto(app)
            said = page.locator("#said textarea")
            playwright.expect(said).to_have_value("nobody is signed in", timeout=60_000)
            page.get_by_role("button", name="Sign in with Hugging Face").click()
            page.get_by_label("Your token of this Hub").wait_for()
            assert page.url.startswith(f"{server.url}/oauth/authorize?") and "lora-hub/app" in page.inner_text("h1")
            page.get_by_label("Your token of this Hub").fill("hf_not_the_token")
            page.get_by_role("button", name="Sign in and allow").click()
            page.get_by_text("401").wait_for()
            page.go_back()
            page.get_by_label("Your token of this Hub").fill(TOKEN)
            page.get_by_role("button", name="Sign in and allow").click()
            words = (
                "signed in as ana (Ana <b>Lima), whoami says ana of [('lora-hub', 'write'), ('readers', 'read')] for "
            )
            playwright.expect(said).to_have_value(words + "openid profile write-repos", timeout=60_000)
            playwright.expect(page.get_by_role("button", name="Logout (ana)")).to_be_visible()
            page.get_by_role("button", name="Logout (ana)").click()
            playwright.expect(said).to_have_value("nobody is signed in", timeout=60_000)
        except BaseException:
            page.screenshot(path=str(tmp_path / "failed.png"))
            print(tmp_path / "failed.png", (tmp_path / "app.log").read_text()[-3000:])
            raise
        finally:
            browser.close()
    assert not [url for url in seen if TOKEN in url or "hf_not_the_token" in url]
    assert TOKEN not in (tmp_path / "app.log").read_text()
