"""What a scrape says."""

from prometheus_client.parser import text_string_to_metric_families


def total(scrape: str, name: str, **labels: str) -> float:
    """Return the sum of all samples of that name that have these labels."""
    samples = (sample for family in text_string_to_metric_families(scrape) for sample in family.samples)
    return sum(
        sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()
    )
