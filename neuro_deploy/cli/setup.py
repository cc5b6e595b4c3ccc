"""Look at the set-up."""

import typer

from neuro_deploy.cli.common import MODELS, console


def doctor() -> None:
    """Report which parts of the set-up are present, and test Lava; exit code 1 if something is wrong."""
    from neuro_deploy.report.tables import findings_table
    from neuro_deploy.workbench.doctor import examine

    findings = examine(MODELS)
    console.print(findings_table(findings))
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)
