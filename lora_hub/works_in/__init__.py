"""Where an adapter works: PEFT, vLLM, llama.cpp, and merged, as a GGUF file or as transformers' weights.

marks(config, base)              a Mark for each place, from adapter_config.json and the base
marks_of_spec(spec)              the same before the training
note(marks, "lora.r")            what a setting of the form changes about it
"""

from lora_hub.works_in.mark import PLACES, Mark
from lora_hub.works_in.marking import marks, marks_of_spec, note, shape_of
from lora_hub.works_in.of_base import SPLITS, BaseFacts, base_facts, family_of_config, split_of_tokenizer, tell_base
from lora_hub.works_in.rules import VLLM_RANKS, is_plain, vllm_rank

__all__ = [
    "BaseFacts",
    "Mark",
    "PLACES",
    "SPLITS",
    "VLLM_RANKS",
    "base_facts",
    "family_of_config",
    "is_plain",
    "marks",
    "marks_of_spec",
    "note",
    "shape_of",
    "split_of_tokenizer",
    "tell_base",
    "vllm_rank",
]
