"""Texts before which an answer ends.

stops = Stops(("\\n\\n", "END"))
stops.cut("one E")          ("one ", False)   what may be shown: "E" may become "END"
stops.cut("one END two")    ("one ", True)    it has ended
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stops:
    """stop: the texts, none empty."""

    stop: tuple[str, ...] = ()

    def cut(self, text: str, is_complete: bool = False) -> tuple[str, bool]:
        """What may be shown of an answer so far, and whether one of the texts ended it. is_complete: nothing more
        comes."""
        found = [place for place in (text.find(one) for one in self.stop) if place >= 0]
        if found:
            return text[: min(found)], True
        return (text if is_complete else text[: len(text) - self._begun(text)]), False

    def _begun(self, text: str) -> int:
        """Characters at the end of a text with which one of the texts begins."""
        return max(
            (
                length
                for one in self.stop
                for length in range(1, min(len(one), len(text) + 1))
                if text.endswith(one[:length])
            ),
            default=0,
        )
