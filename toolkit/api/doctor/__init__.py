"""What a careful person checks before believing a number."""
