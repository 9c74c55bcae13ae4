"""What a repository says about itself: the card's metadata, `tags` as the public Hub derives them, parameter counts.

Everything read here was written by strangers: sizes are limited, YAML aliases (which blow up) refused, types checked.
"""

import json
import re
import struct
from typing import Any

from .store import Store, Tree

MAX_METADATA = 256 * 1024
MAX_CARD = 2 * 1024 * 1024
MAX_HEADER = 32 * 1024 * 1024
FRONT = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)(?:\r?\n)?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
HUB_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
RELATIONS = ("adapter", "finetune", "merge", "quantized")
LISTS = {"tags": "", "language": "language:", "datasets": "dataset:", "license": "license:", "task_categories": "task_categories:",
         "task_ids": "task_ids:", "size_categories": "size_categories:", "multilinguality": "multilinguality:",
         "annotations_creators": "annotations_creators:", "language_creators": "language_creators:", "source_datasets": "source_datasets:"}


class CardError(ValueError):
    """The card's metadata cannot be used; the text says why."""


def split_card(text: str) -> tuple[str, str]:
    """(metadata as YAML text, the rest as markdown)."""
    match = FRONT.match(text)
    return (match[1], text[match.end():]) if match else ("", text)


def parse_metadata(text: str) -> dict[str, Any]:
    """The YAML mapping at the head of a card. Raises CardError."""
    import yaml

    if len(text) > MAX_METADATA:
        raise CardError(f"The metadata is longer than {MAX_METADATA} characters")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        if any(isinstance(event, yaml.events.AliasEvent) for event in yaml.parse(text, Loader=loader)):
            raise CardError("Aliases are not allowed in the metadata")
        data = yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CardError(f"Invalid YAML: {error}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise CardError("The metadata must be a mapping of names to values")
    return json.loads(json.dumps({str(key): value for key, value in data.items()}, default=str))


def check_card(content: str, type: str) -> tuple[list[str], list[str]]:
    """(errors, warnings) of a README as the public Hub would tell them."""
    head, _ = split_card(content[:MAX_CARD])
    try:
        data = parse_metadata(head)
    except CardError as error:
        return [str(error)], []
    errors = []
    for name in ("tags", "language", "datasets", "base_model", "license"):
        value = data.get(name)
        if value is not None and not all(isinstance(item, (str, bool) if name == "language" else str) for item in _items(value)):
            errors.append(f'"{name}" must be a string or a list of strings')
    if not isinstance(data.get("model-index", []), list):
        errors.append('"model-index" must be an array')
    if isinstance(data.get("license"), str) and data["license"] == "other" and not data.get("license_name"):
        return errors, ['"license_name" is required where the license is "other"']
    return errors, [] if data else ["empty or missing yaml metadata in repo card"]


def _items(value: Any) -> list:
    return value if isinstance(value, list) else [] if value is None else [value]


def _read_json(store: Store, tree: Tree, path: str) -> dict:
    entry = tree.get(path)
    if entry is None or entry.size > MAX_CARD:
        return {}
    try:
        data = json.loads(store.read_blob(entry.sha256))
    except (ValueError, RecursionError):  # a broken file of a stranger is a repo without that fact
        return {}
    return data if isinstance(data, dict) else {}


def count_parameters(store: Store, tree: Tree) -> dict | None:
    """{parameters: {dtype: count}, total} over the safetensors files at the root; None without any."""
    counts: dict[str, int] = {}
    for path in [path for path in tree if path.endswith(".safetensors") and "/" not in path]:
        try:
            with open(store.blob_path(tree[path].sha256), "rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(length)) if length <= MAX_HEADER else {}
            for name, tensor in header.items():
                if name != "__metadata__":
                    number = 1
                    for side in tensor["shape"]:
                        number *= int(side)
                    counts[str(tensor["dtype"])] = counts.get(str(tensor["dtype"]), 0) + number
        except (OSError, struct.error, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue  # not safetensors, whatever its name says: it has no parameters to count
    return {"parameters": counts, "total": sum(counts.values())} if counts else None


def read_facts(store: Store, type: str, tree: Tree, sdk: str = "") -> dict:
    """cardData, tags, pipeline_tag, library_name, config, safetensors, baseModels of a tree."""
    card: dict[str, Any] = {}
    if (readme := tree.get("README.md")) is not None:
        text = store.read_blob(readme.sha256, MAX_CARD).decode("utf-8", errors="replace")
        try:
            card = parse_metadata(split_card(text)[0])
        except CardError:  # kept as it is, told by validate-yaml; the repo just has no metadata
            card = {}
    facts: dict[str, Any] = {"cardData": card, "sdk": card.get("sdk") or sdk or None}
    tags: list[str] = []
    adapter, config = _read_json(store, tree, "adapter_config.json"), _read_json(store, tree, "config.json")
    if type == "model":
        facts["safetensors"] = count_parameters(store, tree)
        facts["config"] = _short_config(config, adapter)
        library = card.get("library_name") or ("peft" if adapter else "transformers" if config.get("architectures") else None)
        facts["library_name"] = library if isinstance(library, str) else None
        tags += [facts["library_name"]] if facts["library_name"] else []
        tags += ["safetensors"] if any(path.endswith(".safetensors") for path in tree) else []
        tags += [config["model_type"]] if isinstance(config.get("model_type"), str) else []
        if adapter:
            tags += ["peft", str(adapter.get("peft_type") or "LORA").lower()]
        architecture = " ".join(map(str, _items(config.get("architectures"))))
        guess = "text-generation" if "ForCausalLM" in architecture else "text-classification" if "ForSequenceClassification" in architecture else None
        pipeline = card.get("pipeline_tag") or guess or ("text-generation" if adapter.get("task_type") == "CAUSAL_LM" else None)
        facts["pipeline_tag"] = pipeline if isinstance(pipeline, str) else None
        tags += [facts["pipeline_tag"]] if facts["pipeline_tag"] else []
        bases = [str(base) for base in _items(card.get("base_model")) if base]
        given = adapter.get("base_model_name_or_path")
        if not bases and isinstance(given, str) and HUB_ID.fullmatch(given):
            bases = [given]
        relation = card.get("base_model_relation")
        if relation not in RELATIONS:
            relation = "adapter" if adapter else "merge" if len(bases) > 1 else "finetune"
        tags += [tag for base in bases for tag in (f"base_model:{base}", f"base_model:{relation}:{base}")]
        facts["baseModels"] = {"relation": relation, "models": [{"id": base} for base in bases]} if bases else None
        if isinstance(card.get("model-index"), list):
            facts["model-index"] = card["model-index"]
            tags.append("model-index")
    for name, prefix in LISTS.items():
        if name == "language" and type == "model":
            prefix = ""
        values = ["no" if item is False else item for item in _items(card.get(name))]  # YAML reads Norwegian's code as false
        tags += [f"{prefix}{value}" for value in values if isinstance(value, (str, int)) and str(value)]
    if type == "space" and isinstance(facts["sdk"], str):
        tags.append(facts["sdk"])
    facts["tags"] = list(dict.fromkeys([*tags, "region:us"]))
    return facts


def _short_config(config: dict, adapter: dict) -> dict | None:
    """The part of the configuration that the public Hub shows."""
    short = {key: config[key] for key in ("architectures", "model_type", "quantization_config") if key in config}
    if adapter:
        short["peft"] = {key: adapter.get(key) for key in ("base_model_name_or_path", "task_type", "peft_type")}
    return short or None
