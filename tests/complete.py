"""The option ``--complete``: what is missing on a machine hides no test."""

from collections.abc import Generator
from typing import Any

import pytest
from needs import left_out


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("parts that may be missing")
    group.addoption("--complete", action="store_true", help="let a test fail that is skipped because it needs something")
    group.addoption("--may-miss", action="append", default=[], metavar="WHAT", help="but what it may need, such as 'a browser'")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("complete") and left_out():
        raise pytest.UsageError(f"--complete: not collected for want of {', '.join(left_out())}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """With ``--complete``, what a machine lacks is no reason to pass; data that somebody must fetch first are one."""
    report = (yield).get_result()
    if not report.skipped or not isinstance(report.longrepr, tuple) or not item.config.getoption("complete"):
        return
    reason = report.longrepr[2].removeprefix("Skipped: ")
    allowed = tuple(f"needs {what}" for what in item.config.getoption("may_miss"))
    if reason.startswith("needs ") and not reason.startswith(allowed):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid}: {reason}"
