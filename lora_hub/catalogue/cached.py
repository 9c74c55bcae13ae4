"""What the Hub client's cache on this disk already holds. Nothing here ever goes online."""

from pathlib import Path

from lora_hub.core.schema import BaseModel

# What a tokenizer can be read from: one whole file, or a vocabulary (its merges beside it).
TOKENIZER_FILES = ("tokenizer.json", "vocab.json")


def cached_tokenizer(base: BaseModel) -> Path | None:
    """The cached folder with the tokenizer of a base of the Hub, at its revision; None where the cache does not hold
    it."""
    from huggingface_hub import try_to_load_from_cache

    for name in TOKENIZER_FILES:
        # The settings come first: a folder without them, left behind by a broken download, would count otherwise.
        for needed in ("tokenizer_config.json", name):
            found = try_to_load_from_cache(base.id, needed, revision=base.revision or None)
            if not isinstance(found, str):
                break
        else:
            return Path(found).parent
    return None
