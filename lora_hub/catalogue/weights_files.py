"""The weights files of a base: which they are, whether they are complete, and a fingerprint of them.

files = weights_files(folder)      the safetensors (or .bin) files of a saved model
fingerprint(files)                 sha256 over them
"""

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _

HASH_WHOLE_UP_TO = 2 * 1024**3  # bytes; larger weights are hashed by their headers and sizes only
MAX_HEADER = 100 * 1024**2  # the safetensors format's own limit
AGAIN = _("Copy or download the base again, whole.")


def weights_files(folder: Path) -> list[Path]:
    """From the index, else by the usual names. Raises BaseError if one is missing."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(read_json(index).get("weight_map", {}).values()))
        files = [folder / Path(name).name for name in names]
    elif (folder / "model.safetensors").is_file():
        files = [folder / "model.safetensors"]
    else:
        files = sorted(folder.glob("pytorch_model*.bin"))
    missing = [file.name for file in files if not file.is_file()]
    if not files or missing:
        file = missing[0] if missing else "model.safetensors"
        raise BaseError(_("The folder {folder!r} lacks the weights file {file}."), AGAIN, folder=folder, file=file)
    return files


def read_safetensors_header(path: Path) -> dict[str, Any]:
    """A safetensors file's header: name -> {dtype, shape, data_offsets}. Raises BaseError if the file is incomplete."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if start == b"version ":
            raise BaseError(
                _("The file {path!r} is a Git LFS pointer, not the weights."),
                _("Run git lfs pull."),
                path=path,
            )
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else MAX_HEADER + 1
        if length > min(MAX_HEADER, size - 8):
            raise BaseError(
                _("The file {path!r} is not a whole safetensors file ({size:,} bytes)."),
                AGAIN,
                path=path,
                size=size,
            )
        try:
            header = json.loads(file.read(length))
            tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
            end = max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BaseError(_("The header of {path!r} cannot be read."), AGAIN, path=path) from error
    if size != 8 + length + end:
        raise BaseError(
            _("The file {path!r} has {size:,} bytes where its header says {length:,}."),
            AGAIN,
            path=path,
            size=size,
            length=8 + length + end,
        )
    return tensors


def fingerprint(files: list[Path]) -> str:
    """sha256 over the weights files; above 2 GiB, over their headers and sizes (prefixed with "headers:")."""
    digest = hashlib.sha256()
    if sum(file.stat().st_size for file in files) <= HASH_WHOLE_UP_TO:
        for file in files:
            with file.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()
    for file in files:
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        if file.suffix == ".safetensors":
            digest.update(json.dumps(read_safetensors_header(file), sort_keys=True).encode())
    return f"headers:{digest.hexdigest()}"


def read_json(path: Path) -> dict[str, Any]:
    """Raises BaseError if the file does not hold a JSON object."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BaseError(_("The file {path!r} cannot be read as JSON."), AGAIN, path=path) from error
    if not isinstance(data, dict):
        raise BaseError(_("The file {path!r} is not a JSON object."), AGAIN, path=path)
    return data
