"""What programs ask one model over OpenAI's wire: by which names models are known, what is asked, and the engine here
that answers."""

from lora_hub.models.calls import read_calls
from lora_hub.models.engine import LocalEngine, grown, labelled
from lora_hub.models.open_shelf import OpenShelf
from lora_hub.models.putting import put_all
from lora_hub.models.shelved import NoModel, Shelved
from lora_hub.models.shelves import OwnShelf
from lora_hub.models.stops import Stops
from lora_hub.models.wanted import MOST_NEW_TOKENS, ParameterError, Piece, Put, Wanted

__all__ = [
    "MOST_NEW_TOKENS",
    "LocalEngine",
    "NoModel",
    "OpenShelf",
    "OwnShelf",
    "ParameterError",
    "Piece",
    "Put",
    "Shelved",
    "Stops",
    "Wanted",
    "grown",
    "labelled",
    "put_all",
    "read_calls",
]
