"""Test sets: rows that many models answer, each of which is asked once, and what that says of the models.

state = start_test(spec, environment)          in a process of its own: `look`, `cancel_test`, `resume_test`
told = score_file(bases, panes, file)          here and now
"""

from lora_hub.compare.test_sets.answering import answer_once, answer_panes, fingerprint_adapter
from lora_hub.compare.test_sets.checking import check_test
from lora_hub.compare.test_sets.control import cancel_test, delete_test, resume_test, share_test, start_test
from lora_hub.compare.test_sets.exporting import test_details, test_row, to_csv, to_json
from lora_hub.compare.test_sets.folders import (
    folder_of,
    new_id,
    read_answers,
    read_problems,
    read_result,
    read_rows,
    tests_dir,
)
from lora_hub.compare.test_sets.judge import describe_sending
from lora_hub.compare.test_sets.judge_wire import check_url, own_model, own_url
from lora_hub.compare.test_sets.judged import describe_agreement, describe_first, describe_judged
from lora_hub.compare.test_sets.kept_answers import answers_dir, forget
from lora_hub.compare.test_sets.looking import PHASES, TestReader, list_tests, look
from lora_hub.compare.test_sets.nouns import MOST_ADAPTERS, JudgeSpec, TestRow, TestSpec, TestState, read_base_name
from lora_hub.compare.test_sets.panes_asked import ask_panes
from lora_hub.compare.test_sets.reading import read_file, read_held_out_rows
from lora_hub.compare.test_sets.results import describe_pair, disagree, judge_rows
from lora_hub.compare.test_sets.score_file import score_file

__all__ = [
    "MOST_ADAPTERS",
    "PHASES",
    "JudgeSpec",
    "TestReader",
    "TestRow",
    "TestSpec",
    "TestState",
    "answer_once",
    "answer_panes",
    "answers_dir",
    "ask_panes",
    "cancel_test",
    "check_test",
    "check_url",
    "delete_test",
    "describe_agreement",
    "describe_first",
    "describe_judged",
    "describe_pair",
    "describe_sending",
    "disagree",
    "figures",
    "fingerprint_adapter",
    "folder_of",
    "forget",
    "judge_rows",
    "list_tests",
    "look",
    "new_id",
    "own_model",
    "own_url",
    "read_answers",
    "read_base_name",
    "read_file",
    "read_held_out_rows",
    "read_problems",
    "read_result",
    "read_rows",
    "resume_test",
    "score_file",
    "share_test",
    "start_test",
    "test_details",
    "test_row",
    "tests_dir",
    "to_csv",
    "to_json",
]
