"""What runs for the pages and can be stopped there. What is stopped ends by itself, at its next step, and says so: an
event that Gradio cancels may still change the page after its cancellation. Knows no gradio.

    name, event = stops.start()        ...  event.is_set()  ...  stops.end(name)
"""

import secrets
import threading


class Stops:
    """What is under way and how to stop each one. One object for each part of the page that has a button for it."""

    def __init__(self) -> None:
        self._running: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def start(self) -> tuple[str, threading.Event]:
        name, event = secrets.token_hex(8), threading.Event()
        with self._lock:
            self._running[name] = event
        return name, event

    def stop(self, name: str) -> None:
        with self._lock:
            if name in self._running:
                self._running[name].set()

    def end(self, name: str) -> None:
        with self._lock:
            self._running.pop(name, None)
