"""Paths of this machine are never shown to people who only visit it."""

import sys
from pathlib import Path

import pytest

from lora_hub.core import settings
from lora_hub.core.disk import without_places
from lora_hub.core.errors import BaseError
from lora_hub.core.messages import _
from lora_hub.ui.render import render


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{home}/people/will/datasets/ab/rows.csv is damaged.", "rows.csv is damaged."),
        ("{home}/people/will/datasets/ab/my rows.csv is damaged.", "my rows.csv is damaged."),
        ("Nothing lies in '{home}/models/tiny/'.", "Nothing lies in 'tiny'."),
        ("[Errno 13] Permission denied: '/etc/shadow'", "[Errno 13] Permission denied: 'shadow'"),
        ('  File "{prefix}/lib/python3/json/decoder.py", line 3', '  File "decoder.py", line 3'),
        ("({home}) and /proc/1/cwd: no", "(home) and cwd: no"),
        ("\u2068{home}/a\u2069, «{home}/b»", "\u2068a\u2069, «b»"),
        # what is no path of this machine
        ("owner/name at https://huggingface.co/etc/x and ./etc/x, 1/2, and/or", None),
        ("The column '/price/net' and /etcetera", None),
    ],
)
def test_a_path_is_told_by_its_last_part(said: str, told: str | None, home: Path) -> None:
    values = {"home": settings.home(), "prefix": sys.base_prefix}
    said = said.format(**values)
    assert without_places(said) == (said if told is None else told)


@pytest.mark.parametrize("language", ["en", "fa"])
def test_errors_are_told_without_paths_where_people_sign_in(language: str, home: Path, monkeypatch) -> None:
    place = settings.home() / "models" / "tiny"
    error = BaseError(_("The folder {folder!r} holds no config.json."), _("{why}"), folder=place, why=f"see {place}/x")
    assert str(place) in "".join(render.told(error, language))
    monkeypatch.setenv("OAUTH_CLIENT_ID", "the-app")
    told = "".join(render.told(error, language)) + render.error_card(error, language)
    assert str(settings.home()) not in told and "tiny" in told
