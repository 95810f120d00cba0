"""An alias for the class that models registered before it moved are stored under."""

from sodai.model.blended_classifier import BlendedClassifier

__all__ = ["BlendedClassifier"]
