"""Publishing a run's adapter: whether it may be published is asked before the training; it is published at the end of
the run or later by hand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lora_hub.core import events, run_lock, settings, store
from lora_hub.core.errors import LoraHubError, RunError
from lora_hub.core.messages import Message, _
from lora_hub.core.schema import AdapterRef, Run, TrainSpec
from lora_hub.hub import endpoint
from lora_hub.runs import run_states
from lora_hub.runs.looking import held_out_of, refresh_run


@dataclass(frozen=True)
class Published:
    """ref: the version that the Hub has. is_new: False where it had this very version of the run before. missing: what
    could not be read of the run's held-out rows, in words."""

    ref: AdapterRef
    is_new: bool
    missing: Message | None = None


def check_publishing(spec: TrainSpec) -> None:
    """Raises HubError where the adapter could not be published to where the spec says. Asked before the training rather
    than after it."""
    if not spec.publish_to:
        return
    with endpoint.connected():
        from lora_hub import hub

        hub.check_publishing(spec, org=spec.publish_to, private=spec.publish_private)


def publishing_trouble(spec: TrainSpec) -> LoraHubError | None:
    """Why an adapter of this spec could not be published to the organization in use, for those who may want to publish
    it after the training; None where it could."""
    try:
        check_publishing(spec.model_copy(update={"publish_to": spec.publish_to or settings.organization()}))
    except LoraHubError as error:
        return error
    return None


def publish_run(run_id: str, *, org: str = "", name: str = "", private: bool = False) -> Published:
    """Publishes a run's adapter to the organization. Can be tried again after a failure.

    Raises RunError where there is no adapter yet, HubError where the Hub refuses.
    """
    store.read_spec(run_id)  # a damaged one says here what is wrong
    run = refresh_run(run_id)
    if not run.adapter_folder:
        raise RunError(
            _("The run {run_id} has no adapter to publish: it is {state}."),
            _("Wait until it has succeeded, or resume it."),
            run_id=run_id,
            state=run_states.word(run.state),
        )
    folder = store.run_folder(run_id)
    with store.disk_errors(folder):
        lock = run_lock.take_for_publishing(folder)
    if lock is None:
        raise RunError(_("The run {run_id} is being deleted."), _("Publish another one."), run_id=run_id)
    with lock:
        log = events.app_log(store.events_file(run_id))
        return publish_adapter(run, log.append, org=org, name=name, private=private or run.spec.publish_private)


def publish_adapter(
    run: Run, report: Callable[..., Any], *, org: str = "", name: str = "", private: bool = False
) -> Published:
    """Publishes a run's adapter and reports it. Raises HubError; the adapter stays in the run's folder either way."""
    from lora_hub import hub

    folder = store.run_folder(run.id) / store.ADAPTER
    # They tell the card which language the data is in; they are printed on it only where the person shares rows.
    found = held_out_of(run)
    losses = [event.model_dump(mode="json") for event in store.read_events(run.id) if event.kind == "metric"]
    log = store.run_folder(run.id) / "training_log.jsonl"
    store.write_jsonl(log, losses)
    ref = hub.publish_adapter(
        folder,
        spec=run.spec,
        scores=run.metrics,
        run_id=run.id,
        org=org or settings.organization(),
        name=name,
        private=private,
        log=log,
        examples=found.rows,
    )
    report("adapter", published=ref.model_dump(mode="json"))
    before = run.adapter
    is_new = before is None or (before.repo_id, before.revision) != (ref.repo_id, ref.revision)
    return Published(ref, is_new, found.missing)
