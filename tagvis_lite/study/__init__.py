"""What was measured with the method: ablations, the report, speed, composites."""
