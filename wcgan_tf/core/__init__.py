"""Errors, files, paths, signals, terminal output and random numbers: what every stage uses."""
