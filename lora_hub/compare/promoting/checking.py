"""The figures of a promotion, computed again: what the record in the repo says has to come out from the two commits
that it names and the rows that it was measured on.

checked = check_promotion(bases, "spam-built-in")       checked.different: [] where all is as it was recorded
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lora_hub import hub
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.promoting.gate import Progress, hold_trial, measured_of, not_read, tell_general, tell_task
from lora_hub.compare.promoting.moving import rows_of
from lora_hub.compare.recorded import differing
from lora_hub.core.errors import AdapterError, RunError
from lora_hub.core.messages import Message, _, joined
from lora_hub.hub import Promotion

# What of a comparison is no figure of it, and was known where it was made.
_NOTES = {"left_out", "left_by", "maybe"}


@dataclass(frozen=True)
class Checked:
    """promotion: whose figures were computed again. different: (figure, as it was recorded, as it is now)."""

    promotion: Promotion
    different: list[tuple[str, Any, Any]]

    @property
    def said(self) -> Message:
        """What the record says, in sentences."""
        one, told = self.promotion, []
        if one.unread:
            told.append(not_read(one.before_name))
        if one.task and one.general:
            told += [tell_task(one.task, one.version), tell_general(one.general, one.version, one.limit)]
        return joined(*told)


def check_promotion(
    bases: LoadedBases,
    name: str,
    *,
    test: Path | None = None,
    owner: str = "",
    sees: Callable[[str], bool] = lambda run_id: True,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Checked:
    """Of the latest promotion that was measured; its arguments are those of `promote`. Raises AdapterError (none was),
    RunError (other rows than those, or none)."""
    place = hub.look_at_production(name)
    found = next((one for one in reversed(place.promotions.entries) if one.task and one.general), None)
    if found is None:
        raise AdapterError(_("No promotion of {repo} was measured."), _("Promote a version first."), repo=place.repo_id)
    then = replace(
        place,
        version="" if found.unread else found.before,
        commit="" if found.unread else found.before_commit,
        versions={**place.versions, found.version: found.commit},
    )
    # Whoever promoted may have known less of the training than is known here, and have left out none.
    kept = (rows_of(then, found.version, test, sees, every=every) for every in (False, True))
    fair = next((one for one in kept if one is not None and one.rows.fingerprint == found.task.source), None)
    if fair is None:
        raise RunError(
            _("The rows on which {version} of {repo} was measured are not these, or not on this machine."),
            _("Check where its run is, or name the test file that it was measured on (--test)."),
            version=found.version,
            repo=place.repo_id,
        )
    trial = hold_trial(bases, then, found.version, fair, owner=owner, progress=progress, cancelled=cancelled)
    task, general = measured_of(trial)
    kept, new = {"task": found.task}, {"task": task}
    if found.general.source == general.source:  # else the questions were changed since
        kept["general"], new["general"] = found.general, general
    told = ({part: one.model_dump(exclude=_NOTES) for part, one in of.items()} for of in (kept, new))
    return Checked(found, differing(*told))
