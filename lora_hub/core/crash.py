"""What ended a process that nobody expected to end, in words."""

from lora_hub.core import settings
from lora_hub.core.disk import FULL, disk_is_full, explain_home, is_disk_full
from lora_hub.core.errors import LoraHubError


def explain_crash(error: BaseException) -> LoraHubError:
    """What ended the process, in words; the traceback is in the run's log. An error for people stays what it is."""
    if isinstance(error, LoraHubError):
        return error
    full = isinstance(error, OSError) and error.errno in FULL
    # torch and safetensors tell of a failed write without saying why.
    if full or (not isinstance(error, MemoryError) and is_disk_full()):
        return disk_is_full(settings.home(), ended_run=True)
    if isinstance(error, OSError) and (told := explain_home(error)) is not None:
        return told
    if isinstance(error, MemoryError) or "not enough memory" in str(error) or "can't allocate memory" in str(error):
        return LoraHubError(
            "The machine's memory ran out.", "Choose a smaller base, or set a smaller micro_batch and max_length.",
            message_fa="حافظهٔ این دستگاه تمام شد.", hint_fa="مدل پایهٔ کوچک‌تری انتخاب کنید، یا micro_batch و max_length را کوچک‌تر کنید.",
        )  # fmt: skip
    first = str(error).splitlines()[0] if str(error) else ""
    said = f"{type(error).__name__}: {first}".removesuffix(": ")
    return LoraHubError(
        f"The training process failed: {said}", "The log has the details.",
        message_fa=f"فرایند آموزش ناموفق ماند ({said}).", hint_fa="جزئیات در لاگ اجراست.",
    )  # fmt: skip
