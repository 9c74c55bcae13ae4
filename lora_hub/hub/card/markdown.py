"""Words that come from people, as they may stand in Markdown: they can end no table cell, open no tag, link, code or
formula."""

import re
import unicodedata
from typing import Any


def plain(text: Any, limit: int = 200) -> str:
    """One printable line: no line breaks, control or direction marks (the joiners that Persian needs stay), cut at
    `limit`."""
    kept = []
    for char in str(text):
        if char.isspace():
            kept.append(" ")
        elif char in "\u200c\u200d" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp"):
            kept.append(char)
    line = re.sub(" +", " ", "".join(kept)).strip()
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def escape(text: Any, limit: int = 200) -> str:
    """Any text as one line of words and nothing else, in a paragraph, a heading or a table cell."""
    line = plain(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([\\`*_\[\]|~$#!])", r"\\\1", line)
    # Bare addresses would become links by themselves.
    return re.sub(r"(?i)\b(https?|ftp|mailto):|\b(www)\.", lambda m: f"{m[1]}&#58;" if m[1] else f"{m[2]}&#46;", line)


def fence(code: str, language: str) -> str:
    """A code block whose fence is longer than any in the code, so that nothing in it can end the block."""
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{language}\n{code}\n{marks}"
