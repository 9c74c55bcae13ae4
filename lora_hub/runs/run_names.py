"""The name and the tags that a person gives a run: bounded, in one line, without signs that are not seen."""

import unicodedata
from collections.abc import Iterable

from lora_hub.core.errors import SpecError
from lora_hub.core.events import MOST_NAME, MOST_TAG, MOST_TAGS
from lora_hub.core.languages import folded
from lora_hub.core.messages import _

JOINERS = "\u200c\u200d"  # Persian is written with them


def clean_name(name: str) -> str:
    """A run's name as it is kept; "" takes it back. Raises SpecError if it is too long."""
    kept = _in_one_line(name)
    if len(kept) > MOST_NAME:
        raise SpecError(
            _("A run's name of {count} characters is too long.", count=len(kept)),
            _("Use {most} at most.", most=MOST_NAME),
        )
    return kept


def clean_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """Tags as they are kept, each once. Raises SpecError for too many, and for one that is too long."""
    found: dict[str, str] = {}
    for tag in tags:
        kept = _in_one_line(tag.replace(",", " ").replace("،", " ")).lstrip("#").strip()
        if len(kept) > MOST_TAG:
            raise SpecError(
                _("The tag {tag!r} is too long.", tag=kept[:MOST_TAG]),
                _("Use {most} characters at most.", most=MOST_TAG),
            )
        if kept:
            found.setdefault(folded(kept), kept)
    if len(found) > MOST_TAGS:
        raise SpecError(
            _("A run cannot have {count} tags.", count=len(found)), _("Give it {most} at most.", most=MOST_TAGS)
        )
    return tuple(found.values())


def _in_one_line(text: str) -> str:
    seen = "".join(
        sign if unicodedata.category(sign) not in ("Cf", "Co", "Cs", "Cn") or sign in JOINERS else "" for sign in text
    )
    return " ".join("".join(" " if unicodedata.category(sign) in ("Cc", "Zl", "Zp") else sign for sign in seen).split())
