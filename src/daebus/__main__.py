"""``python -m daebus``."""

from daebus.cli import main

if __name__ == "__main__":
    main(prog_name="daebus")
