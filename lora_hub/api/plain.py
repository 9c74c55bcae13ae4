"""What is told as plain JSON, in English."""

from typing import Any

from lora_hub.core.messages import Message
from lora_hub.core.schema import Noun


def in_english(value: Any) -> Any:
    """A value as plain JSON: sentences in English, nouns as their fields."""
    if isinstance(value, Message):
        return value.en
    if isinstance(value, Noun):
        return in_english(value.model_dump(mode="json"))
    if isinstance(value, dict):
        return {key: in_english(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [in_english(one) for one in value]
    return value
