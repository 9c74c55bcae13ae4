"""The architecture's rules: a file imports only its own floor and those below, there are no import cycles between files
or rooms, and third-party packages stay where they belong.

The rules are functions of a folder, so that a test of their own plants offenders in one (see the end).
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "lora_hub"

# A room that is not listed fails the test, so that a new one gets its floor on purpose.
FLOORS = {
    "": 0,
    "core": 0,
    "locale": 0,
    "catalogue": 1,
    "people": 1,
    "works_in": 1,
    "data": 2,
    "hub": 2,
    "answering": 3,
    "converting": 3,
    "exporting": 3,
    "training": 3,
    "evaluation": 4,
    "regions": 4,
    "runs": 5,
    "compare": 5,
    "models": 5,
    "use_cases": 5,
    "api": 6,
    "ui": 6,
    "cli": 6,
    "serve": 6,
    "__main__": 6,
    "local_hub": 6,
    "built_in": 6,
}
# Files that stand on another floor than their room, each for a reason.
ON_ANOTHER_FLOOR = {
    # what texts are worth, and how sure that is: knows no model, and a task is asked whether its metrics are known
    "evaluation.metrics": 1,
    "evaluation.chrf": 1,
    "evaluation.normalized": 1,
    "evaluation.statistics": 1,
    "evaluation.intervals": 1,
    "local_hub.folder": 0,  # what stands in the embedded Hub's folder: whoever looks for a Hub finds it by that
}
# An inner room that is written from its room's own nouns.
WRITTEN_FROM = {("hub.card", "hub"), ("hub.space", "hub")}
# Heavy packages, and the floors that may import them.
HEAVY = {"torch", "transformers", "peft", "trl", "accelerate"}
HEAVY_FLOORS = (3, 4, 5)
# Where each stranger may be imported.
STRANGERS = {
    "gradio": ("ui",),
    "huggingface_hub": ("hub", "answering.loading", "catalogue.cached"),
}


# A door names at most so many modules; those of old rooms are wider, and only become narrower.
MOST_IN_A_DOOR = 8
WIDE_DOORS = {"core": 17, "answering": 11}  # everything stands on core
# Doors that name functions and nouns, and the modules that stand among them, each for a reason: its names are read
# behind it, or importing it takes what the first page and `--help` do not wait for.
DOORS_OF_NAMES = {
    "api": {"mcp_door": "imports mcp, which takes half a second"},
    "cli": {},
    "compare": {
        "composing": "composing.Composed, composing.Left: names of its own",
        "kept": "kept comparisons: kept.list_kept",
        "matrix": "matrix.Cell, matrix.Matrix: names of its own",
        "routing": "routing.route and its use case have one name",
        "promoting": "promoting.promote and its use case have one name",
        "reproducing": "reproducing.compare_again and its use case have one name",
        "test_sets": "rows that many models answer, beside one question",
        "votes": "voting's names: votes.reveal",
    },
    "hub": {
        "adapter_config": "a file of an adapter, with its names and limits",
        "adapter_patterns": "imports the regex package",
        "endpoint": "is asked before huggingface_hub is imported",
    },
    "exporting": {},
    "people": {"limits": "limits.check_spec", "policy": "policy.read", "rules": "what each role may"},
    "runs": {
        "pipeline": "reads YAML",
        "run_json": "what is printed for programs",
        "run_phases": "run_phases.words",
        "run_rows": "imports what judges rows",
        "run_states": "run_states.word",
    },
    "models": {},
    "regions": {},
    "serve": {},
    "ui": {},
    "use_cases": {},
    "works_in": {},
}
# Rooms that are sets of modules, which others import by themselves.
DOORS_OF_MODULES = {
    "answering": "torch: each is imported where it is used",
    "catalogue": "one subject a module: bases.get_base, hardware.card_flops",
    "catalogue.tasks": "words for templates stand below the catalogue that checks them",
    "core": "everything stands on it: errors, messages, settings, store",
    "data": "rooms of their own, and polars: each is imported where it is used",
    "data.checks": "polars",
    "data.columns": "polars",
    "data.mending": "polars",
    "data.prompts": "polars",
    "data.read": "polars; which formats there are is known without it",
    "evaluation": "metrics stands on floor 1, the exam needs torch",
    "local_hub": "runs on its own; its folder is known to whoever looks for a Hub",
    "training": "the recipe is known without torch, which the others need",
}
# They hand what they decorate to nobody.
PLAIN_DECORATORS = {
    "property",
    "cached_property",
    "functools.cached_property",
    "functools.cache",
    "staticmethod",
    "classmethod",
    "contextmanager",
    "contextlib.contextmanager",
    "dataclass",
    "dataclass(frozen=True)",
}


@dataclass(frozen=True)
class Edge:
    """importer, imported: dotted names below the package, or a stranger's name. ours: the imported is a module of ours.
    is_top: at module level."""

    importer: str
    imported: str
    ours: bool
    is_top: bool


def modules(package: Path) -> dict[str, Path]:
    """Dotted name below the package -> file."""
    found = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(package: Path, name: str, file: Path, known: dict[str, Path]) -> Iterator[Edge]:
    """Every import of a file, absolute or relative; those for type checkers alone are none."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    functions = (
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    )
    inside = {inner for node in functions for inner in ast.walk(node) if inner is not node}
    here = [package.name, *filter(None, name.split("."))]
    if file.name != "__init__.py":
        here.pop()
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            wholes = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = (
                ".".join([*here[: len(here) - node.level + 1], *filter(None, [node.module])])
                if node.level
                else node.module or ""
            )
            wholes = [f"{start}.{alias.name}" for alias in node.names]
        else:
            continue
        for whole in wholes:
            if whole != package.name and not whole.startswith(f"{package.name}."):
                yield Edge(name, whole, False, node not in inside)
                continue
            ours = whole.removeprefix(package.name).removeprefix(".")
            yield Edge(name, ours if ours in known else ours.rpartition(".")[0], True, node not in inside)


def edges(package: Path) -> list[Edge]:
    known = modules(package)
    return [edge for name, file in known.items() for edge in imports(package, name, file, known)]


def room(name: str) -> str:
    return name.partition(".")[0]


def floor(name: str) -> int:
    if name in ON_ANOTHER_FLOOR:
        return ON_ANOTHER_FLOOR[name]
    assert room(name) in FLOORS, f"lora_hub/{room(name)} has no floor: give it one in tests/test_architecture.py"
    return FLOORS[room(name)]


def upward(found: list[Edge]) -> list[str]:
    return [
        f"{edge.importer} (floor {floor(edge.importer)}) imports {edge.imported} (floor {floor(edge.imported)})"
        for edge in found
        if edge.ours and floor(edge.importer) < floor(edge.imported)
    ]


def circles(pairs: set[tuple[str, str]]) -> list[str]:
    """Each circle once, as "a -> b -> a"."""
    graph: dict[str, set[str]] = {}
    for a, b in pairs:
        graph.setdefault(a, set()).add(b)
    done: set[str] = set()
    found = []

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            found.append(" -> ".join([*path[path.index(name) :], name]))
            return
        if name in done:
            return
        for other in sorted(graph.get(name, ())):
            visit(other, [*path, name])
        done.add(name)

    for name in sorted(graph):
        visit(name, [])
    return found


def circles_of_files(found: list[Edge]) -> list[str]:
    return circles(
        {
            (edge.importer, edge.imported)
            for edge in found
            if edge.ours and edge.imported and edge.importer != edge.imported
        }
    )


def circles_of_folders(found: list[Edge], package: Path) -> list[str]:
    """Rooms inside a room: a folder that imports from one that imports from it."""
    folder = {name: ".".join(file.parent.relative_to(package).parts) for name, file in modules(package).items()}
    kept = [edge for edge in found if edge.ours and not {edge.importer, edge.imported} & set(ON_ANOTHER_FLOOR)]
    pairs = {(folder[edge.importer], folder.get(edge.imported, "")) for edge in kept}
    return circles({(a, b) for a, b in pairs if a and b and a != b and (a, b) not in WRITTEN_FROM})


def circles_of_rooms(found: list[Edge]) -> list[str]:
    between = [edge for edge in found if edge.ours and not {edge.importer, edge.imported} & set(ON_ANOTHER_FLOOR)]
    pairs = {(room(edge.importer), room(edge.imported)) for edge in between}
    return circles({(a, b) for a, b in pairs if a and b and a != b})


def strangers(found: list[Edge]) -> list[str]:
    wrong = []
    for edge in found:
        root = edge.imported.partition(".")[0]
        if edge.ours:
            if (
                room(edge.importer) == "local_hub"
                and room(edge.imported) != "local_hub"
                and edge.imported not in ("core.errors", "core.file_lock", "core.bounded_yaml")
            ):
                wrong.append(f"{edge.importer} imports {edge.imported}; the embedded Hub runs on its own")
            if ".making" in edge.imported and ".making" not in edge.importer:
                wrong.append(
                    f"{edge.importer} imports {edge.imported}; what made the base and the samples is no part of the "
                    f"product"
                )
            continue
        places = STRANGERS.get(root)
        if places and not any(edge.importer == place or edge.importer.startswith(f"{place}.") for place in places):
            wrong.append(f"{edge.importer} imports {root}; only {', '.join(places)} may")
        if root in HEAVY and floor(edge.importer) not in HEAVY_FLOORS and room(edge.importer) != "built_in":
            wrong.append(f"{edge.importer} imports {root}; only floors {HEAVY_FLOORS} may")
    return wrong


def door(file: Path) -> set[str]:
    """What a package's `__init__.py` names in `__all__`: what comes from it, and the modules that others come in by."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets):
            return set(ast.literal_eval(node.value))
    return set()


def past_doors(found: list[Edge], package: Path) -> list[str]:
    """Imports from another room by another way than its door, or the door of a room inside it."""
    doors = {name: door(file) for name, file in modules(package).items() if file.name == "__init__.py"}
    wrong = []
    for edge in found:
        if not edge.ours or room(edge.importer) == room(edge.imported):
            continue
        parts = edge.imported.split(".")
        for length in range(1, len(parts)):
            inner = ".".join(parts[:length])
            if parts[length] not in doors.get(inner, ()):
                wrong.append(f"{edge.importer} imports {edge.imported}, and the door of {inner} does not name it")
    return wrong


def wide_doors(package: Path) -> dict[str, int]:
    """Rooms with more modules in their door than most have, and how many."""
    known = modules(package)
    width = {
        name: sum(f"{name}.{part}" in known for part in door(file))
        for name, file in known.items()
        if file.name == "__init__.py" and name
    }
    return {name: count for name, count in width.items() if count > MOST_IN_A_DOOR}


def doors(package: Path) -> dict[str, tuple[set[str], set[str]]]:
    """Of each room with a door: the modules that it names, and the functions and nouns."""
    known = modules(package)
    found = {}
    for name, file in known.items():
        if file.name == "__init__.py" and name and (named := door(file)):
            inside = {part for part in named if f"{name}.{part}" in known}
            found[name] = inside, named - inside
    return found


def missing_in_doors(package: Path) -> list[str]:
    """What doors name and do not have."""
    known = modules(package)
    return sorted(
        f"{name}.{one}"
        for name, (_inside, names) in doors(package).items()
        for one in names - _bound(ast.parse(known[name].read_text(encoding="utf-8")))
    )


def _bound(tree: ast.Module) -> set[str]:
    """The names that a module imports, defines or assigns."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def uncalled(package: Path, beside: list[Path]) -> list[str]:
    """Public functions, classes and methods that nothing names but their own definition and tests. beside: files of
    the product outside the package. By their nature called by somebody else are what a decorator takes (a route), and
    what a class has from a stranger's (a parser's handle_data)."""
    trees = {
        name: ast.parse(file.read_text(encoding="utf-8"))
        for name, file in [*modules(package).items(), *((str(file), file) for file in beside)]
        if ".making" not in name
    }
    named: set[str] = set()
    for name, tree in trees.items():
        is_door = modules(package).get(name, Path()).name == "__init__.py"
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                named.add(node.id)
            elif isinstance(node, ast.Attribute):
                named.add(node.attr)
            elif isinstance(node, ast.ImportFrom) and not is_door:
                named.update(alias.name for alias in node.names)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not is_door:
                # looked up by its name, as getattr and entry points do
                named.update(re.split(r"[.:]", node.value) if re.fullmatch(r"[\w.:]+", node.value) else ())
    ours = {node.name for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    found = []

    def look(where: str, nodes: list[ast.stmt], inherited: bool = False) -> None:
        for node in nodes:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            is_taken = any(ast.unparse(one) not in PLAIN_DECORATORS for one in node.decorator_list)
            is_called = node.name.startswith("_") or node.name in named or is_taken or inherited
            if not is_called:
                found.append(f"{where}.{node.name}")
            if isinstance(node, ast.ClassDef):
                strangers = {ast.unparse(base).rpartition(".")[2].partition("[")[0] for base in node.bases} - ours
                look(f"{where}.{node.name}", node.body, bool(strangers))

    for name, tree in trees.items():
        if name in modules(package):
            look(name, tree.body)
    return found


EDGES = edges(PACKAGE)


def test_nothing_imports_upward() -> None:
    assert upward(EDGES) == []


def test_no_file_stands_in_a_circle() -> None:
    assert circles_of_files(EDGES) == []


def test_no_room_stands_in_a_circle() -> None:
    assert circles_of_rooms(EDGES) == []
    assert circles_of_folders(EDGES, PACKAGE) == []


def test_strangers_stay_out() -> None:
    assert strangers(EDGES) == []


def test_rooms_come_in_by_the_door() -> None:
    assert past_doors(EDGES, PACKAGE) == []


def around_the_use_cases(package: Path) -> list[str]:
    """Where page or shell do what a use case does without asking it: a name of `use_cases.__all__` that is taken from
    another room or called on anything else."""
    tree = ast.parse((package / "use_cases" / "__init__.py").read_text(encoding="utf-8"))
    listed = next(node.value for node in tree.body if isinstance(node, ast.Assign))
    names = {one for one in ast.literal_eval(listed) if one not in ("ask", "resolve")}  # words of others, too
    found = []
    for room in ("ui", "cli", "api"):
        for file in sorted((package / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                where = f"{room}/{file.name}:{getattr(node, 'lineno', 0)}"
                if isinstance(node, ast.ImportFrom) and "use_cases" not in (node.module or ""):
                    if not (node.module or "").startswith(f"{package.name}.{room}"):
                        found += [f"{where} imports {one.name}" for one in node.names if one.name in names]
                elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
                    of = ast.unparse(node.func.value)
                    if of in ("runs", "hub", "store", "pipelines", "dataset", "comparer", "self.page.comparer"):
                        found.append(f"{where} calls {of}.{node.func.attr}")
    return found


def test_page_and_shell_come_in_by_the_use_cases() -> None:
    assert around_the_use_cases(PACKAGE) == []


def test_a_way_around_the_use_cases_is_seen(plant) -> None:
    plant(
        {
            "use_cases/__init__.py": "__all__ = ['cancel_run', 'ask']\n",
            "ui/tab.py": "from lora_hub import runs\nruns.cancel_run('x')\n",
            "cli/command.py": "from lora_hub.runs import cancel_run\n",
        }
    )
    assert [one.partition(" ")[2] for one in around_the_use_cases(plant.folder)] == [
        "calls runs.cancel_run",
        "imports cancel_run",
    ]


def test_doors_become_no_wider() -> None:
    assert wide_doors(PACKAGE) == WIDE_DOORS, "narrower is welcome: write it down here"


def test_doors_name_functions_and_nouns() -> None:
    found = doors(PACKAGE)
    assert {room: set(reasons) for room, reasons in DOORS_OF_NAMES.items()} == {
        room: inside for room, (inside, _names) in found.items() if room in DOORS_OF_NAMES
    }
    assert {room for room, (_inside, names) in found.items() if not names} == set(DOORS_OF_MODULES)
    assert missing_in_doors(PACKAGE) == []


def test_every_public_function_has_a_caller() -> None:
    beside = [ROOT / "app.py", *sorted((ROOT / "spaces").rglob("*.py"))]
    assert uncalled(PACKAGE, beside) == [], "only tests call it: use it, or remove it and its tests"


def test_first_page_and_help_stay_light() -> None:
    """Nothing that the shell and the page import at module level, directly or through others, pulls in what takes
    seconds."""
    reached, waiting = set(), ["cli.shell", "ui.app"]
    direct: dict[str, set[str]] = {}
    for edge in EDGES:
        if edge.is_top and edge.ours:
            # a module's rooms are imported before it
            parts = edge.imported.split(".")
            direct.setdefault(edge.importer, set()).update(
                ".".join(parts[:length]) for length in range(1, len(parts) + 1)
            )
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += direct.get(name, ())
    heavy = HEAVY | {"polars", "datasets", "huggingface_hub"}
    slow = [
        f"{edge.importer} imports {edge.imported}"
        for edge in EDGES
        if edge.importer in reached and edge.is_top and not edge.ours and edge.imported.partition(".")[0] in heavy
    ]
    assert slow == [], "when the first page or --help does"


def test_files_stay_short() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for file in modules(PACKAGE).values()
        if "making" not in file.parts  # lists of words that made what ships
        and (lines := len(file.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long, f"past 400 lines: {long}"


def test_spaces_is_no_package() -> None:
    assert not (ROOT / "spaces" / "__init__.py").exists(), "it would shadow the PyPI package `spaces`"


# --- the rules see every offender ---


def test_a_circle_of_inner_rooms_is_seen(plant) -> None:
    found = plant(
        {
            "data/read/a.py": "from lora_hub.data.columns import b",
            "data/columns/b.py": "",
            "data/columns/c.py": "from lora_hub.data.read import d",
            "data/read/d.py": "",
        }
    )
    assert circles_of_files(found) == [] == circles_of_rooms(found)
    assert circles_of_folders(found, plant.folder) == ["data.columns -> data.read -> data.columns"]


def test_who_comes_in_by_the_window_is_seen(plant) -> None:
    found = plant(
        {
            "data/read/a.py": "",
            "data/read/b.py": "",
            "data/c.py": "from lora_hub.data.read import b",
            "runs/d.py": (
                "from lora_hub.data.read import a\nfrom ..data.read.b import x\ndef late():\n    from ..data import c\n"
            ),
        }
    )
    (plant.folder / "data" / "__init__.py").write_text('__all__ = ["read"]\n')
    (plant.folder / "data" / "read" / "__init__.py").write_text('"""Any file."""\n\n__all__ = ["a"]\n')
    assert past_doors(found, plant.folder) == [
        "runs.d imports data.read.b, and the door of data.read does not name it",
        "runs.d imports data.c, and the door of data does not name it",
    ]


def test_a_wide_door_is_seen(plant) -> None:
    plant({f"data/m{number}.py": "" for number in range(10)})
    (plant.folder / "data" / "__init__.py").write_text(f"__all__ = {['name', *(f'm{one}' for one in range(9))]}\n")
    assert wide_doors(plant.folder) == {"data": 9}


def test_a_name_that_a_door_does_not_have_is_seen(plant) -> None:
    plant({"data/a.py": "def made(): pass\n"})
    (plant.folder / "data" / "__init__.py").write_text(
        'from lora_hub.data.a import made\nLIMIT = 3\n__all__ = ["LIMIT", "a", "gone", "made"]\n'
    )
    assert doors(plant.folder) == {"data": ({"a"}, {"LIMIT", "gone", "made"})}
    assert missing_in_doors(plant.folder) == ["data.gone"]


def test_what_nobody_calls_is_seen(plant, tmp_path: Path) -> None:
    plant(
        {
            "data/a.py": (
                "from html.parser import HTMLParser\nfrom x import route\n"
                "def used(): pass\ndef unused(): used()\ndef _own(): pass\n@route('/')\ndef handler(): pass\n"
                "def by_name(): pass\ndef beside(): pass\n"
                "class Unused:\n    def method(self): pass\n"
                "class Rows(HTMLParser):\n    def handle_data(self): pass\n"
                "class Mine(Rows):\n    @property\n    def fact(self): pass\n"
                "print(Mine, Rows, getattr(0, 'by_name'))\n"
            ),
            "data/__init__.py": "from lora_hub.data.a import unused\n__all__ = ['unused']\n",
        }
    )
    (tmp_path / "app.py").write_text("import lora_hub.data.a as a\na.beside()\n")
    assert uncalled(plant.folder, [tmp_path / "app.py"]) == [
        "data.a.unused",
        "data.a.Unused",
        "data.a.Unused.method",
        "data.a.Mine.fact",
    ]


@pytest.fixture
def plant(tmp_path: Path):
    """Writes files into a house of their own and gives its edges."""

    def write(files: dict[str, str]) -> list[Edge]:
        for name, text in files.items():
            file = tmp_path / "lora_hub" / name
            for folder in [file.parent, *file.parent.parents]:
                if not folder.is_relative_to(tmp_path / "lora_hub"):
                    break
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "__init__.py").touch()
            file.write_text(text, encoding="utf-8")
        return edges(tmp_path / "lora_hub")

    write.folder = tmp_path / "lora_hub"
    return write


@pytest.mark.parametrize(
    "line",
    [
        "from lora_hub.ui import app",
        "import lora_hub.ui.app",
        "from ..ui import app",
        "from ..ui.app import serve",
        "from .. import ui",
        "def later():\n    from ..ui.app import serve\n",
        "serve = lambda: __import__\ndef late():\n    import lora_hub.ui.app as page\n",
    ],
)
def test_an_upward_import_is_seen_however_it_is_written(plant, line: str) -> None:
    found = plant({"ui/app.py": "serve = 1\n", "core/schema.py": line + "\n"})
    assert any("core.schema (floor 0) imports ui" in one for one in upward(found)), upward(found)


def test_circles_are_seen_also_by_relative_imports(plant) -> None:
    found = plant({"core/one.py": "from . import two\n", "core/two.py": "def late():\n    from .one import x\n"})
    assert circles_of_files(found) == ["core.one -> core.two -> core.one"]
    found = plant(
        {
            "core/one.py": "",
            "core/two.py": "",
            "runs/a.py": "from ..compare.b import x\n",
            "compare/b.py": "x = 1\n",
            "compare/c.py": "from lora_hub.runs import d\n",
            "runs/d.py": "",
        }
    )
    assert circles_of_files(found) == [] and circles_of_rooms(found) == ["compare -> runs -> compare"]


@pytest.mark.parametrize(
    ("place", "line", "told"),
    [
        ("runs/a.py", "import gradio as gr", "gradio"),
        ("data/a.py", "def late():\n    from torch import nn", "torch"),
        ("training/a.py", "from huggingface_hub.utils import logging", "huggingface_hub"),
        ("local_hub/a.py", "from ..core import settings", "runs on its own"),
        ("local_hub/a.py", "from ..runs import worker", "runs on its own"),
        ("ui/a.py", "from lora_hub.built_in.making import text", "no part of the product"),
    ],
)
def test_strangers_are_seen(plant, place: str, line: str, told: str) -> None:
    found = plant({"core/settings.py": "", "runs/worker.py": "", "built_in/making/text.py": "", place: line + "\n"})
    assert len(strangers(found)) == 1 and told in strangers(found)[0]


def test_what_is_allowed_is_no_offender(plant) -> None:
    found = plant(
        {
            "core/errors.py": "",
            "ui/a.py": "import gradio\nfrom ..runs import b\n",
            "runs/b.py": "import torch\nfrom ..core import errors\n",
            "local_hub/c.py": "from ..core.errors import HubError\n",
            "hub/d.py": "import huggingface_hub\n",
            "core/e.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..ui import a\n",
        }
    )
    assert (upward(found), circles_of_files(found), circles_of_rooms(found), strangers(found)) == ([], [], [], [])


def test_a_room_without_a_floor_is_refused() -> None:
    with pytest.raises(AssertionError, match="lora_hub/attic has no floor"):
        floor("attic.box")
