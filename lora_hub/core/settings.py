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
| LORA_HUB_IDLE_MINUTES | the embedded Hub ends when nobody has used it for so long; 0: never | 10 |
| HF_TOKEN | the token for the Hub in use; never written anywhere | |
"""

import math
import os
from pathlib import Path

from lora_hub.core.errors import SpecError


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


def hub_idle_minutes() -> float:
    """Minutes after which an embedded Hub that nobody uses ends itself; 0: never. Raises SpecError where LORA_HUB_IDLE_MINUTES
    is no number from 0 up."""
    return _number("LORA_HUB_IDLE_MINUTES", 10, least=0, most=1e6)


def organization() -> str:
    return os.environ.get("LORA_HUB_ORG") or "lora-hub"


def max_upload_bytes() -> int:
    """Raises SpecError where LORA_HUB_MAX_UPLOAD_MB is no number above 0."""
    return int(_number("LORA_HUB_MAX_UPLOAD_MB", 512, least=0.001, most=1e9) * 1024 * 1024)


def slots() -> int:
    """Raises SpecError where LORA_HUB_SLOTS is no whole number from 1 up."""
    return int(_number("LORA_HUB_SLOTS", 1, least=1, most=1000, whole=True))


def port() -> int:
    """Raises SpecError where LORA_HUB_PORT (or Gradio's own GRADIO_SERVER_PORT) is no port. 0: any free one."""
    name = "LORA_HUB_PORT" if os.environ.get("LORA_HUB_PORT") else "GRADIO_SERVER_PORT"
    return int(_number(name, 7860, least=0, most=65535, whole=True))


def _number(name: str, default: float, *, least: float, most: float, whole: bool = False) -> float:
    """A number from the environment; unset or empty: the default. Raises SpecError naming the variable and its value."""
    text = (os.environ.get(name) or "").strip()
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most or (whole and value != int(value)):
        kind, kind_fa = ("a whole number", "عددی صحیح") if whole else ("a number", "عددی")
        raise SpecError(
            f"The environment variable {name} is {text[:60]!r}, which is not {kind} from {least:g} to {most:g}.",
            f"Set it to one, such as {name}={default:g}, or unset it.",
            message_fa=f"متغیر محیطی «{name}» برابر «{text[:60]}» است؛ باید {kind_fa} از {least:g} تا {most:g} باشد.",
            hint_fa=f"مقدار درستی بدهید، مانند «{name}={default:g}»، یا آن را حذف کنید.",
        )
    return value


def in_space() -> bool:
    """True inside a Hugging Face Space."""
    return bool(os.environ.get("SPACE_ID"))
