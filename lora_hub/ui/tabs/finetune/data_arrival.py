"""A dataset that arrives: fetched from the Hub while the page says what goes on, and the task that its columns tell."""

import queue
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lora_hub import use_cases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _, text_in
from lora_hub.core.schema import Mend
from lora_hub.people import Person
from lora_hub.ui.frame.page import Page, inform
from lora_hub.ui.render import render
from lora_hub.ui.render.text import t


def fetched(person: Person, name: str, token: str, language: str) -> Iterator[str | Path]:
    """Fetches a dataset from the Hub: HTML that says what goes on, then the kept file, or HTML that says what went
    wrong."""
    told: queue.Queue = queue.Queue()

    def fetch() -> None:
        try:
            told.put(use_cases.fetch_dataset(person, name.strip(), token=token.strip(), progress=told.put))
        except Exception as error:
            told.put(error)

    yield render.note(t(_("Fetching from the Hub …"), language))
    threading.Thread(target=fetch, daemon=True).start()
    while True:
        said = told.get()
        if isinstance(said, Path):
            yield said
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
    """[the task that a file's columns tell, the same as what was proposed], with the reason said; nothing where a
    person has chosen. A task that was only proposed for an earlier file, or before the file was mended, is proposed
    anew, or goes. reading: as the person has it read (`read_table`)."""
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
        pass  # the review tells it beside the file
    if not found:
        return [None, ""] if task_id else []
    title = text_in(catalogue.get_task(found).title, language)
    said = render.escape(t(_("Looks like {task}: {reason}"), language, task=title, reason=reason))
    inform(render.isolated(said), language, 8)
    return [found, found]
