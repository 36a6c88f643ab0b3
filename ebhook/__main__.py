"""``python -m ebhook``."""

from ebhook.cli import main

if __name__ == "__main__":
    main()
