"""The embedded Hub's community features: pull requests, discussions, gates, collections, and squashed histories."""

import json
import uuid
from collections.abc import Callable

import pytest
from test_local_hub import TOKENS, Server, _client, new_repo, server  # noqa: F401


def test_a_stranger_opens_a_pull_request_and_an_owner_merges_it(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    from huggingface_hub import CommitOperationAdd
    from huggingface_hub.errors import HfHubHTTPError

    repo, carol, alice = new_repo(), server.api("carol"), server.api()
    alice.upload_file(repo_id=repo, path_in_repo="kept.txt", path_or_fileobj=b"kept")
    made = carol.create_commit(
        repo,
        [CommitOperationAdd("new.bin", b"weights"), CommitOperationAdd("a.txt", b"a")],
        commit_message="Better weights",
        commit_description="They are better.",
        create_pr=True,
    )
    assert made.pr_num == 1 and made.pr_url == f"{server.url}/{repo}/discussions/1"
    assert "new.bin" not in alice.list_repo_files(repo) and "new.bin" in alice.list_repo_files(
        repo, revision="refs/pr/1"
    )
    carol.upload_file(repo_id=repo, path_in_repo="b.txt", path_or_fileobj=b"b", revision="refs/pr/1")
    with pytest.raises(HfHubHTTPError) as refused:
        server.api("bob").upload_file(repo_id=repo, path_in_repo="b.txt", path_or_fileobj=b"x", revision="refs/pr/1")
    assert refused.value.response.status_code == 403
    with pytest.raises(HfHubHTTPError):
        carol.merge_pull_request(repo, 1)
    alice.upload_file(repo_id=repo, path_in_repo="meanwhile.txt", path_or_fileobj=b"meanwhile")
    alice.comment_discussion(repo, 1, "thanks")
    alice.merge_pull_request(repo, 1)
    assert {"kept.txt", "meanwhile.txt", "new.bin", "a.txt", "b.txt"} <= set(alice.list_repo_files(repo))
    told = alice.get_discussion_details(repo, 1)
    assert (told.status, told.author, told.title, told.target_branch) == (
        "merged",
        "carol",
        "Better weights",
        "refs/heads/main",
    )
    assert told.merge_commit_oid == alice.model_info(repo).sha and told.conflicting_files == []
    assert [event.type for event in told.events] == ["comment", "commit", "commit", "comment", "status-change"]
    with pytest.raises(HfHubHTTPError):
        carol.upload_file(repo_id=repo, path_in_repo="late.txt", path_or_fileobj=b"x", revision="refs/pr/1")
    assert [ref.ref for ref in alice.list_repo_refs(repo, include_pull_requests=True).pull_requests] == ["refs/pr/1"]


def test_conflicts_are_named_and_refused(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo, api = new_repo(), server.api()
    api.upload_file(repo_id=repo, path_in_repo="a.txt", path_or_fileobj=b"1")
    api.upload_file(repo_id=repo, path_in_repo="a.txt", path_or_fileobj=b"2", create_pr=True)
    assert api.get_discussion_details(repo, 1).conflicting_files == []
    api.upload_file(repo_id=repo, path_in_repo="a.txt", path_or_fileobj=b"3")
    assert api.get_discussion_details(repo, 1).conflicting_files == ["a.txt"]
    with pytest.raises(Exception, match="a.txt changed on both sides"):
        api.merge_pull_request(repo, 1)
    assert server.fetch(f"/{repo}/resolve/main/a.txt")[2] == b"3"


def test_discussions(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo, api, carol = new_repo(), server.api(), server.api("carol")
    asked = carol.create_discussion(repo, "How good is it?", description="Tell me.")
    event = api.comment_discussion(repo, asked.num, "Very.")
    api.edit_discussion_comment(repo, asked.num, event.id, "Quite.")
    with pytest.raises(Exception, match="403"):
        carol.edit_discussion_comment(repo, asked.num, event.id, "Not.")
    carol.rename_discussion(repo, asked.num, "How good is it really?")
    carol.change_discussion_status(repo, asked.num, "closed")
    told = api.get_discussion_details(repo, asked.num)
    assert [e.content for e in told.events if e.type == "comment"] == ["Tell me.", "Quite."]
    assert (told.title, told.status, told.author) == ("How good is it really?", "closed", "carol")
    with pytest.warns(UserWarning, match="irreversible"):
        hidden = api.hide_discussion_comment(repo, asked.num, event.id)
    assert hidden.hidden and hidden.content == "" and "Quite" not in json.dumps(hidden.edit_history)
    assert [d.num for d in api.get_repo_discussions(repo, author="carol", discussion_status="closed")] == [1]
    assert list(api.get_repo_discussions(repo, discussion_type="pull_request")) == []
    private = new_repo(private=True)
    with pytest.raises(Exception, match="404"):
        carol.create_discussion(private, "May I see it?")


def test_gates_open_for_those_who_were_let_in(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo, api, carol = new_repo(), server.api(), server.api("carol")
    api.upload_file(repo_id=repo, path_in_repo="w.bin", path_or_fileobj=b"weights")
    api.update_repo_settings(repo, gated="manual")
    path = f"/{repo}/resolve/main/w.bin"
    assert carol.model_info(repo).gated == "manual"
    for token, status in (("", 401), (TOKENS["carol"], 403), (TOKENS["alice"], 200)):
        answer = server.fetch(path, token=token)
        assert answer[0] == status and (status == 200 or answer[1]["x-error-code"] == "GatedRepo")
    assert server.fetch(f"/{repo}/ask-access", method="POST", body=b"{}", token=TOKENS["carol"])[0] == 200
    assert [request.username for request in api.list_pending_access_requests(repo)] == ["carol"]
    with pytest.raises(Exception, match="403"):
        list(carol.list_pending_access_requests(repo))
    api.accept_access_request(repo, "carol")
    assert server.fetch(path, token=TOKENS["carol"])[2] == b"weights"
    carol.auth_check(repo)
    api.reject_access_request(repo, "carol", rejection_reason="no")
    assert server.fetch(path, token=TOKENS["carol"])[0] == 403
    api.update_repo_settings(repo, gated="auto")
    assert server.fetch(f"/{repo}/ask-access", method="POST", body=b"{}", token=TOKENS["bob"])[0] == 200
    assert server.fetch(path, token=TOKENS["bob"])[2] == b"weights"


def test_collections_show_only_what_the_reader_may_see(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    api, public, private = server.api(), new_repo(), new_repo(private=True)
    made = api.create_collection("Spam & ham", namespace="lora-hub", description="both")
    api.add_collection_item(made.slug, public, "model", note="the open one")
    api.add_collection_item(made.slug, private, "model")
    assert [item.item_id for item in api.get_collection(made.slug).items] == [public, private]
    assert [item.item_id for item in server.api("carol").get_collection(made.slug).items] == [public]
    with pytest.raises(Exception, match="403"):
        server.api("carol").add_collection_item(made.slug, public, "model")
    api.update_collection_metadata(made.slug, private=True, title="Ham")
    assert made.slug not in [c.slug for c in server.api("carol").list_collections(owner="lora-hub")]
    assert [c.title for c in api.list_collections(owner="lora-hub", item=f"models/{public}")] == ["Ham"]
    assert server.fetch(f"/api/collections/{made.slug}")[0] == 404
    persian = api.create_collection("نمونه‌ها", namespace="lora-hub")
    assert api.get_collection(persian.slug).title == "نمونه‌ها"
    api.delete_collection(persian.slug)
    assert server.fetch(f"/api/collections/{persian.slug}")[0] == 404


@pytest.mark.parametrize(
    ("asked", "private"),
    [
        ({"visibility": "private"}, True),
        ({"visibility": "protected"}, True),
        ({"private": True}, True),
        ({"private": False}, False),
        ({}, False),
    ],
)
def test_what_is_asked_to_be_private_is(server: Server, asked: dict, private: bool) -> None:  # noqa: F811
    """By this client, or by an older one; the source of a protected Space is nobody else's, either."""
    body = json.dumps(
        {"name": f"seen-{uuid.uuid4().hex}", "organization": "lora-hub", "type": "space", "sdk": "static"} | asked
    ).encode()
    status, _, answer = server.fetch("/api/repos/create", method="POST", body=body, token=TOKENS["alice"])
    assert status == 200 and server.api().space_info(json.loads(answer)["name"]).private is private


def test_a_squashed_branch_keeps_its_files(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    repo, api = new_repo(), server.api()
    for n in range(3):
        last = api.upload_file(repo_id=repo, path_in_repo=f"{n}.txt", path_or_fileobj=b"x")
    api.super_squash_history(repo, commit_message="One")
    assert [commit.title for commit in api.list_repo_commits(repo)] == ["One"]
    assert {"0.txt", "1.txt", "2.txt"} <= set(api.list_repo_files(repo))
    assert api.model_info(repo, revision=last.oid).sha == last.oid  # what someone pinned stays


def test_a_browser_gets_a_page_where_a_client_gets_json(server: Server) -> None:  # noqa: F811
    status, headers, body = server.fetch("/lora-hub/no<b>where", Accept="text/html")
    assert status == 404 and headers["content-type"].startswith("text/html") and b"<h1>404</h1>" in body
    assert json.loads(server.fetch("/lora-hub/nowhere")[2])["error"] == "Repository not found"
