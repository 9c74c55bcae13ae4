"""An export, from the first check to the files: what cannot be made is refused before any work; it is written beside
its place and moved there whole; whoever stops it (the generator's close) leaves nothing.

    for step in export(source, "gguf", "q8_0", Path("made")): print(step.said, step.done, step.total)
    # the last one is what was made: an Exported
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lora_hub.core.disk import FULL_DISK_BYTES, disk_errors, disk_is_full
from lora_hub.core.errors import AdapterError, BaseError, LoraHubError, SpecError
from lora_hub.core.messages import _, several
from lora_hub.exporting.nouns import KINDS, LEAST_AGREEMENT, TYPES, Agreement, Exported, Kind, Source, Step
from lora_hub.exporting.packing import pack, pack_peft
from lora_hub.hub import TOKENIZER_FILES
from lora_hub.hub.adapter_config import WEIGHTS_FILE, read_config, weights_file
from lora_hub.works_in import is_plain, marks

# Bytes of a number, by how it is stored.
WIDTHS = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32, "q4_0": 0.62}
WIDTHS |= {"q4_k_m": 0.8, "q5_k_m": 0.9, "q6_k": 34 / 32}  # of small models; less the larger they are
LEFT_BYTES = 256 << 20


def check(source: Source, kind: str, type_: str) -> tuple[Kind, str]:
    """The export that is asked for, or why there is none. Raises SpecError, AdapterError, BaseError."""
    if kind not in KINDS:
        raise SpecError(
            _("There is no export {kind!r}."), _("Choose one of: {choices}.", choices=several(KINDS)), kind=kind
        )
    type_ = type_ or TYPES[kind][0]
    if type_ not in TYPES[kind]:
        known = [one for one in TYPES[kind] if one]
        raise SpecError(
            _("{kind} is not stored as {type}.") if known else _("{kind} is stored as it is: leave {type} out."),
            _("Choose one of: {choices}.", choices=several(known)) if known else _("Leave --type out."),
            kind=kind,
            type=type_,
        )
    config = read_config(source.folder)
    weights_file(source.folder, _("The adapter {name}", name=source.name))
    if kind == "peft":
        return kind, type_
    mark = next(one for one in marks(config, source.base) if one.place == kind)
    if mark.works == "no" or not is_plain(config):
        raise AdapterError(
            _("{name} cannot be exported as {kind}: {why}", name=source.name, kind=KINDS[kind], why=mark.why),
            _("Take PEFT's folder instead (peft)."),
        )
    _check_rounding(type_)
    return kind, type_


def _check_rounding(type_: str) -> None:
    from lora_hub.exporting import k_quants

    if type_ in k_quants.K_TYPES and not k_quants.is_here():
        rest = [one for one in TYPES["gguf"] if one not in k_quants.K_TYPES]
        raise BaseError(
            _("{type} is rounded by llama.cpp's own library, which the package {package} carries and is not here."),
            _(
                "Install it ({command}), or choose one of: {choices}.",
                command=f"pip install {k_quants.PACKAGE}",
                choices=several(rest),
            ),
            type=type_,
            package=k_quants.PACKAGE,
        )


def export(source: Source, kind: str, type_: str, folder: Path, *, packed: bool = False) -> Iterator[Step | Exported]:
    """Yields where it stands, and at last what was made. folder: becomes the export's; must not be there, or be empty.
    packed: as one file, a zip. Raises LoraHubError."""
    kind, type_ = check(source, kind, type_)
    _open_place(folder)
    with disk_errors(folder.parent):
        _check_disk(source, kind, type_, folder.parent, packed=packed)
        with tempfile.TemporaryDirectory(prefix=".exporting-", dir=folder.parent) as work, _full_disk(folder.parent):
            made = Path(work) / "made"
            made.mkdir()
            done: Exported | None = None
            for step in _made(source, kind, type_, made, Path(work), packed=packed and kind != "peft"):
                if isinstance(step, Exported):
                    done = step
                else:
                    yield step
            _open_place(folder)  # once more: what was put there meanwhile stays
            if folder.exists():
                folder.rmdir()
            made.rename(folder)
    yield Exported(**{**vars(done), "folder": folder})


def _open_place(folder: Path) -> None:
    """Makes the folder that the export's will lie in. Raises SpecError where it cannot be written there."""
    elsewhere = _("Name another folder (--out).")
    try:
        if folder.exists() and any(folder.iterdir()):
            raise SpecError(_("{folder} is there already and is not empty."), elsewhere, folder=folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SpecError(
            _("{path} cannot be written: {reason}."), elsewhere, path=folder, reason=error.strerror or str(error)
        ) from error


@contextmanager
def _full_disk(place: Path) -> Iterator[None]:
    """What writes tensors says in words of its own, and by no number, that the disk is full."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        if shutil.disk_usage(place).free >= FULL_DISK_BYTES:
            raise
        raise disk_is_full(place) from error


def _made(source: Source, kind: Kind, type_: str, made: Path, work: Path, *, packed: bool) -> Iterator[Step | Exported]:
    for step in _make(source, kind, type_, made, work):
        if packed and isinstance(step, Exported):
            yield from pack(step, "-".join(filter(None, (source.file_name, kind, type_))))
        else:
            yield step


def _make(source: Source, kind: Kind, type_: str, made: Path, work: Path) -> Iterator[Step | Exported]:
    if kind == "peft":
        yield Step(_("Packing PEFT's folder"))
        yield pack_peft(source, made)
        return
    from lora_hub.answering.stack import read_adapter
    from lora_hub.exporting import agreement, asking, export_card
    from lora_hub.exporting.merging import MergedModel, write_merged

    adapter = read_adapter(source.folder)
    tokenizer = agreement.tokenizer_of(source)
    files: list[str] = []
    start, tensors, largest, agreed = "", 0, 0.0, None
    with MergedModel(source.base_folder, adapter) as merged:
        if kind == "merged":
            total = len(merged.names)
            for done in write_merged(merged, made):
                yield Step(_("Merging the weights"), done, total)
            _copy_beside(source, made, tokenizer)
            files = [file.relative_to(made).as_posix() for file in sorted(made.rglob("*")) if file.is_file()]
            yield Step(_("Asking the merged model and the adapter the same"))
            before = agreement.ask_adapter(source, tokenizer)
            yield Step(_("Asking the merged model and the adapter the same"))
            agreed = agreement.compare(before, agreement.ask_model(source, made, tokenizer))
        else:
            for step in _make_gguf(source, kind, type_, made, work, adapter, merged, tokenizer):
                if isinstance(step, Step):
                    yield step
                else:
                    file, tensors, largest, agreed = step
            place = {"model" if kind == "gguf" else "adapter": file}
            start = asking.command(kind, place, source)
            files = [file, asking.write_question(made, source, tokenizer)]
            if kind == "gguf":
                (made / asking.MODELFILE).write_text(asking.modelfile(source, tokenizer, file), encoding="utf-8")
                files.append(asking.MODELFILE)
    _check_agreement(agreed, type_)
    told = agreed.tell().en if agreed else ""
    card = export_card.readme(kind, type_, source, tokenizer, start=start, agreement=told)
    (made / "README.md").write_text(card, encoding="utf-8")
    yield Exported(made, kind, type_, (*files, "README.md"), start, agreed, tensors, largest)


def _make_gguf(
    source: Source, kind: Kind, type_: str, made: Path, work: Path, adapter: Any, merged: Any, tokenizer: Any
) -> Iterator[Step | tuple[str, int, float, Agreement | None]]:
    """At last: the file, how many tensors were read back, their largest error, and how the answers agree."""
    from lora_hub.converting import unpack
    from lora_hub.exporting import agreement, gguf_files
    from lora_hub.exporting.gguf_shape import read_shape
    from lora_hub.exporting.gguf_words import read_words

    shape = read_shape(merged.config)
    if kind == "gguf-adapter":
        if replaced := merged.replaced:
            raise AdapterError(
                _("The adapter brings its own {names}, which a GGUF adapter cannot hold."),
                _("Export the merged model (--to gguf), or PEFT's folder."),
                names=several(replaced, "and"),
            )
        file = f"{source.file_name}-lora-{type_}.gguf"
        yield Step(_("Writing the adapter"))
        gguf_files.write_adapter(made / file, adapter, shape, type_, name=source.name)
        expected = gguf_files.adapter_tensors(adapter, shape)
    else:
        file, total = f"{source.file_name}-{type_}.gguf", len(merged.names)
        words = read_words(source.base_folder if _same_words(source) else source.folder, tokenizer)
        named = {"name": source.name, "licence": source.base.licence}
        for done in gguf_files.write_model(made / file, merged, shape, words, tokenizer, type_, **named):
            yield Step(_("Writing the merged model"), done, total)
        expected = gguf_files.model_tensors(merged, shape)
    found = gguf_files.ReadBack(0, 0.0)
    for found in gguf_files.read_back(made / file, expected):
        yield Step(_("Reading it back"), found.tensors, len(expected))
    agreed = None
    if kind == "gguf":
        yield Step(_("Asking the file and the adapter the same"))
        before = agreement.ask_adapter(source, tokenizer)
        yield Step(_("Asking the file and the adapter the same"))
        with tempfile.TemporaryDirectory(prefix="read-", dir=work) as read:
            unpack(made / file, Path(read))
            if not agreement.reads_alike(Path(read), tokenizer):
                raise BaseError(
                    _("The file's tokenizer makes other tokens of a text than the adapter's."),
                    _("Export merged weights instead (--to merged)."),
                )
            yield Step(_("Asking the file and the adapter the same"))
            agreed = agreement.compare(before, agreement.ask_model(source, Path(read), tokenizer))
    yield file, found.tensors, found.largest, agreed


def _copy_beside(source: Source, made: Path, tokenizer: Any) -> None:
    """Tokenizer, chat template and the settings of generation: the adapter's own, where it brings them."""
    own = not _same_words(source)
    for place, patterns in (
        (source.base_folder, ("generation_config.json", "LICENSE*")),
        (source.folder if own else source.base_folder, TOKENIZER_FILES),
    ):
        for file in [one for pattern in patterns for one in sorted(place.glob(pattern)) if one.is_file()]:
            target = made / file.relative_to(place)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, target)
    if own:  # what it lacks is its base's, as when it is asked
        tokenizer.save_pretrained(made)


def _same_words(source: Source) -> bool:
    """Whether it is asked with its base's tokenizer and template."""
    return not any(file.is_file() for pattern in TOKENIZER_FILES for file in source.folder.glob(pattern))


def _check_agreement(agreed: Agreement | None, type_: str) -> None:
    least = LEAST_AGREEMENT.get(type_, 0)
    if agreed is not None and agreed.percent < least:
        raise LoraHubError(
            _("The export was refused: {said} At least {least} % have to be.", said=agreed.tell(), least=least),
            _("Store it more finely (--type f16), or export the adapter alone."),
        )


def _check_disk(source: Source, kind: Kind, type_: str, place: Path, *, packed: bool) -> None:
    """Raises LoraHubError where there is no room for the files, and for the copy that is asked or the zip that they go
    into."""
    adapter = (source.folder / WEIGHTS_FILE).stat().st_size
    weights = sum(file.stat().st_size for file in source.base_folder.glob("*.safetensors"))
    numbers = source.base.parameters or weights // 2
    made = {
        "peft": adapter,
        "gguf-adapter": adapter * 2,
        "merged": weights,
        "gguf": int(numbers * WIDTHS.get(type_, 4.0)),
    }[kind]
    copy = max(numbers * 4 if kind == "gguf" else 0, made if packed and kind != "peft" else 0)
    needed = made + copy
    free = shutil.disk_usage(place).free
    if needed + LEFT_BYTES > free:
        raise LoraHubError(
            _("The export needs {needed:.1f} GB on the disk; {free:.1f} GB are free."),
            _("Make room, or name a folder on another disk (--out)."),
            needed=needed / 1e9,
            free=free / 1e9,
        )
