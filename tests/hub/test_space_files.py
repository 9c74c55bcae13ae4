"""Which files a Space gets, and what of its owner's is kept in two of them."""

import shutil
import subprocess
from pathlib import Path

import pytest

from lora_hub.core.errors import LoraHubError
from lora_hub.hub import project_files
from lora_hub.hub.space.card import add_scope, merge_card, merge_requirements

ROOT = Path(__file__).resolve().parents[2]
STRAYS = {
    ".env": "HF_TOKEN=hf_planted",
    "accounts.json": "{}",
    "token": "hf_planted",
    "hub/store.db": "x",
    "notes.py": "x",
    "data.csv": "text,label",
    "lora_hub/data.csv": "text,label",
    "lora_hub/.env": "x",
    "lora_hub/accounts.yaml": "x",
    "lora_hub/catalogue/tasks/samples/customers.csv": "text,label",
    "lora_hub/built_in/model/optimizer.safetensors": "x",
    "lora_hub/.venv/lib/__init__.py": "x",
    "lora_hub/venv/lib/python3.11/site-packages/stolen.py": "x",
    "lora_hub/__pycache__/x.py": "x",
    ".venv/lib/x.py": "x",
    "spaces/secret.txt": "x",
    "tests/test_x.py": "x",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of this repository's files with those of other people's in it, and links to outside."""
    copy, outside = tmp_path / "repository", tmp_path / "outside"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    if not tracked:
        pytest.skip("this is no git checkout")
    for path in tracked:
        if not path.startswith("tests/"):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, copy / path)
    for path, text in STRAYS.items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(text)
    outside.mkdir()
    (outside / "__init__.py").write_text("SECRET = 1")
    (copy / "lora_hub" / "linked").symlink_to(outside)
    (copy / "lora_hub" / "core" / "link.py").symlink_to(outside / "__init__.py")
    return copy


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)


def test_without_git_only_the_projects_own_kinds_in_its_own_places_travel(checkout: Path) -> None:
    found = project_files(checkout)
    assert not found.tracked and found.left == ("lora_hub/core/link.py",)
    assert not set(found.paths) & set(STRAYS) and not [path for path in found.paths if "link" in path]
    assert {"app.py", "lora_hub/hub/space/files.py", "lora_hub/catalogue/tasks/samples/spam.csv"} <= set(found.paths)
    assert found.bytes == sum((checkout / path).stat().st_size for path in found.paths)
    assert found.holding(["", "LORA_HUB_SERVICE_TOKEN = never"]) == [] and "app.py" in found.holding(['main(["app"])'])


def test_with_git_only_what_it_tracks_travels(checkout: Path) -> None:
    before = set(project_files(checkout).paths)
    (checkout / "lora_hub" / "core" / "private.py").write_text("TOKEN = 'hf_mine'")
    git(checkout, "init", "-q")
    git(checkout, "add", "app.py", "requirements.txt", "README.md", "lora_hub/hub", "lora_hub/__init__.py")
    git(checkout, "add", "-f", "lora_hub/core", ".env", "data.csv")
    git(checkout, "rm", "-q", "--cached", "lora_hub/core/private.py")
    found = project_files(checkout)
    assert found.tracked and set(found.paths) < before
    assert {path.split("/")[1] for path in found.paths if "/" in path} == {"__init__.py", "core", "hub"}
    assert {"lora_hub/core/private.py", "lora_hub/core/link.py"} <= set(found.left)


def test_every_file_of_the_package_has_a_kind_that_travels(checkout: Path) -> None:
    """Whoever adds a file of a new kind adds a line to OURS, or the Space would lack it."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    needed = {path for path in tracked if path.startswith("lora_hub/") and "/making/" not in path}
    assert needed - set(project_files(checkout).paths) == set()


def test_a_folder_without_the_app_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoraHubError, match="is no checkout of LoRA Hub: it has no app.py. Deploy from a checkout"):
        project_files(tmp_path)


CARD = "---\ntitle: LoRA Hub\nsdk: gradio\nsdk_version: 6.31.0\nhf_oauth_scopes:\n  - read-repos\n---\n\n# The app\n"


def test_what_the_owner_set_in_the_card_stays_and_what_the_code_needs_is_ours() -> None:
    theirs = (
        "---\ntitle: Our trainer\nsdk: gradio\nsdk_version: 5.0.0\nhf_oauth_authorized_org: ours\n"
        "hf_oauth_scopes: [read-repos, email]\n---\n# Old\n"
    )
    merged, kept = merge_card(CARD, theirs, is_edited=True)
    assert kept == {
        "title": "Our trainer",
        "hf_oauth_authorized_org": "ours",
        "hf_oauth_scopes": ["read-repos", "email"],
    }
    assert "sdk_version: 6.31.0" in merged and merged.endswith("---\n\n# The app\n") and "# Old" not in merged
    # the next version of ours, with the Space's README as it was deployed: theirs is still known, all else is new
    newer = CARD.replace("title: LoRA Hub", "title: LoRA Hub\nemoji: X").replace("6.31.0", "7.0.0")
    newer = newer.replace("  - read-repos", "  - read-repos\n  - jobs")
    again, kept = merge_card(newer, merged, is_edited=False)
    assert kept["title"] == "Our trainer" and kept["hf_oauth_scopes"] == ["read-repos", "jobs", "email"]
    assert "emoji: X" in again and "7.0.0" in again
    # nothing of theirs: our own text, byte for byte; and what cannot be read is replaced
    for there in (CARD.replace("title: LoRA Hub", "title: An older one"), "---\n[\n---\n", "no card"):
        assert merge_card(CARD, there, is_edited=False) == (CARD, {})


def test_a_permission_is_added_once() -> None:
    more = add_scope(CARD, "jobs")
    assert "- read-repos\n- jobs\n" in more and add_scope(more, "jobs") == more
    assert merge_card(CARD, more, is_edited=False)[1] == {"hf_oauth_scopes": ["read-repos", "jobs"]}


def test_packages_that_the_owner_added_stay() -> None:
    ours = "# pinned\ntorch==2.13.0\ngradio[oauth]==6.31.0\n"
    merged, added = merge_requirements(ours, "torch==2.0\nbitsandbytes==0.50\n-r other.txt\n", is_edited=True)
    assert added == ["bitsandbytes==0.50"] and merged.startswith(ours)
    assert merge_requirements(ours, merged, is_edited=False) == (merged, added)
    # a package that we no longer ask for is no addition of theirs
    assert merge_requirements(ours, ours + "ftfy==6\n", is_edited=False) == (ours, [])
