"""The report of a run, and its overview in TensorBoard."""
