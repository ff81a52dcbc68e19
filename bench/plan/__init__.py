"""From options to experiments: which cases, which arms."""
