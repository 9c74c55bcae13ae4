"""The nouns of findings: problems in the data, and their fixes."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import computed_field, model_validator

from lora_hub.core.messages import NOTHING, Message, read_message
from lora_hub.core.noun import Noun


class Mend(Noun):
    """One change (fix) to the rows after they were read, such as leaving out duplicates. `kind`: a key of
    `data.mends.MENDS`; `values`: its parameters. The file itself never changes: removing a mend undoes it."""

    kind: str
    values: dict[str, str] = {}


class Problem(Noun):
    """One finding about the data. `said`: what it is; `advice`: what to do about it. `rows`: example row numbers,
    counted from 1 like data rows. `mends`: the fixes offered for it. `task`: another task of the catalogue, which fits
    better. `message`, `hint`: `said` and `advice` in English, for logs and programs."""

    code: str
    severity: Literal["error", "warning", "info"]
    said: Message
    advice: Message = NOTHING
    rows: tuple[int, ...] = ()
    count: int = 0
    mends: tuple[Mend, ...] = ()
    task: str = ""

    @model_validator(mode="before")
    @classmethod
    def _read_older(cls, data: Any) -> Any:
        """Older versions stored the texts themselves: `message` and `hint`, each also in Persian."""
        if not isinstance(data, Mapping):
            return data
        kept = {name: value for name, value in data.items() if name not in ("message", "hint", "message_fa", "hint_fa")}
        for new, old in (("said", "message"), ("advice", "hint")):
            if new not in kept and data.get(old):
                kept[new] = read_message(data, old)
        return kept

    @computed_field
    @property
    def message(self) -> str:
        return self.said.en

    @computed_field
    @property
    def hint(self) -> str:
        return self.advice.en

    def to_json(self) -> dict[str, Any]:
        """For programs, with its texts in English."""
        data = self.model_dump(mode="json", exclude={"said", "advice"})
        return {name: data.pop(name) for name in ("code", "severity", "message", "hint")} | data
