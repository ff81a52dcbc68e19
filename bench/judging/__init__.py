"""Whether an arm did the work: the gate, planted inputs, tampering."""
