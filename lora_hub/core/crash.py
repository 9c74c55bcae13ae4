"""Explains in words why a process ended unexpectedly."""

from lora_hub.core import settings
from lora_hub.core.disk import FULL, disk_is_full, explain_home, is_disk_full
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import _


def explain_crash(error: BaseException) -> LoraHubError:
    """Why the process ended, in words; the traceback is in the run's log. A `LoraHubError` is returned unchanged."""
    if isinstance(error, LoraHubError):
        return error
    full = isinstance(error, OSError) and error.errno in FULL
    # torch and safetensors report a failed write without the cause.
    if full or (not isinstance(error, MemoryError) and is_disk_full()):
        return disk_is_full(settings.home(), ended_run=True)
    if isinstance(error, OSError) and (told := explain_home(error)) is not None:
        return told
    if isinstance(error, MemoryError) or "not enough memory" in str(error) or "can't allocate memory" in str(error):
        return LoraHubError(
            _("The machine's memory ran out."),
            _("Choose a smaller base, or set a smaller micro_batch and max_length."),
        )
    first = str(error).splitlines()[0] if str(error) else ""
    said = f"{type(error).__name__}: {first}".removesuffix(": ")
    return LoraHubError(_("The training process failed: {said}"), _("The log has the details."), said=said)
