"""A base with an adapter added to its weights, tensor by tensor: W + s B A in single precision, rounded once to the
base's own type. Nothing is loaded as a model, and no more than a file's tensors are in memory.

    merged = MergedModel(base_folder, read_adapter(folder))
    for name in merged.names: tensor = merged.tensor(name)

(Hu et al. 2021, arXiv 2106.09685, section 4.1.) Where the head is the embedding itself and the adapter adapts the head,
the two part: the head becomes a tensor of its own, and the configuration says so.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from lora_hub.answering.stack import LayerWeights, SavedAdapter
from lora_hub.catalogue import bases
from lora_hub.catalogue.weights_files import read_json, read_safetensors_header, weights_files
from lora_hub.core.errors import AdapterError, BaseError
from lora_hub.core.messages import _

HEAD = "lm_head.weight"
EMBEDDINGS = ("embed_tokens.weight", "wte.weight")
INDEX = "model.safetensors.index.json"


class MergedModel:
    """config: the merged model's. names: of its tensors, in the order of the base's files."""

    def __init__(self, folder: Path, adapter: SavedAdapter) -> None:
        """Raises BaseError (weights that cannot be merged into), AdapterError (a layer that the base has not)."""
        self.folder = folder
        self.config = read_json(folder / "config.json")
        if self.config.get("quantization_config"):
            raise BaseError(
                _("The base in {folder} is stored in few bits, into which nothing can be merged exactly."),
                _("Export the adapter alone, or train on the whole weights."),
                folder=folder.name,
            )
        files = weights_files(folder)
        if any(file.suffix != ".safetensors" for file in files):
            raise BaseError(
                _("The base in {folder} has no safetensors weights."),
                _("Save it again with save_pretrained."),
                folder=folder.name,
            )
        self._stack = ExitStack()
        self._open: dict[str, Any] = {}
        self._file_of: dict[str, str] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        for file in files:
            for name, entry in read_safetensors_header(file).items():
                self._file_of[name] = file.name
                self._shapes[name] = tuple(entry["shape"])
        self._files = {file.name: file for file in files}
        self._transposed = str((self.config.get("architectures") or [""])[0]).startswith("GPT2")
        self._drop_tied_copy()
        self._layers = {self._name_of(layer): weights for layer, weights in adapter.layers.items()}
        self._others = {self._name_of(name.removesuffix(".weight")): one for name, one in adapter.others.items()}
        self._split_head()
        self._check_shapes()

    @property
    def is_tied(self) -> bool:
        return bases.is_tied(self.config)

    @property
    def names(self) -> list[str]:
        return [*self._file_of]

    @property
    def files(self) -> list[str]:
        return [*self._files]

    def names_in(self, file: str) -> list[str]:
        return [name for name, where in self._file_of.items() if where == file]

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._others[name].shape) if name in self._others else self._shapes[name]

    def tensor(self, name: str, *, exact: bool = False) -> torch.Tensor:
        """On the CPU, in the base's type; exact: as it is before it is rounded to that."""
        base = self._base_tensor(name)
        weights = self._layers.get(name)
        if weights is None:
            return base
        made = add(base, weights, transposed=self._is_transposed(name))
        return made if exact else made.to(base.dtype)

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> "MergedModel":
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()

    @property
    def replaced(self) -> list[str]:
        """Tensors that the adapter brings whole and that are not the base's own, such as embeddings with more rows."""
        return [
            name
            for name, tensor in self._others.items()
            if tensor.shape != self._shapes[name] or not torch.equal(tensor, self._stored(name).to(tensor.dtype))
        ]

    def _is_transposed(self, name: str) -> bool:
        """GPT-2's layers are [in, out]; its head is not."""
        return self._transposed and name != HEAD

    def _base_tensor(self, name: str) -> torch.Tensor:
        return self._others[name] if name in self._others else self._stored(name)

    def _stored(self, name: str) -> torch.Tensor:
        stored = self._head_is if name == HEAD and self._head_is else name
        file = self._file_of[stored]
        if file not in self._open:
            self._open[file] = self._stack.enter_context(safe_open(self._files[file], framework="pt"))
        return self._open[file].get_tensor(stored)

    def _drop_tied_copy(self) -> None:
        """Of tied weights one is enough."""
        if self.is_tied and HEAD in self._file_of and any(name.endswith(EMBEDDINGS) for name in self._file_of):
            del self._file_of[HEAD], self._shapes[HEAD]

    def _split_head(self) -> None:
        """A head that is the embedding gets a tensor of its own where the adapter changes it alone."""
        self._head_is = ""
        if HEAD not in self._layers and HEAD not in self._others:
            return
        if HEAD in self._file_of:
            return
        self._head_is = next(name for name in self._file_of if name.endswith(EMBEDDINGS))
        if HEAD in self._layers:
            self._file_of[HEAD] = self._file_of[self._head_is]
            self._shapes[HEAD] = self._shapes[self._head_is]
            self.config["tie_word_embeddings"] = False
        else:  # the same weights, saved under the head's name
            self._others[self._head_is] = self._others.pop(HEAD)

    def _name_of(self, layer: str) -> str:
        """The tensor of a layer, as the base's files name it: the layer's own name, or its end."""
        wanted = f"{layer}.weight"
        if wanted in self._file_of or layer == "lm_head":
            return wanted
        found = [name for name in self._file_of if wanted.endswith(f".{name}")]
        if len(found) != 1:
            raise AdapterError(
                _("The adapter changes {layer}, which is no tensor of its own in the base."),
                _("Merge it with PEFT's merge_and_unload."),
                layer=layer,
            )
        return found[0]

    def _check_shapes(self) -> None:
        for name, weights in self._layers.items():
            change = (weights.b.shape[0], weights.a.shape[1])
            if (tuple(reversed(change)) if self._is_transposed(name) else change) != self.shape(name):
                raise AdapterError(
                    _("The adapter does not fit the base: {name} is {base}, its change {adapter}."),
                    _("Name the base that it was trained on."),
                    name=name,
                    base=" × ".join(map(str, self.shape(name))),
                    adapter=" × ".join(map(str, change)),
                )
        sizes = {self.shape(name)[0] for name in self._others if name.endswith(EMBEDDINGS) or name == HEAD}
        if len(sizes) == 1 and "vocab_size" in self.config:
            self.config["vocab_size"] = sizes.pop()


def add(base: torch.Tensor, weights: LayerWeights, *, transposed: bool = False) -> torch.Tensor:
    """W + s B A in single precision. base: [out, in]; transposed: [in, out]."""
    change = weights.b.float() @ weights.a.float() * weights.scale
    return base.float() + (change.T if transposed else change)


def write_merged(merged: MergedModel, folder: Path) -> Iterator[int]:
    """The merged weights in files like the base's own, with config.json and the index. Yields after each tensor."""
    done = 0
    for file in merged.files:
        tensors = {}
        for name in merged.names_in(file):
            tensors[name] = merged.tensor(name).contiguous()
            done += 1
            yield done
        if tensors:
            save_file(tensors, folder / file, {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(merged.config, indent=2, ensure_ascii=False) + "\n", "utf-8")
    if len(merged.files) > 1 or (merged.folder / INDEX).is_file():
        where = {name: file for file in merged.files for name in merged.names_in(file)}
        size = sum((folder / file).stat().st_size for file in set(where.values()))
        index = {"metadata": {"total_size": size}, "weight_map": where}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
