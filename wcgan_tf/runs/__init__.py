"""Files in the folder of a run: settings, status, log and TensorBoard event files of each label, and the scores."""
