"""The name under which models that were registered before this module moved are stored."""

from sodai.model.blended_classifier import BlendedClassifier

__all__ = ["BlendedClassifier"]
