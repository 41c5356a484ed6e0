"""Classifiers, their features, and the scores made of them."""
