"""The noun of the adapter that a training goes on from; `schema` exports it too."""

from typing import Annotated

from pydantic import Field

from lora_hub.core.noun import Noun

# Files of all the adapters before that are named, the nearest first.
MOST_FILES = 64
_Fingerprint = Annotated[str, Field(max_length=128)]


class Parent(Noun):
    """Which adapter it was. repo_id, revision (commit), version (tag): of one on the Hub; empty for a run's own. run:
    the run that it was trained in. files: fingerprints of the files that it, and those that it goes on from itself, say
    they were trained on."""

    repo_id: str = ""
    revision: str = ""
    version: str = ""
    run: str = ""
    files: Annotated[tuple[_Fingerprint, ...], Field(max_length=MOST_FILES)] = ()

    @property
    def name(self) -> str:
        """As people name it: `owner/name@v2`, with the commit where it has no version, or the run."""
        return f"{self.repo_id}@{self.version or self.revision[:12]}" if self.repo_id else self.run
