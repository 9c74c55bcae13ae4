"""The frame of every use case: it is called with a `Person`, refuses what they may not do, calls the Hub as them, and
logs who did what."""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

from lora_hub.hub import acting_as
from lora_hub.people import Person, limits, rules
from lora_hub.people.rules import Action
from lora_hub.use_cases.journal import noted
from lora_hub.use_cases.served import SERVED


def use_case(action: Action, *, counted: bool = False) -> Callable[[Callable], Callable]:
    """Decorator of a use case, whose first argument is the person. action: the right that it requires; the use case
    itself checks the owner of a thing. counted: it counts towards the requests per minute and the simultaneous ones."""

    def made(function: Callable) -> Callable:
        signature = inspect.signature(function)

        def noting(person: Person, arguments: tuple[Any, ...], named: dict[str, Any]) -> AbstractContextManager[list]:
            """Looking is logged for debugging only: a page looks every two seconds. So is all that whoever sits at
            the machine does, who sees it."""
            if not isinstance(person, Person):
                raise TypeError(f"{function.__name__} is asked by a Person, not by {type(person).__name__}")
            given = dict(zip(signature.parameters, (person, *arguments), strict=False)) | named
            return noted(person, function.__name__, given, is_told=counted and not person.is_local)

        def admit(person: Person) -> None:
            rules.check(person, action)
            if counted:
                limits.check_pace(person)

        @contextlib.contextmanager
        def under_way(person: Person) -> Iterator[None]:
            with limits.under_way(person), SERVED.under_way():
                yield

        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def asked(person: Person, *arguments: Any, **named: Any) -> Iterator[Any]:
                with noting(person, arguments, named), contextlib.ExitStack() as held:
                    admit(person)
                    going = held.enter_context(closing(function(person, *arguments, **named)))
                    if counted:
                        held.enter_context(under_way(person))
                    while True:
                        # entered for each step, because between steps the generator may be resumed in any thread
                        with acting_as(person):
                            try:
                                item = next(going)
                            except StopIteration:
                                return
                        yield item

        else:

            @functools.wraps(function)
            def asked(person: Person, *arguments: Any, **named: Any) -> Any:
                with noting(person, arguments, named) as results:
                    admit(person)
                    with under_way(person) if counted else nullcontext(), acting_as(person):
                        result = function(person, *arguments, **named)
                    results.append(result)
                return result

        asked.action = action
        return asked

    return made
