"""The weighted sum of the organization's adapters that answers a few examples best, as an adapter of its own."""

from lora_hub.compare.composing.checking import Checked, Published, check_composition, read_published
from lora_hub.compare.composing.gathering import Left, gather_adapters, name_publicly
from lora_hub.compare.composing.judging import Composed, stopped
from lora_hub.compare.composing.reading import FewExamples, read_examples
from lora_hub.compare.composing.saving import Made, compose_adapter, plan_adapter

__all__ = [
    "Checked",
    "Composed",
    "FewExamples",
    "Left",
    "Made",
    "Published",
    "check_composition",
    "compose_adapter",
    "gather_adapters",
    "name_publicly",
    "plan_adapter",
    "read_examples",
    "read_published",
    "stopped",
]
