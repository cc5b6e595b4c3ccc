"""The command line: :mod:`neuro_deploy.cli.command` surrounds the verbs, which are in :mod:`neuro_deploy.cli.app`."""

import sys

from neuro_deploy.cli.signals import ended_by_signals


def main() -> None:
    """Run the command line and exit; an error of the user's is one line and exit code 2."""
    with ended_by_signals():
        from neuro_deploy.cli.command import run  # not before signals are heard: it takes a while

        sys.exit(run(sys.argv[1:]))
