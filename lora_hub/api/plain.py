"""What is told as plain JSON, in English."""

from typing import Any

from lora_hub.api.program_words import in_program_words
from lora_hub.core.messages import Message
from lora_hub.core.schema import Noun, Problem


def in_english(value: Any) -> Any:
    """A value as plain JSON: sentences in English and in the words of programs, findings as they tell themselves, other
    nouns as their fields."""
    if isinstance(value, Message):
        return in_program_words(value).en
    if isinstance(value, Problem):
        return {**value.to_json(), "message": in_english(value.said), "hint": in_english(value.advice)}
    if isinstance(value, Noun):
        return in_english(value.model_dump(mode="json"))
    if isinstance(value, dict):
        return {key: in_english(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [in_english(one) for one in value]
    return value
