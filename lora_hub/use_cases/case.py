"""What every use case is: called with the `Person` who asks, refused where they may not, and asking the Hub as them."""

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from lora_hub.hub import acting_as
from lora_hub.people import Person, limits, rules
from lora_hub.people.rules import Action


def use_case(action: Action, *, counted: bool = False) -> Callable[[Callable], Callable]:
    """A use case: its first argument is who asks. action: what they must be able to do at all; whose the thing is, it
    looks at itself. counted: it is one of the requests of a minute."""

    def made(function: Callable) -> Callable:
        def admit(person: Person) -> None:
            if not isinstance(person, Person):
                raise TypeError(f"{function.__name__} is asked by a Person, not by {type(person).__name__}")
            rules.check(person, action)
            if counted:
                limits.check_pace(person)

        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def asked(person: Person, *arguments: Any, **named: Any) -> Iterator[Any]:
                admit(person)
                going = function(person, *arguments, **named)
                try:
                    while True:
                        # around each step: between them the generator belongs to whoever iterates, in any thread
                        with acting_as(person):
                            try:
                                item = next(going)
                            except StopIteration:
                                return
                        yield item
                finally:
                    going.close()

        else:

            @functools.wraps(function)
            def asked(person: Person, *arguments: Any, **named: Any) -> Any:
                admit(person)
                with acting_as(person):
                    return function(person, *arguments, **named)

        asked.action = action
        return asked

    return made
