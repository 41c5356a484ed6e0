"""The labels and devices of processes, the training processes of this machine, and checks for results up to date."""
