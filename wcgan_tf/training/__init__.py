"""One label, from its images to its generator."""
