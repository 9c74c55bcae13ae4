"""Base models from disk or Hub into memory: the tokenizer, the frozen model, and every way that can fail, in words.

`load_base` answers in eval mode with all weights frozen. Weights are read from safetensors only and code that comes
with a repo is never run. One lock for the whole process: two `from_pretrained` at once leave meta tensors behind and
break every later load too (seen with transformers 5.23).

    from lora_hub.catalogue import bases
    from lora_hub.answering import loading
    base = bases.get_base("built-in")
    tokenizer, model = loading.load_tokenizer(base), loading.load_base(base)
"""

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import torch
import transformers
from huggingface_hub.utils import are_progress_bars_disabled, enable_progress_bars

from lora_hub.catalogue import bases
from lora_hub.core.errors import BaseError, reason_of
from lora_hub.core.messages import _, _n
from lora_hub.core.schema import BaseModel
from lora_hub.data.prompts.template_process import bound_template

# A bar of a second for weights that lie on this disk tells nobody anything; what a run or a command does is told by
# itself. The client's own bars, of downloads that may take an hour, stay as they were.
_hub_bars = not are_progress_bars_disabled()
transformers.utils.logging.disable_progress_bar()
if _hub_bars:
    enable_progress_bars()

# The one piece of process state here: what it protects (transformers' loading internals) is process-wide as well.
_LOADING = threading.Lock()

# Bytes a parameter takes once loaded. nf4: 4-bit linears with their scales, embeddings and head in 16 bits.
_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "nf4": 0.8}
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_PAD_NAMES = ("<pad>", "<|pad|>", "[PAD]", "<|finetune_right_pad_id|>", "<|padding|>")


def pick_device(device: str = "auto") -> torch.device:
    """`auto`: the first CUDA device where there is one, else the CPU. Raises BaseError for a device that is not
    there."""
    if device == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    picked = torch.device(device)
    if picked.type == "cuda" and not torch.cuda.is_available():
        raise BaseError(
            _("The device {device!r} was asked for, but torch sees no CUDA device."),
            _("Use device 'cpu' or 'auto'."),
            device=device,
        )
    return picked


def pick_precision(device: torch.device, precision: str = "auto") -> str:
    """`auto`: fp32 on the CPU; bf16 on a GPU that has it, else fp16. Raises BaseError for fp16 on a CPU."""
    if precision == "fp16" and device.type != "cuda":
        raise BaseError(_("The precision fp16 was asked for, which needs a GPU."), _("Set precision = auto."))
    if precision != "auto":
        return precision
    if device.type != "cuda":
        return "fp32"
    # emulated bf16 on older cards is slower than fp16
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def load_tokenizer(base: BaseModel) -> Any:
    """The base's tokenizer, padding on the left, with a pad token. Raises BaseError.

    Where the base names no pad token, an unused one of its vocabulary stands in, and only if there is none the end
    token does: `generate` and the trainer mask by length, never by id, so a real end token is seen and learned all the
    same. A chat template that strangers wrote is rendered within bounds (`template_process`).
    """
    with _LOADING, _in_words(base):
        tokenizer = transformers.AutoTokenizer.from_pretrained(source(base), trust_remote_code=False, **_revision(base))
    _hush(tokenizer)
    tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None:
        vocabulary = tokenizer.get_vocab()
        tokens = [*_PAD_NAMES, tokenizer.unk_token, tokenizer.eos_token]
        tokenizer.pad_token = next((token for token in tokens if token in vocabulary), None)
    if tokenizer.pad_token_id is None:
        raise BaseError(
            _("The tokenizer of {base!r} has neither a pad token nor an end token."),
            _("Choose another base."),
            base=base.id,
        )
    return tokenizer if bases.is_ours(base) else bound_template(tokenizer, _("the base {base}", base=base.id))


def read_tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder, as its files say. Runs no code of theirs and asks no Hub. Raises what transformers
    raises."""
    with _LOADING:
        found = transformers.AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    _hush(found)
    return found


def _hush(tokenizer: Any) -> None:
    """A text is often put into tokens to see whether it fits; what does not is never given to a model, and the warning
    that it would fail there puzzles whoever reads it."""
    tokenizer.deprecation_warnings["sequence-length-is-longer-than-the-specified-maximum"] = True


def load_base(
    base: BaseModel, *, device: str = "auto", precision: str = "auto", quantization: str = "none"
) -> transformers.PreTrainedModel:
    """The base, frozen and in eval mode, on `device`. quantization: "none" or "nf4". Raises BaseError."""
    place = pick_device(device)
    precision = pick_precision(place, precision)
    options: dict[str, Any] = {"dtype": _DTYPES[precision], **_revision(base)}
    if quantization == "nf4":
        options["quantization_config"] = _nf4(base, _DTYPES[precision])
    if place.type != "cpu" or quantization != "none":
        options["device_map"] = {"": str(place)}  # straight to the device: no second copy in host memory
    with _LOADING, _in_words(base):
        folder = source(base)
        check_memory(base, place, quantization if quantization != "none" else precision)
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            folder, trust_remote_code=False, use_safetensors=True, output_loading_info=True, **options
        )
    if info["missing_keys"]:  # transformers fills these with noise and only warns
        missing = sorted(info["missing_keys"])
        raise BaseError(
            _n(
                "The weights of {base!r} lack the tensor {missing!r}.",
                "The weights of {base!r} lack {count} tensors, the first is {missing!r}.",
            ),
            _("Download it again, or choose a complete causal language model."),
            base=base.id,
            count=len(missing),
            missing=missing[0],
        )
    return model.requires_grad_(False).eval()


def source(base: BaseModel) -> str:
    """What `from_pretrained` takes: the folder of a local or the built-in base, else the Hub id. Raises BaseError, also
    where an id would be taken for a folder of this machine."""
    folder = bases.folder_of(base)
    if folder is None:
        if Path(base.id).exists():  # what comes from a Hub is never read from here
            raise BaseError(
                _("The base {base!r} of the Hub has the same name as a folder of this machine."),
                _("Start LoRA Hub from another folder, or rename that one."),
                base=base.id,
            )
        return base.id
    if not (folder / "config.json").is_file():
        raise BaseError(
            _("The base {base!r} has no config.json in {folder}."),
            _("Name a folder that holds a saved model."),
            base=base.id,
            folder=folder,
        )
    return str(folder)


def check_memory(base: BaseModel, device: torch.device, stored_as: str) -> None:
    """Raises BaseError where the weights would not fit. stored_as: fp32, bf16, fp16 or nf4."""
    parameters = base.parameters or _count_parameters(base)
    quantized = stored_as == "nf4"
    needed = bases.memory_bytes(
        base,
        train=False,
        length=1,
        precision="bf16" if quantized else stored_as,
        quantization="nf4" if quantized else "none",
    ) or int(parameters * _BYTES[stored_as])
    needed = int(needed * 1.1)  # buffers and the tensor in flight
    there = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else available_memory()
    if needed > there:
        raise BaseError(
            _(
                "{base!r} has {millions:,.0f} million parameters and needs {needed:.1f} GB of GPU memory as "
                "{stored_as}; {free:.1f} GB are free."
            )
            if device.type == "cuda"
            else _(
                "{base!r} has {millions:,.0f} million parameters and needs {needed:.1f} GB of memory as {stored_as}; "
                "{free:.1f} GB are free."
            ),
            _("Choose a smaller base, or close what else uses the memory.")
            if quantized
            else _("Choose a smaller base, or nf4 quantization on a GPU, or close what else uses the memory."),
            base=base.id,
            millions=parameters / 1e6,
            needed=needed / 1e9,
            stored_as=stored_as,
            free=there / 1e9,
        )


def available_memory() -> int:
    """Bytes of host memory this process may still take: what the machine has free, or less where a container says
    so."""
    free = psutil.virtual_memory().available
    limit, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    if limit.is_file() and used.is_file() and (bound := limit.read_text().strip()).isdigit():
        # cached file pages count as used there though they are given back on demand
        stat = dict(line.split() for line in Path("/sys/fs/cgroup/memory.stat").read_text().splitlines())
        free = min(free, int(bound) - int(used.read_text()) + int(stat.get("inactive_file", 0)))
    return max(0, free)


def _count_parameters(base: BaseModel) -> int:
    """Parameters of a base whose size nobody stated, counted on shapes alone (no memory, no weights read)."""
    config = transformers.AutoConfig.from_pretrained(source(base), trust_remote_code=False, **_revision(base))
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    return sum(p.numel() for p in model.parameters())


def _revision(base: BaseModel) -> dict[str, str]:
    return {"revision": base.revision} if base.revision and bases.folder_of(base) is None else {}


def _nf4(base: BaseModel, compute: torch.dtype) -> transformers.BitsAndBytesConfig:
    if importlib.util.find_spec("bitsandbytes") is None:
        raise BaseError(
            _("nf4 was asked for {base!r}, but bitsandbytes is not installed."),
            _("Install it with: pip install bitsandbytes, or use quantization 'none'."),
            base=base.id,
        )
    return transformers.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute,
    )


@contextmanager
def _in_words(base: BaseModel) -> Iterator[None]:
    """Turns what loading raises about a base into a BaseError; anything that is not about the base stays a bug."""
    try:
        yield
    except BaseError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, MemoryError, ImportError, AttributeError, TypeError) as error:
        raise _explain(error, base) from error
    except Exception as error:
        # safetensors' error and tokenizers' (a bare Exception) are about the files as well
        if type(error).__module__.startswith(("safetensors", "huggingface_hub", "httpx")) or type(error) is Exception:
            raise _explain(error, base) from error
        raise


def _explain(error: BaseException, base: BaseModel) -> BaseError:
    chain, link = [], error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    names = {kind.__name__ for one in chain for kind in type(one).__mro__}
    text = " ".join(str(one) for one in chain)
    local = bases.folder_of(base) is not None
    if "GatedRepoError" in names:
        return BaseError(
            _("The base {base!r} is gated: its owner asks people to accept terms first."),
            _("Accept them on its Hub page and set HF_TOKEN, or choose an open base."),
            base=base.id,
        )
    if "RevisionNotFoundError" in names:
        return BaseError(
            _("The base {base!r} has no revision {revision!r}."),
            _("Leave the revision out, or name one it has."),
            base=base.id,
            revision=base.revision,
        )
    if "RepositoryNotFoundError" in names or "HFValidationError" in names:
        return bases.NoBase(
            _("There is no base {base!r} on this Hub, or it is private."),
            _("Check the spelling (owner/name), name a local folder, or set HF_TOKEN."),
            base=base.id,
        )
    if "trust_remote_code" in text:
        return BaseError(
            _("The base {base!r} runs code of its own, which is never done here."),
            _("Choose another base."),
            base=base.id,
        )
    if names & {"OutOfMemoryError", "MemoryError"} or "out of memory" in text:
        return BaseError(
            _("The base {base!r} did not fit into the memory."),
            _("Choose a smaller base or quantization 'nf4'."),
            base=base.id,
        )
    if "backend tokenizer" in text:
        return BaseError(
            _("The base {base!r} has no tokenizer that can be read."),
            _("Choose a base that comes with its tokenizer files."),
            base=base.id,
        )
    damaged = names & {"SafetensorError", "JSONDecodeError", "UnicodeDecodeError"} or type(error) is Exception
    if damaged and local:
        return BaseError(
            _("A file of the base {base!r} is damaged: {reason}."),
            _("Copy or download the base again."),
            base=base.id,
            reason=reason_of(error),
        )
    offline = {
        "LocalEntryNotFoundError",
        "OfflineModeIsEnabled",
        "ConnectionError",
        "ConnectError",
        "TransportError",
        "TimeoutError",
    }
    if not local and (names & offline or "couldn't connect" in text.lower()):
        return bases.NoBase(
            _("The base {base!r} is not on this machine and the Hub cannot be reached."),
            _("Choose the built-in base or a local folder, or try again when the network is back."),
            base=base.id,
        )
    if "model type" in text or "Unrecognized" in text:
        return BaseError(
            _("The base {base!r} is of a kind that transformers {version} does not know as a language model."),
            _("Choose a causal language model."),
            base=base.id,
            version=transformers.__version__,
        )
    return BaseError(
        _("The base {base!r} cannot be loaded: {reason}."),
        _("Choose another base, or download it again."),
        base=base.id,
        reason=reason_of(error),
    )
