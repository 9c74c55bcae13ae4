"""Comparisons that are kept: a person's history, opening one by its link, sharing, deleting, taking it along."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from lora_hub import runs
from lora_hub.compare import kept, votes
from lora_hub.core import settings
from lora_hub.core.errors import AccessError, DataError, SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import Comparison, PaneAnswer, Question, Vote
from lora_hub.people import Person, limits, policy, rules
from lora_hub.people.rules import Action
from lora_hub.use_cases.case import use_case
from lora_hub.use_cases.datasets import disk_of

SHARED = ("private", "organization")
FORMS = ("json", "markdown")


@dataclass(frozen=True)
class OpenedComparison:
    """A comparison as one person may see it. is_own: whether they asked it. is_hidden: they have not seen the names
    yet, and must not before they have voted. vote: theirs; late: the one that they cast after they had seen the
    names."""

    comparison: Comparison
    is_own: bool
    is_hidden: bool = False
    vote: Vote | None = None
    late: Vote | None = None


@use_case(Action.COMPARE)
def keep_comparison(
    person: Person,
    question: Question,
    answers: Sequence[PaneAnswer],
    order: Sequence[int] = (),
) -> Comparison | None:
    """Keeps a question with its answers for the person who asked it. order: of a blind comparison, the pane at each
    place. None for people who are no members, of whom nothing is kept. Raises AccessError where there is no room left,
    DataError if it is too large."""
    if not person.role or not answers:
        return None
    one = kept.new_comparison(person.id, question, answers, order if len(answers) > 1 else ())
    _check_room(person, len(one.model_dump_json().encode()))
    kept.keep_comparison(one)
    return one


def _check_room(person: Person, size: int) -> None:
    if person.is_local:
        return
    most = policy.read().disk_mb
    used = disk_of(person, runs.list_runs())
    if used + size > most * limits.MB:
        raise AccessError(
            _("The comparison was not kept: {used:.0f} MB of your {most:g} MB are taken."),
            _("Delete a run, a file or older comparisons."),
            used=used / limits.MB,
            most=most,
        )


@use_case(Action.COMPARE)
def list_comparisons(person: Person, search: str = "", most: int = 50) -> list[Comparison]:
    """This person's comparisons, newest first. search: words that its texts, models or task have, in any case."""
    if not person.role:
        return []
    words = search[:500].casefold().split()
    found = [one for one in kept.list_kept(person.id) if all(word in _words_of(one) for word in words)]
    return found[:most]


def _words_of(one: Comparison) -> str:
    texts = [one.id, one.task, *one.question.texts]
    for view in one.answers:
        texts += [view.name, view.base, *(drawn.text for drawn in view.answers)]
    return "\n".join(texts).casefold()


@use_case(Action.COMPARE)
def open_comparison(person: Person, comparison_id: str) -> OpenedComparison:
    """A comparison that this person asked, or that was shared with their organization. Raises DataError, with the same
    message for one that they may not see as for none."""
    return opened(person, comparison_id)


def opened(person: Person, comparison_id: str) -> OpenedComparison:
    one = kept.find_comparison(comparison_id)
    if one is None or not rules.can_see(person, one):
        raise DataError(
            _("There is no comparison {name!r} that you may see."),
            _("Choose one of your history, or ask its owner to share it."),
            name=comparison_id[:40],
        )
    if not is_own(person, one):
        return OpenedComparison(one, False)
    cast = votes.read_votes(one.owner)
    is_hidden = one.is_blind and one.id not in cast.revealed
    return OpenedComparison(one, True, is_hidden, cast.counted.get(one.id), cast.late.get(one.id))


def is_own(person: Person, one: Comparison) -> bool:
    """Whether this person asked it; an admin's rights make nothing their own."""
    return bool(person.role) and one.owner == person.id and (person.is_local or person.id != "local")


def owned(person: Person, comparison_id: str) -> Comparison:
    """A comparison that this person may change. Raises DataError if they may not see it, AccessError if it is
    another's."""
    one = opened(person, comparison_id).comparison
    rules.check_owner(person, one)
    return one


@use_case(Action.COMPARE, counted=True)
def share_comparison(person: Person, comparison_id: str, visibility: str) -> Comparison:
    """Sets who may open it: "private" or "organization". Raises DataError, AccessError, SpecError."""
    one = owned(person, comparison_id)
    if visibility not in SHARED:
        raise SpecError(
            _("A comparison cannot be {visibility!r}."), _("It is private or organization."), visibility=visibility[:40]
        )
    shared = one.model_copy(update={"visibility": visibility})
    if shared != one:
        kept.write_comparison(shared)
    return shared


@use_case(Action.COMPARE, counted=True)
def delete_comparison(person: Person, comparison_id: str) -> None:
    """Deletes it for good. A vote on it that counts stays counted, without the texts. Raises DataError, AccessError."""
    kept.remove_comparison(owned(person, comparison_id))


@use_case(Action.COMPARE, counted=True)
def export_comparison(person: Person, comparison_id: str, form: str = "json", language: str = "en") -> str:
    """It as a text: "json" or "markdown". Whoever takes a blind one along sees its names: later votes are late. Raises
    DataError, SpecError."""
    if form not in FORMS:
        raise SpecError(_("A comparison cannot be {form!r}."), _("It is json or markdown."), form=form[:40])
    found = opened(person, comparison_id)
    if found.is_hidden:
        votes.reveal(found.comparison)
    if form == "json":
        return json.dumps(kept.comparison_json(found.comparison), ensure_ascii=False, indent=1) + "\n"
    return kept.comparison_markdown(found.comparison, language)


def people_with_comparisons() -> list[str]:
    """Everybody who has a folder of comparisons here."""
    names = [folder.parent.name for folder in sorted(settings.people_dir().glob("*/comparisons"))]
    return [*(["local"] if settings.comparisons_dir().is_dir() else []), *names]
