"""One conditional SavedModel of all labels, and the images drawn from it."""
