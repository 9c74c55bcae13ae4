"""What was published is deleted: an older version or the whole repo, as whoever asks."""

from pathlib import Path

import pytest
from huggingface_hub import HfApi
from persian import refused
from sample_adapters import ORG, publish

from lora_hub import hub as hubs
from lora_hub import use_cases
from lora_hub.core.errors import AdapterError, HubError
from lora_hub.people import LOCAL, Person


def test_an_older_version_or_the_whole_repo(tmp_path: Path, hub) -> None:
    api, name = HfApi(), "to-be-deleted"
    for seed in range(3):
        publish(tmp_path, name, seed=seed)
    planned = use_cases.plan_deletion(LOCAL, name, "v2")
    assert (planned.repo_id, planned.goes, planned.stays) == (f"{ORG}/{name}", ("v2",), ("v3", "v1"))
    assert use_cases.plan_deletion(LOCAL, name).goes == ("v3", "v2", "v1")
    assert [one.tag for one in hubs.list_versions(name)] == ["v3", "v2", "v1"], "a plan changes nothing"

    assert use_cases.delete_adapter(LOCAL, name, "v2") == planned
    assert [one.tag for one in hubs.list_versions(name)] == ["v3", "v1"]
    with refused(AdapterError, match="no version 'v2'"):
        hubs.fetch_record(name, "v2")
    # Its number is not given again, and what everybody gets by the repo's name is not taken away under them.
    assert publish(tmp_path, name, seed=4).versions == ("v4", "v3", "v1")
    with refused(HubError, match="v4 is the newest version"):
        use_cases.delete_adapter(LOCAL, name, "v4")
    first = next(one for one in hubs.list_versions(name) if one.tag == "v1")
    api.create_tag(f"{ORG}/{name}", tag="production", revision=first.commit)
    with refused(HubError, match="v1 of lora-hub/to-be-deleted is the one in production"):
        use_cases.delete_adapter(LOCAL, name, "v1")
    for wrong in ("v9", "main", "production", first.commit):
        with refused(AdapterError, match="has no version"):
            use_cases.delete_adapter(LOCAL, name, wrong)

    assert use_cases.delete_adapter(LOCAL, f"{ORG}/{name}").goes == ("production", "v4", "v3", "v1")
    with refused(AdapterError, match="There is no adapter"):
        use_cases.delete_adapter(LOCAL, name)
    assert f"{ORG}/{name}" not in [ref.repo_id for ref in hubs.list_adapters()]


def test_what_others_made_is_not_ours_to_delete(tmp_path: Path, hub) -> None:
    api, repo_id = HfApi(), f"{ORG}/somebodys-model"
    api.create_repo(repo_id, exist_ok=True)
    api.upload_file(repo_id=repo_id, path_in_repo="config.json", path_or_fileobj=b"{}")
    with refused(HubError, match="not an adapter that LoRA Hub published"):
        use_cases.delete_adapter(LOCAL, repo_id)
    ref = publish(tmp_path, "kept-from-others")
    # The token is theirs, not the app's, and the Hub of this test takes the app's only.
    will = Person(id="will", roles={ORG: "write"}, token="hf_of_nobody")
    with refused((HubError, AdapterError)):
        use_cases.delete_adapter(will, ref.repo_id)
    assert api.repo_exists(repo_id) and [one.tag for one in hubs.list_versions(ref.repo_id)] == ["v1"]


@pytest.mark.parametrize("name", ["../x", "a/b/c", "", "no spaces"])
def test_a_name_that_can_be_no_repo(name: str, hub) -> None:
    with refused((AdapterError, HubError)):
        use_cases.delete_adapter(LOCAL, name)
