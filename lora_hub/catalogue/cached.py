"""What the Hub client's cache on this disk already holds. Never goes online."""

from pathlib import Path

from lora_hub.core.schema import BaseModel

# A tokenizer is read from one complete file, or from a vocabulary with its merges beside it.
TOKENIZER_FILES = ("tokenizer.json", "vocab.json")


def cache_folder() -> Path:
    """Where the Hub client keeps what it has fetched."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def cached_tokenizer(base: BaseModel) -> Path | None:
    """The cached folder with the tokenizer of a Hub base at its revision; None if the cache does not hold it."""
    from huggingface_hub import try_to_load_from_cache

    for name in TOKENIZER_FILES:
        # Check the settings first: a folder without them is left from an interrupted download and must not count.
        for needed in ("tokenizer_config.json", name):
            found = try_to_load_from_cache(base.id, needed, revision=base.revision or None)
            if not isinstance(found, str):
                break
        else:
            return Path(found).parent
    return None


def cached_model(base: BaseModel) -> Path | None:
    """The cached folder with the settings of a Hub base at its revision; None if the cache does not hold them."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(base.id, "config.json", revision=base.revision or None)
    except HFValidationError:  # no repo's id
        return None
    return Path(found).parent if isinstance(found, str) else None
