"""What the folders of a data set mean, and what a person said they mean."""
