"""What a run tells at its steps, told to Trackio as well, where that is installed and asked for (`LORA_HUB_REPORT_TO`).

    tracker = Tracker(run_id, spec)
    tracker.tell("metric", {"step": 1, "loss": 3.2}); tracker.end()

Trackio keeps it in files on this machine. It goes to a Space only where the variable names one: what else in the
environment would send it away (TRACKIO_SPACE_ID and others) is put aside in the run's process. Whatever becomes of
Trackio, the run goes on.
"""

import contextvars
import importlib.util
import os
import re
from typing import Any

from lora_hub.core.errors import SpecError
from lora_hub.core.events import MEASURES
from lora_hub.core.messages import _
from lora_hub.core.schema import EventKind, TrainSpec

PROJECT = "lora-hub"
TOLD = ("loss", "eval_loss", *MEASURES)
# By these Trackio would send what it is told to another machine.
AWAY = (
    "TRACKIO_SPACE_ID",
    "TRACKIO_SERVER_URL",
    "TRACKIO_DATASET_ID",
    "TRACKIO_BUCKET_ID",
    "TRACKIO_WEBHOOK_URL",
    "TRACKIO_WRITE_TOKEN",
)


def report_to() -> tuple[str, str]:
    """(what else is told of runs, "trackio" or "" for nothing; the Space that it goes to, "" for files on this
    machine), from LORA_HUB_REPORT_TO: `trackio`, or `trackio:owner/space`. Raises SpecError if it is another, or not
    installed."""
    asked = os.environ.get("LORA_HUB_REPORT_TO", "").strip()
    name, colon, space = asked.partition(":")
    if not asked or asked == "none":
        return "", ""
    if name != "trackio" or (colon and not re.fullmatch(r"[\w.-]+/[\w.-]+", space)):
        raise SpecError(
            _("LORA_HUB_REPORT_TO is {value!r}.", value=asked),
            _("Set it to trackio, or to trackio:OWNER/SPACE to send what it is told to that Space; or unset it."),
        )
    if importlib.util.find_spec("trackio") is None:
        raise SpecError(
            _("LORA_HUB_REPORT_TO is {value!r}, and Trackio is not installed.", value=asked),
            _("Install it ({command}), or unset the variable.", command="pip install trackio"),
        )
    return name, space


class Tracker:
    """One run's. `trouble`: why nothing more is told; empty while all is well."""

    def __init__(self, run_id: str, spec: TrainSpec) -> None:
        self.run_id, self.spec = run_id, spec
        self.wanted, self.space = report_to()
        self.trouble = ""
        self._run: Any = None

    def tell(self, kind: EventKind, data: dict[str, Any]) -> None:
        """Tells an event on; others than metrics are not told."""
        if not self.wanted or kind != "metric" or self.trouble:
            return
        try:
            if self._run is None:
                self._run = self._begin()
            told = {name: float(data[name]) for name in TOLD if data.get(name) is not None}
            self._run.log(told, step=int(data["step"]))
        except Exception as error:  # another project's code: nobody loses a run by it
            self.trouble = f"{type(error).__name__}: {error}"

    def end(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        try:
            run.finish()
        except Exception as error:
            self.trouble = f"{type(error).__name__}: {error}"

    def _begin(self) -> Any:
        for name in AWAY:
            os.environ.pop(name, None)
        trackio = importlib.import_module("trackio")
        given = {"space_id": self.space} if self.space else {}
        config = {
            "task": self.spec.task.id,
            "base": self.spec.base.id,
            **self.spec.model_dump(mode="json", include={"lr", "epochs", "steps", "batch", "seed", "effort", "lora"}),
        }
        # In a context of its own: what it takes for the current run of the context, it ends, and a process may have
        # several runs.
        return contextvars.Context().run(
            trackio.init,
            project=PROJECT,
            name=self.run_id,
            config=config,
            resume="allow",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
            **given,
        )
