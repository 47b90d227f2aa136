"""The report as a reader meets it: in a browser, on a phone, in the dark, on paper."""

from __future__ import annotations

import io
from itertools import pairwise

import pytest
from pypdf import PdfReader

from fusion_graph import AllPanelistsFailed, FusionReport, create_fusion_graph
from tests.claims import CLAIMS
from tests.depth import in_depth
from tests.page.opening import NARROW, open_page, sideways

CONTRASTS = """() => {
  const pen = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const luminance = c => c.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = {};
  for (let text; (text = texts.nextNode());) {
    const e = text.parentElement;
    if (!text.data.trim() || !e.checkVisibility()) continue;
    const [a, b] = [luminance(rgba(getComputedStyle(e).color)), luminance(behind(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const key = e.localName + '.' + e.className;
    found[key] = Math.min(found[key] ?? 99, ratio);
  }
  return found;
}"""


@pytest.fixture
def report(record) -> FusionReport:
    """A degraded run with a quote and a claim of every verdict."""
    record["status"] = "degraded"
    record["degradations"] = [{"code": "unverified_quote", "detail": "The writer quotes [2]."}]
    verdicts = ("verified", "near", "altered", "not_found", "unchecked")
    record["sources"][1]["quotes"] = [
        {"text": f"Words {v}.", "verdict": v, "page_says": "The page has it so.", "note": ""}
        for v in verdicts
    ]
    record["sources"][1]["url"] = "https://example.org/costs"
    record["usage"]["total"]["cost_usd"] = None
    record["usage"]["cost_known"] = False
    record["claims"] = CLAIMS
    record["analysis"]["blind_spots"] = ["What a wrong answer costs."]
    return FusionReport.model_validate(record)


async def test_the_page_asks_for_nothing_and_complains_of_nothing(report, browser_page, tmp_path):
    seen = await open_page(browser_page, report.to_html(), tmp_path)

    assert seen.nothing, seen
    assert await browser_page.title() == report.question
    assert await browser_page.locator("h1").inner_text() == report.question


async def test_every_part_of_the_run_is_on_it(report, browser_page, tmp_path):
    await open_page(browser_page, report.to_html(), tmp_path)
    text = await browser_page.locator("body").inner_text()

    for part in ("Answer", "Comparison", "The panel’s answers", "Sources", "Timeline", "Cost"):
        assert await browser_page.get_by_role("heading", name=part, exact=True).count() == 1, part
    assert "3 of 3 keyword figures central" in " ".join(text.split())
    assert "What a wrong answer costs." in text
    assert "The writer quotes [2]." in text
    assert "The page has it so." in text, "the true words beside an altered quote"
    assert await browser_page.locator("#panel article").count() == 3
    assert await browser_page.locator(".bar").count() == len(report.timeline)
    cost = browser_page.locator("#cost tfoot td").last
    assert await cost.inner_text() == "unknown"
    assert f"Seed\n{report.seed}" in text
    assert "langgraph" in await browser_page.locator("#run").inner_text()


async def test_headings_and_landmarks_make_an_outline(report, browser_page, tmp_path):
    await open_page(browser_page, report.to_html(), tmp_path)

    levels = await browser_page.eval_on_selector_all(
        "h1, h2, h3, h4, h5, h6", "all => all.map(h => +h.localName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    for landmark in ("banner", "main", "navigation", "complementary", "contentinfo"):
        assert await browser_page.get_by_role(landmark).count() >= 1, landmark


async def test_a_hovered_citation_shows_its_source_and_what_was_checked(
    report, browser_page, tmp_path
):
    await open_page(browser_page, report.to_html(), tmp_path)
    mark = browser_page.locator("#answer .mark", has_text="[2]").first
    card = browser_page.locator("#answer .card", has_text="Words verified.").first
    assert not await card.is_visible()

    await mark.hover()

    assert await card.is_visible()
    link = card.get_by_role("link").first
    assert await link.get_attribute("href") == "https://example.org/costs"
    assert await link.get_attribute("rel") == "noopener noreferrer nofollow"
    shown = await card.inner_text()
    assert report.sources[1].title in shown
    assert "Words verified. ✓ on the page" in shown
    assert "Words near. ≈ on the page in nearly these words" in shown
    assert "Words altered. ✗ altered: the page says something else" in shown
    # The pointer can go to the card without losing it.
    await link.hover()
    assert await card.is_visible()
    await browser_page.mouse.move(2, 2)
    assert not await card.is_visible()


async def test_the_keyboard_opens_a_citation_and_reaches_what_is_on_it(
    report, browser_page, tmp_path
):
    await open_page(browser_page, report.to_html(), tmp_path)
    first = browser_page.locator("#answer .cite").first

    for _ in range(20):  # past the links above the answer
        await browser_page.keyboard.press("Tab")
        if await first.locator(".mark").evaluate("e => e === document.activeElement"):
            break
    assert await first.locator(".card").is_visible()
    described = await first.locator(".mark").get_attribute("aria-describedby")
    assert described == await first.locator(".card").get_attribute("id")

    await browser_page.keyboard.press("Tab")

    assert await first.locator(".card a").first.evaluate("e => e === document.activeElement")
    assert await first.locator(".card").is_visible()


async def test_a_tap_opens_a_citation_inside_the_screen_and_a_tap_elsewhere_closes_it(
    report, chromium, tmp_path
):
    phone = await chromium.new_context(viewport=NARROW, has_touch=True, is_mobile=True)
    page = await phone.new_page()
    await open_page(page, report.to_html(), tmp_path)

    for cite in await page.locator("#answer .cite").all():
        await cite.locator(".mark").tap()
        card = cite.locator(".card")
        assert await card.is_visible()
        box = await card.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= NARROW["width"]
        await page.locator("h1").tap()
        assert not await card.is_visible()


async def test_a_citation_leads_to_the_list_of_sources(report, browser_page, tmp_path):
    await open_page(browser_page, report.to_html(), tmp_path)
    await browser_page.locator("#answer .mark", has_text="[2]").first.hover()

    await browser_page.locator(".card-more:visible").click()

    assert await browser_page.evaluate("document.querySelector(':target').id") == "source-2"
    assert await browser_page.locator("#source-2").get_by_role("link").count() >= 1


async def test_a_text_with_thousands_of_citations_stays_a_page(record, browser_page, tmp_path):
    record["answer"] = "Wet [1]. " * 3000

    html = FusionReport.model_validate(record).to_html()
    await open_page(browser_page, html, tmp_path)

    assert await browser_page.locator("#answer .mark").count() == 3000
    assert len(html) < 1_000_000


@pytest.mark.parametrize("width", [320, in_depth(390), in_depth(768)])
async def test_nothing_is_wider_than_the_screen(report, browser_page, tmp_path, width):
    await browser_page.set_viewport_size({"width": width, "height": 800})
    await open_page(browser_page, report.to_html(), tmp_path)
    await browser_page.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")

    assert await sideways(browser_page) <= 0


@pytest.mark.parametrize("scheme", ["light", in_depth("dark")])
async def test_every_text_has_contrast_by_day_and_by_night(report, chromium, tmp_path, scheme):
    page = await (await chromium.new_context(color_scheme=scheme)).new_page()
    await open_page(page, report.to_html(), tmp_path)
    await page.eval_on_selector_all("details", "all => all.forEach(d => d.open = true)")
    await page.locator("#answer .mark", has_text="[2]").first.hover()

    dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(255, 255, 255)") == (scheme == "light")
    contrasts = await page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert {text: ratio for text, ratio in contrasts.items() if ratio < 4.5} == {}


async def test_paper_has_everything_and_folds_nothing(report, browser_page, tmp_path):
    long = [f"Paragraph {n} of a long answer." for n in range(200)]
    report.answers[0].content = "\n\n".join(long)
    await open_page(browser_page, report.to_html(), tmp_path)

    pdf = PdfReader(io.BytesIO(await browser_page.pdf()))
    text = " ".join(" ".join(page.extract_text() for page in pdf.pages).split())

    assert report.question in text
    assert all(paragraph in text for paragraph in long)
    assert report.answers[0].tool_calls[0].args["query"] in text  # folded on the screen
    assert "panelist_timeout" in text  # folded on the screen
    assert "https://example.org/costs" in text  # a link on the screen
    assert "Words not_found." in text


@pytest.mark.slow
@pytest.mark.parametrize("paper", ["A4", "Letter"])
async def test_a_run_of_three_members_prints_on_two_sheets(record, browser_page, tmp_path, paper):
    report = FusionReport.model_validate(record)
    await open_page(browser_page, report.to_html(), tmp_path)

    pdf = PdfReader(io.BytesIO(await browser_page.pdf(format=paper)))
    first, *others = (" ".join(page.extract_text().split()) for page in pdf.pages)

    assert len(others) == 1
    for part in (report.question, "Answer", "Claims", "Comparison", "Who said what"):
        assert part in first
    for part in ("The panel’s answers", "Sources", "Timeline", "Cost", "Configuration"):
        assert part in others[0]
    # Neither sheet is cut at its edge: the text is as wide as the paper lets it be.
    width = (210 if paper == "A4" else 215.9) - 22
    await browser_page.emulate_media(media="print")
    await browser_page.set_viewport_size({"width": round(width / 25.4 * 96), "height": 1000})
    assert await sideways(browser_page) <= 0


async def test_claims_and_sources_stand_side_by_side_on_a_wide_screen(
    report, browser_page, tmp_path
):
    await browser_page.set_viewport_size({"width": 1280, "height": 900})
    await open_page(browser_page, report.to_html(), tmp_path)
    for section in ("#claims", "#sources"):
        lefts = await browser_page.locator(f"{section} li[id]").evaluate_all(
            "all => all.map(e => e.getBoundingClientRect().left)"
        )
        assert len(set(lefts)) == 2


async def test_failed_members_tell_the_reason_and_the_providers_words(
    models, ran, browser_page, tmp_path
):
    words = "Insufficient credits. Add more at your settings page."
    models.script("b", {"status": 402, "error": {"message": words}})

    report = ran()
    await open_page(browser_page, report.to_html(), tmp_path)

    member = browser_page.locator("#panel article.failed")
    said = await member.inner_text()
    assert "insufficient_credits · HTTP 402" in said
    assert words in said
    facts = await browser_page.locator(".facts").inner_text()
    assert "Degraded" in facts
    assert "2 of 3 panelists answered" in facts
    clash = browser_page.locator(".sides li")
    assert await clash.count() >= 1
    assert "of 2" in await browser_page.locator("#comparison").inner_text()


async def test_a_run_that_nobody_answered_is_a_page_with_every_reason(
    models, panel_config, browser_page, tmp_path
):
    for name, status in {"a": 401, "b": 402, "c": 404}.items():
        models.script(name, {"status": status})
    graph = create_fusion_graph(panel_config())
    with pytest.raises(AllPanelistsFailed) as failed:
        await graph.ainvoke({"messages": [("user", "How wet is water?")]})

    report = FusionReport.model_validate(failed.value.report)
    seen = await open_page(browser_page, report.to_html(), tmp_path)

    assert seen.nothing, seen
    text = await browser_page.locator("body").inner_text()
    assert "No answer" in text
    assert "Why there is no answer" in text
    assert all(reason in text for reason in ("auth", "insufficient_credits", "invalid_model"))
    assert await browser_page.locator("#panel article.failed").count() == 3


async def test_one_model_without_a_panel_is_told_as_that(
    models, panel_config, browser_page, tmp_path
):
    graph = create_fusion_graph(panel_config(invocation="never"))
    state = await graph.ainvoke({"messages": [("user", "How wet is water?")]})

    await open_page(browser_page, FusionReport.from_state(state).to_html(), tmp_path)

    text = await browser_page.locator("body").inner_text()
    assert "one model, no panel" in text
    assert "Its answer is the one above." in text
    assert await browser_page.locator("#comparison").count() == 0
    assert await browser_page.locator(".lane .bar").count() == 1


async def test_sixteen_panelists_stay_usable_on_a_phone(models, ran, chromium, tmp_path):
    names = [f"member-{n}" for n in range(1, 17)]
    for name in names:
        models.script(name, f"{name} says that water is wet. " * 60)
    models.script("member-7", "הפאנל אומר שמים רטובים.\n\n- אחת\n- שתיים")
    page = await chromium.new_page(viewport=NARROW)

    report = ran(panel=[f"scripted:{name}" for name in names])
    seen = await open_page(page, report.to_html(), tmp_path)

    assert seen.nothing, seen
    assert await sideways(page) <= 0
    assert await page.locator("#panel article").count() == 16
    last = page.locator("#panel article").last
    assert not await in_view(last)
    await page.get_by_role("navigation", name="Panelists").get_by_text("member-16").click()
    await page.wait_for_function(IN_VIEW, arg=await last.element_handle())
    assert await in_view(last)
    # Right-to-left answers are set so, lists with their bullets on the right.
    hebrew = page.locator("#panelist-7 .body")
    for block in ("p", "ul", "li"):
        side = await hebrew.locator(block).first.evaluate("e => getComputedStyle(e).direction")
        assert side == "rtl", block
    colours = await page.eval_on_selector_all(
        "#panel article > header .dot", "all => all.map(d => getComputedStyle(d).backgroundColor)"
    )
    assert len(set(colours)) == 16


IN_VIEW = """e => {
  const box = e.getBoundingClientRect();
  return box.left >= -1 && box.left < innerWidth && box.top < innerHeight && box.bottom > 0;
}"""


async def in_view(locator) -> bool:
    return bool(await locator.evaluate(IN_VIEW))


async def test_in_a_notebook_the_page_stands_in_a_frame_that_may_do_nothing(
    report, browser_page, tmp_path
):
    notebook = f"<!doctype html><style>* {{ color: red }}</style><p>Out</p>{report._repr_html_()}"

    seen = await open_page(browser_page, notebook, tmp_path)
    assert [url for url in seen.requests if not url.startswith("about:")] == []
    assert not seen.complaints
    frame = browser_page.frames[1]
    assert await browser_page.locator("iframe").get_attribute("sandbox") is not None
    assert "allow-scripts" not in str(await browser_page.locator("iframe").get_attribute("sandbox"))
    box = await browser_page.locator("iframe").bounding_box()
    assert box is not None
    assert box["height"] > 400

    assert await frame.locator("h1").inner_text() == report.question
    assert await frame.locator("h1").evaluate("e => getComputedStyle(e).color") != "rgb(255, 0, 0)"
    # Links inside lead inside, and not into the notebook.
    await frame.get_by_role("navigation", name="Contents").get_by_text("Sources").click()
    assert await frame.evaluate("document.querySelector(':target').id") == "sources"
    assert await browser_page.locator("p", has_text="Out").count() == 1
