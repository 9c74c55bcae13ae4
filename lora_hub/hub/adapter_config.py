"""`adapter_config.json`, PEFT's description of an adapter: read, bounded and checked, whoever wrote it.

config = read_config(folder)            a dict whose numbers are numbers and whose patterns are strings
base_of_config(config, "owner/name")    (base, revision) that it names
weights_file(folder, ...)               where its weights lie
"""

import json
import math
from pathlib import Path
from typing import Any

from lora_hub.core.errors import AdapterError, damage_of
from lora_hub.core.messages import Message, _

CONFIG_FILE = "adapter_config.json"
WEIGHTS_FILE = "adapter_model.safetensors"
RECORD_FILE, RECORD_VERSION = "lora_hub.json", 1  # ours, beside them (`record.make_record`)
# Weights that are pickles, under the names that people's tools give them.
PICKLED = ("adapter_model*.bin", "pytorch_model*.bin", "*.pt", "*.pth")
# PEFT's own are a few kB; one that lists every layer of a large model by name has some hundred.
MOST_BYTES = 4 << 20
MOST_RANK = 1 << 20
AGAIN = _("Fetch or train the adapter again.")


def read_config(folder: Path) -> dict[str, Any]:
    """`adapter_config.json` as a dict. Raises AdapterError: it is missing, no JSON object, or a setting has no value
    that it can have."""
    path = Path(folder) / CONFIG_FILE
    if not path.is_file():
        raise AdapterError(
            _("There is no adapter in {folder}: {file} is missing."),
            _("Name a folder that PEFT saved."),
            folder=folder,
            file=CONFIG_FILE,
        )
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            why = _("it has {size:,} bytes, more than an adapter's configuration ever has", size=size)
            raise AdapterError(_("{path} cannot be read: {reason}."), AGAIN, path=path, reason=why)
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise AdapterError(_("{path} cannot be read: {reason}."), AGAIN, path=path, reason=damage_of(error)) from error
    if not isinstance(config, dict):
        raise AdapterError(_("{path} is not a JSON object."), AGAIN, path=path)
    for key, (is_right, wanted) in _KINDS.items():
        if key in config and not is_right(config[key]):
            raise AdapterError(
                _("The {file} of the adapter in {folder} says {key} = {value}, which is not {wanted}."),
                AGAIN,
                file=CONFIG_FILE,
                folder=folder,
                key=key,
                value=_shown(config[key]),
                wanted=wanted,
            )
    return config


def base_of_config(config: dict[str, Any], name: str) -> tuple[str, str]:
    """The base's name or path that an adapter was made for, and its revision. Raises AdapterError where it names
    none."""
    base, revision = config.get("base_model_name_or_path"), config.get("revision")
    if not base or not base.strip():
        raise AdapterError(
            _("{name} does not say which base it was made for."),
            _("Set base_model_name_or_path in its {file}, or name the base with --base."),
            name=name,
            file=CONFIG_FILE,
        )
    return base.strip(), (revision or "").strip()


def weights_file(folder: Path, adapter: Message) -> Path:
    """The file that an adapter's weights lie in. adapter: which one it is, for the beginning of a sentence. Raises
    AdapterError where there is none, or where they are only pickled: a pickle is a program, which may do anything when
    it is opened."""
    path = Path(folder) / WEIGHTS_FILE
    if path.is_file() and path.stat().st_size:
        return path
    pickled = next((file.name for pattern in PICKLED for file in sorted(Path(folder).glob(pattern))), "")
    if pickled:
        message = _("{adapter} only has pickled weights ({file}), which are not opened here.")
    elif path.is_file():
        message = _("{adapter} has an empty {file}.")
    else:
        message = _("{adapter} has no {file}.")
    raise AdapterError(
        message, _("Save it again with PEFT's save_pretrained."), adapter=adapter, file=pickled or WEIGHTS_FILE
    )


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False).replace("{", "(").replace("}", ")")
    return text if len(text) <= 60 else text[:60] + "..."


def _is_rank(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_RANK


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30 and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _are_names(value: Any) -> bool:
    return _is_text(value) or isinstance(value, list) and all(isinstance(one, str) for one in value)


def _are_layers(value: Any) -> bool:
    return value is None or all(
        isinstance(one, int) and not isinstance(one, bool) for one in (value if isinstance(value, list) else [value])
    )


def _are_ranks(value: Any) -> bool:
    return value is None or isinstance(value, dict) and all(map(_is_rank, value.values()))


def _are_numbers(value: Any) -> bool:
    return value is None or isinstance(value, dict) and all(map(_is_number, value.values()))


_RANK = (_is_rank, _("a whole number from 1 on"))
_NUMBER = (_is_number, _("a number"))
_TEXT = (_is_text, _("a text"))
_FLAG = (_is_flag, _("true or false"))
_NAMES = (_are_names, _("a name or a list of names"))
_LAYERS = (_are_layers, _("a layer's number or a list of them"))
_KINDS = {
    "r": _RANK,
    "lora_alpha": _NUMBER,
    "rank_pattern": (_are_ranks, _("an object of whole numbers")),
    "alpha_pattern": (_are_numbers, _("an object of numbers")),
    "use_rslora": _FLAG,
    "use_dora": _FLAG,
    "fan_in_fan_out": _FLAG,
    "bias": _TEXT,
    "peft_type": _TEXT,
    "task_type": _TEXT,
    "base_model_name_or_path": _TEXT,
    "revision": _TEXT,
    "target_modules": _NAMES,
    "exclude_modules": _NAMES,
    "layers_pattern": _NAMES,
    "layers_to_transform": _LAYERS,
}
