"""README is true: its examples are valid, its commands run, the files and variables that it names exist.

The blocks of shell commands are run in order, in a folder where the files that they name lie; whoever writes another
command there adds what it needs to FILES, or the test says that it is not run.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from small_data import sentiment_rows, write_csv
from test_cli import run_here

from lora_hub.catalogue.tasks.catalogue import task_from_dict
from lora_hub.runs import pipeline

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BODY = TEXT.split("\n---\n", 1)[1]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", BODY, re.M | re.S)
COMMAND = "python -m lora_hub "
# Served until they are ended, or for a real Hub, or for one with jobs: tested by test_local_hub_accounts,
# test_cli_deploy and test_hf_jobs.
NOT_RUN = re.compile(
    r"python -m lora_hub (?:hub --port|deploy |train .*--hardware)|make |docker |hf |export |HF_\w+=|LORA_HUB_\w+=|pip "
)
# These ask no Hub, so they need no process that knows which is theirs.
LOCAL = ("tasks", "bases", "inspect", "runs", "datasets", "hub")


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def commands() -> list[str]:
    """Every command of the blocks without a language or of a shell, and of code inside the text, in order."""
    lines = [
        line.split("  #")[0].strip()
        for language, text in BLOCKS
        if language in ("", "sh", "bash")
        for line in text.splitlines()
    ]
    inline = re.findall(r"`(python (?:-m lora_hub|spaces/)[^`]*)`", BODY)
    return [line for line in [*lines, *inline] if re.match(r"(python|make|hf|pip|export|[A-Z_]+=)\b", line)]


def test_yaml_blocks_are_what_they_say(tmp_path: Path) -> None:
    """The task of one's own and the pipeline."""
    found = blocks("yaml")
    tasks = [yaml.safe_load(text) for text in found if "instruction:" in text]
    assert tasks and all(task_from_dict(task).id for task in tasks)
    assert task_from_dict(tasks[0]).instruction.en.endswith("?")
    pipelines = [yaml.safe_load(text) for text in found if "tasks:" in text]
    assert pipelines
    for text in pipelines:
        made = pipeline.make_pipeline(text, tmp_path)
        assert len(made.entries) >= 2
    assert len(tasks) + len(pipelines) == len(
        [text for text in found if "users:" not in text and "organizations:" not in text]
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the commands' files and ids stand for."""
    import openpyxl

    rows = sentiment_rows(90)
    spam = [(text, "ham" if label == "good" else "spam") for text, label in rows]
    write_csv(tmp_path / "messages.csv", [(label, text) for text, label in [*spam, *spam[:3]]], ("v1", "v2"))
    write_csv(tmp_path / "more.csv", [(text, label) for text, label in spam[:20]])
    write_csv(tmp_path / "few.csv", [(text, label) for text, label in spam[20:32]])
    for name, part in (("reviews.xlsx", rows), ("reviews_test.xlsx", sentiment_rows(24, seed=5))):
        book = openpyxl.Workbook()
        for row in [("text", "label"), *part]:
            book.active.append(row)
        book.save(tmp_path / name)
    for text in blocks("yaml"):
        if "tasks:" in text:
            (tmp_path / "tasks.yaml").write_text(text.replace("effort: balanced", "effort: quick"))
    return tmp_path


def test_every_command_of_the_shell_runs(folder: Path, home: Path, hub) -> None:
    from huggingface_hub import HfApi

    data = "lora-hub/readme-rows"
    HfApi().create_repo(data, repo_type="dataset", exist_ok=True)
    HfApi().upload_file(
        path_or_fileobj=folder / "messages.csv", path_in_repo="train.csv", repo_id=data, repo_type="dataset"
    )
    where = {name: os.environ[name] for name in ("HF_ENDPOINT", "HF_TOKEN") if name in os.environ}
    # the id of a dataset lies on the session's Hub; all else happens on one that the first command starts
    own = {
        name: value
        for name, value in os.environ.items()
        if name not in ("HF_ENDPOINT", "HF_TOKEN", "HF_HOME", "HF_HUB_CACHE")
    }
    ran, last_run = [], ""
    for line in commands():
        if NOT_RUN.match(line):
            continue
        assert line.startswith(COMMAND), f"README has the command {line!r}, which no test runs: add it here"
        words = shlex.split(line.removeprefix(COMMAND))
        environment = {**own, "LORA_HUB_HOME": str(home), "LORA_HUB_UPSTREAM": "off", "PYTHONPATH": str(ROOT)}
        if "owner/name" in words:
            words[words.index("owner/name")] = data
            environment |= where | {"LORA_HUB_HUB": "public"}
        words = [
            last_run if word in ("RUN", "ID") else str(folder / "hub") if word == "DIR" else word for word in words
        ]
        if words[0] == "train":
            words += ["--effort", "quick", "--set", "steps=6", "--set", "evaluations=1"]
        if words[:2] == ["hub", "backup"]:
            words[2] = str(folder / "copy")
        if words[0] in LOCAL and data not in words:
            done = run_here(words, environment, cwd=folder)
        else:
            done = subprocess.run(
                [sys.executable, "-m", "lora_hub", *words],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=400,
            )
        # a minimum that six steps do not reach, or a base that they do not beat, is no fault of the command
        assert done.returncode in ((0, 4) if {"--min", "promote", "compose"} & {*words} else (0,)), (
            f"{line}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
        )
        found = re.search(r"^run (\S+)$", done.stderr, re.M)
        last_run = found[1] if found else last_run
        ran.append(words[0])
    assert {"tasks", "inspect", "train", "pipeline", "runs", "adapters", "compare"} <= set(ran)


def test_what_it_names_exists() -> None:
    for path in re.findall(r"\]\(((?!http)[^)#]+)\)", BODY):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"`((?:tests|lora_hub|spaces)/[\w/.]+\.\w+)`", BODY):
        assert (ROOT / path).exists(), path
    source = "\n".join(
        file.read_text(encoding="utf-8") for file in [*(ROOT / "lora_hub").rglob("*.py"), ROOT / "app.py"]
    )
    for variable in set(re.findall(r"\bLORA_HUB_[A-Z_]+\b", BODY)):
        assert variable in source, variable
    read = set(re.findall(r'"(LORA_HUB_[A-Z_]+)"', source)) - {
        "LORA_HUB_NO_BROWSER",
        "LORA_HUB_UPSTREAM",
        "LORA_HUB_CONNECTED_TO",
    }
    assert read <= set(re.findall(r"\bLORA_HUB_[A-Z_]+\b", BODY)), "README does not tell of these"


ROOMS = (
    "core",
    "catalogue",
    "hub",
    "answering",
    "training",
    "evaluation",
    "runs",
    "compare",
    "people",
)  # the others are told of by subject


def test_the_file_tree_is_the_real_one() -> None:
    tree = next(text for language, text in BLOCKS if not language and "app.py" in text and "lora_hub/" in text)
    told = set(re.findall(r"[\w*]+\.(?:py|yaml|css|js)\b", tree))
    for name in told:
        assert list((ROOT / "lora_hub").rglob(name)) or list(ROOT.glob(name)), name
    for file in (file for room in ROOMS for file in (ROOT / "lora_hub" / room).rglob("*.py")):
        if file.name.startswith("__") or "making" in file.parts:
            continue
        known = any(name == file.name or ("*" in name and file.match(name)) for name in told) or re.search(
            rf"\b{file.stem}\b", tree
        )
        assert known, f"{file.name} is not in README's tree"
