"""`python -m blueprint` is `blueprint`."""

from blueprint.cli import main

if __name__ == "__main__":
    main()
