"""What a run's folder holds of each label: settings, status, log and TensorBoard's files."""
