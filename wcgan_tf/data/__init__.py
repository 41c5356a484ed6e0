"""Images: their sources, decoding, sorting by label, and reading of prepared images."""
