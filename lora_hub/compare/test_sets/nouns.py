"""The nouns of test sets: what is asked of whom, how far that is, and a row with everybody's answer."""

from typing import Any

from lora_hub.core.schema import BASE, Answer, DatasetInfo, Failure, Judgement, Mend, Noun, RunState, Task

# Adapters of one test, and columns of its file that are kept beside each row.
MOST_ADAPTERS, MOST_COLUMNS = 32, 20


def name_base(base_id: str) -> str:
    """How a base is called among several of one test. A base in a folder is called as that."""
    return f"{BASE} ({base_id.rstrip('/').rpartition('/')[2] if base_id.startswith('/') else base_id})"


def read_base_name(pane: str) -> str:
    """The base that `name_base` names; empty for any other pane."""
    return pane[len(BASE) + 2 : -1] if pane.startswith(f"{BASE} (") and pane.endswith(")") else ""


class JudgeSpec(Noun):
    """Who judges answers in text. name: a base's id, an adapter's name, or the model at `url`. commit: which version of
    an adapter, "" for what is on this machine. url: an OpenAI-compatible address; "": it answers here. is_base: the
    name is a base's. plain_http: the person allows http to an address of another machine."""

    name: str
    commit: str = ""
    url: str = ""
    is_base: bool = False
    plain_http: bool = False


class TestSpec(Noun):
    """What a test asks of whom; written once. owner: "local" or who signed in. name: what people call its rows.
    dataset: the stored file; None: the held-out rows of `run`, whose owner is `run_owner`. adapters: as they were
    named. commits: which version of each is asked, "" for what is on this machine. base_of: the base, where it lies
    elsewhere than the adapters say. base: ask it as it is; examples: and with examples in its prompt. examples_of: the
    run whose examples those are, if it is on this machine and an adapter from the Hub names it. max_rows: 0 for all.
    judge: of answers in text, if one was wanted."""

    __test__ = False  # pytest takes its name for a test's

    id: str
    owner: str
    created: float
    name: str
    dataset: DatasetInfo | None = None
    run: str = ""
    run_owner: str = ""
    task: Task
    mapping: dict[str, str] = {}
    mends: tuple[Mend, ...] = ()
    adapters: tuple[str, ...]
    commits: tuple[str, ...] = ()
    base_of: str = ""
    base: bool = True
    examples: bool = True
    examples_of: str = ""
    max_rows: int = 0
    judge: JudgeSpec | None = None


class TestState(Noun):
    """How a test stands, computed from its events. done, total: answers. eta: seconds. visibility: "private", or
    "organization": its members may read it, with its rows and answers. The fields that a run has, too,
    mean what they mean there (`schema.Run`)."""

    __test__ = False

    id: str
    spec: TestSpec
    state: RunState = RunState.QUEUED
    phase: str = ""
    done: int = 0
    total: int = 0
    eta: float | None = None
    attempt: int = 1
    handle: dict[str, Any] = {}
    error: Failure | None = None
    created: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    worked: float = 0.0
    last_event: float = 0.0
    cancelling: bool = False
    visibility: str = "private"

    @property
    def owner(self) -> str:
        return self.spec.owner

    @property
    def seconds(self) -> float:
        return self.worked + (max(0.0, (self.ended or self.started) - self.started) if self.started else 0.0)


class TestRow(Noun):
    """A row with everybody's answer, by pane. row: its number in the file. columns: what else the file says of it."""

    __test__ = False

    row: int
    inputs: dict[str, Any]
    prompt: str
    reference: str | tuple[str, ...]
    columns: dict[str, str] = {}
    answers: dict[str, Answer] = {}
    judgements: dict[str, Judgement] = {}


class Verdict(Noun):
    """What the judge said of a match. forward: with a's answer first; backward: with b's. "a", "b" or "tie"; "same":
    the answers are one text and were not shown; "unread": the reply is no verdict."""

    row: int = 0
    vote: str = ""
    a: str
    b: str
    forward: str
    backward: str
