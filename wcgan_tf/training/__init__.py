"""The training of a label: from its images to its exported generator."""
