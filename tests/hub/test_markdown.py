"""In a card, people's texts appear as plain words, whatever Markdown they contain."""

import re

import pytest

from lora_hub.hub.card.markdown import escape, fence, plain

NASTY = [
    "a | b | c",
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "two\nlines\r\n---\n# heading",
    "`code` **bold** _it_ ~~no~~ $x$",
    "&lt;b&gt;",
    "https://evil.example and www.evil.example",
    "\u202eright to left\u202c \x00\x07 \ud800",
]


@pytest.mark.parametrize("text", NASTY)
def test_escaped_text_holds_no_markup(text: str) -> None:
    escaped = escape(text)
    assert "\n" not in escaped and "\r" not in escaped and "<" not in escaped and ">" not in escaped
    assert not re.search(r"(?<!\\)[`*_\[\]|~$!#](?![0-9]+;)", escaped), escaped
    assert "://" not in escaped and "www." not in escaped
    escaped.encode("utf-8")  # no half characters


def test_persian_keeps_its_joiners_and_loses_direction_marks() -> None:
    assert plain("می\u200cخواهم \u202eabc") == "می\u200cخواهم abc"


def test_long_text_is_cut() -> None:
    assert len(plain("x" * 1000, 50)) == 50


def test_code_cannot_end_its_block() -> None:
    block = fence('print("````")\n```\nout', "python")
    opening, closing = block.split("\n")[0], block.split("\n")[-1]
    assert opening == closing + "python" and len(closing) == 5
