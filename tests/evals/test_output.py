"""What an evaluation leaves behind: complete, in plain words, and safe to open."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from pypdf import PdfReader

from fusion_graph.cli.eval_tables import shown
from fusion_graph.evals._grades import Grade
from fusion_graph.evals.grader import GraderSettings
from fusion_graph.evals.intervals import NO_DIFFERENCE
from fusion_graph.evals.output import write_results
from fusion_graph.evals.output.html import render_html
from fusion_graph.evals.output.markdown import render_markdown
from fusion_graph.evals.output.words import caveats, verdict_words
from tests.evals.marks import arm, evaluation, mark, question

HOSTILE = (
    "</title><script>alert(1)</script> | `x` [y](javascript:z) \x1b[31m\ud800 <img src=x onerror=y>"
)


def made(panel=(True,) * 8, solo=(True, False) * 4, *, text: str = "", **how):
    first, second = arm("p"), arm("s", "solo")
    marked = []
    for number, (one, other) in enumerate(zip(panel, solo, strict=True)):
        asked = question(number, "odd" if number % 2 else "even", text)
        marked += [
            mark(asked, first, one, cost=0.04, tokens=400),
            mark(asked, second, other, cost=0.01, tokens=100),
        ]
    return evaluation(marked, **how)


def test_every_question_has_a_line_with_every_arm_s_answer_and_marks(tmp_path):
    write_results(tmp_path, made(panel=(True,) * 7 + (None,)))

    lines = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [f"q{n:03d}" for n in range(8)]
    assert set(lines[0]["arms"]) == {"p", "s"}
    right = lines[0]["arms"]["p"]
    assert (right["score"], right["answer"], right["tokens"]) == (100, "An answer.", 400)
    assert right["verdicts"][0][0]["met"] is True
    failed = lines[7]["arms"]["p"]
    assert (failed["status"], failed["score"], failed["answer"]) == ("failed", 0, None)
    assert "gone" in failed["failure"]


def test_the_figures_come_with_all_it_takes_to_make_them_again(tmp_path):
    found = made(grader=GraderSettings(model="scripted:g", passes=3))
    write_results(tmp_path, found)

    data = json.loads((tmp_path / "results.json").read_text())
    assert data["command"] == found.command
    assert data["dataset"]["sha256"] == "0" * 64
    assert data["grader"]["model"] == "scripted:g"
    assert data["policy"]["name"] == "strict"
    assert [item["settings"]["panel"][0]["model"] for item in data["configurations"]] == [
        "scripted:a",
        "scripted:a",
    ]
    assert data["versions"] == {"fusion-graph": "1"}
    assert data["comparisons"][0]["score"]["estimate"] == 50
    for name in ("summary.md", "summary.html"):
        page = (tmp_path / name).read_text()
        assert found.command in page
        assert "0" * 64 in page


def test_the_same_findings_are_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write_results(tmp_path / name, made())
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()


# Words


def test_what_was_not_shown_is_called_so_and_what_it_cost_is_said():
    words = verdict_words(made((True, False) * 10, (True, False) * 9 + (False, False)))

    assert NO_DIFFERENCE in words
    assert "4.0 times the cost" in words
    assert "nothing shows that p is worth more money than s" in words


def test_a_difference_that_was_shown_is_told_with_its_interval():
    words = verdict_words(made((True,) * 40, (True, False) * 20))

    assert re.search(r"p is better than s by \+50\.0 \(\+3\d\.\d to \+6\d\.\d\) points", words)
    assert "yours to say" in words


def test_an_interval_that_the_sign_test_does_not_agree_with_shows_nothing_and_says_so():
    words = verdict_words(made((True,) * 94, (False,) * 5 + (True,) * 89))

    assert NO_DIFFERENCE in words
    assert "The interval leaves out 0, but the sign test does not agree." in words
    assert "p 0.062" in words


def test_more_money_for_less_is_called_that():
    words = verdict_words(made((False,) * 20, (True,) * 20))

    assert "p is worse than s" in words
    assert "takes more money for less" in words


def test_too_few_questions_are_said_to_show_nothing():
    words = verdict_words(made((True,) * 4, (False,) * 4))

    assert NO_DIFFERENCE in words
    assert "It takes 6 questions" in words


def test_one_arm_alone_has_a_score_and_nothing_to_compare():
    only = arm("p")
    found = evaluation([mark(question(n), only, True) for n in range(3)])

    assert "nothing to compare" in verdict_words(found)
    assert "100.0" in render_markdown(found)
    assert "</html>" in render_html(found)


def test_what_to_mind_names_the_grader_the_count_and_the_policy():
    said = " ".join(caveats(made(grader=GraderSettings(model="scripted:g", passes=1))))

    assert "8 questions" in said
    assert "One grader, scripted:g, one pass" in said
    assert "Policy strict" in said
    assert "words, not sense" in said


def with_lost_marks(*lost: int):
    """Twelve questions on which p is right and s is wrong; p could not be marked on some."""
    found = made((True,) * 12, (False,) * 12)
    return evaluation(
        [
            replace(item, grade=Grade(item.question.id, "ungraded"))
            if item.arm.name == "p" and int(item.question.id[1:]) in lost
            else item
            for item in found.marked
        ]
    )


def test_questions_left_out_are_told_wherever_a_comparison_is(tmp_path):
    found = with_lost_marks(3, 7)
    write_results(tmp_path, found)

    said = "2 questions left out, because one of the two could not be marked: q003, q007."
    assert said in shown(found)
    table = shown(found).splitlines()
    assert re.search(r"left out", table[1])
    assert re.match(r"\s*p +100\.0 +10 +0 +2 ", next(line for line in table if " 100.0 " in line))
    assert re.search(r"better +2 ", next(line for line in table if " better " in line))
    assert "p: 2 that could not be marked (left out)." in shown(found)
    (pair,) = json.loads((tmp_path / "results.json").read_text())["comparisons"]
    assert pair["left_out"] == ["q003", "q007"]
    assert (pair["score"]["pairs"], pair["score"]["left_out"]) == (10, 2)
    summary = (tmp_path / "summary.md").read_text()
    assert said in summary
    assert re.search(r"^\| p \| 100\.0 \| .* \| 10 \| 0 \| 2 \|", summary, re.MULTILINE)
    assert "<td>2</td></tr>" in (tmp_path / "summary.html").read_text()


def test_where_every_question_is_left_out_that_is_the_reason_given():
    words = verdict_words(with_lost_marks(*range(12)))

    assert "no marked question in common" in words
    assert "12 questions left out" in words
    assert "q007 and 4 more" in words


def test_a_sign_test_stands_beside_every_interval(tmp_path):
    write_results(tmp_path, made((True,) * 20, (True, False) * 10))

    (pair,) = json.loads((tmp_path / "results.json").read_text())["comparisons"]
    assert pair["score"]["signs"] == {"above": 10, "below": 0, "p": 2 / 2**10}
    assert pair["domains"]["odd"]["signs"]["above"] == 10
    for name in ("summary.md", "summary.html"):
        assert "p 0.002" in (tmp_path / name).read_text()
    assert "p 0.002" in verdict_words(made((True,) * 20, (True, False) * 10))


# Pages


class Tags(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def test_the_page_runs_nothing_loads_nothing_and_shows_strangers_words_as_words():
    page = render_html(made(text=HOSTILE, name=HOSTILE))

    tags = Tags(page).seen
    assert not {tag for tag, _ in tags} & {"script", "img", "iframe", "link", "object", "base"}
    for _, attributes in tags:
        assert not any(name.startswith("on") for name in attributes)
        assert not {"src", "href", "action"} & attributes.keys()
    policy = [a["content"] for tag, a in tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy[0].startswith("default-src 'none'")
    assert "alert(1)" in page
    page.encode()


def test_the_summary_in_markdown_has_no_tag_of_a_stranger_s_and_keeps_its_tables():
    page = render_markdown(made(text=HOSTILE, name=HOSTILE))

    assert not re.search(r"(?<!\\)<", page)
    assert "\x1b" not in page
    page.encode()
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1


def test_the_plots_are_drawings_that_say_in_words_what_they_show():
    page = render_html(made((True, None) * 4, (True, False) * 4))

    drawings = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.S)]
    told = [drawing.attrib["aria-label"] for drawing in drawings]
    assert len(drawings) == 3
    assert told[0].startswith("Score against US dollars a question: p 50.0; s 50.0")
    assert "even, odd" in told[1]
    assert told[2].startswith("p against s: better on 0 questions")
    for drawing in drawings:
        _, _, width, height = map(float, drawing.attrib["viewBox"].split())
        for item in drawing.iter("circle"):
            assert 0 <= float(item.attrib["cx"]) <= width
            assert 0 <= float(item.attrib["cy"]) <= height


@pytest.mark.parametrize("count", [1, 2, 16])
def test_any_number_of_arms_can_be_drawn(count):
    arms = [arm(f"arm-{n}-with-a-name-that-is-rather-long") for n in range(count)]
    found = evaluation([mark(question(n), of, True, cost=0.0) for n in range(3) for of in arms])

    page = render_html(found)

    assert "tokens a question" in page
    assert page.count('class="arm"') >= count


def drawn(page: str) -> list[tuple[str, str]]:
    """What the page's drawings say in words, and what is said below each."""
    figures = re.findall(r"<figure>(.*?)<figcaption>(.*?)</figcaption>", page, re.S)
    return [(ElementTree.fromstring(svg).get("aria-label", ""), below) for svg, below in figures]


def test_where_all_score_alike_the_plots_show_what_else_tells_the_arms_apart():
    right = (True, False) * 10
    page = render_html(made(right, right))
    takes, _, alike = drawn(page)

    assert takes[0].endswith("all alike, and they take: p $0.0400; s $0.0100")
    assert takes[1].startswith("Every arm scores 50.0 of 100.")
    widths = [float(w) for w in re.findall(r'<rect class="arm"[^>]* width="([\d.]+)"', page)]
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.01)
    assert "No difference on any question: p against s" in page
    assert alike[0].endswith("alike on 20: 10 fully right, 10 not at all")
    # 0.86 ** 20 < 5 %: who differ on more would hardly be alike on twenty.
    assert "differ on more than 14% of such questions" in alike[1]
    levels = [float(h) for h in re.findall(r'<rect class="level"[^>]* height="([\d.]+)"', page)]
    assert len(levels) == 20
    assert levels[0] > 10 * levels[-1]


def test_equal_scores_that_nobody_is_billed_for_are_told_apart_by_tokens():
    first, second = arm("p"), arm("s", "solo")
    marked = []
    for number in range(4):
        asked = question(number, "odd")
        marked += [mark(asked, first, True, cost=0, tokens=400)]
        marked += [mark(asked, second, True, cost=0, tokens=100)]
    takes = drawn(render_html(evaluation(marked)))[0]
    assert takes[0].endswith("all alike, and they take: p 400 tokens; s 100 tokens")


def test_scores_that_are_equal_by_chance_are_drawn_question_by_question_all_the_same():
    page = render_html(made((True, False) * 4, (False, True) * 4))
    takes, _, pair = drawn(page)
    assert takes[1].startswith("Every arm scores 50.0 of 100.")
    assert pair[0] == "p against s: better on 4 questions, worse on 4, alike on 0"
    assert "Where it helped and hurt: p against s" in page


@pytest.fixture
def long_page() -> str:
    """The page of an evaluation of four arms on 48 questions of six domains."""
    arms = [arm(name) for name in ("panel", "solo-opus", "solo-gpt", "thrifty")]
    marked = []
    for number in range(48):
        asked = question(number, f"domain-{number % 6}", "What is it, in a sentence or two?")
        marked += [
            mark(asked, of, (number + place) % 4 > 0, cost=0.01 * (place + 1))
            for place, of in enumerate(arms)
        ]
    return render_html(evaluation(marked))


@pytest.mark.slow
async def test_an_evaluation_prints_on_two_sheets_and_cuts_no_table(browser_page, long_page):
    await browser_page.set_content(long_page)
    pdf = PdfReader(io.BytesIO(await browser_page.pdf(format="A4")))
    first, *others = (" ".join(page.extract_text().split()) for page in pdf.pages)
    assert len(others) == 1
    for part in ("Scores", "Characters each", "panel against the others", "What a score takes"):
        assert part in first
    assert "max_tool_calls" in others[0]  # folded on the screen

    await browser_page.emulate_media(media="print")
    await browser_page.set_viewport_size({"width": 710, "height": 1000})
    cut = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).length"
    assert await browser_page.locator(".wide").evaluate_all(cut) == 0


@pytest.mark.slow
async def test_an_evaluation_uses_the_width_of_a_wide_screen(browser_page, long_page):
    await browser_page.set_viewport_size({"width": 1280, "height": 900})
    await browser_page.set_content(long_page)
    boxes = await browser_page.locator("figure").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect()).map(box => [box.left, box.right])"
    )
    assert len({round(left) for left, _ in boxes}) == 2
    table = await browser_page.locator("#scores table").bounding_box()
    assert table["width"] > 1000
    await browser_page.set_viewport_size({"width": 390, "height": 844})
    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await browser_page.evaluate(wider) <= 0
