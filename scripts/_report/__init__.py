"""What `scripts/report.py` is made of: data, charts, page, figures."""
