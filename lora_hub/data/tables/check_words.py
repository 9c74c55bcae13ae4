"""Names of languages and scripts, for checks and proposals.

language("Persian")     Persian
script("cjk")           Chinese, Japanese or Korean
"""

from lora_hub.core.messages import Message, _, as_message

_LANGUAGES = {
    "English": _("English"),
    "German": _("German"),
    "French": _("French"),
    "Spanish": _("Spanish"),
    "Italian": _("Italian"),
    "Portuguese": _("Portuguese"),
    "Dutch": _("Dutch"),
    "Turkish": _("Turkish"),
    "Persian": _("Persian"),
    "Arabic": _("Arabic"),
    "Russian": _("Russian"),
    "Ukrainian": _("Ukrainian"),
    "Urdu": _("Urdu"),
    "Kurdish": _("Kurdish"),
    "Pashto": _("Pashto"),
}
# By `column_facts.script_of`.
_SCRIPTS = {
    "latin": _("Latin"),
    "persian": _("Persian"),
    "cyrillic": _("Cyrillic"),
    "cjk": _("Chinese, Japanese or Korean"),
    "hebrew": _("Hebrew"),
    "greek": _("Greek"),
    "devanagari": _("Devanagari"),
}


def language(name: str) -> Message:
    """The translatable name of a language from its name in the code; an unknown one is returned unchanged."""
    return _LANGUAGES.get(name) or as_message(name)


def script(name: str) -> Message:
    return _SCRIPTS.get(name) or as_message(name.capitalize())
