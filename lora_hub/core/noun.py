"""The base class of every noun: frozen data that converts to and from JSON and refuses unknown fields. Imports nothing
of ours."""

from pydantic import BaseModel as Pydantic
from pydantic import ConfigDict


class Noun(Pydantic):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Text2(Noun):
    """One text in English and in Persian. If `fa` is empty, the English text is shown."""

    en: str
    fa: str = ""

    def in_language(self, language: str) -> str:
        return (self.fa if language == "fa" else "") or self.en
