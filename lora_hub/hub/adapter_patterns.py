"""The patterns in an adapter's configuration, matched as PEFT matches them, but within bounds: strangers wrote them.

    patterns = Patterns(config, folder)
    patterns.targets("model.layers.0.self_attn.q_proj")     whether PEFT puts an adapter there
    patterns.value("rank_pattern", layer, default)          the rank or alpha of a layer

PEFT's rules (0.21): `tuners_utils.check_target_module_exists` and `utils.other.get_pattern_key`. Its patterns are
Python's, of which some take longer than the age of the universe to match a short name; here they have a second in all.
"""

import time
from pathlib import Path
from typing import Any

import regex

from lora_hub.core.errors import AdapterError
from lora_hub.core.messages import _
from lora_hub.hub.adapter_config import AGAIN

MOST_CHARACTERS = 2000
SECONDS = 1.0
ALL_LINEAR = "all-linear"


class Patterns:
    """The patterns of one adapter's `config`, which `adapter_config.read_config` has checked."""

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        self._config, self._folder = config, folder
        self._left = SECONDS
        self._compiled: dict[str, regex.Pattern] = {}

    def targets(self, layer: str) -> bool:
        """Whether the configuration puts an adapter on this layer. Raises AdapterError for a pattern that cannot be
        matched."""
        targets, excluded = self._config.get("target_modules"), self._config.get("exclude_modules")
        if excluded and (
            self._match(excluded, layer, whole=True) if isinstance(excluded, str) else _ends_with(layer, excluded)
        ):
            return False
        if targets is None or targets == ALL_LINEAR:  # PEFT fills in what the base's kind has
            return True
        if isinstance(targets, str):
            return bool(self._match(targets, layer, whole=True))
        return _ends_with(layer, targets) and self._is_transformed(layer)

    def value(self, key: str, layer: str, default: float) -> float:
        """The value of the first pattern that the end of the layer's name matches. Raises AdapterError as `targets`."""
        for pattern, value in (self._config.get(key) or {}).items():
            if self._match(rf"(.*\.)?({pattern})$", layer):
                return value
        return default

    def _is_transformed(self, layer: str) -> bool:
        wanted = self._config.get("layers_to_transform")
        if wanted is None or wanted == []:
            return True
        wanted = wanted if isinstance(wanted, list) else [wanted]
        kinds = self._config.get("layers_pattern") or []
        kinds = [kinds] if isinstance(kinds, str) else kinds
        # The first number in the name is the layer's, not an expert's inside it.
        patterns = [rf"(?:^|.*?\.){kind}\.(?P<idx>\d+)\." for kind in kinds] or [r".*?\.[^.]*\.(?P<idx>\d+)\."]
        found = next((match for pattern in patterns if (match := self._match(pattern, layer))), None)
        return found is not None and int(found["idx"]) in wanted

    def _match(self, pattern: str, text: str, *, whole: bool = False) -> "regex.Match | None":
        began = time.monotonic()
        try:
            if len(pattern) > MOST_CHARACTERS:
                raise ValueError(f"it has {len(pattern):,} characters")
            if self._left <= 0:
                raise TimeoutError
            compiled = self._compiled.get(pattern) or self._compiled.setdefault(pattern, regex.compile(pattern))
            return compiled.fullmatch(text, timeout=self._left) if whole else compiled.match(text, timeout=self._left)
        except (regex.error, TimeoutError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            shown = pattern if len(pattern) <= 60 else pattern[:60] + "..."
            is_slow = isinstance(error, TimeoutError)
            raise AdapterError(
                _("The adapter in {folder} has the pattern {pattern!r} for its layers, which takes too long to match.")
                if is_slow
                else _("The adapter in {folder} has the pattern {pattern!r} for its layers, which cannot be read."),
                AGAIN,
                folder=self._folder,
                pattern=shown,
            ) from error
        finally:
            self._left -= time.monotonic() - began


def _ends_with(layer: str, names: list[str]) -> bool:
    return layer in names or layer.endswith(tuple(f".{name}" for name in names))
