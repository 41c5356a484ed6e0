"""Code that every stage uses: errors, files, paths, signals, terminal output and random numbers."""
