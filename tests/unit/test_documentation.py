"""The documentation says what is there: links lead somewhere, and the table of metrics is the metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from bot import metrics

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
METRIC = re.compile(r"^\| `(switchboard_\w+)` \| ([\w, ]*?) ?\|", re.MULTILINE)
WARNS = re.compile(r"""log\.(?:warning|error)\(\s*"([a-z_.]+)\"""")
DECLARED = {name: one for name, one in vars(metrics).items() if isinstance(one, MetricWrapperBase)}


def anchors(page: Path) -> set[str]:
    """As GitHub makes them from headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page: Path) -> Iterator[str]:
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert list(broken(page)) == []


def test_every_metric_is_explained_with_its_labels() -> None:
    told = dict(METRIC.findall((ROOT / "docs/operating.md").read_text(encoding="utf-8")))
    there = {
        one._name + ("_total" if isinstance(one, Counter) else ""): ", ".join(one._labelnames)
        for one in DECLARED.values()
    }
    assert told == there


def test_every_metric_is_measured_somewhere() -> None:
    files = [path for folder in ("bot", "handoff") for path in (ROOT / folder).rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert [name for name in DECLARED if not re.search(rf"\bmetrics\.{name}\b", code)] == []


def test_every_warning_in_the_log_says_in_the_table_what_it_means() -> None:
    table = set(re.findall(r"`([a-z_.]+)`", (ROOT / "docs/operating.md").read_text(encoding="utf-8")))
    sources = [path for part in ("bot", "connectors", "handoff") for path in (ROOT / part).rglob("*.py")]
    warns = {name for path in sources for name in WARNS.findall(path.read_text(encoding="utf-8"))}
    assert len(warns) > 15
    assert warns - table == set()
