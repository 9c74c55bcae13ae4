"""Attacks on a public page, made against the running app by programs: people of each role sign in and call its handlers
by number, with values that no widget would send. Each attack is refused with a sentence."""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from page_calls import Caller, as_file, words
from test_page_people import SECRET, Place, token_of
from test_run_folders import make_run

from lora_hub.catalogue import bases
from lora_hub.core import store
from lora_hub.people import policy
from lora_hub.ui.frame import sessions_kept

BUG = "it is our mistake"
FILE_NAMES = {
    "config": "adapter_config.json",
    "weights": "adapter_model.safetensors",
    "pickle": "adapter_model.bin",
    "template": "chat_template.jinja",
    "card": "README.md",
}
GOOD = "text,label\n" + "".join(f"row number {n} of ours,{'spam' if n % 2 else 'ham'}\n" for n in range(40))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("attacks"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def people(place: Place) -> Iterator[dict[str, Caller]]:
    names = ("", "will", "cora", "rita")
    found = {name or "stranger": Caller(place.app.url, name, name and token_of(name)) for name in names}
    yield found
    heard = "\n".join(said for one in found.values() for said in one.heard)
    # Gradio names an upload by its path, to whoever sent it.
    heard = heard.replace(f"{place.app.home}/cache/uploads/", "")
    planted = [*(token_of(name) for name in names if name), SECRET, "hf_of_the_app_itself", "hf_oauth_"]
    for secret in (*planted, str(place.app.home), str(place.hub.folder)):
        told = heard.find(secret)
        assert told < 0, f"a token or a path of this machine was told: {heard[max(0, told - 300) : told + 300]}"
    log = (place.app.home / "app.log").read_text(errors="replace")
    assert "a handler of the page failed" not in log
    assert not any(secret in log for secret in planted)


@pytest.fixture(autouse=True)
def _in_the_apps_home(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LORA_HUB_HOME", str(place.app.home))


@pytest.fixture
def publish(place: Place, tmp_path: Path) -> Callable[..., str]:
    """Publishes files as Will's, and returns the repo's name."""

    def put(name: str, **files: bytes | str | dict) -> str:
        api = HfApi(place.hub.url, token_of("will"))
        repo = api.create_repo(f"will/{name}").repo_id
        for key, content in files.items():
            file = FILE_NAMES[key]
            text = json.dumps(content) if isinstance(content, dict) else content
            (tmp_path / file).write_bytes(text.encode() if isinstance(text, str) else text)
        api.upload_folder(repo_id=repo, folder_path=tmp_path)
        return repo

    return put


def kept_files(place: Place) -> list[Path]:
    """What people keep in the app."""
    folders = [place.app.home / "runs", place.app.home / "people"]
    return sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())


def look_at(caller: Caller, name: str, content: bytes) -> str:
    return words(caller.ask("lh-file", "upload", {"lh-file": caller.upload(name, content)}))


def compare(caller: Caller, *names: str, **values: object) -> str:
    asked = {"lh-names": list(names), "lh-prompt": "a question"}
    return words(caller.ask("lh-ask", "click", asked | {f"lh-{name}": value for name, value in values.items()}))


# 1
def test_every_handler_by_number(people, place: Place) -> None:
    before, stranger = kept_files(place), people["stranger"]
    for event in stranger.events:
        for value in (None, ["a", {"b": 1}]):
            said = stranger.call(event, [value] * len(event["inputs"]), {"index": 0, "value": "x", "id": "x"})
            assert BUG not in said and "process_completed" in said, event["id"]
    assert kept_files(place) == before


# 2
@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/1/environ", "/tmp/../etc/passwd", "{home}/organization.json"])
def test_paths_of_the_server_as_files(path: str, people, place: Place) -> None:
    will, before, heard = people["will"], kept_files(place), len(people["will"].heard)
    policy.write(policy.Policy(hours=3))
    path = path.format(home=place.app.home)
    for name in ("lh-file", "lh-test-file"):
        said = will.ask(name, "upload", {name: as_file(path)})
        assert "This is no file of yours" in said and "root:" not in said
    assert will.client.get(f"/gradio_api/file={path}").status_code == 403
    base = words(will.ask("lh-base", "input", {"lh-base": path, "lh-task": "spam"}))
    assert "A folder of this machine can be no base here" in base
    (place.app.home / "organization.json").unlink()
    del will.heard[heard:]  # what one has said oneself comes back
    assert kept_files(place) == before


def test_a_symbolic_link_leads_nowhere(people, tmp_path: Path) -> None:
    will = people["will"]
    mine = Path(will.upload("mine.csv", GOOD.encode())["path"])
    link = mine.with_name("link.csv")
    link.symlink_to("/etc/passwd")
    said = will.ask("lh-file", "upload", {"lh-file": as_file(str(link))})
    assert "root:" not in said and will.client.get(f"/gradio_api/file={link}").status_code == 403
    link.unlink()


def test_anothers_upload_by_its_path(people) -> None:
    """Whoever knows a file's bytes knows the path of its upload."""
    will, cora = people["will"], people["cora"]
    theirs = will.upload("theirs.csv", GOOD.encode())
    for element in ("lh-file", "lh-test-file"):
        said = cora.ask(element, "upload", {element: as_file(theirs["path"])})
        assert "This is no file of yours" in said
    assert Path(theirs["path"]).exists(), "and it is still there"
    assert "no file of yours" not in will.ask("lh-file", "upload", {"lh-file": theirs})


# 3, and 5: none of them is published over anybody's
def test_anothers_run(people) -> None:
    run = make_run(("app-1", "submitted", {"owner": "cora"}), ("worker-7-1", "state", {"state": "failed"}))
    before = store.events_file(run).read_bytes()
    for who in ("will", "rita", "stranger"):
        caller = people[who]
        said = [words(caller.ask("lh-run-id", "change", {"lh-run-id": run}))]
        for name, event in (("lh-cancel", "click"), ("lh-resume", "click"), ("lh-publish", "click")):
            said.append(words(caller.ask(name, event, hidden=run)))
        said.append(words(caller.ask("lh-delete", "click", {"lh-to-delete": run}, hidden=run)))
        said.append(words(caller.ask("lh-visibility", "input", {"lh-visibility": "public"}, hidden=run)))
        if who == "will":
            assert sum("that you may see" in one for one in said) >= 4, said
        assert store.events_file(run).read_bytes() == before
        assert not any("cora" in one for one in said)
    assert "There is no adapter" in compare(people["will"], run)


# 4
def test_anothers_file(people, tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text(GOOD.replace("ours", "CORAS"))
    theirs = store.add_dataset(tmp_path / "theirs.csv", "", "cora")
    name = f"{theirs.parent.name}/{theirs.name}"
    for dataset in (name, f"{theirs.parent.name}/anything", f"../../cora/datasets/{name}", str(theirs)):
        for who in ("will", "rita", "stranger"):
            asked = {"lh-dataset": dataset, "lh-test": dataset, "lh-task": "spam"}
            for element, event in (("lh-base", "input"), ("lh-exact", "click"), ("lh-train", "click")):
                assert "CORAS" not in people[who].ask(element, event, asked)
            people[who].heard.clear()  # what one has said oneself comes back
    mine = people["cora"].ask("lh-base", "input", {"lh-dataset": name, "lh-task": "spam"})
    assert "CORAS" in mine


# 6 to 9
ADAPTERS = {
    "pattern": (
        {"r": 4, "rank_pattern": {r"(\w*\.?)+(\w*\.?)+(\w*\.?)+(\w*\.?)+!": 4, "[": 4}},
        "has the pattern .* which cannot be read",
    ),
    "list": ({"r": [1, 2]}, "says r = .*, which is not a whole number"),
    "infinite": ('{"r": 4, "lora_alpha": 1e999, "base_model_name_or_path": "built-in"}', "which is not a number"),
    "folder": ({"r": 4, "base_model_name_or_path": "/etc"}, "was made for a base that lay in"),
    "process": ({"r": 4, "base_model_name_or_path": "/proc/self/cwd/lora_hub/built_in/model"}, "a base that lay in"),
    "remote-code": ({"r": 4, "base_model_name_or_path": "will/code"}, "not one of those that lora-hub allows"),
    "pull-request": (
        {"r": 4, "base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M", "revision": "refs/pr/1"},
        "not one of those that lora-hub allows",
    ),
}


@pytest.mark.parametrize("what", ADAPTERS)
def test_adapters_that_strangers_made(what: str, people, publish) -> None:
    config, told = ADAPTERS[what]
    if isinstance(config, dict):
        config = {"peft_type": "LORA", "base_model_name_or_path": "built-in", "target_modules": ["q_proj"], **config}
    said = compare(people["rita"], publish(f"adapter-{what}", config=config, weights=small_weights()))
    assert BUG not in said
    assert re.search(told, said), said[-1500:]


def test_pickled_weights_are_not_opened(people, publish) -> None:
    pickle = b"cos\nsystem\n(S'false'\ntR."
    repo = publish("adapter-pickled", config={"peft_type": "LORA", "r": 4}, pickle=pickle)
    assert "only has pickled weights" in compare(people["rita"], repo)


def test_a_chat_template_takes_no_more_than_it_may(people, publish) -> None:
    config = {"peft_type": "LORA", "r": 4, "base_model_name_or_path": "built-in", "target_modules": ["q_proj"]}
    files = {"config": config, "weights": small_weights(), "template": "{{ 'x' * 1500000000 }}"}
    said = compare(people["rita"], publish("adapter-template", **files))
    assert "The chat template of the adapter will/adapter-template takes more memory" in said


def small_weights() -> bytes:
    """Of one layer of the built-in base."""
    import numpy
    from safetensors.numpy import save

    width = bases.get_base(bases.BUILT_IN).hidden_size
    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    shapes = {f"{layer}.lora_A.weight": (4, width), f"{layer}.lora_B.weight": (width, 4)}
    return save({name: numpy.zeros(shape, "float32") for name, shape in shapes.items()})


# 10 to 13
def packed(count: int) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.csv", "a,b\n1,2\n")
    return whole.getvalue()


ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
FILES = {
    "aliases.yaml": (lambda: ALIASES.encode(), ""),
    "members.zip": (lambda: packed(5000), "5,000"),
    "columns.csv": (
        lambda: b",".join(b"c%d" % n for n in range(300_000)) + b"\n" + b"1," * 299_999 + b"1\n",
        "columns",
    ),
    "deep.json": (lambda: b"[" * 100_000, "nested"),
    "noise.xlsx": (lambda: b"PK\x03\x04" + bytes(range(256)) * 40, ""),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_bombs(name: str, people) -> None:
    make, told = FILES[name]
    said = look_at(people["will"], name, make())
    assert BUG not in said and "lh-bad" in people["will"].heard[-1] + people["will"].heard[-2] and told in said


def test_what_strangers_wrote_is_shown_inert(people) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202e"
    rows = f'"{evil}","label {evil}"\n' + GOOD.partition("\n")[2]
    will = people["will"]
    look_at(will, "evil <b>.csv", rows.encode())
    said = will.heard[-1] + will.heard[-2]
    said += will.ask("lh-adapter-id", "change", {"lh-adapter-id": evil}, writes="lh-card")
    assert "\\u202e" not in said.replace("\u202e", "\\u202e")
    said = re.sub(r'"info": "[^"]*"', "", said)  # Gradio escapes what stands below a field's label
    assert "<script" not in said and "<img src=x" not in said


# 14
def test_cards_are_shown_inert(people, publish) -> None:
    card = (
        "# x\n<form action=http://evil><input></form>\n![a](http://evil/a.png)\n[b](javascript:alert(1))\n```\nunclosed"
    )
    repo = publish("adapter-card", config={"peft_type": "LORA", "r": 4}, weights=small_weights(), card=card)
    said = people["rita"].ask("lh-adapter-id", "change", {"lh-adapter-id": repo}, writes="lh-card")
    assert "unclosed" in said
    for what in ("<form", "<input", 'evil/a.png\\" ', "<img", 'href=\\"javascript'):
        assert what not in said


# 15
def test_settings_beyond_bounds(people, place: Place) -> None:
    will, before = people["will"], len(kept_files(place))
    name = re.search(r"[0-9a-f]{16}/spam\.csv", will.ask("lh-sample", "click", {"lh-task": "spam"}))[0]
    asked = {"lh-task": "spam", "lh-dataset": name, "lh-name": "greedy"}
    for key, value, told in (
        ("steps", "999999999", "999999999|999,999,999|20,000 are allowed"),
        ("epochs", "100000", "100,?000"),
        ("lora-alpha", "inf", "inf"),
        ("lora-r", "1e999", "1e999"),
        ("lr", "nan", "nan"),
    ):
        said = words(will.ask("lh-train", "click", asked | {f"lh-set-{key}": value}))
        assert BUG not in said and re.search(told, said), (key, said[-800:])
    assert not list((place.app.home / "runs").glob("greedy*")) and len(kept_files(place)) <= before + 1


# 16
def test_questions_beyond_bounds(people) -> None:
    rita = people["rita"]
    assert "413" in compare(rita, "will/x", prompt="a" * 10_000_000)[:10]
    assert "characters long, and 20,000 are allowed here" in compare(rita, "will/x", prompt="a" * 30_000)
    many = compare(rita, *[f"will/x{n}" for n in range(40)])
    assert '"success": false' in many or "8 fit beside each other" in many
    for tokens in (10**9, -1, 1e308, "many"):
        said = compare(rita, "will/x", **{"most-tokens": tokens})
        assert BUG not in said and ('"success": false' in said or "tokens are asked for" in said)


# 17
@pytest.mark.parametrize("name", ["http://169.254.169.254/latest", "127.0.0.1:22/x", "file:///etc/passwd", "../../etc"])
def test_inner_addresses_as_datasets(name: str, people) -> None:
    said = words(people["will"].ask("lh-fetch", "click", {"lh-hub-name": name}))
    assert BUG not in said and "lh-bad" in people["will"].heard[-1] + people["will"].heard[-2] and "root:" not in said


# 18
def test_other_sites_and_other_names(people) -> None:
    will = people["will"].client
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    for path in ("/gradio_api/queue/join", "/gradio_api/upload", "/logout", "/gradio_api/cancel"):
        assert will.post(path, headers=foreign, json={}).status_code == 403
        assert will.post(path, headers={"Origin": "null"}, json={}).status_code == 403
    for path in ("/", "/config"):
        assert will.get(path, headers={"Host": "evil.example"}).status_code == 421
    assert people["will"].ask("lh-tab-organization", "select")  # still signed in


# 19
def test_sessions_by_the_thousand(people) -> None:
    stranger = people["stranger"]
    light = next(one for one in stranger.events if "lh-paste-open" in stranger.names_of(one))
    body = {"data": [""], "fn_index": light["id"], "event_data": None}
    for number in range(sessions_kept.MOST_OF_STRANGERS + 20):
        assert stranger.post("/gradio_api/queue/join", json=body | {"session_hash": f"made-up-{number}"})[0] == 200
    with stranger.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "made-up-0"}) as lines:
        assert '"session_not_found":true' in next(lines.iter_lines())
    said = [stranger.post("/gradio_api/queue/join", json=body | {"session_hash": "one"})[0] for _ in range(101)]
    assert said == [200] * sessions_kept.MOST_EVENTS + [503]
    assert people["will"].ask("lh-paste-open", "click")
