"""An export as one file: PEFT's folder as a zip, and for a browser, which downloads no folder, whatever else was made.

for step in pack(made, "spam-q8_0"): ...      Steps, and at last the Exported with the zip in place of its files
"""

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from lora_hub.core.messages import _
from lora_hub.exporting.nouns import Exported, Source, Step
from lora_hub.hub import TOKENIZER_FILES
from lora_hub.hub.adapter_config import CONFIG_FILE, RECORD_FILE, WEIGHTS_FILE, read_config, weights_file

CHUNK_BYTES = 16 << 20


def pack_peft(source: Source, made: Path) -> Exported:
    """Raises AdapterError where the folder is gone by now, as its run may be: a part of it is no adapter."""
    file = f"{source.file_name}.zip"
    wanted = (CONFIG_FILE, WEIGHTS_FILE, RECORD_FILE, "README.md", *TOKENIZER_FILES)
    found = [one for name in wanted for one in sorted(source.folder.glob(name)) if one.is_file()]
    try:
        with zipfile.ZipFile(made / file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            for one in found:
                # Links of the Hub client's cache are packed as the files that they lead to.
                packed.write(one.resolve(), one.relative_to(source.folder).as_posix())
    except FileNotFoundError:
        _check_there(source)
        raise
    _check_there(source)
    return Exported(made, "peft", "", (file,))


def _check_there(source: Source) -> None:
    read_config(source.folder)
    weights_file(source.folder, _("The adapter {name}", name=source.name))


def pack(made: Exported, name: str) -> Iterator[Step | Exported]:
    """Each file goes once it is packed, so that on the disk there is never more than the largest of them twice. Weights
    get no smaller by compressing them: they are stored. name: of the zip, without its ending."""
    total = sum(-(-(made.folder / file).stat().st_size // CHUNK_BYTES) for file in made.files)
    done = 0
    with zipfile.ZipFile(made.folder / f"{name}.zip", "w", zipfile.ZIP_STORED) as packed:
        for file in made.files:
            # from_file: with the file's time and size, which decides whether its entry is one for more than 2 GB
            entry = zipfile.ZipInfo.from_file(made.folder / file, file)
            with (made.folder / file).open("rb") as source, packed.open(entry, "w") as target:
                while chunk := source.read(CHUNK_BYTES):
                    target.write(chunk)
                    done += 1
                    yield Step(_("Packing one file of it all"), done, total)
            (made.folder / file).unlink()
    yield replace(made, files=(f"{name}.zip",))
