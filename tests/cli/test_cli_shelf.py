"""`adapters`, `collections` and `unpublish` in the shell."""

import json
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from sample_adapters import publish

from lora_hub import cli


def tell(capsys: pytest.CaptureFixture, *words: str, expect: int = 0) -> dict:
    assert cli.main([*words, "--json"]) == expect
    return json.loads(capsys.readouterr().out)


def test_the_shelf_in_the_shell(tmp_path: Path, hub, capsys: pytest.CaptureFixture) -> None:
    name = publish(tmp_path, "shelf-of-the-shell").repo_id

    def listed(*words: str) -> list[str]:
        return [one["repo_id"] for one in tell(capsys, "adapters", *words)["adapters"]]

    found = tell(capsys, "adapters", "--search", "of shell", "--min-score", "90", "--max-size", "1", "--sort", "score")
    (one,) = found["adapters"]
    owner = HfApi().whoami()["name"]
    assert (one["repo_id"], one["owner"], one["languages"]) == (name, owner, []) and one["size"] > 100
    assert name in listed("--owner", owner) and name not in listed("--data-language", "fa")
    assert listed("--search", "of shell", "--min-score", "99") == []
    assert tell(capsys, "adapters", "--max-size", "nan", expect=2)["error"]["message"].startswith("max_mb is nan")
    assert cli.main(["adapters", "--search", "nothing-is-called-so"]) == 0
    assert "is as you asked" in capsys.readouterr().out

    # A collection by its title, then by its slug.
    (made,) = tell(capsys, "collections", "add", "Of the shell", "--adapter", "shelf-of-the-shell")["collections"]
    assert made["adapters"] == [name] and listed("--collection", made["slug"]) == [name]
    assert made["slug"] in [one["slug"] for one in tell(capsys, "collections")["collections"]]
    assert tell(capsys, "collections", "show", made["slug"])["collections"] == [made]
    tell(capsys, "collections", "add", made["slug"], expect=2)

    # Nothing goes before what depends on it is told.
    for words in (("unpublish", name), ("delete", "adapter", name)):
        told = tell(capsys, *words, expect=1)["error"]
        assert told["message"].startswith("Nothing was ") and "In these collections: Of the shell." in told["hint"]
    assert tell(capsys, "unpublish", name, "--yes")["collections"] == ["Of the shell"]
    assert name not in listed() and listed("--unpublished") == [name] and HfApi().model_info(name).private
    assert cli.main(["unpublish", name, "--undo"]) == 0 and f"{name} is on the shelf again" in capsys.readouterr().out
    assert name in listed() and not HfApi().model_info(name).private
    assert tell(capsys, "collections", "remove", made["slug"], "--adapter", name)["collections"][0]["adapters"] == []
    HfApi().delete_collection(made["slug"])
