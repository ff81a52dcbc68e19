"""The experiments behind ``scripts/claims.py``: what introductory articles say of ReLU, put to the test."""
