"""README is true: its examples are valid, its commands run, the files and variables that it names exist.

The blocks of shell commands are run in order, in a folder where the files that they name lie; whoever writes another
command there adds what it needs to FILES, or the test says that it is not run.
"""

import os
import re
import shlex
from pathlib import Path

import pytest
import yaml
from small_data import sentiment_rows, write_csv
from test_cli import run_here, run_process
from warm_shell import WarmShell

from lora_hub.answering import exam_work
from lora_hub.api.endpoints import NAMES
from lora_hub.catalogue.tasks.catalogue import task_from_dict
from lora_hub.cli import shell
from lora_hub.cli.parser import make_parser
from lora_hub.compare import test_sets
from lora_hub.compare.composing import composed, searching, splitting
from lora_hub.compare.test_sets import judge
from lora_hub.core import verdicts
from lora_hub.data.prompts import split
from lora_hub.data.tables.limits import MAX_CELL, MAX_COLUMNS, MAX_ROWS
from lora_hub.people import Policy
from lora_hub.runs import hiring, pipeline
from lora_hub.use_cases import keeping

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BODY = TEXT.split("\n---\n", 1)[1]
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", BODY, re.M | re.S)
COMMAND = "python -m lora_hub "
# Served until they are ended, or for a real Hub, or for one with jobs: tested by test_local_hub_accounts,
# test_serve_command, test_cli_deploy and test_hf_jobs; or from a package index: tested by test_gguf_base.
NOT_RUN = re.compile(
    r"python -m lora_hub (?:hub --port|serve|deploy |bases --add |(?:train|pipeline) .*--hardware)|make |docker |hf |"
    r"export |HF_\w+=|LORA_HUB_\w+=|pip "
)
# These ask no Hub, so they need no process that knows which is theirs.
LOCAL = ("tasks", "bases", "inspect", "runs", "datasets", "disk", "hub")


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
    # the id of a dataset lies on the session's Hub; all else happens on one that the first command starts
    own = {
        name: value
        for name, value in os.environ.items()
        if name not in ("HF_ENDPOINT", "HF_TOKEN", "HF_HOME", "HF_HUB_CACHE")
    }
    own |= {"LORA_HUB_HOME": str(home), "LORA_HUB_UPSTREAM": "off", "PYTHONPATH": str(ROOT)}
    there = {**os.environ, "LORA_HUB_HUB": "public"}
    ran, last_run = [], ""
    with WarmShell(own) as warm:
        for line in commands():
            if NOT_RUN.match(line):
                continue
            assert line.startswith(COMMAND), f"README has the command {line!r}, which no test runs: add it here"
            words = shlex.split(line.removeprefix(COMMAND))
            if elsewhere := "owner/name" in words:
                words[words.index("owner/name")] = data
            words = [
                last_run if word in ("RUN", "ID") else str(folder / "hub") if word == "DIR" else word for word in words
            ]
            if words[0] == "train":
                words += ["--effort", "quick", "--set", "steps=6", "--set", "evaluations=1"]
            if words[:2] == ["hub", "backup"]:
                words[2] = str(folder / "copy")
            if words[:2] == ["hub", "stop"]:
                warm.close()
            if words[0] in LOCAL:
                done = run_here(words, there if elsewhere else own, cwd=folder)
            elif "train" in ran:
                done = warm.run(words, folder)
            else:  # the first of them is to find its Hub itself
                done = run_process(words, own, cwd=folder)
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
    headings = {
        re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", BODY, re.M)
    }
    texts = [BODY, *((ROOT / name).read_text(encoding="utf-8") for name in ("CONTRIBUTING.md", "spaces/README.md"))]
    for anchor in re.findall(r"\]\((?:(?:\.\./)?README\.md)?#([\w-]+)\)", "".join(texts)):
        assert anchor in headings, anchor
    for path in re.findall(r"`((?:tests|lora_hub|spaces)/[\w/.]+\.\w+)`", BODY):
        assert (ROOT / path).exists(), path
    source = "\n".join(
        file.read_text(encoding="utf-8") for file in [*(ROOT / "lora_hub").rglob("*.py"), ROOT / "app.py"]
    )
    for variable in set(re.findall(r"\bLORA_HUB_[A-Z_]+\b", BODY)):
        assert variable in source, variable
    read = set(re.findall(r'"(LORA_HUB_[A-Z_]+)"', source)) - {"LORA_HUB_CONNECTED_TO"}  # the app's to its children
    assert read <= set(re.findall(r"\bLORA_HUB_[A-Z_]+\b", BODY)), "README does not tell of these"


def test_what_contributing_names_exists() -> None:
    """Its files, and the names that are looked for in the file named before them; the targets of make in both."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    text = "".join(re.split(r"^```(?:diff|python)\n.*?^```$", text, flags=re.M | re.S))
    named = re.findall(r"(?<![\w/])((?:[a-z_]+/)+[a-z_]+\.(?:py|yaml|sh))", text)
    assert len(named) > 15
    for path in {*named} - {"lora_hub/catalogue/tasks/urgency.yaml", "lora_hub/data/read/card_files.py"}:
        assert (ROOT / path).exists() or (ROOT / "lora_hub" / path).exists(), path
    for file, name in (
        ("lora_hub/core/train_spec.py", "class TrainSpec"),
        ("lora_hub/evaluation/metrics.py", "METRICS"),
        ("lora_hub/ui/render/test_sets/render_tests.py", "def plot_titles"),
        ("lora_hub/ui/app.py", "TABS"),
        ("lora_hub/api/endpoints.py", "NAMES"),
        ("lora_hub/people/policy.py", "class Policy"),
        ("lora_hub/data/read/formats.py", "TABLES"),
        ("lora_hub/local_hub/calls.py", "def route"),
    ):
        assert name.split(" ")[-1] in text and name in (ROOT / file).read_text(encoding="utf-8"), (file, name)
    for file, name in re.findall(r"pytest (tests/\S+\.py) -k (\w+)", text):
        assert f"def {name}" in (ROOT / file).read_text(encoding="utf-8"), name
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    told = set(re.findall(r"(?:^|`)make ([a-z-]+)", text + BODY, re.M))
    assert told <= targets and {"run", "test", "check", "messages", "bench", "test-gpu", "hub-suite"} <= told


def test_commands_functions_and_benchmarks_are_told_of() -> None:
    """Each command of the shell and each function for programs, and no others; each benchmark."""
    known = next(one for one in make_parser()._actions if one.choices and "train" in one.choices)
    for command in set(known.choices) - {"publish", "unpublish"}:
        assert re.search(rf"(?:python -m lora_hub |lora-hub |`){command}\b", BODY), f"{command} is nowhere in README"
    table = BODY.partition("| functions | what they do |\n")[2].partition("\n\n")[0]
    told = [name for line in table.splitlines()[1:] for name in re.findall(r"`([a-z_]+)`", line.split("|")[1])]
    assert sorted(told) == sorted(NAMES)
    files = {file.name for file in (ROOT / "tests" / "bench").glob("bench_*.py")}
    assert files == set(re.findall(r"bench_\w+\.py", BODY))


def test_the_exit_statuses_are_those_of_the_shell() -> None:
    def of(text: str) -> list[str]:
        return re.findall(r"^\| ([\d, ]+) \|", text, re.M)

    assert of(BODY) == of(shell.__doc__)


# What README says in numbers, and where each stands.
NUMBERS = (
    ("at most {:,} rows, {:,} columns and {:.0f} MB a text", (MAX_ROWS, MAX_COLUMNS, MAX_CELL / 1e6)),
    ("{:.0f} % of the held-out rows (at most {})", (100 * split.VALIDATION_SHARE, split.MAX_VALIDATION)),
    ("With fewer than {} of them, training rows are added", (exam_work.ENOUGH_CALIBRATED,)),
    ("with up to {} training rows as few-shot examples", (exam_work.MOST_EXAMPLES,)),
    ("answered by up to {} adapters of one task", (test_sets.MOST_ADAPTERS,)),
    ("from {} to {} examples without training", (splitting.LEAST_EXAMPLES, splitting.MOST_EXAMPLES)),
    ("of 2 to {} named by `--adapter`", (composed.MOST_ADAPTERS,)),
    ("at most {} evaluations", (searching.MOST_EVALUATIONS,)),
    ("fewer than {} judged rows", (verdicts.LEAST_ROWS,)),
    ("more than {:g} points of a [general set]", (Policy().forgotten_points,)),
    ("Prompts are cut to {:,} characters and answers to {:,}", (judge.MOST_REQUEST, judge.MOST_ANSWER)),
    ("At most {:,} questions are asked about the rows", (judge.MOST_QUESTIONS,)),
    ("and {} about your votes", (4 * judge.MOST_VOTES,)),
    ("(at least {:.0f} minutes; `--hardware-minutes`", (hiring.LEAST_SECONDS / 60,)),
    ("| `LORA_HUB_STATE_KEY` | secret of {} characters or more", (keeping.LEAST_KEY,)),
)


@pytest.mark.parametrize(("said", "values"), NUMBERS, ids=[said for said, _values in NUMBERS])
def test_numbers_are_those_of_the_code(said: str, values: tuple) -> None:
    assert said.format(*values) in BODY


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
