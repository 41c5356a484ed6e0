"""All labels as one conditional SavedModel, and the pictures it draws."""
