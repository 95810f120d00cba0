"""Entry point: `python -m generate_predictions`."""

from generate_predictions.cli import main

if __name__ == "__main__":
    main()
