"""Which of the organization's adapters a question is for: the one whose training questions it lies nearest to among the
base's own hidden states; none, where it lies in no task's region, and the base answers.

    found = route(bases, "You won a prize!", base)         found.adapter, found.candidates; said(found) in a sentence

Only what each adapter's repo tells of its training questions is compared (`hub.fetch_region`): means, never a row.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePath

from lora_hub import hub, regions
from lora_hub.catalogue import bases as known_bases
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane
from lora_hub.compare.routing import atlases
from lora_hub.core import settings
from lora_hub.core.errors import DataError
from lora_hub.core.messages import Message, _, _n, joined, several
from lora_hub.core.schema import BASE, AdapterRef, BaseModel, Noun

# Adapters of one base that are looked at, the last changed first.
MOST_CANDIDATES = 64
# Those whose distances are told to people, the nearest first.
MOST_TOLD = 5
# "1.0 times as far" and "0.0 more" would be no reason: what is told with one digit is at least so much beyond.
LEAST_TOLD = 0.1


class Candidate(Noun):
    """An adapter that the question could be for. distance: to the nearest mean of its training questions (0: the same
    direction, 2: nothing in common). share: of the distance within which nearly all of its own questions lie; more
    than 1 is outside. unlike: by how many standard deviations the question is more like what people write of all
    kinds than nearly all of its own are; more than 0 is outside. doubt: what the nearness of the next adapter adds."""

    adapter: str
    revision: str = ""
    task: str = ""
    title: str = ""
    distance: float
    share: float
    unlike: float = 0.0
    doubt: float = 0.0
    fits: bool = False


class Routed(Noun):
    """adapter: empty where none fits and the base answers. candidates: the nearest first. silent: adapters of this base
    that do not say where their questions lie."""

    base: str
    adapter: str = ""
    revision: str = ""
    candidates: tuple[Candidate, ...] = ()
    silent: tuple[str, ...] = ()


def route(
    bases: LoadedBases,
    text: str,
    base: BaseModel,
    org: str = "",
    cancelled: Callable[[], bool] | None = None,
    refs: Sequence[AdapterRef] | None = None,
) -> Routed:
    """refs: the adapters that are looked at; None: the organization's, as the Hub lists them now. Raises DataError
    (nothing is asked), BaseError, HubError."""
    if not text.strip():
        raise DataError(_("The prompt is empty."), _("Type what is to be answered."))
    if refs is None:
        refs = hub.list_adapters(org or settings.organization(), base=base.id)
    refs = refs[:MOST_CANDIDATES]
    atlas = atlases.atlas_of(refs, base)
    silent = tuple(ref.repo_id for ref in refs if ref.repo_id not in atlas.names)
    if not atlas.names:
        return Routed(base=base.id, silent=silent)
    with bases.hold([Pane(BASE, base)], cancelled) as held:
        if held is None:
            return Routed(base=base.id, silent=silent)
        loaded, _names = held
        states, tokens = regions.read_states(loaded.stack, loaded.tokenizer, [text])
    placed = atlas.place(states[0], float(tokens[0]))
    silent += tuple(sorted(atlas.names - {one.name for one in placed}))
    facts = {ref.repo_id: ref for ref in refs}
    candidates = tuple(
        Candidate(
            adapter=one.name,
            revision=facts[one.name].revision,
            task=facts[one.name].task,
            title=facts[one.name].title,
            distance=one.distance,
            share=one.share,
            unlike=one.unlike,
            doubt=one.doubt,
            fits=one.fits,
        )
        for one in placed
    )
    chosen = next((one for one in candidates if one.fits), None)
    return Routed(
        base=base.id,
        adapter=chosen.adapter if chosen else "",
        revision=chosen.revision if chosen else "",
        candidates=candidates,
        silent=silent,
    )


def prepare(refs: Sequence[AdapterRef], base: BaseModel) -> None:
    """Reads the regions of these adapters, so that the next question among them asks the Hub nothing. Raises
    HubError."""
    atlases.atlas_of(refs[:MOST_CANDIDATES], base)


def most_used_base(org: str = "") -> str:
    """The name, as `bases.get_base` reads it, of the base that most of the organization's adapters are of: the built-in
    one or a Hub's; the built-in one where there are none. Raises HubError."""
    own = f"{org or settings.organization()}/"
    counts: Counter[str] = Counter()
    for ref in hub.list_adapters(org or settings.organization()):
        if ref.base.removeprefix(own) == known_bases.BUILT_IN:
            counts[known_bases.BUILT_IN] += 1
        elif known_bases.HUB_ID.fullmatch(ref.base) and not ref.base.startswith(own):  # that is a folder's name
            counts[ref.base] += 1
    return counts.most_common(1)[0][0] if counts else known_bases.BUILT_IN


def reason(found: Routed) -> Message:
    """`said`, and how far the question lies from each task."""
    if not found.candidates:
        return said(found)
    tasks = several(
        (
            _(
                "{adapter} {distance:.2f} ({share:.0%} of its limit)",
                adapter=one.adapter,
                distance=one.distance,
                share=one.share,
            )
            for one in found.candidates
        ),
        ";",
        most=MOST_TOLD,
    )
    return joined(said(found), _("Distances: {tasks}.", tasks=tasks))


def said(found: Routed) -> Message:
    """What was chosen and why, in a sentence."""
    if found.adapter:
        first = found.candidates[0]
        near = _("{adapter} answers: the question lies nearest to its task", adapter=found.adapter)
        if len(found.candidates) > 1:
            return _(
                "{near} (distance {distance:.2f}; the next, {other}: {further:.2f}).",
                near=near,
                distance=first.distance,
                other=found.candidates[1].adapter,
                further=found.candidates[1].distance,
            )
        return _("{near} (distance {distance:.2f}).", near=near, distance=first.distance)
    if not found.candidates and not found.silent:
        return _("The base answers: the organization has no adapter of {base} yet.", base=PurePath(found.base).name)
    if not found.candidates:
        return _n(
            "The base answers: {count} adapter of {base} is there, and none says which questions are its own.",
            "The base answers: {count} adapters of {base} are there, and none says which questions are its own.",
            count=len(found.silent),
            base=PurePath(found.base).name,
        )
    first = found.candidates[0]
    if first.share > 1:
        return _(
            "No adapter fits, and the base answers: the nearest is {adapter}, and the question is {share:.1f} times as "
            "far from its task as nearly all of its own questions.",
            adapter=first.adapter,
            share=max(first.share, LEAST_TOLD + 1),
        )
    if first.unlike > 0:
        return _(
            "No adapter fits, and the base answers: the question is more like what people write of all kinds than "
            "nearly all questions of {adapter}, the nearest (by {unlike:.1f} standard deviations).",
            adapter=first.adapter,
            unlike=max(first.unlike, LEAST_TOLD),
        )
    return _(
        "No adapter fits, and the base answers: the question lies about as near to {adapter} (distance {distance:.2f}) "
        "as to {other} ({further:.2f}).",
        adapter=first.adapter,
        distance=first.distance,
        other=found.candidates[1].adapter,
        further=found.candidates[1].distance,
    )
