"""A report full of hostile words, opened from disk in a real browser: nothing runs, nothing is fetched."""

from __future__ import annotations

import numpy as np
import patience
import pytest
from attacks import ATTACKS
from servers import dialogs_of

import toolkit as tk


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hostile_words_are_shown_and_not_run(chromium, tmp_path, screenshots, scheme):
    rng = np.random.default_rng(0)
    acts = tk.from_arrays(
        heads=rng.normal(size=(80, 2, 3, 8)), mlps=rng.normal(size=(80, 3, 8)), scale="raw",
        labels=[ATTACKS[2 * (i % 2)] for i in range(80)],
        groups=[ATTACKS[i % len(ATTACKS)] for i in range(80)],
        ids=[f"{ATTACKS[i % len(ATTACKS)]} {i}" for i in range(80)],
    )  # fmt: skip
    classes = tk.classes([ATTACKS[0], ATTACKS[2]], vectors=rng.normal(size=(2, 8)))
    path = tk.report(tmp_path / "x.html", acts, classes, "L1.H2 L0.H0", title=ATTACKS[1])
    context = chromium.new_context(viewport={"width": 900, "height": 1200}, color_scheme=scheme)
    context.set_default_timeout(patience.milliseconds())
    page = context.new_page()
    requests, dialogs = [], dialogs_of(page)
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    page.mouse.move(300, 300)
    assert page.evaluate("window.hit") is None
    assert dialogs == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert page.url == path.as_uri()
    assert page.locator("h1").inner_text() == ATTACKS[1]
    assert page.locator("iframe, svg, a, link, math").count() == 0
    shown = page.locator("main").inner_text()
    assert ATTACKS[2] in shown
    facts = page.evaluate("JSON.parse(document.getElementById('report').textContent)")
    assert facts["heads"] == "L1.H2 L0.H0"
    assert all(page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)"))
    page.screenshot(path=screenshots / f"report-{scheme}.png", full_page=True)
    context.close()
