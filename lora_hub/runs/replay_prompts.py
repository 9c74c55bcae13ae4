"""What a base is asked so that its own answers can be mixed into a training (`replay.py`)."""

from pathlib import Path

import yaml

import lora_hub.catalogue

FILE = Path(lora_hub.catalogue.__file__).with_name("replay_prompts.yaml")


def make_prompts(languages: tuple[str, ...], count: int) -> list[str]:
    """`count` prompts, at most as many as there are: two of five in Persian where the base knows it. languages: the
    base's, as ISO codes."""
    of = {
        language: [
            *parts["questions"],
            *(asked.format(subject=subject) for asked in parts["asked"] for subject in parts["subjects"]),
        ]
        for language, parts in yaml.safe_load(FILE.read_text(encoding="utf-8")).items()
    }
    persian = of["fa"][: count * 2 // 5] if "fa" in languages else []
    return [*of["en"][: count - len(persian)], *persian]
