"""One endpoint for the whole shelf, over OpenAI's wire: by itself (`python -m lora_hub serve`) or at /v1 of the app."""

from lora_hub.serve.door import Beside, Door
from lora_hub.serve.keys import Keys, read_keys
from lora_hub.serve.server import serve
from lora_hub.serve.vllm import VllmEngine

__all__ = ["Beside", "Door", "Keys", "VllmEngine", "read_keys", "serve"]
