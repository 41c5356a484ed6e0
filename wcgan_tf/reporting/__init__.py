"""A run as a page and in TensorBoard."""
