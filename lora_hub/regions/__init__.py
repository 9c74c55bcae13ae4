"""Where the questions of a task lie among a base's hidden states, and whose region a question lies in.

region = make_region(stack, tokenizer, base, trained, validated)       texts of the training and validation rows
states, lengths = read_states(stack, tokenizer, [text])
found = place(states[0], lengths[0], {"ann/spam": region, ...})        the nearest first
"""

from lora_hub.regions.fitting import make_region
from lora_hub.regions.placing import Placed, place, place_all
from lora_hub.regions.states import base_name, question_text, read_states

__all__ = ["Placed", "base_name", "make_region", "place", "place_all", "question_text", "read_states"]
