"""What is stopped on a page ends by itself and leaves its buttons as they were, whatever it ends with."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from lora_hub import use_cases
from lora_hub.core.errors import LoraHubError
from lora_hub.core.messages import as_message
from lora_hub.exporting import Exported, Step
from lora_hub.ui.frame import export_part
from lora_hub.ui.frame.page import Labels
from lora_hub.ui.tabs import matrix_tab


@pytest.fixture(scope="module")
def handlers() -> dict[str, Any]:
    """The handlers of both parts, by name."""
    with gr.Blocks() as blocks:
        page = SimpleNamespace(words=Labels(), language=gr.Textbox(), comparer=None)
        export_part.build(page, gr.Textbox())
        matrix_tab.build(page, gr.Tab())
    return {one.fn.__name__: one.fn for one in blocks.fns.values()}


def shown(update: Any) -> Any:
    """What a button's update makes of it: whether it is visible."""
    return update.get("visible") if isinstance(update, dict) else getattr(update, "visible", None)


@pytest.mark.parametrize("ends", ["stopped", "refused", "done"])
def test_an_export(ends: str, handlers: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    ended = []

    def export_adapter(_person: Any, _name: str, _to: str, _type: str, folder: Path, **_named: Any) -> Iterator[Any]:
        try:
            folder.mkdir(parents=True)
            (folder / "a.zip").write_text("made")
            yield Step(as_message("Writing"), 1, 2)
            if ends == "refused":
                raise LoraHubError("It was refused.", "Take another.")
            yield Step(as_message("Writing"), 2, 2)
            yield Exported(folder, "peft", "", ("a.zip",))
        finally:
            ended.append(ends)

    monkeypatch.setattr(use_cases, "export_adapter", export_adapter)
    going = handlers["export"]("en", "org/a", "peft", "")
    first, step = next(going), next(going)
    assert shown(first[3]) is True and first[4] and "Writing 1/2" in step[0] and "org/a" in step[0]
    if ends == "stopped":
        handlers["stop_it"]("en", first[4])
    state, files, start, stop, name = [*going][-1]
    assert (shown(start), shown(stop), name) == (True, False, "") and ended == [ends]
    assert {"stopped": state == "", "refused": "It was refused." in state, "done": "Done." in state}[ends]
    left = [one.name for one in tmp_path.rglob("*") if one.is_file()]
    assert left == (["a.zip"] if ends == "done" else []) and (ends == "done") is (shown(files) is True)


@pytest.mark.parametrize("ends", ["stopped", "refused"])
def test_the_matrix(ends: str, handlers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, hub: object) -> None:
    def fill_matrix(_person: Any, _comparer: Any, *, cancelled: Any) -> Iterator[tuple[int, int]]:
        yield 1, 9
        if ends == "refused":
            raise LoraHubError("It was refused.", "Look again.")
        assert cancelled()

    monkeypatch.setattr(use_cases, "fill_matrix", fill_matrix)
    going = handlers["fill_it"]("en")
    first, _step = next(going), next(going)
    if ends == "stopped":
        handlers["stop_filling"]("en", first[4])
    _table, _fill, stop, said, name = [*going][-1]
    assert (shown(stop), name) == (False, "") and ("It was refused." in said) is (ends == "refused")
