"""The page. `serve_page` connects to a Hub, builds the page and serves it: `app.py` calls it, and `lora-hub app`."""

from lora_hub.ui.serving import has_display, serve_page

__all__ = [
    "has_display",
    "serve_page",
]
