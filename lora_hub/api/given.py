"""Data that a program names: an id of ours, or a dataset of the Hub."""

from pathlib import Path

from lora_hub import use_cases
from lora_hub.core import store
from lora_hub.people import Person


def open_named(person: Person, dataset: str) -> Path:
    """The file in our store. dataset: an id from an earlier answer, or owner/name. Raises DataError, HubError."""
    from lora_hub.hub import is_dataset_id

    # An id of ours begins with a fingerprint, which is no owner of a Hub's dataset that anybody has.
    if store.FINGERPRINT.fullmatch(dataset.partition("/")[0]) or not is_dataset_id(dataset):
        return use_cases.open_dataset(person, dataset)
    return use_cases.fetch_dataset(person, dataset)
