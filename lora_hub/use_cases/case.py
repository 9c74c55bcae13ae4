"""The frame of every use case: it is called with a `Person`, refuses what they may not do, and calls the Hub as
them."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

from lora_hub.hub import acting_as
from lora_hub.people import Person, limits, rules
from lora_hub.people.rules import Action


def use_case(action: Action, *, counted: bool = False) -> Callable[[Callable], Callable]:
    """Decorator of a use case, whose first argument is the person. action: the right that it requires; the use case
    itself checks the owner of a thing. counted: it counts towards the requests per minute and the simultaneous ones."""

    def made(function: Callable) -> Callable:
        def admit(person: Person) -> None:
            if not isinstance(person, Person):
                raise TypeError(f"{function.__name__} is asked by a Person, not by {type(person).__name__}")
            rules.check(person, action)
            if counted:
                limits.check_pace(person)

        def under_way(person: Person) -> AbstractContextManager[None]:
            return limits.under_way(person) if counted else nullcontext()

        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def asked(person: Person, *arguments: Any, **named: Any) -> Iterator[Any]:
                admit(person)
                going = function(person, *arguments, **named)
                with under_way(person), closing(going):
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
                admit(person)
                with under_way(person), acting_as(person):
                    return function(person, *arguments, **named)

        asked.action = action
        return asked

    return made
