"""A GGUF file as a base: read once by transformers, and kept as an ordinary model folder (`catalogue.kept_bases`).

    base = read_in(Path("SmolLM2-135M-Instruct.Q4_1.gguf"))

Quantized weights are dequantized, so that the base is a rounded copy of the original: its origin says so, and every
adapter's record with it. transformers reads the weights and the tokenizer. Two things it leaves out are added here: how
texts are split before the byte pairs are merged (`tokenizer.ggml.pre`; else some texts become other tokens than the
model was trained on), and frequencies of rotary positions that the file gives itself (`rope_freqs`, Llama 3).
It is done in a process of its own: the memory is free again afterwards, and a file that breaks the reader breaks
nothing else.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lora_hub.catalogue import bases, kept_bases
from lora_hub.core import settings, store
from lora_hub.core.disk import disk_errors
from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _, several
from lora_hub.core.processes import with_package
from lora_hub.core.schema import BaseModel, Origin
from lora_hub.works_in import SPLITS

FAMILIES = ("llama", "qwen2", "qwen3", "gemma2", "gemma3")
TITLE_CHARACTERS = 80
MOST_SECONDS = 3600
RESULT = "result.json"
WHOLE = _("Download it again, whole.")


def read_in(
    file: Path,
    *,
    name: str = "",
    package: str = "",
    hub_id: str = "",
    title: str = "",
    licence: str = "",
    languages: tuple[str, ...] = (),
) -> BaseModel:
    """The base of a GGUF file, kept under a name (the file's own, if none is given); the one that is kept already, if
    it was read from the same bytes. licence, title and languages: else as the file says. Raises BaseError, LoraHubError
    where the disk is full."""
    if not kept_bases.is_gguf(file):
        raise BaseError(
            _("The file {file} is no GGUF file: it begins otherwise."), _("Name a whole model file."), file=file.name
        )
    digest = kept_bases.hash_file(file)
    if known := kept_bases.find_by_hash(digest):
        return bases.get_base(known.name)
    store.keep_private()
    folder = kept_bases.bases_dir()
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".reading-", dir=folder) as work:
            made = Path(work) / "model"
            made.mkdir()
            told = unpack(file, made)
            kept = kept_bases.keep(
                made,
                name or file.stem,
                Origin(
                    file=file.name[:200],
                    sha256=digest,
                    quantization=told["quantization"],
                    package=package,
                    hub_id=hub_id,
                ),
                title=title or told["title"],
                licence=licence or told["licence"],
                languages=languages or tuple(told["languages"]),
            )
    return bases.get_base(kept.name)


def unpack(file: Path, folder: Path) -> dict[str, Any]:
    """Writes the model folder in a process of its own; returns what it tells of the file. Raises BaseError."""
    environment = with_package(settings.without_secrets())
    environment |= {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": environment.get("OMP_NUM_THREADS", "1"),
    }
    command = [sys.executable, "-m", "lora_hub.converting.gguf_base", str(file), str(folder)]
    try:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=MOST_SECONDS, check=False
        )
        told = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    except subprocess.TimeoutExpired as error:
        raise BaseError(
            _("Reading {file} in took more than an hour and was ended."), _("Choose a smaller base."), file=file.name
        ) from error
    except (OSError, ValueError) as error:
        raise BaseError(
            _("The process that read {file} was ended (status {status}); too little memory is the usual reason."),
            _("Choose a smaller base, or close what else uses the memory."),
            file=file.name,
            status=done.returncode,
        ) from error
    (folder / RESULT).unlink()
    if "why" in told:
        raise _refusal(file.name, **told)
    return told


def _refusal(file: str, why: str, **values: Any) -> BaseError:
    families = several(list(FAMILIES), "or")
    said, advice = {
        "kind": (
            _("The GGUF file {file} holds no language model but is of type {kind!r}."),
            _("Choose the file of the whole model."),
        ),
        "family": (
            _("The GGUF file {file} is of the family {family!r}, which cannot be trained on here."),
            _("Choose one of {families}.", families=families),
        ),
        "split": (
            _("The GGUF file {file} is one of {count} parts."),
            _("Merge them with llama.cpp (llama-gguf-split --merge), or choose a file in one piece."),
        ),
        "memory": (
            _("Reading {file} in needs {needed:.1f} GB of memory; {free:.1f} GB are free."),
            _("Choose a smaller base, or close what else uses the memory."),
        ),
        "disk": (
            _("Reading {file} in needs {needed:.1f} GB on the disk; {free:.1f} GB are free."),
            _("Make room, or choose a smaller base."),
        ),
        "missing": (_("The GGUF file {file} lacks the weights {missing!r}."), WHOLE),
        "unreadable": (_("The GGUF file {file} cannot be read: {reason}."), WHOLE),
    }[why]
    return BaseError(said, advice, file=file, **values)


# --- in the process of its own ---


class _Refused(Exception):
    """why: a key of `_refusal`'s sentences, with their values."""

    def __init__(self, why: str, **values: Any) -> None:
        super().__init__(why)
        self.told = {"why": why, **values}


def main(file: Path, folder: Path) -> None:
    store.keep_private()
    try:
        told = _write_folder(file, folder)
    except _Refused as refused:
        told = refused.told
    except Exception as error:  # the readers raise anything on what is no model
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        told = {"why": "unreadable", "reason": reason[0][:200].rstrip(" .:")}
    (folder / RESULT).write_text(json.dumps(told), encoding="utf-8")


def _write_folder(file: Path, folder: Path) -> dict[str, Any]:
    import torch
    import transformers

    header = _read_header(file, folder)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    place = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name, "local_files_only": True}
    tokenizer = transformers.AutoTokenizer.from_pretrained(**place)
    _split_texts(tokenizer, header["pre"])
    read, info = transformers.AutoModelForCausalLM.from_pretrained(
        **place, **header["sizes"], dtype=torch.float32, output_loading_info=True
    )
    if missing := sorted(info["missing_keys"]):
        raise _Refused("missing", missing=missing[0])
    # What it was read from is in `origin.json`; the folder itself is a model like any other.
    odd = ("quantization_config", "_name_or_path", "_model_name_or_path")
    config = type(read.config)(**{key: value for key, value in read.config.to_dict().items() if key not in odd})
    if header["rope_freqs"]:
        # The factors divide the frequencies whatever the length of the text, which is "longrope" with both lists alike.
        config.rope_parameters = {
            **config.rope_parameters,
            "rope_type": "longrope",
            "short_factor": header["rope_freqs"],
            "long_factor": header["rope_freqs"],
            "attention_factor": 1.0,
            "original_max_position_embeddings": config.max_position_embeddings,
        }
    with torch.device("meta"):
        model = type(read)(config)
    model.load_state_dict(read.state_dict(), assign=True)
    model.tie_weights()
    model = model.to(getattr(torch, header["dtype"]))
    ends = [tokenizer.eos_token_id, *header["ends"]]
    model.generation_config.eos_token_id = sorted({end for end in ends if end is not None})
    model.save_pretrained(folder, max_shard_size="5GB")
    tokenizer.save_pretrained(folder)
    return {key: header[key] for key in ("quantization", "title", "licence", "languages")}


def _read_header(file: Path, folder: Path) -> dict[str, Any]:
    """What has to be known before the weights are read. Raises _Refused."""
    import gguf
    import psutil

    reader = gguf.GGUFReader(file)

    def told(key: str, otherwise: Any = "") -> Any:
        return reader.fields[key].contents() if key in reader.fields else otherwise

    kind, family = told("general.type", "model"), told("general.architecture")
    if kind != "model":
        raise _Refused("kind", kind=str(kind)[:40])
    if (parts := told("split.count", 1)) > 1:
        raise _Refused("split", count=parts)
    if family not in FAMILIES:
        raise _Refused("family", family=str(family)[:40])
    numbers = sum(int(tensor.n_elements) for tensor in reader.tensors)
    types = [
        gguf.GGMLQuantizationType(tensor.tensor_type).name for tensor in reader.tensors if tensor.n_elements > 4096
    ]
    stored = max(sorted(set(types)), key=types.count, default="F32")
    dtype = {"F32": "float32", "F16": "float16"}.get(stored, "bfloat16")
    needed, free = numbers * 4 * 2.2, psutil.virtual_memory().available
    if needed > free:
        raise _Refused("memory", needed=needed / 1e9, free=free / 1e9)
    written, room = numbers * (4 if dtype == "float32" else 2), shutil.disk_usage(folder).free
    if written * 1.05 > room:
        raise _Refused("disk", needed=written / 1e9, free=room / 1e9)
    freqs = next((tensor for tensor in reader.tensors if tensor.name == "rope_freqs.weight"), None)
    languages = told("general.languages", [])
    # transformers reads it for some families only, and takes 128 for the others; of Qwen2, whose configuration has no
    # width of its heads, it follows from the other sizes
    width = told(f"{family}.attention.key_length", 0) if family != "qwen2" else 0
    return {
        "pre": told("tokenizer.ggml.pre"),
        "sizes": {"head_dim": int(width)} if width else {},
        "dtype": dtype,
        "quantization": stored,
        "rope_freqs": [float(factor) for factor in freqs.data.tolist()] if freqs is not None else [],
        "ends": [told(f"tokenizer.ggml.{key}_token_id", None) for key in ("eos", "eot", "eom")],
        "title": " ".join(str(told("general.name")).split())[:TITLE_CHARACTERS],
        "licence": str(told("general.license", "unknown"))[:40],
        "languages": [str(one)[:8] for one in languages][:20] if isinstance(languages, list) else [],
    }


def _split_texts(tokenizer: Any, pre: str) -> None:
    from tokenizers import Regex, pre_tokenizers

    if pre == "smollm":
        steps = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    elif pre in SPLITS:
        steps = [
            pre_tokenizers.Split(Regex(SPLITS[pre]), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    else:
        return
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
