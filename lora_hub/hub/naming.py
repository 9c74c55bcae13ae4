"""Names of repos: Latin letters, digits, `-`, `_` and `.` only, whatever a person calls an adapter."""

import re
import unicodedata

from lora_hub.catalogue import bases
from lora_hub.core.errors import HubError
from lora_hub.core.messages import _
from lora_hub.core.schema import TrainSpec
from lora_hub.hub.card import card_metadata

MAX_NAME = 60
# Persian letters as they are read aloud, near enough for a name in an address; vowels that are not written stay away.
LATIN = {
    "ا": "a",
    "آ": "a",
    "أ": "a",
    "إ": "e",
    "ب": "b",
    "پ": "p",
    "ت": "t",
    "ث": "s",
    "ج": "j",
    "چ": "ch",
    "ح": "h",
    "خ": "kh",
    "د": "d",
    "ذ": "z",
    "ر": "r",
    "ز": "z",
    "ژ": "zh",
    "س": "s",
    "ش": "sh",
    "ص": "s",
    "ض": "z",
    "ط": "t",
    "ظ": "z",
    "ع": "a",
    "غ": "gh",
    "ف": "f",
    "ق": "gh",
    "ک": "k",
    "ك": "k",
    "گ": "g",
    "ل": "l",
    "م": "m",
    "ن": "n",
    "و": "v",
    "ه": "h",
    "ة": "h",
    "ی": "i",
    "ي": "i",
    "ى": "a",
    "ئ": "i",
    "ؤ": "o",
    "\u200c": "-",
}


def repo_name(spec: TrainSpec, name: str = "") -> str:
    """The repo's name: the one given, the spec's, or task and base. Raises HubError where a given one will not do."""
    given = name or spec.name
    return check_name(given or f"{spec.task.id}-{card_metadata.short_name(spec.base).lower()}")


def check_name(given: str) -> str:
    """A name as an address can hold it; nothing where nothing was given. Raises HubError where nothing of it is left,
    or where it is the built-in base's."""
    found = slugify(given)
    if given and not found:
        raise HubError(
            _("The name {given!r} has no letters or digits that an address can hold."),
            _("Choose a name in Latin or Persian letters."),
            given=given,
        )
    if found.lower() == bases.BUILT_IN:
        raise HubError(
            _("The name {found!r} is the built-in base's."),
            _("Choose another name (--name)."),
            found=found,
        )
    return found


def slugify(text: str) -> str:
    """Letters, digits, `-`, `_` and `.` only, as the Hub wants them; Persian letters become Latin ones."""
    latin = "".join(LATIN.get(char, char) for char in unicodedata.normalize("NFC", text))
    digits = "".join(
        str(unicodedata.digit(char)) if char.isdigit() else char for char in unicodedata.normalize("NFKD", latin)
    )
    words = re.sub(r"[^A-Za-z0-9_.]+", "-", "".join(char for char in digits if not unicodedata.combining(char)))
    words = re.sub(r"-{2,}", "-", re.sub(r"\.{2,}", ".", words))[:MAX_NAME].strip("-.")
    return words.removesuffix(".git").strip("-.")


def version_number(tag: str) -> int:
    """The number of a tag that is a version ("v1", "v2", ...); 0 of any other."""
    return int(tag[1:]) if re.fullmatch(r"v[1-9]\d*", tag, re.ASCII) else 0
