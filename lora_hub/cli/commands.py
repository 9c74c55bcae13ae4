"""The shell's commands except those around training: options -> result, which --json prints."""

import argparse
import contextlib
import functools
from typing import Any

from lora_hub.cli import progress
from lora_hub.cli.options import (
    check_minimum,
    connected_hub,
    read_mapping,
    read_numbers,
    read_org,
    read_pairs,
)
from lora_hub.core.errors import SpecError
from lora_hub.core.messages import _
from lora_hub.core.schema import AUTO, MOST_ADAPTERS, Question, ask_question, scores_json
from lora_hub.core.verdicts import BASE_WAYS
from lora_hub.evaluation.minimum import parse_minimum
from lora_hub.people import LOCAL
from lora_hub.runs.run_json import rows_missing

Result = dict[str, Any]
# Seconds that `bases` waits for a machine that is measured for the first time.
MEASURED_WITHIN = 60.0


def list_tasks(options: argparse.Namespace) -> Result:
    from lora_hub.catalogue.tasks import catalogue

    return {"tasks": [task.model_dump(mode="json") for task in catalogue.list_tasks()]}


def list_bases(options: argparse.Namespace) -> Result:
    """packages: bases that --add can fetch from a package index. added: the one that it has just brought. marks: what
    each takes on this machine, for so many rows; proposed: the id of the one that suits, or null."""
    from dataclasses import asdict

    from lora_hub import use_cases
    from lora_hub.catalogue import bases

    added = {}
    if options.add:
        with connected_hub(options.screen):
            added = {"added": use_cases.add_base(LOCAL, options.add, options.screen.say).id}
    spoken = [options.data_language] if options.data_language else []
    found = use_cases.mark_bases(
        LOCAL, rows=options.rows, effort=options.effort, languages=spoken, wait=MEASURED_WITHIN
    )
    return {
        "bases": [base.model_dump(mode="json", exclude={"folder"}) for base in bases.list_bases()],
        "packages": [asdict(package) for package in use_cases.list_packages(LOCAL)],
        "marks": [asdict(mark) for mark in found.marks],
        "rows": found.rows,
        "effort": found.effort,
        "memory_bytes": found.memory_bytes,
        "is_measured": found.is_measured,
        "proposed": found.proposed.id if found.proposed else None,
        **added,
    }


def publish(options: argparse.Namespace) -> Result:
    from lora_hub import use_cases

    org = read_org(options.org)
    with connected_hub(options.screen):
        published = use_cases.publish_run(LOCAL, options.run, org=org, name=options.name, private=options.private)
    ref = published.ref
    if not published.is_new:
        said = _("Nothing is new: this run is {version} of {repo} already.", version=ref.versions[0], repo=ref.repo_id)
        options.screen.say(said)
    return {
        **ref.model_dump(mode="json"),
        "run": options.run,
        "adapter": ref.repo_id,
        **rows_missing(published.missing),
    }


def question_of(options: argparse.Namespace) -> Question:
    """What `compare` asks. Raises SpecError."""
    strengths = read_numbers(options.strength, "--strength NAME=0.5")
    for name in strengths:
        if name not in options.adapter:
            raise SpecError(
                _("--strength names {name}, which is not asked."),
                _("Name one of: {names}."),
                name=name,
                names=options.adapter,
            )
    return ask_question(
        base=not options.no_base,
        examples=options.examples,
        prompt=options.prompt,
        inputs=read_pairs(options.input, "--input ROLE=TEXT") if options.input else None,
        system=options.system,
        max_new_tokens=options.max_new_tokens,
        temperature=options.temperature,
        top_p=options.top_p,
        samples=options.samples,
        seed=options.seed,
        free_text=options.free_text,
        strengths=strengths,
    )


def compare(options: argparse.Namespace) -> Result:
    if len(options.adapter) > MOST_ADAPTERS:
        raise SpecError(
            _("{count} adapters are too many at once."),
            _("Name at most {most}."),
            count=len(options.adapter),
            most=MOST_ADAPTERS,
        )
    given = [bool(options.prompt), bool(options.input), bool(options.test)]
    if sum(given) != 1:
        raise SpecError(
            _("compare needs exactly one of --prompt, --input and --test."),
            _("For example: {command}"),
            command="--prompt 'You won a prize!'",
        )
    minimum = parse_minimum(options.min)
    if minimum and not options.test:
        raise SpecError(
            _("--min needs --test FILE: one answer has no score."),
            _("For example: {command}"),
            command="--test more.csv --min accuracy=90",
        )
    if options.test and AUTO in options.adapter:
        raise SpecError(
            _("{auto} finds the adapter for one question, not for a file.", auto=AUTO),
            _("Name the adapters that are to be tested."),
        )
    if options.test and options.keep:
        raise SpecError(_("--keep is for a question; a file is a test."), _("`tests run FILE` keeps it."))
    question = None if options.test else question_of(options)
    from lora_hub import use_cases
    from lora_hub.catalogue import bases
    from lora_hub.compare import Comparer, find_here, test_sets

    here = [find_here(name, options.base) if name != AUTO else None for name in options.adapter]
    adapters = [pane or name for pane, name in zip(here, options.adapter, strict=True)]
    # No Hub is needed if every adapter and its base are on this machine.
    is_local = all(pane is not None and bases.folder_of(pane.base) is not None for pane in here)
    with contextlib.nullcontext() if is_local else connected_hub(options.screen):
        comparer = Comparer(options.base)
        if question is None:
            scored = use_cases.score_file(
                LOCAL,
                comparer,
                adapters,
                options.test,
                read_mapping(options.map),
                base=not options.no_base,
                minimum=minimum,
                progress=functools.partial(progress.show_scoring, options.screen),
            )
            progress.say_problems(options.screen, scored["problems"])
            result = {
                "rows": scored["rows"],
                "problems": [problem.to_json() for problem in scored["problems"]],
                "metrics": scores_json(scored["metrics"]),
                "comparisons": {name: found.model_dump(mode="json") for name, found in scored["comparisons"].items()},
                "pairs": scored["pairs"],
                "few_shot": scored["few_shot"],
            }
            for name in scored["metrics"]:
                if name not in BASE_WAYS and not test_sets.read_base_name(name):
                    check_minimum(minimum, scored["metrics"], result, name)
            return result
        if options.keep and AUTO in adapters:
            chosen = use_cases.choose_adapter(LOCAL, comparer, adapters, question)
            adapters, question = chosen.adapters, chosen.question
        events = use_cases.ask(
            LOCAL,
            comparer,
            adapters,
            question,
        )
        done = sorted((event for event in events if event.done), key=lambda event: event.pane)
        one = use_cases.keep_comparison(LOCAL, question, done) if options.keep else None
    return {"answers": [event.to_json() for event in done], **({"comparison": one.id} if one else {})}
