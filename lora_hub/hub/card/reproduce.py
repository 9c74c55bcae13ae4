"""The commands on a card that train the adapter again: `again` from its record, and `command` with everything that
decided the run and is not a default, in arguments that `python -m lora_hub train` takes. tests/hub/test_reproduce.py
runs the latter and compares the two runs' specs.
"""

import re
import shlex
import unicodedata

from lora_hub.catalogue.tasks import catalogue
from lora_hub.core import spec_fields
from lora_hub.core.errors import SpecError
from lora_hub.core.schema import DatasetInfo, TrainSpec
from lora_hub.hub.adapter_config import RECORD_FILE
from lora_hub.hub.card.card_metadata import is_hub_id, short_name

# What the recipe derives; the command says these even where they are the defaults.
DERIVED = ("lora.r", "lora.alpha", "lr", "epochs", "batch", "max_length", "even_labels", "seed")


def command(spec: TrainSpec, repo_id: str) -> str:
    """Lines for a shell, to be run where the data lies. repo_id: the adapter's, which a task of one's own is fetched
    from."""
    # not above: whoever asks the Hub for something does not wait for polars
    from lora_hub.data.mending.mend_arguments import mend_argument

    own_task = not is_catalogue_task(spec)
    known_base = is_hub_id(spec.base) or spec.base.id == "built-in"
    base = spec.base.id if known_base else _folder_of(spec)
    words = ["python", "-m", "lora_hub", "train", *_files(spec.dataset)]
    words += (
        _option("--task", RECORD_FILE if own_task else spec.task.id)
        + _option("--base", base)
        + _option("--effort", spec.effort)
    )
    if spec.parent is not None:
        before = spec.parent
        words += _option("--from", f"{before.repo_id}@{before.revision}" if before.repo_id else before.run)
    mappings = [part.mapping for part in spec.dataset.parts] or [spec.mapping]
    if all(one == mappings[0] for one in mappings):  # others were mapped each by itself, and are so again
        words += _option("--map", named_columns(spec.model_copy(update={"mapping": mappings[0]})))
    words += [] if spec.dataset.parts else _reading(spec.dataset)
    for mend in spec.dataset.mends:
        words += _option("--mend", mend_argument(mend))
    if spec.test_dataset:
        words += _option("--test", _file(spec.test_dataset))
    for metric, least in spec.minimum.items():
        words += _option("--min", f"{metric}={least:g}")
    lines = [
        " ".join(map(_quote, words)) + " \\",
        "  " + " ".join(_quote(word) for setting in _settings(spec) for word in ("--set", setting)),
    ]
    if own_task:
        lines.insert(0, f"hf download {_quote(repo_id)} {RECORD_FILE} --local-dir .")
    return "\n".join(lines)


def again(spec: TrainSpec, repo_id: str) -> str:
    """A line for a shell, to be run where the data lies: `reproduce`, which takes everything but the data from the
    record."""
    words = ["python", "-m", "lora_hub", "reproduce", repo_id]
    named = _files(spec.dataset)
    words += ["--data", *named] if len(named) > 1 else _option("--data", _file(spec.dataset))
    if spec.test_dataset:
        words += _option("--test", _file(spec.test_dataset))
    if not (is_hub_id(spec.base) or spec.base.id == "built-in"):
        words += _option("--base", _folder_of(spec))
    return " ".join(map(_quote, words))


def _folder_of(spec: TrainSpec) -> str:
    """What stands for a folder that only whoever trained it has."""
    return f"FOLDER_OF_{re.sub(r'[^A-Za-z0-9]+', '_', short_name(spec.base))}"


def is_catalogue_task(spec: TrainSpec) -> bool:
    """Whether the catalogue's task of this id is this one; labels that come from the data come from it again."""
    try:
        known = catalogue.get_task(spec.task.id)
    except SpecError:
        return False
    return spec.task in (known, known.model_copy(update={"labels": spec.task.labels})) and known.labels in (
        (),
        spec.task.labels,
    )


def named_columns(spec: TrainSpec) -> str:
    """Every role with its column; an optional one that was left without is said, too, or it would be proposed again."""
    roles = {**dict.fromkeys(spec.task.optional_inputs, ""), **spec.mapping}
    return ",".join(f"{role}={column}".replace(",", "\\,") for role, column in roles.items())


def _reading(info: DatasetInfo) -> list[str]:
    words = []
    if info.encoding and info.encoding.lower() not in ("utf-8", "ascii"):
        words += _option("--encoding", info.encoding)
    if info.delimiter and info.delimiter != ",":
        words += _option("--delimiter", "tab" if info.delimiter == "\t" else info.delimiter)
    if len(info.sheets) > 1 and info.sheet:
        words += _option("--sheet", info.sheet)
    return words + (["--skip-broken"] if info.skip_broken else [])


def _settings(spec: TrainSpec) -> list[str]:
    """KEY=VALUE of what the recipe derives, and of all that is not the default: a later recipe may derive other
    values."""
    told = []
    for field in spec_fields.FIELDS:
        value = spec_fields.value_of(spec, field.key)
        if field.key in DERIVED or value != spec_fields.value_of_default(field.key):
            told.append(f"{field.key}={','.join(value) if isinstance(value, tuple) else value}")
    return told


def _file(info: DatasetInfo) -> str:
    return f"./{info.name}" if info.name.startswith("-") else info.name


def _files(info: DatasetInfo) -> list[str]:
    """The file, or those that it was put together from, with their weights."""
    if not info.parts:
        return [_file(info)]
    named = [(f"./{part.name}" if part.name.startswith("-") else part.name, part.weight) for part in info.parts]
    return [name if weight == 1 and len(named) > 1 else f"{name}:{weight:g}" for name, weight in named]


def _option(name: str, value: str) -> list[str]:
    """An option and its value, in one word where the value would be taken for another option."""
    return [f"{name}={value}"] if value.startswith("-") else [name, value]


def _quote(word: str) -> str:
    """The word as a shell reads it, and as a reader sees it: signs that are not seen, or that turn a line around, are
    escaped."""
    if all(
        unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or sign in "\u200c\u200d"
        for sign in word
    ):
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    shown = (
        sign
        if sign.isprintable() and unicodedata.category(sign) != "Cf" or sign in "\u200c\u200d"
        else f"\\U{ord(sign):08x}"
        for sign in escaped
    )
    return f"$'{''.join(shown)}'"
