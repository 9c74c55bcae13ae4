"""One endpoint for the whole shelf, over OpenAI's wire: by itself (`python -m lora_hub serve`) or at /v1 of the app."""

from lora_hub.serve.door import Beside, Door
from lora_hub.serve.keys import Keys, read_keys
from lora_hub.serve.server import is_loopback, serve
from lora_hub.serve.vllm import VllmEngine

__all__ = ["Beside", "Door", "Keys", "VllmEngine", "is_loopback", "read_keys", "serve"]
