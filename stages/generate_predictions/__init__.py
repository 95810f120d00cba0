"""Stage generate_predictions: scores every candidate and publishes the recommendations."""
