"""The functions that programs call, by HTTP (ui/frame/programs.py) or as tools of an MCP server (mcp_door.py).

Each is one public endpoint of the same name. Arguments and results are plain JSON; the results are those of the shell's
`--json`, sentences in English. Every function is called with the person whose token the program sends. Docstrings,
defaults and annotations are what programs read of them.

The road: `inspect` takes the data and answers with its id (`dataset`), `plan` says what a training would be, `train`
starts it and answers with its run, `run` tells how that goes, `publish` shares its adapter, `compare` asks it. The
first of them are in `training`; what measures adapters against each other is in `measuring`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lora_hub import use_cases
from lora_hub.api.arguments import (
    Examples,
    Fields,
    Name,
    Part,
    Samples,
    Seed,
    Share,
    Strength,
    Temperature,
    Tokens,
)
from lora_hub.api.asking import compared
from lora_hub.api.measuring import MEASURING
from lora_hub.api.plain import in_english
from lora_hub.api.training import TRAINING, Training
from lora_hub.compare import routing
from lora_hub.core import settings
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import MOST_ADAPTERS, ask_question
from lora_hub.people import Person

NAMES = (*TRAINING, "publish", "adapters", "compare", "route", *MEASURING)
# A question to more adapters is refused before anything is read.
Json = dict[str, Any]


@dataclass(frozen=True)
class Endpoints(Training):
    """The public functions."""

    def publish(
        self, person: Person, run: Name, name: Name = "", organization: Name = "", private: bool = False
    ) -> Json:
        """Publishes a run's adapter, as you. Publishing the same again makes no new version.

        Args:
            run: the run's id.
            name: the repository's name; empty: the adapter's.
            organization: where to; empty: this app's organization.
            private: only the organization sees it.
        """
        made = use_cases.publish_run(person, run, org=organization, name=name, private=private)
        return {**made.ref.model_dump(mode="json"), "run": run, "adapter": made.ref.repo_id, "is_new": made.is_new}

    def adapters(self, person: Person, organization: Name = "", task: Name = "", base: Name = "") -> Json:
        """The published adapters of an organization, with their scores and versions.

        Args:
            organization: whose; empty: this app's organization.
            task: only of this task.
            base: only of this base.
        """
        owner = organization or settings.organization()
        found = use_cases.list_adapters(person, org=owner, task=task, base=base, versions=True)
        return {"organization": owner, "adapters": [one.model_dump(mode="json") for one in found]}

    def route(self, person: Person, text: str, base: Name = "built-in", organization: Name = "") -> Json:
        """The organization's adapter that a bare question is for, and why; none where none fits and the base answers.

        Args:
            text: the question.
            base: whose adapters: built-in, or a Hub id.
            organization: whose; empty: this app's organization.
        """
        found = use_cases.route(person, self.comparer, text, base, organization)
        return {**found.model_dump(mode="json"), "said": in_english(routing.said(found))}

    def compare(
        self,
        person: Person,
        adapters: list[Name],
        prompt: str = "",
        inputs: dict[Name, str] | None = None,
        with_base: bool = True,
        max_new_tokens: Tokens = 0,
        temperature: Temperature = 0.0,
        seed: Seed = 0,
        free_text: bool = False,
        examples: Examples = 0,
        top_p: Share = 1.0,
        samples: Samples = 1,
        strengths: dict[Name, Strength] | None = None,
        system: Part = "",
        earlier: Fields | None = None,
        keep: bool = False,
        blind: bool = False,
    ) -> Iterator[Json]:
        """The answers of a base and its adapters to one question, side by side, as they grow: the last one is complete.

        Args:
            adapters: 1 to 8 repositories (owner/name, owner/name@version) or runs; auto: the organization's adapter
                that the prompt is for, or the base where none fits (the answer's note says why).
            prompt: the question; of a task with several inputs give inputs instead.
            inputs: role -> text.
            with_base: answer with the base, too.
            max_new_tokens: the longest answer; 0: what the task says.
            temperature: 0: the most likely answer, always the same.
            seed: of the sampling.
            free_text: let tasks with labels answer in their own words, too.
            examples: ask the base with so many examples in its prompt, too.
            top_p: draw from the likeliest tokens of this share.
            samples: so many answers of each, at a temperature above 0.
            strengths: adapter -> 0 (the base) to 1.2; 1: as it was trained.
            system: ask as a chat, with this system prompt.
            earlier: the chat's earlier turns, by adapter ("base", "base_examples"): a list of role and content each.
            keep: keep it in your history, as the page does; the last answer has its id (`comparison`).
            blind: keep it, and answer once, without names and in an order of its own, for `vote`.
        """
        if not adapters or len(adapters) > MOST_ADAPTERS:
            raise SpecError(
                _("{count} adapters were named.", count=len(adapters)),
                _("Name 1 to {most} of them.", most=MOST_ADAPTERS),
            )
        yield from compared(
            person,
            self.comparer,
            list(adapters),
            ask_question(
                base=with_base,
                prompt=prompt,
                inputs=inputs or None,
                max_new_tokens=max_new_tokens,
                temperature=temperature,
                seed=seed,
                free_text=free_text,
                examples=examples,
                top_p=top_p,
                samples=samples,
                strengths=strengths or {},
                system=system,
                earlier=earlier or {},
            ),
            keep=keep,
            blind=blind,
        )
