"""Show what was measured before."""

from neuro_deploy.cli.common import RUNS, ConfigName, console


def report(config: ConfigName) -> None:
    """Show the training log and the last simulation of CONFIG."""
    from neuro_deploy.report.tables import simulation_tables, training_table
    from neuro_deploy.simulation import load_result
    from training.config import load
    from training.log import read_log

    folder = RUNS / load(config).name
    log = read_log(folder)
    if log:
        console.print(training_table(log))
    console.print(simulation_tables(load_result(folder / "simulation.json")))
