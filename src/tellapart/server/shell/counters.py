"""What is counted of every request, in the form that Prometheus reads."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class RequestCounters:
    """How many requests, and how long they took.

    Args:
        registry: one server's own.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter("tellapart_requests", "Requests answered.", ["route", "status"], registry=registry)
        self.seconds = Histogram(
            "tellapart_request_seconds",
            "Seconds from a request's first byte to its answer's last.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )


def as_text(registry: CollectorRegistry) -> bytes:
    """All that is counted in `registry`."""
    return generate_latest(registry)
