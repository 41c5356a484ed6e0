"""Images: where they come from, how they are decoded, sorted by label and read back."""
