"""The arguments of a public function as a program sent them: each is of its kind, and no larger than it may be, before
anything is done with it.

Neither door sees to that: Gradio hands on whatever came, and an MCP client is told what pydantic says.
"""

import functools
import inspect
import json
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, create_model
from pydantic import BaseModel as Pydantic

from lora_hub.core.errors import SpecError, refused
from lora_hub.core.messages import _
from lora_hub.core.schema import MOST_EXAMPLES, MOST_SAMPLES, MOST_STRENGTH, whole_text

# Characters of a name or an id, of a name in the data or one mend, and of what has fields of its own, as JSON.
MOST_NAME, MOST_PART, MOST_FIELDS = 1000, 20_000, 100_000
# The data is read anew for each mend.
MOST_MENDS, MOST_COLUMNS = 30, 1000
# Of adapters, of rows that an answer holds, and of panes of a comparison.
MOST_NAMES, MOST_ROWS_TOLD, MOST_PLACE = 200, 1000, 100
# The most adapters that one process was tested with; each has its own optimizer state.
MOST_TASKS = 16
SHOWN = 60


def _fits(value: Any) -> Any:
    try:
        size = len(json.dumps(value))
    except (RecursionError, ValueError, TypeError):
        raise ValueError(_("it is no plain JSON")) from None
    if size > MOST_FIELDS:
        raise ValueError(_("it may have at most {most:,} characters", most=MOST_FIELDS))
    return value


Name = Annotated[str, Field(max_length=MOST_NAME)]
Part = Annotated[str, Field(max_length=MOST_PART)]
Names = Annotated[list[Name], Field(max_length=MOST_NAMES)]
Columns = Annotated[dict[Name, Part], Field(max_length=MOST_COLUMNS)]
Mends = Annotated[list[Part], Field(max_length=MOST_MENDS)]
Tokens = Annotated[int, Field(ge=0, le=1_000_000)]
Temperature = Annotated[float, Field(ge=0, le=100)]
Share = Annotated[float, Field(gt=0, le=1)]
Examples = Annotated[int, Field(ge=0, le=MOST_EXAMPLES)]
Samples = Annotated[int, Field(ge=1, le=MOST_SAMPLES)]
Strength = Annotated[float, Field(ge=0, le=MOST_STRENGTH)]
Rows = Annotated[int, Field(ge=0, le=1_000_000_000)]
FewRows = Annotated[int, Field(ge=0, le=MOST_ROWS_TOLD)]
Place = Annotated[int, Field(ge=0, le=MOST_PLACE)]
Seed = Annotated[int, Field(ge=0, lt=1 << 63)]
Fields = Annotated[dict[str, Any], AfterValidator(_fits)]
Tasks = Annotated[list[Fields], Field(min_length=1, max_length=MOST_TASKS)]


class Arguments:
    """Checks what was given for a function of `Endpoints`. without: arguments that a door has not."""

    def __init__(self, function: Callable, without: tuple[str, ...] = ()) -> None:
        others = ("self", "person", *without)
        asked = inspect.signature(function).parameters.items()
        self._function, self._name = function, function.__name__
        self._takes = {name: one.default for name, one in asked if name not in others}

    @functools.cached_property
    def _model(self) -> type[Pydantic]:
        """Made with the first call: the first page does not wait for it."""
        hints = get_type_hints(self._function, include_extras=True)
        return create_model(
            self._name,
            __config__=ConfigDict(extra="forbid", allow_inf_nan=False),
            **{
                name: (hints[name], ... if default is inspect.Parameter.empty else default)
                for name, default in self._takes.items()
            },
        )

    def __call__(self, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments that were given, None being left out as if it were not. Raises SpecError that names the first
        wrong one."""
        try:
            read = self._model.model_validate(whole_text({name: one for name, one in given.items() if one is not None}))
        except ValidationError as error:
            raise self._wrong(error.errors(include_url=False)[0]) from None
        return {name: getattr(read, name) for name in read.model_fields_set}

    def misnamed(self) -> SpecError:
        """What is said where an argument is missing, or is none of the function's."""
        return SpecError(_("{function} is not called with these arguments."), self._hint(), function=self._name)

    def _wrong(self, first: dict[str, Any]) -> SpecError:
        name = ".".join(str(part)[:SHOWN] for part in first["loc"])
        if first["type"] == "extra_forbidden":
            return SpecError(_("{function} takes no {name!r}."), self._hint(), function=self._name, name=name)
        return SpecError(
            _("{function}: {name!r} will not do: {reason}."),
            self._hint(),
            function=self._name,
            name=name,
            reason=refused(first),
        )

    def _hint(self) -> Any:
        return _("It takes {names}.", names=tuple(self._takes)) if self._takes else _("It takes no arguments.")
