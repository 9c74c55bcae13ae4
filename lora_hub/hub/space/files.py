"""Which files of a checkout a Space gets: the project's own, by their kinds and places, and nothing else in it.

Where git tracks the checkout, only what it tracks; elsewhere whatever is of these kinds in the package's own folders.
A link never travels, wherever it points.
"""

import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import _

# In the language of .gitignore. A new kind of file has its line here, or tests/hub/test_space_files.py says so.
OURS = (
    "/app.py",
    "/requirements.txt",
    "/README.md",
    "/CONTRIBUTING.md",
    "/LICENSE",
    "/spaces/README.md",
    "/spaces/screenshot.png",
    "/lora_hub/**/*.py",
    "/lora_hub/**/README.md",
    "/lora_hub/catalogue/*.yaml",
    "/lora_hub/catalogue/tasks/*.yaml",
    "/lora_hub/evaluation/*.yaml",
    "/lora_hub/regions/*.yaml",
    "/lora_hub/locale/*/LC_MESSAGES/lora_hub.po",
    "/lora_hub/ui/assets/*.css",
    "/lora_hub/ui/assets/*.js",
    "/lora_hub/local_hub/templates/*.html",
    "/lora_hub/built_in/model/chat_template.jinja",
    "/lora_hub/built_in/model/config.json",
    "/lora_hub/built_in/model/figures.json",
    "/lora_hub/built_in/model/generation_config.json",
    "/lora_hub/built_in/model/model.safetensors",
    "/lora_hub/built_in/model/tokenizer.json",
    "/lora_hub/built_in/model/tokenizer_config.json",
)
MAKING = "making"  # folders of the scripts that made what ships; the app never imports them
NEEDED = ("app.py", "requirements.txt", "README.md", "lora_hub/__init__.py")
GIT_SECONDS = 60


@dataclass(frozen=True)
class ProjectFiles:
    """root: the checkout. paths: below it, sorted, with /. tracked: chosen among what git tracks. left: files of our
    kinds that stay here, because git does not track them or because they are links."""

    root: Path
    paths: tuple[str, ...]
    tracked: bool
    left: tuple[str, ...] = ()

    def size(self, path: str) -> int:
        """Bytes."""
        return (self.root / path).stat().st_size

    @property
    def bytes(self) -> int:
        return sum(map(self.size, self.paths))

    def holding(self, secrets: Iterable[str]) -> list[str]:
        """The files that contain one of these texts."""
        wanted = [secret.encode() for secret in secrets if secret]
        return [path for path in self.paths if any(one in (self.root / path).read_bytes() for one in wanted)]


# The folder that holds the package and, in a checkout, the app.
ROOT = Path(__file__).resolve().parents[3]


def project_files(folder: Path = ROOT) -> ProjectFiles:
    """The files of the checkout in `folder` that a Space gets. Raises LoraHubError where it is none."""
    found, chosen, known = _choose(folder)
    missing = [path for path in NEEDED if path not in chosen]
    if missing:
        raise LoraHubError(
            _("{folder} is no checkout of LoRA Hub: it has no {file}."),
            _("Deploy from a checkout of the repository, where git tracks the app's files."),
            folder=folder,
            file=missing[0],
        )
    return ProjectFiles(folder, tuple(sorted(chosen)), known is not None, tuple(sorted(found - chosen)))


def package_files(folder: Path = ROOT) -> list[Path]:
    """Those of the package alone, of a checkout or as it is installed in `folder`: what a job needs to train. Relative
    to `folder`."""
    _found, chosen, _known = _choose(folder)
    return [Path(path) for path in sorted(chosen) if path.startswith("lora_hub/")]


def _choose(folder: Path) -> tuple[set[str], set[str], set[str] | None]:
    """(files of the project's kinds in its places, those among them that travel, what git tracks)."""
    ours = GitIgnoreSpec.from_lines([*OURS, *_samples()])
    found = {path for path in _walk(folder) if ours.match_file(path)}
    known = _tracked(folder)
    return found, {path for path in found if not _has_link(folder, path) and (known is None or path in known)}, known


def _samples() -> list[str]:
    """The samples that the tasks of the catalogue name; another file beside them may be anybody's data."""
    try:
        samples = [catalogue.sample_file(task) for task in catalogue.list_tasks()]
    except SpecError as error:
        raise LoraHubError(error.said, error.advice) from error
    return [f"/lora_hub/catalogue/tasks/samples/{sample.name}" for sample in samples if sample is not None]


def _walk(folder: Path) -> Iterator[str]:
    """Files at the top, in spaces/ and in the package: only in its own folders, of which each one that holds programs
    is a package, and no hidden one is. Links are listed and not followed."""
    yield from _files(folder, folder)
    yield from _files(folder / "spaces", folder)
    for place, folders, _names in os.walk(folder / "lora_hub"):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")) and name != MAKING)
        is_package = (Path(place) / "__init__.py").is_file()
        yield from (path for path in _files(Path(place), folder) if is_package or not path.endswith(".py"))


def _files(place: Path, folder: Path) -> Iterator[str]:
    if not place.is_dir() or place.is_symlink():
        return
    for entry in sorted(os.scandir(place), key=lambda entry: entry.name):
        if entry.is_symlink() or entry.is_file():
            yield Path(entry.path).relative_to(folder).as_posix()


def _has_link(folder: Path, path: str) -> bool:
    parts = Path(path).parts
    return any((folder / Path(*parts[:length])).is_symlink() for length in range(1, len(parts) + 1))


def _tracked(folder: Path) -> set[str] | None:
    """What git tracks below a folder; None where it does not track the app: no git, or an unpacked archive."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "ls-files", "-z"],
            capture_output=True,
            env=kept,
            timeout=GIT_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    paths = set(os.fsdecode(done.stdout).split("\0")) if done.returncode == 0 else set()
    return paths if "app.py" in paths else None
