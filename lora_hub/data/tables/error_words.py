"""The error messages of Python's JSON parser, translatable.

json_reason("Expecting value")      expecting value
"""

from lora_hub.core.messages import Message, _, as_message

_JSON = {
    said.sentence: said
    for said in (
        _("expecting value"),
        _("expecting property name enclosed in double quotes"),
        _("expecting ':' delimiter"),
        _("expecting ',' delimiter"),
        _("invalid control character"),
        _("invalid \\escape"),
        _("invalid \\uxxxx escape"),
        _("extra data"),
        _("illegal trailing comma before end of object"),
        _("illegal trailing comma before end of array"),
        _("unexpected utf-8 bom (decode using utf-8-sig)"),
    )
} | {"unterminated string starting at": _("a text that begins here does not end")}


def json_reason(text: str) -> Message:
    """An unknown message is returned as the parser gives it."""
    text = text.lower()
    return next((said for words, said in _JSON.items() if text.startswith(words)), None) or as_message(text)
