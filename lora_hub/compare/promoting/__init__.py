"""Which version of an adapter is in production, and the gate in front of it; the general set, by which is told what an
adapter forgot."""

from lora_hub.compare.promoting.checking import Checked, check_promotion
from lora_hub.compare.promoting.gate import Trial, measured_of, not_read, tell_general, tell_task
from lora_hub.compare.promoting.moving import Outcome, promote, roll_back

__all__ = [
    "Checked",
    "Outcome",
    "Trial",
    "check_promotion",
    "measured_of",
    "not_read",
    "promote",
    "roll_back",
    "tell_general",
    "tell_task",
]
