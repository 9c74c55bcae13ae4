"""The catalogue of base models: size, licence and the memory each needs.

    list_bases()                               the built-in base first, then the catalogue (bases.yaml)
    get_base("built-in")                       ships with the project; its figures are read from its files
    get_base("HuggingFaceTB/SmolLM2-135M-Instruct")
    get_base("/models/mine")                   a local folder with config.json and weights
    get_base("SmolLM2-135M-Instruct")          one that was read from a GGUF file (kept_bases.py), or that file itself
    get_base("someone/anything")               any other repo of the Hub; its figures are unknown here (parameters 0)

Nothing here talks to a Hub or imports torch.
"""

import difflib
import functools
import os
import re
import shlex
from pathlib import Path
from typing import Any

from lora_hub.catalogue import kept_bases, memory
from lora_hub.catalogue.base_folder import default_lr, read_base_folder
from lora_hub.catalogue.shapes import Shape, shape_of_config
from lora_hub.catalogue.shapes import is_tied as is_tied
from lora_hub.catalogue.weights_files import read_json, read_safetensors_header, weights_files
from lora_hub.core.disk import expand
from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _, several
from lora_hub.core.schema import BaseModel

BUILT_IN = "built-in"
CATALOGUE = Path(__file__).with_name("bases.yaml")
BYTES = memory.BYTES
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)


def built_in_folder() -> Path:
    """The folder of the base that ships with the project."""
    return Path(__file__).parents[1] / "built_in" / "model"


def folder_of(base: BaseModel) -> Path | None:
    """The folder on this machine that holds a base; None if its files are on a Hub or in the client's cache."""
    if base.folder:
        return Path(base.folder)
    return built_in_folder() if base.id == BUILT_IN else None


def is_surpassed(base: BaseModel) -> bool:
    """Whether the catalogue says that newer bases of its size know more."""
    return any(entry["id"] == base.id and entry.get("surpassed") for entry in _catalogue())


def layers_of(base: BaseModel) -> tuple[str, ...]:
    """The layers of a base that hold a matrix, such as model.layers.0.self_attn.q_proj, as its weights name them. Empty
    if it has no local folder or its weights are not safetensors. Raises BaseError if they are incomplete."""
    folder = folder_of(base)
    if folder is None or not folder.is_dir():
        return ()
    headers = [read_safetensors_header(file) for file in weights_files(folder) if file.suffix == ".safetensors"]
    return tuple(
        name.removesuffix(".weight")
        for header in headers
        for name, entry in header.items()
        if name.endswith(".weight") and len(entry.get("shape", ())) == 2
    )


def list_bases() -> list[BaseModel]:
    """The built-in base, those read from files, and the catalogue. Raises BaseError if the built-in base is
    incomplete."""
    return [_built_in(), *map(_kept_base, kept_bases.list_kept()), *(_catalogue_base(entry) for entry in _catalogue())]


def is_ours(base: BaseModel) -> bool:
    """Whether a base is the built-in one, from the catalogue or from a package of it, so that its files can be trusted.
    A base with a revision cannot: it may be that of a pull request, which anybody can write."""
    if (folder := folder_of(base)) is not None:
        return folder == built_in_folder() or _is_packaged(folder)
    return not base.revision and base.id in {entry["id"] for entry in _catalogue()}


class NoBase(BaseError):
    """The base is not on this machine, and the Hub does not have it or cannot be reached."""


class NotHereYet(BaseError):
    """A base that can be brought here: a GGUF file, or one that a Python package carries (`use_cases.add_base`).
    wanted: the file or the package."""

    def __init__(self, wanted: Path | kept_bases.Package) -> None:
        is_file = isinstance(wanted, Path)
        name = str(wanted) if is_file else wanted.name
        super().__init__(
            _("The GGUF file {name!r} has not been read in yet.")
            if is_file
            else _("The base {name!r} is not on this machine yet."),
            _("Read it in once: {command}") if is_file else _("Get it from the package index: {command}"),
            name=name,
            command=f"python -m lora_hub bases --add {shlex.quote(name)}",
        )
        self.wanted = wanted


def get_base(name: str, *, folders: bool = True) -> BaseModel:
    """A base by catalogue id, local folder, name of one that was read from a GGUF file, that file, or any Hub id
    `owner/name`, optionally with `@revision`. folders False: never a folder or file of this machine, for names that
    strangers wrote.

    Raises BaseError: no such base, a folder without a causal language model, weights that are missing or cut short, a
    GGUF file that has not been read in.
    """
    name = str(name).strip()
    if name == BUILT_IN:
        return _built_in()
    if kept := kept_bases.find_kept(name):
        return _kept_base(kept)
    folder = expand(name)
    if folders and name and os.path.isdir(folder):  # isdir also handles a name too long for a path
        kept = kept_bases.read_kept(folder.resolve()) if folder.resolve().parent == kept_bases.bases_dir() else None
        return _kept_base(kept) if kept else read_base_folder(folder.resolve())
    if folders and os.path.isfile(folder) and kept_bases.is_gguf(folder):
        if kept := kept_bases.find_by_file(folder):
            return _kept_base(kept)
        raise NotHereYet(folder.resolve())
    hub_id, _rest, revision = name.partition("@")
    for entry in _catalogue():
        if entry["id"] == hub_id:
            return _catalogue_base(entry).model_copy(update={"revision": revision})
    if HUB_ID.fullmatch(hub_id):
        return BaseModel(id=hub_id, revision=revision, title=hub_id, languages=())
    if (package := kept_bases.find_package(name)) and "/" not in name:
        raise NotHereYet(package)
    ids = [BUILT_IN, *(one.name for one in kept_bases.list_kept()), *(entry["id"] for entry in _catalogue())]
    short = {i.rpartition("/")[2].lower(): i for i in ids}
    near = [short[match] for match in difflib.get_close_matches(name.lower(), short, n=2, cutoff=0.5)]
    if name.startswith((".", "/", "~")) or hub_id.count("/") > 1:
        raise BaseError(
            _("There is no folder {name!r}."),
            _("Give the path of a folder with config.json."),
            name=name,
        )
    hint = _("Give built-in, a Hub id like owner/name, or a folder with config.json.")
    if near:
        hint = _("Did you mean {near}?", near=several(near, "or"))
    raise BaseError(_("There is no base {name!r}."), hint, name=name)


def memory_bytes(
    base: BaseModel,
    *,
    train: bool,
    batch: int = 1,
    length: int = 512,
    r: int = 16,
    precision: str = "bf16",
    quantization: str = "none",
    gradient_checkpointing: bool = False,
    trained: int = 0,
    begin: int = 0,
    with_process: bool = False,
) -> int:
    """Bytes of device memory the base needs for training an adapter or for answering; 0 if its size is unknown. batch
    rows of length tokens are in memory at once, of which trained are learnt (0: all) and begin are the same in
    all rows and read once. with_process: all that a run's
    process on a CPU takes (memory.py); without it the framework itself is not counted (on CUDA about half a GiB)."""
    shape = shape_of(base)
    if shape is None:
        return 0
    of = {"rows": batch, "tokens": length, "r": r, "precision": precision, "quantization": quantization}
    parameters = base.parameters or shape.parameters
    need = (
        memory.need_to_train(
            shape, parameters, checkpointing=gradient_checkpointing, trained=trained, begin=begin, **of
        )
        if train
        else memory.need_to_answer(shape, parameters, **of)
    )
    return need.in_a_process if with_process else need.total


@functools.cache
def _catalogue() -> list[dict[str, Any]]:
    import yaml

    return yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))


def _catalogue_base(entry: dict[str, Any]) -> BaseModel:
    fields = {key: value for key, value in entry.items() if key not in ("shape", "lr_exponent", "surpassed")}
    hidden = entry["shape"]["hidden"]
    return BaseModel(hidden_size=hidden, default_lr=default_lr(hidden, entry.get("lr_exponent", 0.781)), **fields)


def _built_in() -> BaseModel:
    folder = built_in_folder()
    if not folder.is_dir():
        raise BaseError(
            _("The built-in base is missing from {folder!r}."),
            _("Check the project out again, whole."),
            folder=folder,
        )
    update = {"id": BUILT_IN, "title": "Built-in", "licence": "apache-2.0", "languages": ("en", "fa")}
    return read_base_folder(folder).model_copy(update=update)


def _kept_base(kept: kept_bases.Kept) -> BaseModel:
    """Its own name is its id, wherever our folder lies; the fingerprint was made when it was read in."""
    return read_base_folder(kept.folder, kept.fingerprint).model_copy(
        update={
            "id": kept.name,
            "title": kept.title or kept.name,
            "licence": kept.licence,
            "languages": kept.languages,
            "origin": kept.origin,
        }
    )


def _is_packaged(folder: Path) -> bool:
    """Whether a folder holds what was read from a package of the catalogue, known by its hash."""
    kept = kept_bases.read_kept(folder) if folder.parent == kept_bases.bases_dir() else None
    return kept is not None and kept.origin.sha256 in {one.sha256 for one in kept_bases.list_packages()}


def shape_of(base: BaseModel) -> Shape | None:
    """The sizes of its decoder; None where nobody here knows them."""
    if (folder := folder_of(base)) is not None:
        return shape_of_config(read_json(folder / "config.json"))
    for entry in _catalogue():
        if entry["id"] == base.id:
            return Shape(**entry["shape"])
    return None
