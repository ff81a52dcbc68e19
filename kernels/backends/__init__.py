"""The implementations, a file each; its name is the registry key and the value in the CSV."""
