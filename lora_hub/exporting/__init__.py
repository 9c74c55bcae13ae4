"""An adapter taken away: PEFT's folder, merged weights, or GGUF files, checked against the adapter itself.

for step in export(source, "gguf", "q8_0", Path("made")): ...      Steps, and at last an Exported
"""

from lora_hub.exporting.nouns import KINDS, MOST_ROWS, TYPES, Exported, Source, Step
from lora_hub.exporting.writing import check, export

__all__ = ["KINDS", "MOST_ROWS", "TYPES", "Exported", "Source", "Step", "check", "export"]
