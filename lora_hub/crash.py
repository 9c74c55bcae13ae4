"""What ended a process that nobody expected to end, in words."""

import errno
import shutil

from lora_hub import settings
from lora_hub.errors import LoraHubError

# With less than this left, a write that failed failed for want of space.
FULL_DISK_BYTES = 8 * 1024 * 1024


def is_disk_full() -> bool:
    """Whether next to nothing is left on the disk of our home."""
    home = settings.home()
    return shutil.disk_usage(next(part for part in (home, *home.parents) if part.exists())).free < FULL_DISK_BYTES


def disk_is_full() -> LoraHubError:
    return LoraHubError(
        f"The disk of {settings.home()} is full.", "Free some space there, then resume the run: it goes on from its last checkpoint.",
        message_fa=f"دیسکی که «{settings.home()}» در آن است پر است.",
        hint_fa="جایی در آن باز کنید و اجرا را ادامه دهید: از آخرین چک‌پوینت پیش می‌رود.",
    )  # fmt: skip


def explain_crash(error: BaseException) -> LoraHubError:
    """What ended the process, in words; the traceback is in the run's log. An error for people stays what it is."""
    if isinstance(error, LoraHubError):
        return error
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    # torch and safetensors tell of a failed write without saying why.
    if full or (not isinstance(error, MemoryError) and is_disk_full()):
        return disk_is_full()
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
