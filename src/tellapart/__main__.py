"""The command line as `python -m tellapart`, for when the folder of scripts is not on the path."""

from tellapart.cli.main import main

if __name__ == "__main__":
    main()
