"""Datasets on the Hub become kept files, through the real clients against the embedded Hub."""

import io
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import datasets
import polars
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, List, Value
from huggingface_hub import HfApi, constants
from persian import LETTER
from sample_adapters import CLOSED

from lora_hub.core.errors import DataError, HubError
from lora_hub.core.messages import Message
from lora_hub.data.read.read import read_table
from lora_hub.hub.dataset import fetch_dataset, is_dataset_id
from lora_hub.hub.dataset_id import DatasetId, parse_dataset_id

ORG = "lora-hub"
TEXTS = ["خوب بود", "it is bad", "می‌خواهم دوباره بیایم", "no"]


@pytest.fixture(scope="module", autouse=True)
def quiet() -> None:
    datasets.disable_progress_bars()


@pytest.fixture(scope="module")
def api(hub) -> HfApi:
    return HfApi()


def put(api: HfApi, name: str, private: bool = False, **files: bytes | str) -> str:
    """A dataset's repo with these files; `__` in a name is a dot, `___` a slash."""
    api.create_repo(f"{ORG}/{name}", repo_type="dataset", private=private, exist_ok=True)
    for path, content in files.items():
        path = path.replace("___", "/").replace("__", ".")
        content = content.encode() if isinstance(content, str) else content
        api.upload_file(repo_id=f"{ORG}/{name}", repo_type="dataset", path_in_repo=path, path_or_fileobj=content)
    return f"{ORG}/{name}"


def texts(rows: int, start: int = 0) -> dict[str, list[str]]:
    return {"text": [TEXTS[(start + i) % 4] for i in range(rows)], "answer": [f"a{start + i}" for i in range(rows)]}


@pytest.fixture(scope="module")
def named(api) -> str:
    """Class names of all kinds, a train, a validation and an unlabelled test split."""
    label = ClassLabel(names=["neg", "pos"])
    features = Features(
        {
            "text": Value("string"),
            "label": label,
            "tags": List(label),
            "more": {"mood": label, "n": Value("int32")},
            "messages": List({"role": Value("string"), "content": Value("string")}),
        }
    )

    def rows(count: int, known: bool = True) -> Dataset:
        one = {
            "text": "x",
            "tags": [0, 1, 1],
            "more": {"mood": 1, "n": 7},
            "messages": [{"role": "user", "content": "سلام"}],
        }
        return Dataset.from_list(
            [{**one, "text": TEXTS[i % 4], "label": i % 2 if known else -1} for i in range(count)], features=features
        )

    DatasetDict({"train": rows(12), "validation": rows(5), "test": rows(3, known=False)}).push_to_hub(
        f"{ORG}/named", private=True
    )
    return f"{ORG}/named"


@pytest.fixture(scope="module")
def pair(api) -> str:
    """A train and a test split as `push_to_hub` leaves them, without class names."""
    DatasetDict({"train": Dataset.from_dict(texts(12)), "test": Dataset.from_dict(texts(4, 50))}).push_to_hub(
        f"{ORG}/pair"
    )
    return f"{ORG}/pair"


@pytest.fixture(scope="module")
def configs(api) -> str:
    for config, rows in (("en", 5), ("fa", 7)):
        Dataset.from_dict(texts(rows)).push_to_hub(f"{ORG}/two", config)
    return f"{ORG}/two"


@pytest.fixture(scope="module")
def odd(api) -> str:
    """One file that a builder takes for one column of broken letters."""
    persian = (
        "متن;برچسب\r\n" + 'بد بود؛ خيلي;منفي\r\n"خوب; عالي";مثبت\r\nمعمولي بود;مثبت\r\nبد;منفي\r\n' * 5
    )  # this encoding has the Arabic yeh only
    return put(api, "odd", README__md="---\nlicense: mit\n---\n# Odd\n", data__csv=persian.encode("cp1256"))


# --- what is fetched ---


def test_train_and_test_come_as_they_are(pair, api, home) -> None:
    told: list[Message] = []
    path = fetch_dataset(pair, progress=told.append)
    assert path.is_relative_to(home) and path.name == f"lora-hub--pair--{api.dataset_info(pair).sha[:7]}.zip"
    with zipfile.ZipFile(path) as archive:
        assert [(one.filename, one.compress_type) for one in archive.infolist()] == [
            ("train.parquet", 0),
            ("test.parquet", 0),
        ]
    table = read_table(path)
    assert table.frame.to_dict(as_series=False) == texts(12) and table.test.frame.to_dict(as_series=False) == texts(
        4, 50
    )
    assert any("Downloading data/train" in line.en for line in told) and all(LETTER.search(line.fa) for line in told)
    assert fetch_dataset(f"datasets/{pair}") == path  # the same bytes, so the same dataset
    only = fetch_dataset(pair, split="test")
    assert read_table(only).rows == 4 and "--test--" in only.name and only.suffix == ".parquet"


def test_class_names_nested_values_and_a_test_split_without_answers(named) -> None:
    told: list[Message] = []
    path = fetch_dataset(named, progress=told.append)
    table = read_table(path)
    assert table.rows == 12 and table.texts("label").to_list() == ["neg", "pos"] * 6
    first = table.frame.row(0, named=True)
    assert (
        first["text"] == TEXTS[0]
        and first["tags"] == ["neg", "pos", "pos"]
        and first["more"] == {"mood": "pos", "n": 7}
    )
    assert first["messages"] == [{"role": "user", "content": "سلام"}]
    assert table.test.rows == 5 and any("test: left out, label is empty" in line.en for line in told)
    assert set(read_table(fetch_dataset(named, split="test")).texts("label")) == {None}  # but who asks for it gets it


def test_configs_are_asked_for(configs) -> None:
    with pytest.raises(DataError, match=r"has 2 configs: en, fa\.") as error:
        fetch_dataset(configs)
    assert f"{configs}:en" in error.value.hint
    assert read_table(fetch_dataset(f"{configs}:fa")).rows == 7
    path = fetch_dataset(f"https://huggingface.co/datasets/{configs}/viewer/en/train")
    assert read_table(path).rows == 5 and path.name.startswith("lora-hub--two--en--train--")
    for wrong, there in ((f"{configs}:de", "en, fa"), (f"{configs}:en/dev", "train")):
        with pytest.raises(DataError, match="has no") as error:
            fetch_dataset(wrong)
        assert there in error.value.hint


def test_the_odd_file_is_read_by_our_reader(odd) -> None:
    path = fetch_dataset(odd)
    table = read_table(path)
    assert path.suffix == ".csv" and table.columns == ["متن", "برچسب"] and table.rows == 20 and table.delimiter == ";"
    assert table.frame.row(1) == ("خوب; عالي", "مثبت")


def test_a_workbook_and_a_zip(api) -> None:
    buffer = io.BytesIO()
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["text", "label"], ["سلام", "a"], ["hello", "b"]):
        book.active.append(row)
    book.save(buffer)
    path = fetch_dataset(put(api, "book", table__xlsx=buffer.getvalue()))
    assert path.suffix == ".xlsx" and read_table(path).frame.rows() == [("سلام", "a"), ("hello", "b")]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("rows.jsonl", '{"q": "a", "a": "b"}\n' * 3)
    path = fetch_dataset(put(api, "packed", rows__zip=packed.getvalue()))
    assert path.suffix == ".zip" and read_table(path).rows == 3


def test_two_files_that_say_what_they_are(api) -> None:
    repo = put(
        api, "files", my_train__csv="text;label\n" + "a;x\n" * 6, my_test__csv="text;label\nb;y\n", notes__txt=""
    )
    table = read_table(fetch_dataset(repo))
    assert (table.rows, table.test.rows, table.columns) == (6, 1, ["text", "label"])


def test_files_whose_columns_differ_in_type(api) -> None:
    """A number here, a broken number or nothing there: the library's own loading gives up on this."""
    repo = put(
        api, "parts", a__csv="text,n,label\n" + "a,1,0\n" * 3, b__csv="text,n,label,note\n" + "b,1.5,spam,x\n" * 2
    )
    path = fetch_dataset(repo)
    table = read_table(path)
    assert path.suffix == ".parquet" and table.rows == 5 and table.columns == ["text", "n", "label", "note"]
    assert [float(n) for n in table.texts("n")] == [1, 1, 1, 1.5, 1.5] and table.texts("label").to_list() == [
        "0"
    ] * 3 + ["spam"] * 2
    assert table.texts("note").to_list() == [None] * 3 + ["x"] * 2


def test_several_files_of_json_lines_become_one(api) -> None:
    """Values of different kinds in one place, as in the messages of tools: no builder has a type for that."""
    one, two = (
        '{"text": "a", "content": "سلام"}\n' * 3,
        '\ufeff{"text": "b", "content": [{"type": "text"}]}\n{"text": "c", "content": null}',
    )
    repo = put(api, "lines", **{"train-1__jsonl": one, "train-2__jsonl": two, "test__jsonl": one})
    table = read_table(fetch_dataset(repo))
    assert table.rows == 5 and table.test.rows == 3 and table.texts("text").to_list() == ["a", "a", "a", "b", "c"]
    assert table.texts("content").to_list()[2:] == ["سلام", '[{"type": "text"}]', None]
    assert read_table(fetch_dataset(repo, split="train")).rows == 5


def test_revisions_and_pages(api, hub) -> None:
    repo = put(api, "moving", a__csv="text,label\n" + "old,x\n" * 4)
    old = api.dataset_info(repo).sha
    api.create_tag(repo, tag="v1", repo_type="dataset")
    put(api, "moving", a__csv="text,label\n" + "new,x\n" * 4, extra___b__csv="text,label\n" + "b,x\n" * 2)
    page = f"{hub.url}/datasets/{repo}"
    for name in (
        f"{repo}@v1",
        f"hf://datasets/{repo}@{old[:40]}",
        f"{page}/blob/v1/a.csv",
        f"{page}/resolve/{old}/a.csv?download=true",
        f"{page}/tree/v1",
    ):
        path = fetch_dataset(name)
        assert read_table(path).texts("text")[0] == "old" and old[:7] in path.name, name
    assert fetch_dataset(repo, revision="v1") == fetch_dataset(f"{repo}@v1")
    for name in (
        f"{page}/blob/main/extra/b.csv",
        f"{page}/tree/main/extra",
        f"hf://datasets/{repo}/extra/b.csv",
        f"http:/{page[6:]}/raw/main/extra/b.csv",
    ):
        assert read_table(fetch_dataset(name)).rows == 2, name
    assert read_table(fetch_dataset(repo)).rows == 6  # two files of the same split: both
    with pytest.raises(DataError, match="no revision 'v9'") as error:
        fetch_dataset(f"{repo}@v9")
    assert "main, v1" in error.value.hint
    with pytest.raises(DataError, match="has no file 'c.csv'") as error:
        fetch_dataset(f"{page}/blob/main/c.csv")
    assert "a.csv" in error.value.hint


# --- what is refused ---


def test_too_large_is_refused_before_it_is_downloaded(api, monkeypatch, pair) -> None:
    repo = put(api, "large", a__csv="text,label\n" + "some words,x\n" * 20_150)
    monkeypatch.setenv("LORA_HUB_MAX_UPLOAD_MB", "0.2")
    told: list[Message] = []
    with pytest.raises(DataError, match=r"is 0\.26 MB; the limit is 0\.2 MB") as error:
        fetch_dataset(repo, progress=told.append)
    assert "LORA_HUB_MAX_UPLOAD_MB" in error.value.hint and not any("Downloading" in line.en for line in told)


def test_rows_that_grow_past_the_limit_are_refused_while_they_come(api, monkeypatch) -> None:
    """Files may be small because they are packed."""
    label = Features({"text": Value("string"), "label": ClassLabel(names=["a", "b"])})
    Dataset.from_dict({"text": ["long " * 100] * 5000, "label": [0] * 5000}, features=label).push_to_hub(f"{ORG}/grows")
    monkeypatch.setenv("LORA_HUB_MAX_UPLOAD_MB", "0.1")
    with pytest.raises(DataError, match=r"more than 0\.1 MB, the limit: 1,000 of them"):
        fetch_dataset(f"{ORG}/grows")


def test_columns_of_images_are_refused_by_name(api, tmp_path) -> None:
    picture = Features({"caption": Value("string"), "photo": Image()})
    rows = Dataset.from_dict({"caption": ["a"], "photo": [None]}, features=picture)
    rows.push_to_hub(f"{ORG}/pictures")
    rows.to_parquet(tmp_path / "rows.parquet")
    bare = put(api, "pictures-bare", rows__parquet=(tmp_path / "rows.parquet").read_bytes())
    for repo in (f"{ORG}/pictures", bare):  # with a card that says so, and without
        with pytest.raises(DataError, match=f"column 'photo' of {repo} holds images"):
            fetch_dataset(repo)


def test_repos_without_data(api) -> None:
    api.create_repo(f"{ORG}/bare", repo_type="dataset")
    script = put(api, "script", README__md="# x\n", script__py="raise SystemExit('this must never run')\n")
    card = put(api, "card", README__md="# x\n")
    for repo, said in ((f"{ORG}/bare", "is empty"), (script, "only a script"), (card, "no data files, only README.md")):
        with pytest.raises(DataError, match=said) as error:
            fetch_dataset(repo)
        assert error.value.hint


def test_a_file_that_no_builder_reads_is_told(api) -> None:
    broken = put(api, "broken", a__parquet=b"PAR1 but not really", b__parquet=b"nor this one")
    with pytest.raises(DataError, match="`datasets` cannot read lora-hub/broken") as error:
        fetch_dataset(broken)
    assert f"/datasets/{broken}/blob/" in error.value.hint


def test_splits_that_do_not_say_which_to_train_on(api) -> None:
    DatasetDict({"en": Dataset.from_dict(texts(3)), "fa": Dataset.from_dict(texts(2))}).push_to_hub(f"{ORG}/languages")
    with pytest.raises(DataError, match="which to train on is not clear: en, fa") as error:
        fetch_dataset(f"{ORG}/languages")
    assert error.value.hint.endswith(f"{ORG}/languages:default/en")
    assert read_table(fetch_dataset(f"{ORG}/languages:default/fa")).rows == 2


def test_unknown_ids(odd, api) -> None:
    with pytest.raises(DataError, match="There is no dataset lora-hub/odde") as error:
        fetch_dataset("lora-hub/odde")
    assert "Did you mean lora-hub/odd?" in error.value.hint
    api.create_repo(f"{ORG}/no-dataset-but-a-model", exist_ok=True)
    with pytest.raises(DataError, match="no-dataset-but-a-model is a model, not a dataset"):
        fetch_dataset(f"{ORG}/no-dataset-but-a-model")
    for text in (
        "not an id",
        "a/b/c",
        "owner//name",
        "",
        "https://huggingface.co/owner/name",
        "hf://owner/name",
        "a--b/c..d",
    ):
        with pytest.raises(DataError) as error:
            fetch_dataset(text)
        assert error.value.hint, text
    with pytest.raises(DataError, match="is on example.org; the Hub in use is"):
        fetch_dataset("https://example.org/datasets/lora-hub/odd")


def test_a_hub_that_is_down(odd, monkeypatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", CLOSED)
    with pytest.raises(HubError, match="cannot be reached") as error:
        fetch_dataset(odd)
    assert error.value.hint


# --- whose it is ---


def holds(folder: Path, secret: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_private_with_a_token_that_is_never_kept(named, home, monkeypatch, caplog, capfd, tmp_path) -> None:
    token = os.environ["HF_TOKEN"]
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    caplog.set_level(logging.DEBUG)
    with pytest.raises(
        DataError, match="There is no dataset lora-hub/named .* that may be seen without a token"
    ) as error:
        fetch_dataset(named)
    assert "HF_TOKEN" in error.value.hint
    told: list[Message] = []
    assert read_table(fetch_dataset(named, token=f" {token}\n", progress=told.append)).rows == 12
    cache = Path(constants.HF_HOME)
    assert holds(cache.parent / "hub", token), (
        "the search itself finds nothing"
    )  # the embedded Hub's own file of its token
    assert not holds(cache, token) and not holds(home, token) and not holds(tmp_path, token)
    assert not list(tmp_path.glob("lora-hub-dataset-*"))  # nor is anything else left
    said = capfd.readouterr()
    assert token not in caplog.text + said.out + said.err + "".join(map(str, told)) and "HF_TOKEN" not in os.environ


@pytest.mark.parametrize("token", ["hf_notatoken", "hf_not\na_token", "hf_توکن"])
def test_a_token_that_is_none(odd, token) -> None:
    with pytest.raises(HubError, match="token") as error:
        fetch_dataset(odd, token=token)
    assert token not in str(error.value) and token not in repr(error.value.__cause__) and error.value.hint


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, hub):
    """An embedded Hub with accounts: what alice owns, eve may not see or has to be let in to."""
    folder = tmp_path_factory.mktemp("guarded")
    accounts = folder / "accounts.json"
    accounts.write_text(json.dumps({"users": {name: {"token": f"hf_{name}"} for name in ("alice", "eve")}}))
    command = [
        sys.executable,
        "-m",
        "lora_hub.local_hub",
        "--dir",
        str(folder / "hub"),
        "--accounts",
        str(accounts),
        "--upstream",
        "off",
    ]
    with (folder / "log.txt").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[2])
    record, until = folder / "hub" / "server.json", time.monotonic() + 20
    while not record.exists() and time.monotonic() < until and server.poll() is None:
        time.sleep(0.05)
    assert record.exists(), (folder / "log.txt").read_text()
    url = json.loads(record.read_text())["url"]
    owner = HfApi(endpoint=url, token="hf_alice")
    for name, private in (("secret", True), ("closed", False)):
        owner.create_repo(f"alice/{name}", repo_type="dataset", private=private)
        owner.upload_file(
            repo_id=f"alice/{name}",
            repo_type="dataset",
            path_in_repo="a.csv",
            path_or_fileobj=b"text,label\n" + b"a,b\n" * 3,
        )
    owner.update_repo_settings("alice/closed", repo_type="dataset", gated="manual")
    yield url
    server.terminate()
    server.wait(10)


def test_somebody_elses(guarded, monkeypatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", guarded)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", guarded + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setenv("HF_TOKEN", "hf_eve")
    with pytest.raises(DataError, match="that this account may see"):
        fetch_dataset("alice/secret")
    assert read_table(fetch_dataset("alice/secret", token="hf_alice")).rows == 3
    with pytest.raises(DataError, match="is gated") as error:
        fetch_dataset("alice/closed")
    assert f"{guarded}/datasets/alice/closed" in error.value.hint
    HfApi(endpoint=guarded, token="hf_alice").grant_access("alice/closed", "eve", repo_type="dataset")
    assert read_table(fetch_dataset("alice/closed")).rows == 3


# --- what people write ---


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("owner/name", DatasetId("owner/name")),
        (" squad ", DatasetId("squad")),
        ("datasets/squad", DatasetId("squad")),
        ("hf://datasets/owner/name@refs/pr/1", DatasetId("owner/name", "refs/pr/1")),
        ("hf:/datasets/owner/name", DatasetId("owner/name")),
        ("owner/name:20220301.en@v1", DatasetId("owner/name", "v1", "20220301.en")),
        ("owner/name@v1:fa/train", DatasetId("owner/name", "v1", "fa", "train")),
        ("hf://datasets/o/n@v1/data/a b.csv", DatasetId("o/n", "v1", file="data/a b.csv")),
        ("https://huggingface.co/datasets/squad/viewer", DatasetId("squad", host="huggingface.co")),
        (
            "https://huggingface.co/datasets/o/n/viewer/sst2/train?row=3#x",
            DatasetId("o/n", config="sst2", split="train", host="huggingface.co"),
        ),
        (
            "https://hf.co/datasets/o/n/blob/refs%2Fconvert%2Fparquet/a/0.parquet",
            DatasetId("o/n", "refs/convert/parquet", file="a/0.parquet", host="hf.co"),
        ),
        (
            "https://hf.co/datasets/o/n/blob/refs/convert/parquet/a/0.parquet",
            DatasetId("o/n", "refs/convert/parquet", file="a/0.parquet", host="hf.co"),
        ),
        (
            "http:/127.0.0.1:80/datasets/o/n/tree/main/data/en",
            DatasetId("o/n", "main", folder="data/en", host="127.0.0.1:80"),
        ),
        ("https://hf.co/datasets/o/n/discussions/4", DatasetId("o/n", host="hf.co")),
    ],
)
def test_what_is_written(text, means) -> None:
    assert parse_dataset_id(text) == means and is_dataset_id(text)


def test_what_is_a_path(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in (
        "spam.csv",
        "data/spam.csv",
        "./a/b",
        "/a/b",
        "~/a/b",
        "a/b/c",
        "C:\\a\\b",
        "a b",
        "",
        "خوب",
        "https://hf.co/owner/name",
        "x" * 2000,
    ):
        assert not is_dataset_id(text), text
    assert is_dataset_id("owner/name")
    (tmp_path / "owner").mkdir()
    polars.DataFrame({"a": [1]}).write_csv(tmp_path / "owner" / "name")
    assert not is_dataset_id("owner/name") and is_dataset_id("datasets/owner/name")


def test_asking_costs_nothing() -> None:
    code = (
        "import sys; from lora_hub.hub.dataset import is_dataset_id; assert is_dataset_id('owner/name'); "
        "print(*sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    ).stdout.split()
    assert not {"datasets", "huggingface_hub", "polars", "pyarrow", "torch"} & set(found)
