"""The noun of the adapter that a training goes on from; `schema` exports it too."""

from lora_hub.core.noun import Noun


class Parent(Noun):
    """Which adapter it was. repo_id, revision (commit), version (tag): of one on the Hub; empty for a run's own. run:
    the run that it was trained in."""

    repo_id: str = ""
    revision: str = ""
    version: str = ""
    run: str = ""

    @property
    def name(self) -> str:
        """As people name it: `owner/name@v2`, with the commit where it has no version, or the run."""
        return f"{self.repo_id}@{self.version or self.revision[:12]}" if self.repo_id else self.run
