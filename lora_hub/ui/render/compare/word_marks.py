"""Differences between two texts, word by word, as HTML. Pure: a text in, HTML out.

marked("the red cat", "the cat")        the <mark title="...">red</mark> cat: the text as it is, what is its own marked
changes("the red cat", "the cat")       what is left out (<del>) and what is put in (<ins>), beside what both have

Words are compared as they are written; space between them is never marked. Each marked run stands by itself
(dir=auto isolates it), so that a Latin word in a Persian sentence moves nothing around it, and the other way round.
"""

import difflib
import re

from lora_hub.core.messages import _
from lora_hub.ui.render.render import escape
from lora_hub.ui.render.text import t

# Words of either text: comparing takes the product of both, and nobody reads the marks of more.
MOST_WORDS = 800
_PIECES = re.compile(r"\s+|\S+")


def marked(text: str, other: str, language: str) -> str:
    """The text, escaped, with the words that the other does not have at this place marked. Not marked at all where
    one of them is too long, or where they have nothing in common."""
    found = _compare(other, text)
    if found is None or not any(kind == "equal" for kind, *_rest in found[2]):
        return escape(text)
    _old, new, steps = found
    said = escape(t(_("differs from the first answer"), language))
    parts = []
    for kind, _a, _b, start, end in steps:
        run = _text(new, start, end)
        parts.append(run if kind == "equal" else _tagged("mark", run, said))
    return _leading(text) + "".join(parts)


def changes(text: str, wanted: str, language: str) -> str:
    """What would have to be changed in the text for it to be the wanted one; empty where nothing, or where one of them
    is too long."""
    found = _compare(text, wanted)
    if found is None or text.split() == wanted.split():
        return ""
    old, new, steps = found
    gone, come = (escape(t(said, language)) for said in (_("not in the right answer"), _("missing here")))
    parts = []
    for kind, a, b, start, end in steps:
        if kind == "equal":
            parts.append(_text(old, a, b))
            continue
        removed, added = _tagged("del", _text(old, a, b), gone), _tagged("ins", _text(new, start, end), come)
        parts.append(removed + (" " if removed and added and not removed.endswith((" ", "\n")) else "") + added)
        if parts[-1] and not parts[-1].endswith((" ", "\n")):
            parts.append(" ")
    return "".join(parts).strip()


def _compare(old: str, new: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]], list] | None:
    one, other = _words(old), _words(new)
    if len(one) > MOST_WORDS or len(other) > MOST_WORDS:
        return None
    matcher = difflib.SequenceMatcher(None, [word for word, _ in one], [word for word, _ in other], autojunk=False)
    return one, other, matcher.get_opcodes()


def _words(text: str) -> list[tuple[str, str]]:
    """(word, the space behind it) each."""
    found: list[tuple[str, str]] = []
    for piece in _PIECES.findall(text):
        if not piece.isspace():
            found.append((piece, ""))
        elif found:
            found[-1] = (found[-1][0], piece)
    return found


def _leading(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]


def _text(words: list[tuple[str, str]], start: int, end: int) -> str:
    return "".join(escape(word) + space for word, space in words[start:end])


def _tagged(tag: str, run: str, said: str) -> str:
    """A run of words in a tag, the space behind it outside."""
    words = run.rstrip()
    return f'<{tag} dir="auto" title="{said}">{words}</{tag}>{run[len(words) :]}' if words else ""
