"""The organization's repo of votes, on a team's Hub: each person's file is their own, whoever else writes to it."""

import threading
from collections.abc import Iterator

import pytest
from huggingface_hub import HfApi, constants
from persian import refused
from test_hub_rights import token_of, write_accounts
from test_local_hub import Server, start_server

from lora_hub import hub as hubs
from lora_hub.core.errors import HubError
from lora_hub.hub import vote_files
from lora_hub.people import Person

REPO = "team/lora-hub-votes"


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("team")
    write_accounts(folder / "accounts.json")
    server = start_server(folder / "hub", "--accounts", str(folder / "accounts.json"), "--upstream", "off")
    yield server
    server.kill()
    assert "Traceback" not in server.log and "hf_secret" not in server.log


@pytest.fixture
def at(team: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, team.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", team.url)
    monkeypatch.setenv("LORA_HUB_ORG", "team")
    yield team.url
    api = HfApi(team.url, token_of("ann"))
    api.delete_repo(REPO, repo_type="dataset", missing_ok=True)


def as_person(name: str):
    return hubs.acting_as(Person(id=name, token=token_of(name), roles={"team": "write"}))


def add(line: bytes):
    return lambda there: there if line in there else there + line


def test_each_writes_their_own_file_and_all_are_read(at: str) -> None:
    with as_person("rita"):
        assert hubs.read_votes() == {}, "there is no repo yet"
        with refused(HubError, match="may only read"):
            hubs.write_votes(add(b"1\n"))
    for name, line in (("will", b"1\n"), ("ann", b"2\n"), ("will", b"3\n"), ("will", b"3\n")):
        with as_person(name):
            hubs.write_votes(add(line))
    api = HfApi(at, token_of("ann"))
    assert api.repo_info(REPO, repo_type="dataset").private
    assert len(api.list_repo_commits(REPO, repo_type="dataset")) <= 5, "what is the same makes no commit"
    with as_person("rita"):
        assert hubs.read_votes() == {"will": b"1\n3\n", "ann": b"2\n"}
    with as_person("stella"):
        assert hubs.read_votes() == {}, "one who is no member sees no repo"
    with as_person("will"):
        hubs.remove_votes()
        assert hubs.read_votes() == {"ann": b"2\n"}
        hubs.remove_votes()


def test_what_another_wrote_into_a_file_counts_for_nobody(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with as_person("ann"):
        hubs.write_votes(add(b"hers\n"))
    forger = HfApi(at, token_of("will"))

    def put(path: str, content: bytes) -> None:
        forger.upload_file(path_or_fileobj=content, path_in_repo=path, repo_id=REPO, repo_type="dataset")

    put("votes/ann.jsonl", b"hers\nforged\n")
    put("votes/cora.jsonl", b"forged\n")
    put("votes/deep/will.jsonl", b"odd\n")
    with as_person("rita"):
        assert hubs.read_votes() == {}
    with as_person("ann"):
        hubs.write_votes(add(b"hers again\n"))
        assert hubs.read_votes() == {"ann": b"hers again\n"}, "nothing of what another wrote is taken over"
        monkeypatch.setattr(vote_files, "MOST_BYTES", 5)
        assert hubs.read_votes() == {}
    HfApi(at, token_of("ann")).update_repo_settings(REPO, repo_type="dataset", private=False)
    with as_person("will"), refused(HubError, match="is public, and votes are for"):
        hubs.write_votes(add(b"x\n"))


def test_two_who_write_at_once_both_count(at: str) -> None:
    """Each reads the repo's head before the other has written: the later commit is refused, and made again."""
    with as_person("ann"):
        hubs.write_votes(add(b"0\n"))
    both = threading.Barrier(2, timeout=30)
    tries: dict[str, int] = {"ann": 0, "will": 0}

    def write(name: str) -> None:
        def merge(there: bytes) -> bytes:
            tries[name] += 1
            if tries[name] == 1:
                both.wait()
            return add(b"1\n")(there)

        with as_person(name):
            hubs.write_votes(merge)

    threads = [threading.Thread(target=write, args=(name,)) for name in tries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with as_person("rita"):
        assert hubs.read_votes() == {"ann": b"0\n1\n", "will": b"1\n"}
    assert sorted(tries.values()) == [1, 2]
