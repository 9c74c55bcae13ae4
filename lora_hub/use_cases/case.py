"""What every use case is: called with the `Person` who asks, refused where they may not, and asking the Hub as them."""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from typing import Any

from lora_hub.hub import acting_as
from lora_hub.people import Person, limits, rules
from lora_hub.people.rules import Action


def use_case(action: Action, *, counted: bool = False) -> Callable[[Callable], Callable]:
    """A use case: its first argument is who asks. action: what they must be able to do at all; whose the thing is, it
    looks at itself. counted: it is one of the requests of a minute, and of those at once."""

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
                        # around each step: between them the generator belongs to whoever iterates, in any thread
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
