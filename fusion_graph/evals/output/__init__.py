"""What an evaluation leaves behind: answers.jsonl, results.json, summary.md and summary.html.

All four are made of the stored records alone: no clock, no order of arrival. The same records give
the same bytes, however often the run was broken off.
"""

from __future__ import annotations

from pathlib import Path

from fusion_graph.evals.output.data import answer_lines, as_json, results_data
from fusion_graph.evals.output.evaluation import Evaluation
from fusion_graph.evals.output.html import render_html
from fusion_graph.evals.output.markdown import render_markdown
from fusion_graph.evals.store import write_whole

ANSWERS, RESULTS, MARKDOWN, HTML = "answers.jsonl", "results.json", "summary.md", "summary.html"


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
        RESULTS: as_json(results_data(evaluation), indent=2) + "\n",
        MARKDOWN: render_markdown(evaluation),
        HTML: render_html(evaluation),
    }
    for name, content in files.items():
        write_whole(folder / name, content)
    return [folder / name for name in files]
