"""What is counted of the model that answers, in the form that Prometheus reads."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class PhotoCounters:
    """What became of photos, of models read again, and of the processes that decode.

    Args:
        registry: one server's own.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.photos = Counter("tellapart_photos", "Photos, by what became of them.", ["outcome"], registry=registry)
        self.reloads = Counter(
            "tellapart_model_reloads", "Models read again, by what became of them.", ["outcome"], registry=registry
        )
        self.waiting = Gauge("tellapart_photos_waiting", "Photos being answered or waiting.", registry=registry)
        self.decoders = Gauge("tellapart_decoders_ready", "Decoding processes that are ready.", registry=registry)
        self.deaths = Gauge("tellapart_decoder_deaths", "Decoding processes that ended.", registry=registry)
