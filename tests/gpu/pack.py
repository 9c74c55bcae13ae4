"""The wheels that day.py needs on a machine with a torch and no network: `python tests/gpu/pack.py FOLDER
[--python 3.12] [--have pandas,pyarrow]`, here, where an index can be reached. There:

    python3 -m pip install --no-index --no-deps --upgrade --target site-packages FOLDER/*.whl
    PYTHONPATH=site-packages python3 tests/gpu/day.py

The folder has to have that name: dill takes what lies elsewhere for a person's own code, and datasets then fails.

They are those that this environment has, by version, without what torch brings itself and without those named by
--have. What of pyarrow and pandas nobody needs to train is left out, and large wheels are packed more tightly (pip
reads that, other installers may not). Exit 1 where they take more than 60 MiB.
"""

import argparse
import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

MOST_BYTES, LARGE = 60 * 2**20, 5_000_000
# Whatever day.py imports and torch does not bring.
NEEDED = """accelerate annotated-types anyio certifi click datasets dill h11 httpcore2 httpx2 huggingface_hub idna
multiprocess orjson pandas pathspec peft psutil pyarrow pydantic pydantic_core python-dateutil pytz pyyaml regex
safetensors six sniffio tokenizers tqdm transformers trl truststore typing-inspection xxhash""".split()
# Parts of a file's path by which it is left out.
UNUSED = {
    "pyarrow": (
        "flight",
        "_s3",
        "s3fs",
        "/_substrait",
        "/substrait",
        "/include/",
        "/tests/",
        "_gcsfs",
        "_azurefs",
        "_hdfs",
        "_orc",
    )
    + ("gandiva", "/src/", "cpp_tests", ".so.2600.1.0", "libarrow_python_parquet"),
    "pandas": ("/tests/",),
}
PLATFORMS = ("2_28", "2_24", "2_17", "2_12")


def download(folder: Path, python: str, have: set[str]) -> list[str]:
    """Names with versions, downloaded."""
    wanted = []
    for name in NEEDED:
        if name.lower() not in have:
            try:
                wanted.append(f"{name}=={importlib.metadata.version(name)}")
            except importlib.metadata.PackageNotFoundError:
                continue  # this environment does without it
    platforms = [f"manylinux_{glibc}_x86_64" for glibc in PLATFORMS] + ["manylinux2014_x86_64", "manylinux2010_x86_64"]
    asked = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    asked += ["--python-version", python, "--implementation", "cp", "--dest", str(folder)]
    for platform in platforms:
        asked += ["--platform", platform]
    subprocess.run([*asked, *wanted], check=True)
    return wanted


def slim(wheel: Path) -> None:
    """The wheel without what is unused, packed more tightly; its list of files stays in step."""
    unused = UNUSED.get(wheel.name.split("-")[0].lower(), ())

    def is_kept(name: str) -> bool:
        return not any(part in f"/{name}" for part in unused)

    made = wheel.with_suffix(".new")
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_LZMA) as new:
        for entry in old.infolist():
            if not is_kept(entry.filename):
                continue
            content = old.read(entry)
            if entry.filename.endswith(".dist-info/RECORD"):
                lines = content.decode().splitlines(keepends=True)
                content = "".join(line for line in lines if is_kept(line.split(",")[0])).encode()
            told = zipfile.ZipInfo(entry.filename, entry.date_time)
            told.external_attr, told.compress_type = entry.external_attr, zipfile.ZIP_LZMA
            new.writestr(told, content)
    made.replace(wheel)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12", help="the version there")
    parser.add_argument("--have", default="", help="names of packages that are there, with commas")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    download(options.folder, options.python, set(options.have.lower().split(",")))
    wheels = sorted(options.folder.glob("*.whl"))
    for wheel in wheels:
        if wheel.stat().st_size > LARGE:
            slim(wheel)
    for wheel in sorted(wheels, key=lambda one: -one.stat().st_size)[:6]:
        print(f"{wheel.stat().st_size / 2**20:6.1f} MiB  {wheel.name}")
    size = sum(wheel.stat().st_size for wheel in wheels)
    print(f"{len(wheels)} wheels, {size / 2**20:.1f} MiB (at most {MOST_BYTES / 2**20:.0f})")
    return int(size > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
