"""The embedded Hub's Spaces, set up through the client; none ever claims to run."""

import json
from collections.abc import Callable

import pytest
from test_local_hub import TOKENS, Server, _client, new_repo, server  # noqa: F401

NOWHERE = "where/nothing-is"


def test_a_space_is_created_with_all_that_create_repo_takes(server: Server) -> None:  # noqa: F811
    api, name = server.api(), "lora-hub/whole"
    api.create_repo(
        name,
        repo_type="space",
        space_sdk="gradio",
        space_hardware="t4-small",
        space_sleep_time=600,
        space_secrets=[{"key": "HF_TOKEN", "value": "hf_secret_value", "description": "for publishing"}],
        space_variables=[{"key": "LORA_HUB_ORG", "value": "lora-hub"}],
    )
    runtime = api.get_space_runtime(name)
    assert (runtime.stage, runtime.hardware, runtime.requested_hardware) == ("STOPPED", None, "t4-small")
    assert (runtime.sleep_time, runtime.storage, runtime.dev_mode, runtime.volumes) == (600, None, False, None)
    secret = api.get_space_secrets(name)["HF_TOKEN"]
    assert secret.description == "for publishing" and secret.updated_at is not None
    assert api.get_space_variables(name)["LORA_HUB_ORG"].value == "lora-hub"
    assert api.space_info(name).sdk == "gradio"


def test_stage_hardware_sleep_pause_and_restart(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    api, name = server.api(), new_repo(repo_type="space", space_sdk="gradio")
    assert api.wait_for_space(name, timeout=5).stage == "STOPPED"
    assert api.space_info(name).runtime.stage == api.space_info(name, expand=["runtime"]).runtime.stage == "STOPPED"
    asked = api.request_space_hardware(name, "l4x1", sleep_time=900)
    assert (asked.requested_hardware, asked.hardware, asked.sleep_time) == ("l4x1", None, 900)
    assert api.set_space_sleep_time(name, 1200).sleep_time == 1200
    assert api.pause_space(name).stage == "PAUSED"
    assert api.get_space_runtime(name).requested_hardware == "l4x1"
    for factory in (False, True):
        api.pause_space(name)
        assert api.restart_space(name, factory_reboot=factory).stage == "STOPPED"
    api.pause_space(name)
    assert api.set_space_sleep_time(name, 60).stage == "PAUSED"


def test_secrets_only_go_in_and_variables_come_back(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    api, name = server.api(), new_repo(repo_type="space", space_sdk="gradio")
    api.add_space_secret(name, "KEY", "the-secret-of-this-test", description="a key")
    assert api.add_space_variable(name, "MODEL", "a/b", description="which")["MODEL"].description == "which"
    assert api.add_space_variable(name, "MODEL", "c/d")["MODEL"].value == "c/d"
    assert list(api.get_space_secrets(name)) == ["KEY"]
    answer = server.fetch(f"/api/spaces/{name}/secrets", token=TOKENS["alice"])[2]
    assert json.loads(answer)["KEY"].keys() == {"updatedAt", "description"}
    assert not any(
        b"the-secret-of-this-test" in file.read_bytes() for file in server.folder.rglob("*") if file.is_file()
    )
    api.add_space_variable(name, "EMPTY", "")
    assert api.get_space_variables(name)["EMPTY"].value == "" and api.delete_space_variable(name, "EMPTY").keys() == {
        "MODEL"
    }
    api.delete_space_secret(name, "missing")
    api.delete_space_secret(name, "KEY")
    assert api.get_space_secrets(name) == {} and api.delete_space_variable(name, "MODEL") == {}
    for key, value in ((1, "x"), ("A", {"not": "a text"}), (None, "x"), (None, None)):
        with pytest.raises(Exception, match="has a key and a value, both texts"):
            api.add_space_variable(name, key, value)
    with pytest.raises(Exception, match="has a key and a value, both texts"):
        api.create_repo("lora-hub/odd-secrets", repo_type="space", space_sdk="gradio", space_secrets=["KEY"])
    assert not api.repo_exists("lora-hub/odd-secrets", repo_type="space")
    assert server.fetch(f"/api/spaces/{name}/variables", token=TOKENS["bob"])[0] == 200


def test_who_may_and_what_is_no_space(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    from huggingface_hub import Volume

    name, model, bob = new_repo(repo_type="space", space_sdk="gradio"), new_repo(), server.api("bob")
    for attempt in (
        lambda: bob.get_space_secrets(name),
        lambda: bob.add_space_secret(name, "KEY", "x"),
        lambda: bob.add_space_variable(name, "KEY", "x"),
        lambda: bob.request_space_hardware(name, "t4-small"),
        lambda: bob.pause_space(name),
        lambda: bob.restart_space(name),
    ):
        with pytest.raises(Exception, match="403"):
            attempt()
    assert bob.get_space_runtime(name).stage == "STOPPED"
    for nothing in (NOWHERE, model):
        with pytest.raises(Exception, match="404"):
            server.api().get_space_runtime(nothing)
    with pytest.raises(Exception, match="404"):
        server.api().create_repo(
            "lora-hub/with-volume",
            repo_type="space",
            space_sdk="gradio",
            space_volumes=[Volume(type="bucket", source="lora-hub/missing", mount_path="/m")],
        )
    assert not server.api().repo_exists("lora-hub/with-volume", repo_type="space")


def test_storage_is_a_private_bucket_at_a_place(server: Server, new_repo: Callable[..., str]) -> None:  # noqa: F811
    from huggingface_hub import Volume

    api, name = server.api(), new_repo(repo_type="space", space_sdk="gradio")
    bucket = f"{name}-data"
    assert api.create_bucket(bucket, private=True).bucket_id == bucket
    assert api.create_bucket(bucket, exist_ok=True).bucket_id == bucket
    assert (api.bucket_info(bucket).private, api.bucket_info(bucket).size) == (True, 0)
    with pytest.raises(Exception, match="404"):
        server.api("carol").bucket_info(bucket)
    with pytest.raises(Exception, match="403"):
        server.api("bob").create_bucket("lora-hub/bobs")
    volumes = [Volume(type="bucket", source=bucket, mount_path="/data"), Volume(source="a/b", mount_path="/m")]
    api.set_space_volumes(name, volumes)
    assert [one.to_dict() for one in api.get_space_runtime(name).volumes] == [one.to_dict() for one in volumes]
    for odd in (
        Volume(type="bucket", source=bucket, mount_path="data"),
        Volume(type="disk", source="a", mount_path="/"),
    ):
        with pytest.raises(Exception, match="A volume has a type"):
            api.set_space_volumes(name, [odd])
    with pytest.raises(Exception, match="same mountPath"):
        api.set_space_volumes(name, volumes[:1] * 2)
    api.delete_space_volumes(name)
    assert api.get_space_runtime(name).volumes is None
    with pytest.raises(Exception, match="no volumes"):
        api.delete_space_volumes(name)
