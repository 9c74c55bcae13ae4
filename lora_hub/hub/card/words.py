"""How a card speaks: its sentences in the language of the page that they stand on, with people's words in them escaped.

tell = Words("fa")
tell(_("Trained on {file}."), file=escaped(name))
"""

from dataclasses import dataclass
from typing import Any

from lora_hub.core.messages import Message, _, as_message
from lora_hub.core.schema import ADAPTER, BASE, BASE_EXAMPLES, PARENT
from lora_hub.hub.card.markdown import escape

# Who answered, in the order of a table's columns.
WHO = {
    BASE: _("base"),
    BASE_EXAMPLES: _("base with examples in its prompt"),
    PARENT: _("adapter before"),
    ADAPTER: _("adapter"),
}


@dataclass(frozen=True)
class Words:
    """Sentences in one language ("en", "fa")."""

    language: str = "en"

    def __call__(self, said: Message, **values: Any) -> str:
        return said.filled(values).in_language(self.language)

    def title(self, said: Any) -> str:
        """A title (a Message or a text in several languages), which may be people's, as words of Markdown."""
        return escape(said.in_language(self.language))


def raw(text: str) -> Message:
    """Markdown that stands in a sentence as it is, such as code; whoever gives it has escaped what is people's."""
    return as_message(text)
