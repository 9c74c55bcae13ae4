"""The judge's part of the form of a new test: who may judge, for which adapters it is offered, what is sent where."""

from typing import Any

import gradio as gr

from lora_hub import use_cases
from lora_hub.catalogue import bases
from lora_hub.catalogue.tasks import catalogue
from lora_hub.compare import test_sets
from lora_hub.core.disk import expand
from lora_hub.core.errors import LoraHubError, SpecError
from lora_hub.core.messages import _
from lora_hub.people import Person
from lora_hub.ui.frame.page import Page
from lora_hub.ui.render import render
from lora_hub.ui.render.text import t
from lora_hub.ui.tabs.compare.compare_question import adapters as list_adapters


def offer(page: Page, language: str, adapters: list[str], judge: str | None, person: Person) -> list[Any]:
    """Updates of the section, which is shown where an adapter may answer in text, and of who is offered."""
    tasks = _outputs(person, page)
    is_text = any(_is_text(person, page, name, tasks) for name in adapters)
    if not is_text:  # one that was chosen before does not judge labels
        return [gr.Accordion(visible=False), gr.Dropdown(value=None)]
    named = [(one.title or one.id, one.id) for one in bases.list_bases()]
    own = test_sets.own_url()
    offered = [*([(own, own)] if own else []), *named, *list_adapters(person, page, language, [])]
    if judge and judge not in {value for _name, value in offered}:
        offered.append((judge, judge))
    return [gr.Accordion(visible=True), gr.Dropdown(choices=offered, value=judge or None)]


def _outputs(person: Person, page: Page) -> dict[str, str]:
    """How what the lists name answers, "text" or "labels", by run and by repo."""
    known = {task.id: task.output for task in catalogue.list_tasks()}
    listed = use_cases.list_adapters(person, org=page.organization)
    found = {one.repo_id: known[one.task] for one in listed if one.task in known}
    return found | {run.id: run.spec.task.output for run in use_cases.list_runs(person, page.runs)}


def _is_text(person: Person, page: Page, name: str, tasks: dict[str, str]) -> bool:
    """Whether an adapter answers in text, as far as that is known without asking a Hub; otherwise it may."""
    known = tasks.get(name) or tasks.get(name.partition("@")[0])
    if known:
        return known == "text"
    if person.is_local and expand(name).is_dir():
        try:
            task = use_cases.resolve(person, page.comparer, [name])[0].task
        except LoraHubError:  # said when the test is started
            return True
        return task is None or task.output == "text"
    return True


def tell(page: Page, language: str, judge: str | None, model: str, person: Person) -> list[Any]:
    """What is sent where, and a box to agree where that is another place."""
    if not (judge or "").strip():
        return ["", gr.Checkbox(False, visible=False)]
    try:
        spec = use_cases.choose_judge(person, page.comparer, judge, model=model if "://" in judge else "")
    except LoraHubError as error:
        return [render.error_card(error, language), gr.Checkbox(False, visible=False)]
    said = render.note(t(test_sets.describe_sending(spec), language))
    return [said, gr.Checkbox(False, visible=bool(spec.url))]


def check(judge: str | None, model: str, agreed: bool) -> dict[str, Any]:
    """The arguments of `start_test`. Raises SpecError where something would be sent without a word."""
    judge = (judge or "").strip()
    is_address = "://" in judge
    if is_address and not agreed:
        raise SpecError(
            _("Rows and answers would be sent to the judge."), _("Read what is sent, and tick the box below it.")
        )
    return {"judge": judge, "judge_model": model if is_address else ""}
