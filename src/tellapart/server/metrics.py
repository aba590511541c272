"""What is counted, in the form that Prometheus reads."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)


class Metrics:
    """The counters of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("tellapart_requests", "Requests answered.", ["route", "status"], registry=self.registry)
        self.seconds = Histogram(
            "tellapart_request_seconds",
            "Seconds from a request's first byte to its answer's last.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.photos = Counter(
            "tellapart_photos", "Photos, by what became of them.", ["outcome"], registry=self.registry
        )
        self.reloads = Counter(
            "tellapart_model_reloads", "Models read again, by what became of them.", ["outcome"], registry=self.registry
        )
        self.waiting = Gauge("tellapart_photos_waiting", "Photos being answered or waiting.", registry=self.registry)
        self.decoders = Gauge("tellapart_decoders_ready", "Decoding processes that are ready.", registry=self.registry)
        self.deaths = Gauge("tellapart_decoder_deaths", "Decoding processes that ended.", registry=self.registry)

    def text(self) -> bytes:
        """All of them, as text."""
        return generate_latest(self.registry)
