"""Stands in for the conftest that the client's source distribution leaves out: fixtures, markers, and the tests left
out.

run.py lays it beside them as conftest.py, with left_out.yaml. LORA_HUB_SUITE_URL is the server under test.
A test that left_out.yaml says fails is run all the same and must not pass, so that the list stays true; what is marked
as needing another server or another tool (production, Xet, git-lfs, inference) is deselected.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

ELSEWHERE = {"production", "xet", "git_lfs", "inference"}
MOCKED = "TestUploadFolderMocked"  # is marked xet, and sends nothing anywhere

from . import testing_constants, testing_utils  # noqa: E402

testing_constants.ENDPOINT_STAGING = os.environ["LORA_HUB_SUITE_URL"]

from huggingface_hub import HfApi, RepoUrl, constants  # noqa: E402

RepoFactory = Callable[..., RepoUrl]


def left_out() -> dict[str, dict[str, str]]:
    """Under `fails` and `not_run`: test id, or the beginning of some, to the reason."""
    return yaml.safe_load(Path(__file__).with_name("left_out.yaml").read_text(encoding="utf-8"))


def pytest_configure(config: pytest.Config) -> None:
    for name in ("api", "transfer", "no_xet", "deprecated", "vcr", *ELSEWHERE):
        config.addinivalue_line("markers", f"{name}: a marker of the client's tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left = left_out()
    away = [
        item for item in items if ELSEWHERE & {mark.name for mark in item.iter_markers()} and MOCKED not in item.nodeid
    ]
    away += [item for item in items if item.nodeid.removeprefix("tests/") in left["not_run"]]
    items[:] = [item for item in items if item not in away]
    config.hook.pytest_deselected(items=away)
    for item in items:
        id = item.nodeid.removeprefix("tests/")
        for start, reason in left["fails"].items():
            if id == start or id.startswith((f"{start}::", f"{start}[")):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.fixture(scope="session")
def api() -> HfApi:
    return HfApi(endpoint=testing_constants.ENDPOINT_STAGING, token=testing_constants.TOKEN)


@pytest.fixture(scope="class")
def repo_factory(api: HfApi) -> Iterator[RepoFactory]:
    """Makes repositories and deletes them when the class is done."""
    made: list[tuple[str, str, str | None]] = []

    def make(
        repo_type: str = "model", *, repo_id: str | None = None, token: str | None = None, **options: object
    ) -> RepoUrl:
        url = api.create_repo(repo_id or testing_utils.repo_name(), repo_type=repo_type, token=token, **options)
        made.append((url.repo_id, repo_type, token))
        return url

    yield make
    for id, repo_type, token in made:
        api.delete_repo(id, repo_type=repo_type, token=token, missing_ok=True)


@pytest.fixture(autouse=True)
def _own_cache(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No token is stored, and nothing that another test downloaded is there."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
    monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(cache / "stored_tokens"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache / "hub"))


@pytest.fixture
def new_repo_id(api: HfApi) -> Iterator[str]:
    """A name that nobody has; what the test makes of it is deleted."""
    id = f"{testing_constants.USER}/{testing_utils.repo_name()}"
    yield id
    api.delete_repo(id, missing_ok=True)


@pytest.fixture
def runner() -> object:
    from typer.testing import CliRunner

    return CliRunner()
