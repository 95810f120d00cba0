"""Entry point: `python -m analyze_interpretability`."""

from analyze_interpretability.cli import main

if __name__ == "__main__":
    main()
