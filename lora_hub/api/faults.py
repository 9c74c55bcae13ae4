"""What a program is told of an error."""

import logging

from lora_hub.api.plain import in_english
from lora_hub.core.errors import LoraHubError

logger = logging.getLogger("lora_hub.api")
BUG = "That should not have happened, and it is our mistake. The details are in the app's log."


def in_words(error: Exception) -> str:
    """What went wrong and what to do next, in English. A mistake of ours is logged whole and told as one."""
    if isinstance(error, LoraHubError):
        return " ".join(filter(None, failure_of(error).values()))
    logger.error("a program's call failed", exc_info=error)
    return BUG


def failure_of(error: LoraHubError) -> dict[str, str]:
    """The same as a message and a hint."""
    return {"message": in_english(error.said), "hint": in_english(error.advice)}
