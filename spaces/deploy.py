"""Puts this repository on a Hugging Face Space: `python spaces/deploy.py ORG/NAME [--hardware t4-small] [--public]`

People sign in to it, and may there what they may in ORG, to which the adapters go. The Space is private unless --public
is given. HF_TOKEN (environment) is used for the deployment alone: the Space gets no token, everybody brings their own.
Run again to bring the Space up to date. See spaces/README.md for who may what, hardware and storage.
"""

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What a Space neither needs nor should hold.
LEFT_OUT = [
    ".git/*",
    ".venv/*",
    ".ci/*",
    "tests/*",
    "**/__pycache__/*",
    "*.pyc",
    ".pytest_cache/*",
    ".gradio/*",
    "build/*",
    "Makefile",
    "pytest.ini",
]


def main(arguments: list[str] | None = None) -> int:
    """Creates or updates the Space; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("space", metavar="ORG/NAME")
    parser.add_argument(
        "--hardware", default="", help="for example cpu-basic, t4-small, l4x1, a10g-small; unset: as it is"
    )
    parser.add_argument(
        "--sleep", type=int, default=3600, help="seconds without a visitor after which paid hardware sleeps"
    )
    parser.add_argument("--org", default="", help="organization the adapters go to (default: the Space's own)")
    parser.add_argument(
        "--public", action="store_true", help="let anybody open its address; who may do what there, ORG decides"
    )
    options = parser.parse_args(arguments)
    organization, slash, name = options.space.partition("/")
    if not slash or not organization or not name:
        print(f"error: {options.space!r} is not of the form ORG/NAME.", file=sys.stderr)
        return 2
    token = os.environ.get("HF_TOKEN")
    if not token:
        print("error: HF_TOKEN is not set. Give a token with write access to the organization.", file=sys.stderr)
        return 2

    # An endpoint of one's own is an embedded Hub: it takes large files by LFS, not by Xet, which the client would
    # choose.
    if os.environ.get("HF_ENDPOINT"):
        os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi(token=token)
    try:
        api.create_repo(options.space, repo_type="space", space_sdk="gradio", private=not options.public, exist_ok=True)
        # The variables come before the code, so that the first start already knows its organization.
        api.add_space_variable(options.space, "LORA_HUB_ORG", options.org or organization)
        api.upload_folder(
            repo_id=options.space,
            repo_type="space",
            folder_path=ROOT,
            ignore_patterns=LEFT_OUT,
            commit_message="Update LoRA Hub",
        )
        if options.hardware:
            api.request_space_hardware(options.space, options.hardware, sleep_time=options.sleep)
    except HfHubHTTPError as error:
        print(f"error: the Hub refused: {error.server_message or error.response.status_code}.", file=sys.stderr)
        return 1
    print(f"{api.endpoint}/spaces/{options.space}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
