"""Owns the one command that makes the built-in base anew, from Debian's packages to the folder of weights.

Run:  python -m lora_hub.built_in.making.remake WORK_FOLDER --minutes 86   (or --tokens N; needs apt-get and dpkg-deb)

Every step is skipped where its result already stands in the work folder, so a stopped run goes on where it was. What it
made is in WORK_FOLDER/model; `--install` also puts the files that ship into the package's own `model/`.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

SHIPPED = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
    "figures.json",
]
MODEL_FOLDER = Path(__file__).parents[1] / "model"


def run_step(name: str, *arguments) -> None:
    """One of this package's modules as a process of its own, so that no step keeps another's memory."""
    subprocess.run([sys.executable, "-m", f"lora_hub.built_in.{name}", *map(str, arguments)], check=True)


def install(made: Path, target: Path = MODEL_FOLDER) -> None:
    """Copies what ships, each file by way of a temporary name."""
    target.mkdir(exist_ok=True)
    for name in SHIPPED:
        partial = target / f"{name}.partial"
        shutil.copyfile(made / name, partial)
        partial.rename(target / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="work folder: packages, text, tokens, model")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float)
    budget.add_argument("--tokens", type=int)
    parser.add_argument("--characters", type=int, default=85_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--install", action="store_true", help="replace the weights that ship")
    args = parser.parse_args()
    packages, text, made = args.folder / "packages", args.folder / "text.txt", args.folder / "model"
    made.mkdir(parents=True, exist_ok=True)
    run_step("debian_text", packages)
    if not text.exists():
        run_step("make_text", packages, text, "--characters", args.characters, "--seed", args.seed)
    if not (made / "tokenizer.json").exists():
        run_step("make_tokenizer", text, made)
    limit = ["--minutes", args.minutes] if args.minutes else ["--tokens", args.tokens]
    run_step("pretrain", text, made, *limit, "--seed", args.seed)
    if args.install:
        install(made)


if __name__ == "__main__":
    main()
