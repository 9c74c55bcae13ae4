"""Strangers' adapters: none can choose a folder of this machine as its base, and none can answer with somebody else's
base."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi, constants
from persian import refused
from sample_adapters import SCORES, make_spec
from small_data import write_csv
from starlette.applications import Starlette
from starlette.testclient import TestClient
from test_adapters_of_others import BASE_TEMPLATE, change
from test_local_hub import Server, start_server
from tiny_bases import build, byte_tokenizer, save_adapter

from lora_hub import compare, use_cases
from lora_hub.answering import loading
from lora_hub.catalogue import bases
from lora_hub.compare import panes
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.core.errors import AccessError, AdapterError, BaseError
from lora_hub.core.schema import BaseModel, Question
from lora_hub.hub import acting_as, drop_adapters, endpoint, fetch, look_up
from lora_hub.hub.record import make_record
from lora_hub.models import LocalEngine, OpenShelf
from lora_hub.people import LOCAL, Person, Sessions, policy
from lora_hub.serve import Beside, Door
from lora_hub.ui.frame import asking
from lora_hub.ui.frame.sign_in import SignIn

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
PEOPLE = ("ann", "eve")
LISTED = "HuggingFaceTB/SmolLM2-135M-Instruct"


def token_of(name: str) -> str:
    return f"hf_secret_of_{name}"


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A Hub where Ann has a base and an adapter of it, and Eve has others; and a folder with what they were made from:
    `ann-base`, `eve-base`, `ann-adapter`, `eve-adapter`."""
    root = tmp_path_factory.mktemp("shelf")
    users = {name: {"token": token_of(name)} for name in PEOPLE}
    orgs = {"lora-hub": {"members": {"ann": "write", "eve": "write"}}}
    (root / "accounts.json").write_text(json.dumps({"users": users, "orgs": orgs}))
    server = start_server(root / "hub", "--accounts", str(root / "accounts.json"), "--upstream", "off")
    for seed, name in enumerate(PEOPLE):
        build("llama", seed).save_pretrained(root / f"{name}-base")
        byte_tokenizer(BASE_TEMPLATE).save_pretrained(root / f"{name}-base")
        api = HfApi(server.url, token_of(name))
        api.create_repo(f"{name}/base", private=name == "ann")
        api.upload_folder(repo_id=f"{name}/base", folder_path=root / f"{name}-base")
        change(save_adapter(build("llama", seed), root / f"{name}-adapter", seed=seed), base_model_name_or_path="")
    yield server, root
    server.kill()


@pytest.fixture
def publish(shelf, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Publishes a person's adapter with what it says of its base, and returns its name."""
    server, root = shelf
    before = constants.ENDPOINT
    monkeypatch.setenv("HF_ENDPOINT", before)
    monkeypatch.setenv("LORA_HUB_CONNECTED_TO", before)
    endpoint._tell_client(server.url)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root / "cache"))
    monkeypatch.setenv("HF_TOKEN", token_of("ann"))

    def put(person: str, name: str, base: BaseModel | str, weights: str = "") -> str:
        folder = root / f"{weights or person}-adapter"
        (folder / "lora_hub.json").unlink(missing_ok=True)
        if isinstance(base, str):
            change(folder, base_model_name_or_path=base)
        else:
            spec = make_spec(base=base)
            record = make_record(spec, spec.task, "run-1", SCORES, {}, 10)
            (folder / "lora_hub.json").write_text(json.dumps(record | {"base": base.model_dump(mode="json")}))
        api = HfApi(server.url, token_of(person))
        api.create_repo(f"{person}/{name}")
        api.upload_folder(repo_id=f"{person}/{name}", folder_path=folder)
        return f"{person}/{name}"

    yield put
    endpoint._tell_client(before)


def answers(comparer: compare.Comparer, *names: str) -> list[str]:
    told = comparer.stream(list(names), Question(prompt="hello", max_new_tokens=12, free_text=True))
    return [one.answer.text for one in sorted((one for one in told if one.done), key=lambda one: one.pane)]


FOLDERS = {
    "an absolute path": lambda root: str(root / "eve-base"),
    "a path with dots": lambda root: str(root / "hub" / ".." / "eve-base"),
    "a system file": lambda root: "/etc",
    "the current folder": lambda root: ".",
    "a relative path": lambda root: "./eve-base",
    "this process": lambda root: "/proc/self/cwd/eve-base",
    "a home": lambda root: "~",
}


@pytest.mark.parametrize("where", FOLDERS)
def test_no_folder_of_this_machine_is_chosen(where: str, publish, shelf, monkeypatch) -> None:
    _, root = shelf
    monkeypatch.chdir(root)
    place, name = FOLDERS[where](root), f"names-{list(FOLDERS).index(where)}"
    for number, said in enumerate((place, BaseModel(id=place), BaseModel(id=place, folder=place))):
        adapter = publish("eve", f"{name}-{number}", said)
        with refused(AdapterError, match=f"{adapter} was made for (a base that lay in|the base .* no base of a Hub)"):
            panes.resolve_adapter(adapter)


def test_an_id_that_happens_to_be_a_path_is_not_read_from_there(publish, shelf, tmp_path, monkeypatch) -> None:
    _, root = shelf
    (tmp_path / "eve").mkdir()
    (tmp_path / "eve" / "base").symlink_to(root / "ann-base")
    monkeypatch.chdir(tmp_path)
    for number, said in enumerate(("eve/base", BaseModel(id="eve/base"))):
        pane = panes.resolve_adapter(publish("eve", f"path-{number}", said))
        assert (pane.base.id, pane.base.folder) == ("eve/base", "")
        with refused(BaseError, match="eve/base.* of the Hub has the same name as a folder of this machine"):
            loading.load_base(pane.base)
        with refused(BaseError, match="same name as a folder of this machine"):
            answers(compare.Comparer(), pane.name)


def test_a_fingerprint_that_two_claim_gives_neither_the_others_base(publish, shelf) -> None:
    _, root = shelf
    real = bases.get_base(str(root / "ann-base")).fingerprint
    claimed = [BaseModel(id=f"{name}/base", fingerprint=real) for name in PEOPLE]
    assert len({panes.base_key(one) for one in claimed}) == 2
    for name, one in zip(PEOPLE, claimed, strict=True):
        with refused(AdapterError, match=f"{name}/claims was made for the base {name}/base .weights {real[:12]}."):
            panes.resolve_adapter(publish(name, "claims", one))
    listed = publish("eve", "claims-listed", BaseModel(id=LISTED, fingerprint=real))
    with refused(AdapterError, match="which is not on this machine"):
        panes.resolve_adapter(listed)
    built_in = publish("eve", "claims-built-in", BaseModel(id=bases.BUILT_IN, fingerprint=real))
    with refused(AdapterError, match="another version of the built-in base"):
        panes.resolve_adapter(built_in)


def test_what_a_record_says_of_its_base_is_looked_up(publish) -> None:
    lie = {"parameters": 1, "context": 10**9, "hidden_size": 1, "title": "a lie", "default_lr": 1e9}
    found = panes.resolve_adapter(publish("eve", "lies", BaseModel(id="eve/base", revision="main", **lie))).base
    assert found == bases.get_base("eve/base")
    found = panes.resolve_adapter(publish("eve", "lies-listed", BaseModel(id=LISTED, **lie))).base
    assert found == bases.get_base(LISTED)


def test_two_published_adapters_never_share_a_base_that_is_not_theirs(publish, tmp_path: Path) -> None:
    """One process, one adapter after another: each is asked on its own base, whatever the other says of it."""
    honest, other = publish("ann", "honest", BaseModel(id="ann/base")), publish("eve", "other", "eve/base")
    alone = {name: answers(compare.Comparer(), name) for name in (honest, other)}
    assert alone[honest][0] != alone[other][0]
    comparer = compare.Comparer()
    assert [answers(comparer, name) for name in (other, honest, other)] == [alone[other], alone[honest], alone[other]]
    both = answers(comparer, honest, other)
    assert both == [*alone[honest], alone[other][1]], "one question goes to both, each on its own base"
    # A file is asked of each base, and each adapter is held against its own.
    file = write_csv(tmp_path / "rows.csv", [(f"a text {n}", ("ham", "spam")[n % 2]) for n in range(12)])
    scored = use_cases.score_file(LOCAL, comparer, [honest, other], file)
    assert list(scored["metrics"]) == ["base (ann/base)", "base (eve/base)", honest, other]
    assert set(scored["comparisons"]) == {honest, other}
    for name, base in ((honest, "base (ann/base)"), (other, "base (eve/base)")):
        assert scored["comparisons"][name].base == scored["metrics"][base]["accuracy"].value


def test_what_anybody_names_fits_on_the_disk(publish, monkeypatch: pytest.MonkeyPatch, shelf) -> None:
    """Whoever may compare names any repo of the Hub, and it is brought here."""
    name = publish("ann", "of-some-size", "ann/base")
    eve = Person(id="eve", roles={"lora-hub": "read"}, token=token_of("eve"))
    cached = Path(constants.HF_HUB_CACHE) / "models--ann--of-some-size"
    monkeypatch.setattr(fetch, "MOST_ADAPTER_BYTES", 1000)
    with acting_as(eve), refused(AdapterError, match="ann/of-some-size is 0.0 GB, and an adapter may have"):
        fetch.fetch_adapter(name)
    monkeypatch.setattr(fetch, "MOST_ADAPTER_BYTES", 2 << 30)
    monkeypatch.setattr(fetch, "LEFT_BYTES", 1 << 60)
    with acting_as(eve), refused(AdapterError, match="no room for ann/of-some-size"):
        fetch.fetch_adapter(name)
    assert not list(cached.glob("snapshots/*/*"))
    assert fetch.fetch_adapter(name)[0].is_dir(), "whoever sits at this machine knows its disk"
    with acting_as(eve):
        folder = fetch.fetch_adapter(name)[0]  # it takes no more room
    assert drop_adapters(time.time() - 3600) == 0 and folder.is_dir()
    assert drop_adapters(time.time() + 3600) >= 1 and not folder.exists()
    monkeypatch.setattr(fetch, "LEFT_BYTES", 0)
    with acting_as(eve):
        assert fetch.fetch_adapter(name)[0].is_dir()


def test_a_base_in_memory_is_for_those_who_may_read_it(publish) -> None:
    """Ann's base is private: that it is loaded for her lets nobody else ask it."""
    policy.write(policy.Policy(bases="any"))
    mine = publish("ann", "of-mine", "ann/base")
    theirs = publish("eve", "of-anns", "ann/base", weights="ann")
    ann, eve = (Person(id=name, roles={"lora-hub": "write"}, token=token_of(name)) for name in PEOPLE)
    comparer = compare.Comparer()
    asked = {"prompt": "hello", "max_new_tokens": 4}
    assert [one for one in use_cases.ask(ann, comparer, [mine], Question(**asked)) if one.done]
    policy.write(policy.Policy(bases="any", answer_tokens=3))  # nobody says how long: no longer than allowed
    ended = [one for one in use_cases.ask(ann, comparer, [mine], Question(prompt="hello")) if one.done]
    assert len(ended) == 2 and all(len(one.answer.ids) <= 3 for one in ended)
    policy.write(policy.Policy(bases="any"))
    with refused(BaseError, match="no base ann/base|ann/base"):
        list(use_cases.ask(eve, comparer, [theirs], Question(**asked)))
    policy.write(policy.Policy())
    with refused((BaseError, AccessError), match="not one of those that lora-hub allows"):
        list(use_cases.ask(ann, comparer, [mine], Question(**asked)))


def test_the_apps_endpoint_asks_as_whoever_sends_the_key(
    shelf: tuple[Server, Path], publish: Callable[..., str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAUTH_CLIENT_ID", "the-app")
    hidden = publish("ann", "hidden", LISTED)
    HfApi(shelf[0].url, token_of("ann")).update_repo_settings(hidden, private=True)
    door = Door(OpenShelf(), LocalEngine(LoadedBases()), asking.who_asks_in)
    app = SignIn(Beside(Starlette(), door), None, Sessions(look_up), look_up)

    def ask(name: str, **body: Any) -> Any:
        key = {"authorization": f"Bearer {token_of(name)}"} if name else {}
        return client.post("/v1/completions", json={"prompt": "Once", "max_tokens": 2, **body}, headers=key)

    with TestClient(app, base_url="http://127.0.0.1:7860") as client:
        for name in ("", "nobody"):
            for told in (ask(name, model="base"), ask(name, model=hidden)):
                assert told.status_code == 401 and told.json()["error"]["code"] == "invalid_api_key", told.text
        told = [ask("eve", model=name) for name in (hidden, f"{hidden}@main", "none-such", "/etc")]
        assert [one.status_code for one in told] == [404] * 4 and "ann/base" not in "".join(one.text for one in told)
        listed = client.get("/v1/models", headers={"authorization": f"Bearer {token_of('eve')}"})
        assert listed.status_code == 200 and hidden not in listed.text
        assert ask("ann", model=hidden).status_code == 503, "she finds it, and its base is not here"
        assert ask("eve", model="base").json()["usage"]["completion_tokens"] == 2
        lines = [line for line in ask("eve", model="base", stream=True).text.splitlines() if line]
        assert lines[-1] == "data: [DONE]" and len(lines) > 1
        long = ask("eve", model="base", prompt="a" * (policy.read().prompt_characters + 1))
        assert long.status_code == 403 and long.json()["error"]["type"] == "permission_error"
        home.mkdir(exist_ok=True)
        (home / "organization.json").write_text(json.dumps({"requests_a_minute": 5}))
        told = [ask("eve", model="base", max_tokens=1) for _ in range(6)][-1]
        assert told.status_code == 429 and told.json()["error"]["code"] == "rate_limit_exceeded"
        assert int(told.headers["retry-after"]) >= 1 and ask("ann", model="none-such").status_code == 404
