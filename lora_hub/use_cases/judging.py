"""Who judges answers in text, and what is sent where for that."""

from lora_hub import runs
from lora_hub.catalogue import bases
from lora_hub.compare import Comparer, test_sets
from lora_hub.compare.test_sets import JudgeSpec
from lora_hub.core.errors import AccessError, SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import Task
from lora_hub.people import Person
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.comparing import commit_of, resolved
from lora_hub.use_cases.training import check_allowed

MOST_NAME = 200


@use_case(Action.TRAIN)
def choose_judge(
    person: Person, comparer: Comparer, judge: str, *, model: str = "", plain_http: bool = False
) -> JudgeSpec:
    """The judge of a test. judge: a base of the list, an adapter, or an OpenAI-compatible address; model: its name
    there. plain_http: http is allowed to other machines, too. Nothing is sent to it yet, and `describe_sending` says
    what will be. Raises SpecError, AdapterError, BaseError, and AccessError for an address that this person may not
    have the app ask."""
    return chosen_judge(person, comparer, judge, model=model, plain_http=plain_http)


def chosen_judge(
    person: Person, comparer: Comparer, name: str, *, model: str = "", plain_http: bool = False
) -> JudgeSpec:
    """`choose_judge` within another use case."""
    name = name.strip()
    if "://" in name:
        return _at_address(person, name, model, plain_http)
    if model.strip():
        raise SpecError(
            _("{name!r} is no address, and only there a model has a name of its own."),
            _("Leave the judge's model out, or give an address such as https://example.com/v1."),
            name=name[:100],
        )
    listed = {base.id: base for base in bases.list_bases()}
    if name in listed:
        check_allowed(person, listed[name])
        if not person.is_local:
            runs.check_base(listed[name])
        return JudgeSpec(name=name, is_base=True)
    pane = resolved(person, comparer, [name])[0]
    return JudgeSpec(name=pane.name, commit=commit_of(pane))


def _at_address(person: Person, url: str, model: str, plain_http: bool) -> JudgeSpec:
    own = test_sets.own_url()
    if not person.is_local and not own:
        raise AccessError(
            _("This app asks no judge at an address of your own."),
            _("Choose a model of the list. Whoever set up the app may name one as {name}.", name="LORA_HUB_JUDGE_URL"),
        )
    url = test_sets.check_url(url, plain_http and person.is_local)
    if not person.is_local and url != own:  # the app reaches what its visitors do not, and has the key
        raise AccessError(
            _("This app asks the judge at {url} only.", url=own), _("Choose that, or a model of the list.")
        )
    model = model.strip() or (test_sets.own_model() if url == own else "")
    if not model or len(model) > MOST_NAME or not model.isprintable():
        raise SpecError(
            _("A judge at an address needs the name of its model there."),
            _("Give it as --judge-model in the shell, or beside the address on the page."),
        )
    return JudgeSpec(name=model, url=url, plain_http=plain_http and person.is_local)


def check_fits(task: Task) -> None:
    """Raises SpecError for a task that needs no judge."""
    if task.output == "labels":
        raise SpecError(
            _("The task {task} is answered with labels, which are right or wrong without a judge."),
            _("Leave the judge out."),
            task=task.id,
        )
