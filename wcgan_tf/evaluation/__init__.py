"""Classifiers, their features, and the scores computed from them."""
