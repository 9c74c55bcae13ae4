"""What the page's server takes on: the page's own functions from the page alone, the public ones from programs; and how
much it keeps for them: a few hundred sessions, and for each the responses not yet fetched.

Gradio keeps 10,000 sessions of 0.4 MB and every response until it is read, even for made-up session names. Here a
person who opens too many sessions loses their own oldest ones, and nobody else's.
"""

from collections import OrderedDict
from typing import Any

import gradio as gr
from starlette.concurrency import run_in_threadpool

from lora_hub.api import NAMES
from lora_hub.people import Person
from lora_hub.ui.frame.asking import who_asks_in
from lora_hub.ui.frame.programs import PAGE_HEADER

# Sessions: of the machine's own person, of one signed-in person, and of all strangers together.
MOST_SESSIONS, MOST_OF_ONE, MOST_OF_STRANGERS = 600, 20, 100
# Events of one session that are queued, running or not yet fetched; a page has about twenty when it opens.
MOST_EVENTS = 100
# Queued events of all sessions together.
MOST_WAITING = 1000
ONLY_PUBLIC = f"This function is the page's own. Programs may call: {', '.join(NAMES)}."


class SessionsKept:
    """Wraps the queue of a page from construction on. Everything happens on the server's event loop."""

    def __init__(self, blocks: gr.Blocks) -> None:
        self._blocks, self._queue = blocks, blocks._queue
        self._push = self._queue.push
        self._of: dict[str, OrderedDict[str, None]] = {}  # person id -> session names, last used last
        self._queue.push = self.push

    async def push(self, body: Any, request: Any, username: str | None) -> Any:
        """As Gradio's own, but refuses an event when its session already has too many."""
        called = self._blocks.fns.get(body.fn_index)
        if called is not None and called.api_visibility != "public" and PAGE_HEADER not in request.headers:
            return False, ONLY_PUBLIC, "error"
        person = await run_in_threadpool(who_asks_in, request.scope)
        name = body.session_hash
        if name is not None:
            if len(self._queue.pending_event_ids_session.get(name, ())) >= MOST_EVENTS:
                return False, "Too much is asked at once in this page.", "queue_full"
            self._count(person, name)
        return await self._push(body=body, request=request, username=username)

    def _count(self, person: Person, name: str) -> None:
        whose = self._of.setdefault(person.id, OrderedDict())
        whose[name] = None
        whose.move_to_end(name)
        most = MOST_SESSIONS if person.is_local else MOST_OF_ONE if person.id else MOST_OF_STRANGERS
        while len(whose) > most:
            self._forget(whose.popitem(last=False)[0])

    def _forget(self, name: str) -> None:
        queue, states = self._queue, self._blocks.app.state_holder
        queue.pending_messages_per_session.pop(name, None)
        for event_id in queue.pending_event_ids_session.pop(name, ()):
            if event := queue.event_ids_to_events.get(event_id):
                event.alive = False
        with states.lock:
            states.session_data.pop(name, None)
            states.time_last_used.pop(name, None)
