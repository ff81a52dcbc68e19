"""The judge: what the right answer is, what is wrong with another, what is only reported."""
