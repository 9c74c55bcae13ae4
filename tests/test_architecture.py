"""The layers hold: a file imports its own layer and below, never in a circle, and strangers stay where they belong."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lora_hub"

# Longest prefix wins. What is not listed fails the test, so that a new file gets its place on purpose.
LAYERS = {
    "": 0,
    "schema": 0,
    "errors": 0,
    "settings": 0,
    "tasks": 0,
    "bases": 0,
    "weights_files": 0,
    "hardware": 0,
    "built_in": 0,
    "data": 1,
    "recipe": 1,
    "estimate": 1,
    "exam_work": 1,
    "events": 1,
    "intervals": 1,
    "statistics": 1,
    "chrf": 1,
    "verdicts": 0,
    "spec_fields": 0,
    "calibration_error": 2,
    "minimum": 1,
    "record": 1,
    "reproduce": 1,
    "store": 1,
    "curve": 0,
    "noun": 0,
    "answer_nouns": 0,
    "patience": 2,
    "unadapted": 2,
    "processes": 0,
    "crash": 1,
    "disk": 1,
    "run_data": 1,
    "run_lock": 1,
    "run_phases": 1,
    "run_reader": 1,
    "run_rows": 2,
    "run_states": 1,
    "turns": 1,
    "endpoint": 1,
    "card": 1,
    "card_metadata": 1,
    "markdown": 1,
    "snippet": 1,
    "hub": 1,
    "adapter_config": 1,
    "adapter_base": 1,
    "adapter_tokenizer": 2,
    "adapter_patterns": 1,
    "peft_folder": 2,
    "loading": 2,
    "stack": 2,
    "routing": 2,
    "places": 2,
    "line": 2,
    "decoding": 2,
    "generate": 2,
    "visitors": 2,
    "metrics": 2,
    "train": 2,
    "trainable": 2,
    "task_training": 2,
    "together": 2,
    "together_trainer": 2,
    "prefill": 2,
    "likelihood": 2,
    "label_tree": 2,
    "calibration": 2,
    "examples": 2,
    "answering": 2,
    "exam": 2,
    "worker": 3,
    "group_worker": 3,
    "panes": 3,
    "compare": 3,
    "runners": 3,
    "runs": 4,
    "pipeline": 4,
    "publication": 4,
    "ui": 5,
    "cli": 5,
    "cli_signals": 5,
    "cli_text": 5,
    "cli_options": 5,
    "cli_train": 5,
    "__main__": 5,
    "local_hub": 5,
    "local_hub.folder": 0,  # what stands in its folder: endpoint finds it by that
}
HEAVY = {"torch", "transformers", "peft", "trl", "accelerate"}


def modules() -> dict[str, Path]:
    """Dotted name below lora_hub -> file."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = modules()


def layer(name: str) -> int:
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        known = LAYERS.get(".".join(parts[:length]))
        if known is not None:
            return known
    if name == "":
        return 0
    raise AssertionError(f"lora_hub.{name} has no layer: give it one in tests/test_architecture.py")


def imports(file: Path) -> list[tuple[str, bool]]:
    """(dotted name, at module level) of each import; `from lora_hub.data import prepare` names lora_hub.data.prepare."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing_only = {
        inner for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test) for inner in ast.walk(node)
    }
    inside = {
        inner for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for inner in ast.walk(node) if inner is not node
    }
    found = []
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, node not in inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                ours = whole.removeprefix("lora_hub.") if whole.startswith("lora_hub.") else None
                found.append((whole if ours in MODULES else node.module, node not in inside))
    return found


def edges() -> list[tuple[str, str, bool]]:
    """(importer, imported, at module level) among our own modules."""
    found = []
    for name, file in MODULES.items():
        for imported, top in imports(file):
            if imported == "lora_hub" or imported.startswith("lora_hub."):
                found.append((name, imported.removeprefix("lora_hub").removeprefix("."), top))
    return found


def test_nothing_imports_upward() -> None:
    wrong = [f"{a} (L{layer(a)}) imports {b} (L{layer(b)})" for a, b, _ in edges() if layer(a) < layer(b)]
    assert not wrong, "\n".join(wrong)


def test_no_circles() -> None:
    graph: dict[str, set[str]] = {}
    for a, b, _ in edges():
        if a != b and b:
            graph.setdefault(a, set()).add(b)
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        assert name not in path, "a circle: " + " -> ".join([*path[path.index(name) :], name])
        if name in done:
            return
        for other in sorted(graph.get(name, ())):
            visit(other, [*path, name])
        done.add(name)

    for name in sorted(graph):
        visit(name, [])


@pytest.mark.parametrize("name", sorted(MODULES))
def test_strangers_stay_out(name: str) -> None:
    for imported, top in imports(MODULES[name]):
        root = imported.partition(".")[0]
        if root == "gradio":
            assert name.startswith("ui"), f"{name} imports gradio; only ui/ and app.py may"
        if root == "huggingface_hub":
            assert name == "hub" or name.startswith("hub.") or name in ("loading", "card", "card_metadata"), f"{name} imports huggingface_hub; only hub may talk to the Hub"
        if root in HEAVY:
            allowed = layer(name) == 2 or name.startswith("built_in")
            assert allowed, f"{name} imports {root}; only L2 may"
        if name.startswith("local_hub"):
            ours = imported.removeprefix("lora_hub.")
            assert not imported.startswith("lora_hub") or ours == "errors" or ours.startswith("local_hub"), f"{name} imports {imported}; the embedded Hub runs on its own"


def test_first_page_and_help_stay_light() -> None:
    """Nothing that cli imports at module level, directly or through others, pulls in what takes seconds."""
    reached, waiting = set(), ["cli", "ui.app"]
    direct: dict[str, set[str]] = {}
    for a, b, top in edges():
        if top:
            direct.setdefault(a, set()).add(b)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += direct.get(name, ())
    for name in sorted(reached & set(MODULES)):
        for imported, top in imports(MODULES[name]):
            root = imported.partition(".")[0]
            assert not (top and root in HEAVY | {"polars", "datasets", "huggingface_hub"}), f"{name} imports {root} when the first page or --help does"


def test_files_stay_short() -> None:
    long = {str(file.relative_to(ROOT)): lines for file in MODULES.values() if (lines := len(file.read_text(encoding="utf-8").splitlines())) > 400}
    assert not long, f"past 400 lines: {long}"


def test_spaces_is_no_package() -> None:
    assert not (ROOT / "spaces" / "__init__.py").exists(), "it would shadow the PyPI package `spaces`"
