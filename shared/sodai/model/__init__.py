"""The trained model, how it scores, and the MLflow registry that keeps its versions."""
