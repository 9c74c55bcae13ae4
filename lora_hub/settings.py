"""Where things are and who we are, from the environment.

Functions, read at call time, so that a test isolates everything with one `monkeypatch.setenv("LORA_HUB_HOME", ...)`.

| variable | meaning | default |
|---|---|---|
| LORA_HUB_HOME | our folder on disk | ~/.lora_hub |
| LORA_HUB_ORG | organization that adapters are published to | lora-hub |
| LORA_HUB_MAX_UPLOAD_MB | largest dataset file, MB | 512 |
| LORA_HUB_SLOTS | runs that may train at once on this machine | 1 |
| LORA_HUB_PORT | port of the page | 7860 |
| LORA_HUB_HUB | `embedded` or `public`; unset: public where there is a token or this is a Space | |
| HF_TOKEN | the token for the Hub in use; never written anywhere | |
"""

import os
from pathlib import Path


def home() -> Path:
    """Our folder. It holds datasets/, runs/, hub/ and cache/."""
    return Path(os.environ.get("LORA_HUB_HOME") or Path.home() / ".lora_hub").expanduser().resolve()


def datasets_dir() -> Path:
    return home() / "datasets"


def runs_dir() -> Path:
    return home() / "runs"


def hub_dir() -> Path:
    """The embedded Hub's folder."""
    return home() / "hub"


def organization() -> str:
    return os.environ.get("LORA_HUB_ORG") or "lora-hub"


def max_upload_bytes() -> int:
    return int(float(os.environ.get("LORA_HUB_MAX_UPLOAD_MB") or 512) * 1024 * 1024)


def slots() -> int:
    return max(1, int(os.environ.get("LORA_HUB_SLOTS") or 1))


def port() -> int:
    return int(os.environ.get("LORA_HUB_PORT") or os.environ.get("GRADIO_SERVER_PORT") or 7860)


def in_space() -> bool:
    """True inside a Hugging Face Space."""
    return bool(os.environ.get("SPACE_ID"))
