"""A third language, generated: each English sentence with its letters changed and its places kept.

Of a catalogue like this every sentence can be told from the English one, and from Persian. In "de" the letters get
accents and marks, in "he" they become Hebrew ones, which read from right to left.
"""

import re
from pathlib import Path

from babel.messages.pofile import read_po, write_po

from lora_hub.core.languages import DOMAIN
from lora_hub.locale import update

_LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LETTERS = {
    "de": "ÅƁÇÐÉƑĜĤÎĴĶĻṀÑÖÞǪŔŠŢÛṼŴẊÝŽåƀçðéƒĝĥîĵķļɱñöþǫŕšţûṽŵẋýž",
    "he": "אבצדהפגחיךקלמנעץףרסטותשםןז" * 2,
}
_PLACE = re.compile(r"(\{\{|\}\}|\{[^{}]*\})")


def changed(sentence: str, language: str) -> str:
    """The sentence in the generated language."""
    letters = str.maketrans(_LATIN, _LETTERS[language])
    return "".join(part if place % 2 else part.translate(letters) for place, part in enumerate(_PLACE.split(sentence)))


def write_catalogue(folder: Path, language: str) -> Path:
    """A whole catalogue of the generated language, written where LORA_HUB_LOCALE=folder finds it."""
    file = folder / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    file.parent.mkdir(parents=True)
    file.write_text('msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n', encoding="utf-8")
    update.update(file)
    with file.open("rb") as opened:
        catalogue = read_po(opened, locale=language)
    for one in catalogue:
        if isinstance(one.id, tuple):
            forms = [one.id[0], *[one.id[1]] * (catalogue.num_plurals - 1)]
            one.string = tuple(changed(form, language) for form in forms)
        elif one.id:
            one.string = changed(one.id, language)
        one.flags.discard("fuzzy")
    with file.open("wb") as opened:
        write_po(opened, catalogue)
    return file


def fragments(sentence: str) -> list[str]:
    """What of an English sentence is seen in a text that holds it, whatever its values are."""
    return [part for part in _PLACE.sub("\0", sentence).split("\0") if re.search("[A-Za-z]", part)]


PERSIAN = re.compile("[پچژگکی؟٪۰-۹\u200c]|[\u0627-\u064a]")
