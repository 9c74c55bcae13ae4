"""The functions around which adapter is better: test sets, votes, the matrix, what is in production, the shelf.

`Endpoints` has them beside its own; what is said there holds here.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from lora_hub import use_cases
from lora_hub.api.arguments import Columns, FewRows, Name, Names, Part, Place, Rows
from lora_hub.api.faults import in_words
from lora_hub.api.given import open_named
from lora_hub.api.plain import in_english
from lora_hub.core import settings
from lora_hub.core.errors import LoraHubError, RunError, SpecError
from lora_hub.core.messages import _
from lora_hub.people import Person

MEASURING = (
    "start_test",
    "tests",
    "test",
    "cancel_test",
    "vote",
    "votes",
    "matrix",
    "promote",
    "roll_back",
    "unpublish",
    "collections",
)
Json = dict[str, Any]


@dataclass(frozen=True)
class Measuring:
    """comparer: a `compare.Comparer`. looker: an Inspector, or what has its methods. room: where runs wait, if people
    sign in."""

    comparer: Any
    looker: Any
    room: Any = None

    def start_test(
        self,
        person: Person,
        adapters: Names,
        dataset: Name = "",
        run: Name = "",
        columns: Columns | None = None,
        with_base: bool = True,
        with_examples: bool = True,
        max_rows: Rows = 0,
        judge: Name = "",
        judge_model: Name = "",
    ) -> Json:
        """Starts a test of adapters of one task on many rows and answers at once; `test` tells how it goes.

        Args:
            adapters: repositories (owner/name, owner/name@version) or runs.
            dataset: the rows: the data's id from inspect, or owner/name of a dataset on the Hub.
            run: a run whose held-out rows are asked, instead of a dataset.
            columns: role -> column; the others are proposed.
            with_base: ask the base, too.
            with_examples: ask the base with examples in its prompt, too.
            max_rows: the first rows only; 0: all.
            judge: a base, an adapter or an OpenAI-compatible address that compares answers; empty: nobody.
            judge_model: the judge's model at its address.
        """
        state = use_cases.start_test(
            person,
            self.comparer,
            [*adapters],
            file=open_named(person, dataset) if dataset else None,
            run=run,
            mapping=columns,
            base=with_base,
            examples=with_examples,
            max_rows=max_rows,
            judge=judge,
            judge_model=judge_model,
        )
        return self.test(person, state.id)

    def tests(self, person: Person) -> Json:
        """The tests that you may see, the newest first."""
        from lora_hub.compare import test_sets

        return {"tests": [test_sets.test_row(one) for one in use_cases.list_tests(person)]}

    def test(self, person: Person, test: Name, rows: FewRows = 0) -> Json:
        """What a test is doing, and what it found once it has ended: every metric with its interval, every pair.

        Args:
            test: the test's id.
            rows: so many rows, the first ones, with everybody's answers.
        """
        from lora_hub.compare import test_sets

        told = in_english(test_sets.test_details(use_cases.refresh_test(person, test)))
        if rows:
            report = use_cases.read_test(person, test)
            if report.result is None:
                raise RunError(
                    _("The test {test_id} has no result yet.", test_id=test), _("Wait until it has succeeded.")
                )
            told["answers"] = test_sets.to_json(report.state.spec, report.result, report.rows[:rows])["answers"]
        return told

    def cancel_test(self, person: Person, test: Name) -> Json:
        """Ends a test. What was answered is kept.

        Args:
            test: the test's id.
        """
        use_cases.cancel_test(person, test)
        return self.test(person, test)

    def vote(self, person: Person, comparison: Name, choice: Name, place: Place = 0, reveal: bool = False) -> Json:
        """Votes on a blind comparison of yours (`compare` with blind). Until the names are shown, the last vote counts.

        Args:
            comparison: its id.
            choice: one (the answer at `place` is the best), tie, or bad (none is good).
            place: the place of the best answer, from 1; of choice one only.
            reveal: show the names after the vote; a later vote does not count.
        """
        if bool(place) != (choice == "one"):
            raise SpecError(
                _("The choice one has a place, and no other has."), _("Give place, from 1, with one alone.")
            )
        opened = use_cases.cast_vote(person, comparison, choice, place - 1 if place else None)
        if reveal:
            opened = use_cases.reveal_names(person, comparison)
        sent, trouble = 0, ""
        try:
            sent = use_cases.send_votes(person)
        except LoraHubError as error:  # it counts here already, and the next one takes it along
            trouble = in_words(error)
        one, cast = opened.comparison, opened.late or opened.vote
        return {
            "comparison": one.id,
            "choice": cast.choice,
            "place": cast.place + 1 if cast.place is not None else 0,
            "counts": not cast.is_late,
            "models": [] if opened.is_hidden else [one.model_of(view) for view in one.placed],
            "sent": sent,
            "trouble": trouble,
        }

    def votes(self, person: Person, task: Name = "", preferences: bool = False) -> Json:
        """How good the models are by blind votes, for each task: strengths with their intervals.

        Args:
            task: only of this task.
            preferences: also your votes as preference data: prompt, chosen, rejected.
        """
        found = use_cases.read_boards(person)
        told: Json = {
            "boards": [{"task": of, **asdict(board)} for of, board in found.boards.items() if not task or of == task],
            "votes": found.votes,
            "people": found.people,
            "repo": found.repo,
            "trouble": found.trouble or "",
            "waiting": found.waiting,
        }
        if preferences:
            rows = use_cases.export_votes(person)
            told["preferences"] = [row for row in rows if not task or row["task"] == task]
        return in_english(told)

    def matrix(self, person: Person, organization: Name = "") -> Json:
        """What every adapter scores on every task's held-out rows, and what it forgot; null: not computed yet.

        Args:
            organization: whose; empty: this app's organization.
        """
        from lora_hub.compare import matrix

        owner = organization or settings.organization()
        return {"organization": owner, **matrix.matrix_json(use_cases.read_matrix(person, owner))}

    def promote(self, person: Person, adapter: Name, version: Name, reason: Part = "") -> Json:
        """Puts a version into production if it is better than the one there on the same rows; `moved` says whether.

        Args:
            adapter: the repository: owner/name.
            version: such as v2.
            reason: promote it although it is not better, as an admin of the organization; it is recorded.
        """
        found = use_cases.promote(person, self.comparer, adapter, version, reason=reason)
        return in_english(found.to_json())

    def roll_back(self, person: Person, adapter: Name) -> Json:
        """Puts the version into production again that was there before.

        Args:
            adapter: the repository: owner/name.
        """
        done = use_cases.roll_back(person, adapter)
        return {"repo": adapter, "moved": True, **in_english(done)}

    def unpublish(self, person: Person, adapter: Name, undo: bool = False) -> Json:
        """Takes an adapter off the shelf, makes its repository private, and says what depends on it; deletes nothing.

        Args:
            adapter: the repository: owner/name.
            undo: put it back on the shelf.
        """
        if undo:
            ref, leaning = use_cases.put_back(person, adapter), None
        else:
            leaning = use_cases.find_dependents(person, adapter)
            ref = use_cases.unpublish_adapter(person, adapter)
        told = {"adapter": ref.repo_id, "unpublished": ref.unpublished, "private": ref.private}
        return {**told, "depends": [one.en for one in leaning.tell()] if leaning else []}

    def collections(
        self,
        person: Person,
        organization: Name = "",
        collection: Name = "",
        add: Names | None = None,
        remove: Names | None = None,
    ) -> Json:
        """The organization's collections of adapters on the Hub; or one of them, shown or changed.

        Args:
            organization: whose; empty: this app's organization.
            collection: one of them by its slug; to add, also the title of a new one.
            add: adapters to put into it.
            remove: adapters to take out of it.
        """
        owner = organization or settings.organization()
        if not collection:
            if add or remove:
                raise SpecError(_("No collection is named."), _("Give the one to change as collection."))
            found = use_cases.list_collections(person, owner)
        else:
            steps: list[Callable[[str], Any]] = []
            if add:
                steps.append(lambda slug: use_cases.add_to_collection(person, add, slug, owner))
            if remove:
                steps.append(lambda slug: use_cases.remove_from_collection(person, remove, slug))
            for step in steps or [lambda slug: use_cases.read_collection(person, slug)]:
                found = [step(collection)]
                collection = found[0].slug
        return {"organization": owner, "collections": [{**asdict(one), "adapters": [*one.adapters]} for one in found]}
