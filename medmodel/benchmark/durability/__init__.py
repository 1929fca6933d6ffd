"""What is left of runs and workspaces after kills, damage and resumes."""
