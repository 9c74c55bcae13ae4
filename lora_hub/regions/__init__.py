"""Where the questions of a task lie among a base's hidden states, and whose region a question lies in.

region = make_region(stack, tokenizer, base, trained, validated)       texts of the training and validation rows
states, lengths = read_states(stack, tokenizer, [text])
found = Atlas({"ann/spam": region, ...}).place(states[0], lengths[0])       the nearest first
"""

from lora_hub.regions.fitting import make_region
from lora_hub.regions.placing import Atlas, Placed
from lora_hub.regions.states import base_name, question_text, read_states

__all__ = ["Atlas", "Placed", "base_name", "make_region", "question_text", "read_states"]
