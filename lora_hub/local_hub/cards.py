"""What a repository says about itself: the card's metadata, `tags` as the public Hub derives them, parameter counts;
and the index that listings read.

Everything read here was written by strangers: sizes are limited, YAML aliases (which blow up) refused, types checked.
"""

import json
import re
import struct
from math import prod
from typing import Any

from .store import Repo, Store, Tree

MAX_METADATA = 256 * 1024
MAX_CARD = 2 * 1024 * 1024
MAX_HEADER = 32 * 1024 * 1024
MAX_COUNT = 10**15
MAX_DEPTH = 50
FRONT = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)(?:\r?\n)?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
HUB_ID = re.compile(r"[\w.-]+(?:/[\w.-]+)?")
TEXTS = ("tags", "language", "datasets", "base_model", "license")
RELATIONS = ("adapter", "finetune", "merge", "quantized")
PREFIXES = {"tags": "", "language": "language:", "datasets": "dataset:", "license": "license:"}
PREFIXES |= {name: f"{name}:" for name in ("task_categories", "task_ids", "size_categories", "multilinguality")}


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
        depth = 0
        for event in yaml.parse(text, Loader=loader):  # one after another, so that this ends before nesting gets costly
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > MAX_DEPTH:
                raise CardError(f"Aliases and more than {MAX_DEPTH} levels are not allowed in the metadata")
        data = yaml.load(text, Loader=loader) or {}
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CardError(f"Invalid YAML: {error}") from error
    if not isinstance(data, dict):
        raise CardError("The metadata must be a mapping of names to values")
    return _plain({str(key): value for key, value in data.items()})


def _plain(data: dict) -> dict:
    """What can be stored and sent as JSON: no NaN, no half of a surrogate pair. Raises CardError for the rest."""
    try:
        text = json.dumps(data, default=str, ensure_ascii=False).encode(errors="replace")
        return json.loads(text, parse_constant=str)
    except (ValueError, TypeError, RecursionError) as error:
        raise CardError(f"The metadata cannot be written as JSON: {error}") from error


def check_card(content: str, type: str) -> tuple[list[str], list[str]]:
    """(errors, warnings) of a README as the public Hub would tell them."""
    try:
        data = parse_metadata(split_card(content[:MAX_CARD])[0])
    except CardError as error:
        return [str(error)], []
    errors = [f'"{name}" must be a string or a list of strings' for name in TEXTS
              if not all(isinstance(item, str) or item is False for item in _items(data.get(name)))]
    if not isinstance(data.get("model-index", []), list):
        errors.append('"model-index" must be an array')
    unnamed = data.get("license") == "other" and not data.get("license_name")
    warnings = ['"license_name" is required where the license is "other"'] if unnamed else []
    return errors, warnings if data else ["empty or missing yaml metadata in repo card"]


def _items(value: Any) -> list:
    return value if isinstance(value, list) else [] if value is None else [value]


def _read_json(store: Store, tree: Tree, path: str) -> dict:
    try:
        data = json.loads(store.read_blob(tree[path].sha256)) if path in tree and tree[path].size <= MAX_CARD else {}
        return _plain(data) if isinstance(data, dict) else {}
    except (ValueError, RecursionError):  # a broken file of a stranger is a repo without that fact
        return {}


def count_parameters(store: Store, tree: Tree) -> dict | None:
    """{parameters: {dtype: count}, total} over the safetensors files at the root; None without any."""
    counts: dict[str, int] = {}
    for path in [path for path in tree if path.endswith(".safetensors") and "/" not in path]:
        try:
            with open(store.blob_path(tree[path].sha256), "rb") as file:
                (length,) = struct.unpack("<Q", file.read(8))
                header = json.loads(file.read(length)) if length <= MAX_HEADER else {}
            for tensor in (tensor for name, tensor in header.items() if name != "__metadata__"):
                count, dtype = prod(map(int, tensor["shape"])), str(tensor["dtype"]).encode(errors="replace").decode()[:20]
                counts[dtype] = counts.get(dtype, 0) + min(count, MAX_COUNT)
        except (OSError, struct.error, ValueError, ArithmeticError, TypeError, KeyError, AttributeError, RecursionError):
            continue  # not safetensors, whatever its name says: it has no parameters to count
    return {"parameters": counts, "total": sum(counts.values())} if counts else None


def read_facts(store: Store, type: str, tree: Tree, sdk: str = "") -> dict:
    """cardData, tags, pipeline_tag, library_name, config, safetensors, baseModels of a tree."""
    try:
        text = store.read_blob(tree["README.md"].sha256, MAX_CARD) if "README.md" in tree else b""
        card = parse_metadata(split_card(text.decode(errors="replace"))[0])
    except CardError:  # validate-yaml tells its writer; for readers the repo just has no metadata
        card = {}
    facts: dict[str, Any] = {"cardData": card, "sdk": card.get("sdk") or sdk or None}
    tags = _model_tags(store, tree, card, facts) if type == "model" else [facts["sdk"]] if type == "space" else []
    for name, prefix in PREFIXES.items():
        prefix = "" if name == "language" and type == "model" else prefix
        values = ["no" if item is False else item for item in _items(card.get(name))]  # YAML reads Norwegian's code so
        tags += [f"{prefix}{value}" for value in values if isinstance(value, (str, int))]
    return facts | {"tags": list(dict.fromkeys([*(tag for tag in tags if tag and isinstance(tag, str)), "region:us"]))}


def _model_tags(store: Store, tree: Tree, card: dict, facts: dict) -> list:
    """The tags of a model before those of its card; adds what only models have to `facts`."""
    adapter, config = _read_json(store, tree, "adapter_config.json"), _read_json(store, tree, "config.json")
    architecture, given = " ".join(map(str, _items(config.get("architectures")))), adapter.get("base_model_name_or_path")
    causal = "ForCausalLM" in architecture or adapter.get("task_type") == "CAUSAL_LM"
    classifies = "ForSequenceClassification" in architecture
    task = card.get("pipeline_tag") or ("text-generation" if causal else "text-classification" if classifies else None)
    library = card.get("library_name") or ("peft" if adapter else "transformers" if architecture else None)
    bases = [str(base) for base in _items(card.get("base_model")) if base]
    bases = bases or ([given] if isinstance(given, str) and HUB_ID.fullmatch(given) else [])
    relation = card.get("base_model_relation")
    if relation not in RELATIONS:
        relation = "adapter" if adapter else "merge" if len(bases) > 1 else "finetune"
    short = {key: config[key] for key in ("architectures", "model_type", "quantization_config") if key in config}
    if adapter:
        short["peft"] = {key: adapter.get(key) for key in ("base_model_name_or_path", "task_type", "peft_type")}
    index = card["model-index"] if isinstance(card.get("model-index"), list) else None
    facts |= {"safetensors": count_parameters(store, tree), "config": short or None, "pipeline_tag": task, "library_name": library,
              "baseModels": {"relation": relation, "models": [{"id": base} for base in bases]} if bases else None, "model-index": index}
    weights = "safetensors" if any(path.endswith(".safetensors") for path in tree) else None
    tags = [library, weights, config.get("model_type"), task, "model-index" if index else None]
    tags += ["peft", str(adapter.get("peft_type") or "LORA").lower()] if adapter else []
    return tags + [tag for base in bases for tag in (f"base_model:{base}", f"base_model:{relation}:{base}")]


def index_head(store: Store, repo: Repo) -> None:
    """Brings the row of a repo in step with its main branch; call it inside `write()`."""
    head = store.get_commit(repo, "main")
    facts = read_facts(store, repo.type, store.read_tree(head.tree), repo.sdk)
    row = (head.id, head.time / 1000, json.dumps(facts, ensure_ascii=False), repo.id)
    store.db.execute("UPDATE repos SET head = ?, modified = ?, facts = ? WHERE id = ?", row)
    store.db.execute("DELETE FROM repo_tags WHERE repo = ?", (repo.id,))
    tags = [(repo.id, tag.lower()) for tag in facts["tags"]]
    store.db.executemany("INSERT OR IGNORE INTO repo_tags VALUES(?, ?)", tags)
