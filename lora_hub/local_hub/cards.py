"""A repository's metadata: its card, `tags` derived as the public Hub does, parameter counts; and the index used by
lists.

Everything read here was written by strangers: sizes are limited, YAML aliases (which can expand enormously) are
refused, and types are checked.
"""

import re
from collections import Counter
from contextlib import suppress
from math import prod
from typing import TYPE_CHECKING

import orjson

from .faults import HubFault, refuse

if TYPE_CHECKING:
    from .store import Repo, Store, Tree

MAX_METADATA, MAX_CARD, MAX_DEPTH = 256 * 1024, 2 * 1024**2, 50
FRONT = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)(?:\r?\n)?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
PREFIXES = {"tags": "", "language": "language:", "datasets": "dataset:", "license": "license:"}
PREFIXES |= {name: f"{name}:" for name in ("task_categories", "task_ids", "size_categories", "multilinguality")}


def split_card(text: str) -> tuple[str, str]:
    """(metadata as YAML text, the rest as markdown)."""
    match = FRONT.match(text)
    return (match[1], text[match.end() :]) if match else ("", text)


def read_metadata(card: str) -> dict:
    """The YAML mapping at the head of a card, as JSON can represent it. Raises HubFault 400 in the format of
    validate-yaml."""
    import yaml

    text, loader, depth = split_card(card)[0], getattr(yaml, "CSafeLoader", yaml.SafeLoader), 0
    try:
        refuse(len(text) > MAX_METADATA, 400, f"It is longer than {MAX_METADATA} characters")
        for event in yaml.parse(
            text, Loader=loader
        ):  # checked step by step, because deep nesting crashes the C loader itself
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            refuse(
                isinstance(event, yaml.AliasEvent) or depth > MAX_DEPTH,
                400,
                f"Aliases and more than {MAX_DEPTH} levels are refused",
            )
        data = orjson.loads(
            orjson.dumps(yaml.load(text, Loader=loader) or {}, default=str, option=orjson.OPT_NON_STR_KEYS)
        )
        refuse(not isinstance(data, dict), 400, "It is not a mapping of names to values")
        refuse(not isinstance(data.get("model-index", []), list), 400, '"model-index" must be an array')
    except Exception as error:  # the loader's constructors raise various errors for odd values
        raise HubFault(400, "Invalid metadata in README.md", body={"errors": [{"message": str(error)}]}) from error
    return data


def _items(value: object) -> list:
    return value if isinstance(value, list) else [] if value is None else [value]


def _read_json(store: "Store", tree: "Tree", path: str) -> dict:
    """The object in a JSON file; empty if there is none or it cannot be read."""
    data = None
    with suppress(ValueError):
        data = orjson.loads(store.read_blob(tree[path].sha256, MAX_CARD)) if path in tree else None
    return data if isinstance(data, dict) else {}


def count_parameters(store: "Store", tree: "Tree") -> dict:
    """{parameters: {dtype: count}, total} over the safetensors files in the root folder; {} without any."""
    from safetensors import SafetensorError, safe_open

    counts: Counter[str] = Counter()
    for path in [path for path in tree if path.endswith(".safetensors") and "/" not in path]:
        with suppress(SafetensorError, OSError), safe_open(store.blob_path(tree[path].sha256), "numpy") as file:
            for tensor in map(file.get_slice, file.keys()):
                counts[tensor.get_dtype()] += prod(tensor.get_shape())
    return {"parameters": counts, "total": counts.total()} if counts else {}


def read_facts(store: "Store", type: str, tree: "Tree", sdk: str = "") -> dict:
    """cardData, sdk and tags of a tree; for a model also pipeline_tag, library_name, config, safetensors and
    model-index."""
    try:
        text = store.read_blob(tree["README.md"].sha256, MAX_CARD) if "README.md" in tree else b""
        card = read_metadata(text.decode(errors="replace"))
    except HubFault:  # validate-yaml reports it to the author; for readers the repo has no metadata
        card = {}
    model = tree if type == "model" else {}
    adapter, config = _read_json(store, model, "adapter_config.json"), _read_json(store, model, "config.json")
    # the base in an adapter's config may be a folder on its author's disk
    given = re.findall(r"\A[\w.-]+(?:/[\w.-]+)?\Z", str(adapter.get("base_model_name_or_path") or ""))
    bases = [base for base in _items(card.get("base_model")) if base] or given
    relation = card.get("base_model_relation") or ("adapter" if adapter else "finetune")
    library = "peft" if adapter else "transformers" if "architectures" in config else None
    causal = adapter.get("task_type") == "CAUSAL_LM" or "ForCausalLM" in str(config.get("architectures"))
    facts = {
        "cardData": card,
        "sdk": card.get("sdk") or sdk,
        "model-index": card.get("model-index"),
        "library_name": card.get("library_name") or library,
        "pipeline_tag": card.get("pipeline_tag") or causal and "text-generation",
        "config": {key: config[key] for key in ("architectures", "model_type") if key in config},
        "safetensors": count_parameters(store, model),
    }
    tags = [
        facts["sdk"],
        facts["library_name"],
        facts["safetensors"] and "safetensors",
        config.get("model_type"),
        facts["pipeline_tag"],
    ]
    tags += ["peft", str(adapter.get("peft_type") or "LORA").lower()] if adapter else []
    tags += [f"base_model:{words}{base}" for base in bases for words in ("", f"{relation}:")]
    for name, prefix in (PREFIXES | ({"language": ""} if type == "model" else {})).items():
        # "no", the code of Norwegian, is False in YAML
        tags += [
            f"{prefix}{'no' if item is False else item}"
            for item in _items(card.get(name))
            if isinstance(item, (str, int))
        ]
    unique = dict.fromkeys(tag for tag in tags if tag and isinstance(tag, str))
    return {name: value for name, value in facts.items() if value} | {"tags": list(unique)}


def index_head(store: "Store", repo: "Repo") -> None:
    """Updates a repo's row from its main branch; call it inside `write()`."""
    head = store.get_commit(repo, "main")
    facts = read_facts(store, repo.type, store.read_tree(head.tree), repo.sdk)
    row = (head.id, head.time / 1000, orjson.dumps(facts).decode(), repo.id)
    store.db.execute("UPDATE repos SET head = ?, modified = ?, facts = ? WHERE id = ?", row)
    store.db.execute("DELETE FROM repo_tags WHERE repo = ?", (repo.id,))
    store.db.executemany(
        "INSERT OR IGNORE INTO repo_tags VALUES(?, ?)", [(repo.id, tag.lower()) for tag in facts["tags"]]
    )
