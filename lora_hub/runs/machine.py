"""What this machine can take: its GPU's speed, its memory."""

from lora_hub.catalogue import bases, hardware
from lora_hub.core import settings
from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _
from lora_hub.core.schema import BaseModel, TrainSpec
from lora_hub.hub import endpoint


def gpu_name() -> str:
    """This machine's GPU, as its driver calls it; empty where there is none."""
    return next(iter(_ask_driver("name")), "")


def gpu_flops() -> float:
    """Peak 16-bit FLOP/s of this machine's GPU, 0 where there is none."""
    named = _ask_driver("name")
    return hardware.card_flops(named[0]) if named else 0.0


def machine_memory() -> int:
    """Bytes that a base may take: the largest GPU's where there is one, else the machine's."""
    import psutil

    sizes = _ask_driver("memory.total")
    return max(map(int, sizes)) << 20 if sizes else psutil.virtual_memory().total


def _ask_driver(what: str) -> list[str]:
    """A fact of each of the machine's GPUs, by the driver's own tool, so that torch can stay out."""
    import shutil
    import subprocess

    if settings.has_zero_gpu() or not shutil.which("nvidia-smi"):  # a borrowed GPU is no run's
        return []
    asked = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader,nounits"]
    told = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False)
    return told.stdout.strip().splitlines() if told.returncode == 0 else []


def check_base(base: BaseModel) -> None:
    """Raises BaseError where a base of a Hub could not be loaded: there is none of that name or revision, this account
    has not been let in, or it is neither reachable nor on this disk. Asked before a run is started, not in it."""
    if bases.folder_of(base) is not None:
        return
    with endpoint.connected():
        from lora_hub import hub

        hub.fetch_base(base)


def check_fits(spec: TrainSpec) -> None:
    """Raises BaseError where the base alone is larger than this machine's memory."""
    import psutil

    if not spec.base.parameters or gpu_flops():
        return
    needed = bases.memory_bytes(
        spec.base, train=True, batch=1, length=64, r=spec.lora.r, precision="fp32", quantization=spec.quantization
    )
    needed = needed or 4 * spec.base.parameters  # a shape that is not known: at least its weights in fp32
    total = psutil.virtual_memory().total
    if needed > total:
        raise BaseError(
            _("{base} needs about {needed:.1f} GB to be trained here; this machine has {total:.1f} GB."),
            _("Choose a smaller base, or train on a GPU Space."),
            base=spec.base.id,
            needed=needed / 1e9,
            total=total / 1e9,
        )
