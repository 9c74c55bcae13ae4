"""What programs can call: the road from a file to a comparison, as the page goes it."""

from lora_hub.api.arguments import Arguments
from lora_hub.api.endpoints import NAMES, Endpoints
from lora_hub.api.faults import in_words

__all__ = ["NAMES", "Arguments", "Endpoints", "in_words", "mcp_door"]
