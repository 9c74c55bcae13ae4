"""No program is told of an option of the shell."""

import re

from test_ui_words import sentences_of_errors

from lora_hub.api import in_words, program_words
from lora_hub.api.plain import in_english
from lora_hub.core.errors import DataError
from lora_hub.core.messages import _, joined
from lora_hub.core.schema import Problem

MAP = _("Choose with --map {role}=COLUMN or in the page.", role="answer")


def test_no_sentence_for_programs_names_an_option_or_a_command() -> None:
    # What no endpoint does: exports, and the page.
    said = [(file, one) for file, one in sentences_of_errors() if not file.startswith(("ui/", "exporting/"))]
    left = [
        (file, shown)
        for file, one in said
        if re.search(
            r"(?<![\w-])--[a-z]|python -m lora_hub|(once|index|again): `?{command}|the log below",
            shown := in_english(one),
        )
        and not re.search("llama-gguf-split --merge|vLLM.*--max-lora-rank", shown)  # those of other programs
    ]
    assert left == [], "give it words in api/program_words.py"
    assert program_words.SHELL_SENTENCES - {one.sentence for _file, one in said} == set(), "nobody says this any more"


def test_errors_and_findings_name_the_argument() -> None:
    wanted = 'It has no column. Give it in columns: {"answer": "COLUMN"}.'
    assert in_words(DataError(_("It has no column."), MAP)) == wanted
    assert in_words(DataError(joined(_("It has no column."), MAP))) == wanted
    found = Problem(code="x", severity="error", said=_("It has no column."), advice=MAP)
    told = in_english({"problems": (found,)})["problems"][0]
    assert told["hint"] == 'Give it in columns: {"answer": "COLUMN"}.' and "said" not in told
