"""`python -m medmodel`, and `medmodel` once installed: see `medmodel.cli`."""

import sys

from medmodel.core import installation


def main() -> None:
    """Runs a command; names the packages that are missing, if any is.

    Raises:
        ModuleNotFoundError: By a mistake of ours.
    """
    try:
        from medmodel import cli

        cli.main()
    except ModuleNotFoundError:
        missing = installation.missing_packages()
        if not missing:
            raise
        sys.exit(installation.how_to_install(missing))


if __name__ == "__main__":
    main()
