"""What an evaluation leaves behind: the answers, the figures, and summaries to read.

All are made of the stored records alone: no clock, no order of arrival. The same records give the
same bytes, however often the run was broken off. `answers.jsonl` holds nothing that is measured
anew by another run: models that say the same give the same file.
"""

from __future__ import annotations

from pathlib import Path

from fusion_graph.evals.output.data import answer_lines, as_json, results_data, seconds_lines
from fusion_graph.evals.output.finished import Evaluation
from fusion_graph.evals.output.html import render_html
from fusion_graph.evals.output.markdown import render_markdown
from fusion_graph.text.whole_file import write_whole

ANSWERS, SECONDS = "answers.jsonl", "seconds.jsonl"
RESULTS, MARKDOWN, HTML = "results.json", "summary.md", "summary.html"


def write_results(folder: Path, evaluation: Evaluation) -> list[Path]:
    """Write all results of an evaluation. Returns the files.

    Args:
        folder: Where they go; it is there.
        evaluation: What was found.

    Raises:
        OSError: They cannot be written.
    """
    files = {
        ANSWERS: "".join(f"{line}\n" for line in answer_lines(evaluation)),
        SECONDS: "".join(f"{line}\n" for line in seconds_lines(evaluation)),
        RESULTS: as_json(results_data(evaluation), indent=2) + "\n",
        MARKDOWN: render_markdown(evaluation),
        HTML: render_html(evaluation),
    }
    for name, content in files.items():
        write_whole(folder / name, content)
    return [folder / name for name in files]
