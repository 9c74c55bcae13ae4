"""The language of the shell: --language, else the environment as gettext reads it, if there is a catalogue; else
English."""

from collections.abc import Iterator, Mapping, Sequence

from lora_hub.core.errors import SpecError
from lora_hub.core.languages import languages
from lora_hub.core.messages import _, several

OPTION = "--language"
# In gettext's order: the first one that is set decides.
VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def choose_language(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language of a command line, which may have other errors. Raises SpecError if --language names an unknown
    one."""
    for place, argument in enumerate(arguments):
        option, equals, asked = argument.partition("=")
        if option == OPTION and (equals or place + 1 < len(arguments)):
            return check_language(asked if equals else arguments[place + 1])
    told = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    return next((found for name in told.split(":") if (found := _match(name))), "en")


def check_language(name: str) -> str:
    """The language by its catalogue's name: "fa" for fa_IR.UTF-8. Raises SpecError if there is none."""
    found = _match(name)
    if not found:
        raise SpecError(
            _("{option} is {name!r}, a language that there is no translation to."),
            _("Choose one of: {languages}."),
            option=OPTION,
            name=name[:40],
            languages=several(languages()),
        )
    return found


def _match(name: str) -> str:
    known = {one.lower(): one for one in languages()}
    return next((known[one] for one in _forms(name) if one in known), "")


def _forms(name: str) -> Iterator[str]:
    """fa_IR.UTF-8@latin -> fa_ir, fa. "C" and "POSIX" mean the language of the code."""
    plain = name.partition(".")[0].partition("@")[0].replace("-", "_").lower()
    yield "en" if plain in ("c", "posix") else plain
    yield plain.partition("_")[0]
