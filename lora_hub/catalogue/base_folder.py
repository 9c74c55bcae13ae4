"""A base in a folder of this machine: what its config.json, weights and card say of it.

read_base_folder(Path("/models/mine"))      a BaseModel whose id is the folder

Nothing here imports torch: weights are read by the safetensors format's own rule (8 bytes of little-endian length, then
a JSON header, then the tensors; https://github.com/huggingface/safetensors#format).
"""

import math
import re
from pathlib import Path

from lora_hub.catalogue.shapes import Shape, shape_of_config
from lora_hub.catalogue.weights_files import fingerprint, read_json, read_safetensors_header, weights_files
from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _
from lora_hub.core.schema import BaseModel


def read_base_folder(folder: Path, known_fingerprint: str = "") -> BaseModel:
    """known_fingerprint: of its weights, which are hashed where it is empty. Raises BaseError: no causal language
    model, or weights that are missing or cut short."""
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            raise BaseError(
                _("The folder {folder!r} holds an adapter, not a base."),
                _("Give the base that it was made for."),
                folder=folder,
            )
        raise BaseError(
            _("The folder {folder!r} holds no config.json."),
            _("Give a folder with a whole model."),
            folder=folder,
        )
    config = read_json(folder / "config.json")
    if config.get("is_encoder_decoder"):
        kind = config.get("model_type")
        raise BaseError(
            _("The base in {folder!r} is {kind}, not a causal language model.", kind=kind)
            if kind
            else _("The base in {folder!r} is an encoder-decoder, not a causal language model."),
            _("Choose a decoder-only base."),
            folder=folder,
        )
    shape = shape_of_config(config)
    if not shape.hidden or not shape.vocab:
        raise BaseError(
            _("The config.json in {folder!r} names no hidden_size or vocab_size."),
            _("Give a causal language model."),
            folder=folder,
        )
    files = weights_files(folder)
    text = config.get("text_config") or config
    contexts = [text.get(key) for key in ("max_position_embeddings", "n_positions", "n_ctx")]
    card = _read_card_facts(folder)
    return BaseModel(
        id=str(folder),
        fingerprint=known_fingerprint or fingerprint(files),
        title=folder.name,
        parameters=_count_parameters(files, shape),
        hidden_size=shape.hidden,
        context=next((value for value in contexts if isinstance(value, int)), 2048),
        licence=card.get("license", "unknown"),
        has_chat_template=_has_chat_template(folder),
        default_lr=default_lr(shape.hidden, 0.0775 if "qwen" in str(config.get("model_type", "")) else 0.781),
        folder=str(folder),
        languages=(card["language"],) if "language" in card else (),
    )


def _count_parameters(files: list[Path], shape: Shape) -> int:
    """Parameters in safetensors files, without masks, rotary tables and a second copy of tied embeddings.

    For .bin files, which are pickles that only torch may open, the count follows from the shape in config.json.
    """
    if any(file.suffix != ".safetensors" for file in files):
        return shape.parameters
    tensors = {name: entry for file in files for name, entry in read_safetensors_header(file).items()}
    tied = shape.tied and any("embed" in name or "wte" in name for name in tensors)
    total = 0
    for name, entry in tensors.items():
        is_mask = entry["dtype"] in ("BOOL", "U8") or len(entry["shape"]) == 4
        is_buffer = is_mask or name.endswith(("masked_bias", "inv_freq"))
        if not is_buffer and not (tied and name == "lm_head.weight"):
            total += math.prod(entry["shape"])
    return total


def _has_chat_template(folder: Path) -> bool:
    if any((folder / name).is_file() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    config = folder / "tokenizer_config.json"
    return config.is_file() and bool(read_json(config).get("chat_template"))


def _read_card_facts(folder: Path) -> dict[str, str]:
    """`license` and `language` from the folder's model card, if its front matter gives each on one line."""
    card = folder / "README.md"
    if not card.is_file():
        return {}
    parts = card.read_text(encoding="utf-8", errors="replace").split("---", 2)
    front = parts[1] if len(parts) == 3 and not parts[0].strip() else ""
    return dict(re.findall(r"^(license|language):[ \t]*([\w.-]+)[ \t]*$", front, flags=re.MULTILINE))


def default_lr(hidden: int, exponent: float = 0.781) -> float:
    """LoRA's peak learning rate for AdamW, from the base's hidden size.

    5e-5 x 10 x (2000 / hidden) ^ exponent, the exponent 0.781 fitted on Llama and 0.0775 on Qwen: "LoRA Without Regret"
    (Schulman et al., Thinking Machines, 2025). Capped at 5e-3, where bases narrower than any in the fit still train.
    """
    return float(f"{min(5e-3, 5e-5 * 10 * (2000 / hidden) ** exponent):.2g}")
