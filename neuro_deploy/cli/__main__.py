"""Makes ``python -m neuro_deploy.cli`` the command line."""

from neuro_deploy.cli import main

if __name__ == "__main__":
    main()
