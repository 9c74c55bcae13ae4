"""What the server remembers of the last questions on its pages, of which a pane can be asked again. Knows no gradio.

chats.keep(name, once)             once = chats.find(name, person.id)
"""

import json
import threading
from dataclasses import dataclass, replace

from lora_hub.compare import Pane
from lora_hub.core.recent import Recent
from lora_hub.core.schema import PaneAnswer, Question

# Questions that are remembered, of everybody: the oldest is forgotten first.
MOST_KEPT = 200
# A seed further than any of the samples of one question.
NEXT_SEED = 1000


@dataclass
class AskedOnce:
    """A question as it was asked, and its panes. names: of the adapters, or their panes. name: under which it is
    remembered."""

    person: str
    names: list[str | Pane]
    question: Question
    text: str
    titles: dict[str, str]
    views: list[PaneAnswer]
    name: str = ""

    def again(self, pane: str) -> "AskedOnce":
        """The same with this pane empty, and other draws for it."""
        views = [PaneAnswer(pane=one.pane, name=one.name) if one.name == pane else one for one in self.views]
        seed = (self.question.seed + NEXT_SEED) % (1 << 31)
        return replace(self, views=views, question=self.question.model_copy(update={"seed": seed}))

    def chat_after(self) -> str:
        """The chat as the page keeps it: {pane: [[what was asked, what it answered], ...]}."""
        turns: dict[str, list[list[str]]] = {}
        for view in self.views:
            before = self.question.earlier.get(view.name, ())
            said = [turn.content for turn in before] + [self.question.prompt, view.answer.text]
            if view.answer.text.strip():  # what was not answered is asked again
                turns[view.name] = [said[place : place + 2] for place in range(0, len(said), 2)]
        return json.dumps(turns, ensure_ascii=False)


class Chats:
    """The last questions, by their names. One object per app."""

    def __init__(self) -> None:
        self._kept: Recent[str, AskedOnce] = Recent(MOST_KEPT)
        self._lock = threading.Lock()

    def keep(self, name: str, once: AskedOnce) -> None:
        with self._lock:
            self._kept[name] = replace(once, name=name)

    def find(self, name: str, person: str) -> AskedOnce | None:
        """The question of this name, if it is this person's."""
        with self._lock:
            once = self._kept.get(name)
        return once if once is not None and once.person == person else None
