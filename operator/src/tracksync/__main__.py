"""Run the command line with `python -m tracksync`."""

from tracksync.cli.main import main

if __name__ == "__main__":
    main()
