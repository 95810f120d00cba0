"""The trained model, its scores, and the MLflow registry of its versions."""
