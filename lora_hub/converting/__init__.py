"""Models of other formats, brought into the one that everything here works with."""

from lora_hub.converting.gguf_base import read_in, unpack
from lora_hub.converting.package_base import fetch_package

__all__ = ["fetch_package", "read_in", "unpack"]
