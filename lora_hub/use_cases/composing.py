"""Composing an adapter from others by a few examples, from the shell: the file is on this machine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lora_hub import hub
from lora_hub.catalogue import bases
from lora_hub.compare import Comparer, composing
from lora_hub.core import settings
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _
from lora_hub.core.schema import AdapterRef, Task
from lora_hub.people import Person
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.publishing import asked_as
from lora_hub.use_cases.training import find_base


@dataclass(frozen=True)
class Composition:
    """made: its folder is None where nothing was better. left: adapters that could not take part. published: where the
    person wanted that, and it was offered; trouble: why it was not, though it was saved."""

    made: composing.Made
    left: tuple[composing.Left, ...] = ()
    published: AdapterRef | None = None
    trouble: LoraHubError | None = None


@use_case(Action.TRAIN, counted=True)
def compose(
    person: Person,
    comparer: Comparer,
    file: Path,
    task: Task,
    *,
    base: str = "",
    adapters: Sequence[str] = (),
    mapping: Mapping[str, str] | None = None,
    test: Path | None = None,
    name: str = "",
    org: str = "",
    publish: bool = False,
    private: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Composition:
    """Finds weights over adapters of a base (the organization's, where none are named) from the examples of a file, and
    saves their sum where it is better than the best of them and than the base. base: whose adapters of the
    organization; empty: the built-in one. publish: to the organization, then; that it may be is asked before the
    search. Raises AdapterError, BaseError, DataError, HubError."""
    if not person.is_local:
        raise LoraHubError(_("The examples are a path of the machine it is asked on."), _("Use the shell."))
    read = composing.read_examples(file, task, mapping)
    judging = composing.read_examples(test, read.task, is_test=True) if test else None
    org = org or settings.organization()
    left: list[composing.Left] = []
    if adapters:
        panes = composing.name_publicly(comparer.resolve(list(adapters)))
    else:
        panes, left = composing.gather_adapters(comparer.bases, find_base(person, base or bases.BUILT_IN), org)
    spec = composing.plan_adapter(read, panes[0].base, name=name, test=judging, seed=seed)
    if publish:
        with asked_as(person):
            hub.check_publishing(spec, org=org, private=private)
    made = composing.compose_adapter(comparer.bases, panes, read, spec, test=judging, progress=progress)
    if not publish or made.folder is None:
        return Composition(made, tuple(left))
    try:
        with asked_as(person):
            published = hub.publish_adapter(
                made.folder, spec=made.spec, scores=made.scores, run_id=made.id, org=org, private=private
            )
    except LoraHubError as error:
        return Composition(made, tuple(left), trouble=error)
    return Composition(made, tuple(left), published)
