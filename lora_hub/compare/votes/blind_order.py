"""In which order a blind comparison shows its panes."""

import random

from lora_hub.core.errors import DataError
from lora_hub.core.messages import _
from lora_hub.core.schema import Question


def draw_order(panes: int, question: Question) -> tuple[int, ...]:
    """The pane at each place, drawn from the operating system's random numbers. Raises DataError where nothing could be
    blind: one pane, or a chat that goes on, whose turns were seen."""
    if panes < 2:
        raise DataError(_("One answer cannot be compared blind."), _("Choose an adapter more, or the base."))
    if question.earlier:
        raise DataError(
            _("A chat that goes on is not blind: its turns tell which pane is whose."), _("Begin a new chat.")
        )
    return tuple(random.SystemRandom().sample(range(panes), panes))
