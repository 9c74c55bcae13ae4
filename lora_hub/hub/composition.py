"""The recipe of an adapter that is the weighted sum of others; it stands in `lora_hub.json` as `composition`.

Composition.model_validate(record["composition"])
"""

import re
from typing import Annotated

from pydantic import Field

from lora_hub.core.schema import Noun, PairedComparison

MOST_PARTS = 64


class Ingredient(Noun):
    """An adapter of the sum. revision: its commit, empty for one of this machine. weight: the factor on its change of
    the base (1: as it was trained). rank: the largest of its layers."""

    adapter: Annotated[str, Field(max_length=300)]
    revision: Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")] = ""
    weight: Annotated[float, Field(allow_inf_nan=False)]
    rank: int

    @property
    def place(self) -> str:
        """Where it is found again: owner/name@commit, or the name that it has on the machine of whoever composed. Of
        two versions of one repo in a sum, the second's name has a number, which is no part of the repo's."""
        return f"{re.sub(r' [(][0-9]+[)]$', '', self.adapter)}@{self.revision}" if self.revision else self.adapter


class Composition(Noun):
    """parts: the adapters of the sum; unused: those that the search gave the weight 0. fitted: examples on which the
    weights were found; judged: those that decided whether it is offered. evaluations: of the loss, at most so many.
    tried: adapters that the search could use. seed: of the split and the search. single: the sum against the best
    single adapter, on the judged examples. region_rows: questions by which the router finds it; 0: they were too
    few."""

    parts: Annotated[tuple[Ingredient, ...], Field(max_length=MOST_PARTS)]
    fitted: int
    judged: int
    evaluations: int
    tried: int
    seed: int
    single: PairedComparison
    region_rows: int = 0
    unused: Annotated[tuple[Ingredient, ...], Field(max_length=MOST_PARTS)] = ()
