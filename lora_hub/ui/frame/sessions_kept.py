"""What the page's server takes on: the page's own functions from the page alone, the public ones from programs; and how
much it keeps for them: a few hundred sessions, and for each the responses not yet fetched. A file that is named has to
be an upload of whoever names it.

Gradio keeps 10,000 sessions of 0.4 MB and every response until it is read, even for made-up session names. Here a
person who opens too many sessions loses their own oldest ones, and nobody else's.
"""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.data_classes import FileData
from gradio.utils import get_upload_folder, is_in_or_equal
from gradio_client.utils import is_http_url_like
from starlette.concurrency import run_in_threadpool

from lora_hub.api import NAMES
from lora_hub.people import Person
from lora_hub.ui.frame.asking import has_sent_in, who_asks_in
from lora_hub.ui.frame.programs import PAGE_HEADER, takes

# Sessions: of the machine's own person, of one signed-in person, and of all strangers together.
MOST_SESSIONS, MOST_OF_ONE, MOST_OF_STRANGERS = 600, 20, 100
# Events of one session that are queued, running or not yet fetched; a page has about twenty when it opens.
MOST_EVENTS = 100
# Queued events of all sessions together.
MOST_WAITING = 1000
NO_FILE = "This is no file of yours. Upload it again."
ONLY_PUBLIC = f"This function is the page's own. Programs may call: {', '.join(NAMES)}."


def _files_in(data: Any) -> Iterator[dict[str, Any]]:
    """What Gradio takes for files in an event's data, wherever it is."""
    left = [data]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            if "path" in one and "meta" in one:
                yield one
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


def _is_here(file: dict[str, Any]) -> bool:
    """Whether a file that an event names has been sent here. Gradio would download any address of the web before a
    handler is asked, and for anybody."""
    try:
        path = FileData.model_validate(file).path
        return not is_http_url_like(path) and is_in_or_equal(path, get_upload_folder())
    except (ValueError, OSError):  # no file's fields, or no path
        return False


class SessionsKept:
    """Wraps the queue of a page from construction on. Everything happens on the server's event loop."""

    def __init__(self, blocks: gr.Blocks) -> None:
        self._blocks, self._queue = blocks, blocks._queue
        self._push = self._queue.push
        # (person id, whether a program's) -> session names, last used last
        self._of: dict[tuple[str, bool], OrderedDict[str, None]] = {}
        self._queue.push = self.push

    async def push(self, body: Any, request: Any, username: str | None) -> Any:
        """As Gradio's own, but refuses an event when its session already has too many."""
        called = self._blocks.fns.get(body.fn_index)
        if called is not None and called.api_visibility != "public" and PAGE_HEADER not in request.headers:
            return False, ONLY_PUBLIC, "error"
        if called is not None and called.api_visibility == "public" and len(body.data) != len(called.inputs):
            return False, str(takes(called.api_name)), "error"
        person = await run_in_threadpool(who_asks_in, request.scope)
        files = list(_files_in(body.data))
        is_own = called is None or called.api_visibility != "public"  # the page's own functions ask whose it is
        if not all(_is_here(one) and (is_own or has_sent_in(request.scope, person, one["path"])) for one in files):
            return False, NO_FILE, "error"
        name = body.session_hash
        if name is not None:
            if len(self._queue.pending_event_ids_session.get(name, ())) >= MOST_EVENTS:
                return False, "Too much is asked at once in this page.", "queue_full"
            self._count(person, name, not is_own)
        pushed = await self._push(body=body, request=request, username=username)
        if name is None and pushed[0]:  # a call by HTTP, which is a session of its own
            self._count(person, body.session_hash, not is_own)
        return pushed

    def _count(self, person: Person, name: str, is_program: bool) -> None:
        """A program's sessions never push out the pages of the same person. Of theirs those go first whose responses
        have all been fetched."""
        whose = self._of.setdefault((person.id, is_program), OrderedDict())
        whose[name] = None
        whose.move_to_end(name)
        most = MOST_SESSIONS if person.is_local else MOST_OF_ONE if person.id else MOST_OF_STRANGERS
        while len(whose) > most:
            pending = self._queue.pending_event_ids_session
            oldest = next((one for one in whose if is_program and not pending.get(one)), next(iter(whose)))
            del whose[oldest]
            self._forget(oldest)

    def _forget(self, name: str) -> None:
        queue, states = self._queue, self._blocks.app.state_holder
        queue.pending_messages_per_session.pop(name, None)
        for event_id in queue.pending_event_ids_session.pop(name, ()):
            if event := queue.event_ids_to_events.get(event_id):
                event.alive = False
        with states.lock:
            states.session_data.pop(name, None)
            states.time_last_used.pop(name, None)
