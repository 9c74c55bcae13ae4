"""Moves the tag `production`: after a trial, with an admin's reason, or back to where it was.

outcome = promote(bases, "spam-built-in", "v3")      outcome.moved; outcome.said: what was found, in sentences
roll_back("spam-built-in")                           what was in production before is there again
"""

import filecmp
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lora_hub import hub
from lora_hub.compare.held_out_sets import file_set, held_out_set
from lora_hub.compare.loaded_bases import LoadedBases
from lora_hub.compare.panes import Pane, resolve_adapter
from lora_hub.compare.promoting.gate import Progress, Trial, hold_trial, measured_of, not_read, trouble_of_production
from lora_hub.compare.promoting.seen import FairRows, Known, leave_out, trained_by
from lora_hub.core import store
from lora_hub.core.errors import AccessError, AdapterError, BaseError, RunError, SpecError
from lora_hub.core.messages import Message, _, joined
from lora_hub.hub import LONGEST_REASON, Production, Promotion, adapter_config
from lora_hub.runs import refresh_run


@dataclass(frozen=True)
class Outcome:
    """repo_id, version: what was to be promoted. before: what was in production until then, a version or the
    beginning of a commit that is none; empty: nothing. moved: whether the tag is on it now. why: "better", "reason", or
    "" where it was refused. said: what the trial found, in sentences. trial: None where nothing was measured. limit:
    points that may be forgotten."""

    repo_id: str
    version: str
    before: str
    moved: bool
    why: str
    said: Message
    trial: Trial | None
    limit: float

    def to_json(self) -> dict[str, Any]:
        """For programs, with what was measured."""
        task, general = measured_of(self.trial) if self.trial else (None, None)
        return {
            "repo": self.repo_id,
            "moved": self.moved,
            "kind": self.why,
            "version": self.version,
            "before": self.before,
            "limit": self.limit,
            "said": self.said.en,
            "task": task.model_dump(mode="json") if task else None,
            "general": general.model_dump(mode="json") if general else None,
        }


def promote(
    bases: LoadedBases,
    name: str,
    version: str,
    *,
    test: Path | None = None,
    reason: str = "",
    limit: float,
    owner: str = "",
    sees: Callable[[str], bool] = lambda run_id: True,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Outcome:
    """Puts a version into production if it is better and forgot no more than `limit` points, or if there is a reason
    and an admin of the organization gives it. test: rows to compare on; None: the held-out rows of the version's run,
    which is on this machine. owner: for whom answers are kept. sees: whether this person may see a run.

    Raises AdapterError (no such adapter or version), HubError (no right to move it), AccessError (a reason of somebody
    who is no admin), RunError (no rows here), SpecError.
    """
    reason = " ".join(reason.split())
    if len(reason) > LONGEST_REASON:
        raise SpecError(
            _("The reason is {count:,} characters long, and {most} fit into the record."),
            _("Shorten it."),
            count=len(reason),
            most=LONGEST_REASON,
        )
    place = hub.look_at_production(name)
    _check_version(place, version)
    hub.check_moving(place)
    by, roles = hub.account_of()
    if reason and roles.get(place.repo_id.partition("/")[0].lower()) != "admin":
        raise AccessError(
            _("{name} is no admin of {organization}, and only admins promote for a reason of their own."),
            _("Leave the reason out: then the measurement decides."),
            name=by,
            organization=place.repo_id.partition("/")[0],
        )
    if version == place.version and not place.tagged:  # a move that ended before its tag
        hub.move_production(place, place.promotions.entries[-1])
        done = _("{version} was accepted before, and its tag is there now.", version=version)
        return Outcome(place.repo_id, version, "", True, "better", done, None, limit)
    rows = rows_of(place, version, test, sees)
    if rows is None and not reason:
        run_id = _run_of(place, place.versions[version])
        if run_id in store.list_run_ids() and sees(run_id):
            if _published_to(run_id, place):
                raise RunError(
                    _(
                        "{version} says that it is of the run {run}, but its weights are others than that run's, or "
                        "the run's rows cannot be read: they say nothing about it."
                    ),
                    _("Name a test file (--test)."),
                    version=version,
                    run=run_id,
                )
            raise RunError(
                _(
                    "{version} says that it is of the run {run}, which this machine did not publish to {repo}: its "
                    "held-out rows say nothing about it."
                ),
                _("Promote where its run is, or name a test file (--test)."),
                version=version,
                run=run_id,
                repo=place.repo_id,
            )
        raise RunError(
            _("The held-out rows of {version} are not on this machine, so it cannot be compared."),
            _("Promote where its run is, or name a test file (--test)."),
            version=version,
        )
    trial = unread = None
    if rows is not None:
        asked = {"owner": owner, "progress": progress, "cancelled": cancelled}
        try:
            trial = hold_trial(bases, place, version, rows, **asked)
        except (AdapterError, BaseError) as error:
            trouble = trouble_of_production(bases, place)
            if trouble is None:
                raise
            if not reason:
                raise AdapterError(
                    joined(
                        _("What is in production, {name}, cannot be asked.", name=f"{place.repo_id}@{place.name}"),
                        trouble.said,
                    ),
                    _(
                        "Roll back to a version that can be read, repair it on the Hub, or let an admin promote "
                        "{version} with a reason: then it is compared with the base.",
                        version=version,
                    ),
                ) from error
            unread = replace(place, version="", commit="")
            rows = rows_of(unread, version, test, sees)
            trial = hold_trial(bases, unread, version, rows, **asked)
    refusal = trial.refusal(limit) if trial else _("It was not measured.")
    said = joined(trial.on_task(), trial.on_general(limit)) if trial else refusal
    if unread is not None:
        refusal = not_read(place.name)
        said = joined(refusal, said)
    if refusal and not reason:
        return Outcome(place.repo_id, version, place.name, False, "", said, trial, limit)
    why = "reason" if refusal else "better"
    task, general = measured_of(trial) if trial else (None, None)
    promotion = Promotion(
        at=_now(),
        by=by,
        kind=why,
        version=version,
        commit=place.versions[version],
        before=place.version,
        before_commit=place.commit,
        reason=reason,
        task=task,
        general=general,
        limit=limit,
        unread=unread is not None,
    )
    hub.move_production(place, promotion)
    return Outcome(place.repo_id, version, place.name, True, why, said, trial, limit)


def roll_back(name: str) -> Promotion:
    """Puts what was in production before there again, as the record says. Raises AdapterError (nothing was), HubError
    (no right)."""
    place = hub.look_at_production(name)
    if not place.commit:
        raise AdapterError(_("Nothing of {repo} is in production."), _("Promote a version first."), repo=place.repo_id)
    hub.check_moving(place)
    last = place.promotions.entries[-1] if place.promotions.entries else None
    if last is not None and last.kind == "rolled_back" and not place.tagged:  # a way back that ended before its tag
        hub.move_production(place, last)
        return last
    version, commit = place.promotions.before(place.commit)
    if not commit:
        raise AdapterError(
            _("Nothing of {repo} was in production before {version}."),
            _("Promote another version."),
            repo=place.repo_id,
            version=place.name,
        )
    if place.versions.get(version) != commit:
        raise AdapterError(
            _("{version}, which was in production before, is no version of {repo} any more."),
            _("Promote another version."),
            version=hub.name_of(version, commit),
            repo=place.repo_id,
        )
    promotion = Promotion(
        at=_now(),
        by=hub.account_of()[0],
        kind="rolled_back",
        version=version,
        commit=commit,
        before=place.version,
        before_commit=place.commit,
    )
    hub.move_production(place, promotion)
    return promotion


def _check_version(place: Production, version: str) -> None:
    if version not in place.versions:
        raise AdapterError(
            _("{repo} has no version {revision!r}."),
            _("It has the versions {tags}.", tags=[*place.versions])
            if place.versions
            else _("Publish it from its run first."),
            repo=place.repo_id,
            revision=version,
        )
    if place.versions[version] == place.commit and place.tagged:
        raise AdapterError(
            _("{version} of {repo} is in production already."),
            _("Promote another version, or roll back."),
            version=version,
            repo=place.repo_id,
        )


def rows_of(
    place: Production, version: str, test: Path | None, sees: Callable[[str], bool], *, every: bool = False
) -> FairRows | None:
    """The rows that a version is measured on: a test file's, or those held out by its run, without those in its own
    training or that of what is in production; None where they are not on this machine, or not its own. sees: whether
    this person may see a run. every: none is left out."""
    run_id = _run_of(place, place.versions[version])
    pane = resolve_adapter(f"{place.repo_id}@{place.versions[version]}")
    is_its = sees(run_id) and _published_to(run_id, place) and _has_weights(run_id, pane)
    kept = held_out_set(run_id) if is_its else None
    if test is None and kept is None:
        return None
    rows = kept if test is None else file_set(test, pane, shown=kept.shown if kept else ())
    if every:
        return FairRows(rows)
    if is_its:
        new = trained_by(run_id, sees, itself=test is not None)
    else:
        new = Known(files={*pane.trained_on, *pane.trained_before})
    return leave_out(rows, {"version": new} | ({"against": _trained(place, sees)} if place.commit else {}))


def _trained(place: Production, sees: Callable[[str], bool]) -> Known:
    """What the version in production was trained with. One whose weights cannot be read has said nothing."""
    try:
        run_id = _run_of(place, place.commit)
        pane = resolve_adapter(f"{place.repo_id}@{place.commit}")
    except (AdapterError, BaseError):
        return Known()
    if run_id and sees(run_id) and _published_to(run_id, place) and _has_weights(run_id, pane):
        return trained_by(run_id, sees)
    return Known(files={*pane.trained_on, *pane.trained_before})


def _run_of(place: Production, commit: str) -> str:
    """The run that a commit says it is of. The record is a file of the repo: whoever may write there chose it."""
    return str((hub.fetch_record(place.repo_id, commit) or {}).get("run", ""))[:200]


def _published_to(run_id: str, place: Production) -> bool:
    """Whether this machine published that run to this repo: else its rows are another adapter's, on which whoever wrote
    the record may be the better one."""
    if run_id not in store.list_run_ids():
        return False
    ref = refresh_run(run_id).adapter
    return ref is not None and ref.repo_id.lower() == place.repo_id.lower()


def _has_weights(run_id: str, pane: Pane) -> bool:
    """Whether the commit that is compared has the very weights that the run made: its rows were held out from their
    training, and from no other's."""
    folder = refresh_run(run_id).adapter_folder
    if not folder:
        return False
    files = [made / adapter_config.WEIGHTS_FILE for made in (store.run_folder(run_id) / folder, pane.folder)]
    return all(file.is_file() for file in files) and filecmp.cmp(*files, shallow=False)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
