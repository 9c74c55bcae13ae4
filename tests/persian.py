"""Checks for errors with a Persian text, and for the quality of the Persian."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lora_hub.core.errors import LoraHubError

LETTER = re.compile("[آ-یکگچپژ]")


def check_sentence(text: str) -> None:
    """Persian, whole and well spelt."""
    assert LETTER.search(text), text
    assert not re.search(r"[{}]|\bNone\b|\\u|  ", text), text
    assert text[-1] in ".؟" or re.search(r"[\w=/]$", text), text  # a sentence, or ends in an example
    assert text.count("«") == text.count("»") and text.count("(") == text.count(")"), text
    assert not re.search("[كي]|‌[ .،]|[ ]‌", text), text  # Arabic letters; a half-space at a word's end


def check_persian(error: LoraHubError, *named: str) -> None:
    """Both parts are Persian, with nothing left unfilled, and name what the English ones name."""
    message, hint = error.in_language("fa")
    assert (message, hint) != error.in_language("en")
    check_sentence(message)
    check_sentence(hint)
    for name in named:
        assert f"«{name}" in message + hint, (name, message, hint)
    assert error.in_language("en") == (error.message, error.hint) and not LETTER.search(error.message + error.hint)
    assert error.to_json() == {"error": {"message": error.message, "hint": error.hint}}
    assert str(error) == f"{error.message} {error.hint}".strip()


@contextmanager
def refused(kind: type[LoraHubError], match: str | None = None) -> Iterator[pytest.ExceptionInfo]:
    """As `pytest.raises`, for an error that the page may show: it speaks Persian as well."""
    with pytest.raises(kind, match=match) as caught:
        yield caught
    check_persian(caught.value)
