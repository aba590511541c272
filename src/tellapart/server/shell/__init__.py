"""HTTP that knows no model: limits, origins, deadlines, refusals, pages."""
