"""What the settings say, and how they fit each other."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from glasswork.core.settings import Environment, Settings
from glasswork.doctor.findings import ERROR, NOTE, WARNING, Finding, in_production, judge

_LOCAL_NAMES = {"localhost", "", None}


def is_local(host: str | None) -> bool:
    """Whether it is this machine, by its name alone; a path is that of a socket."""
    if host in _LOCAL_NAMES or (host or "").startswith("/") or (host or "").endswith(".localhost"):
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


def public_host(settings: Settings) -> str:
    return urlsplit(settings.public_url).hostname or ""


def environment(settings: Settings) -> Finding:
    return judge(
        "environment",
        NOTE,
        settings.environment is Environment.PRODUCTION,
        f"ENVIRONMENT is {settings.environment}.",
        "For others than yourself set ENVIRONMENT=production: then nothing is made up.",
    )


def public_url(settings: Settings) -> Finding:
    scheme, is_here = urlsplit(settings.public_url).scheme, is_local(public_host(settings))
    is_asked_for = settings.environment is Environment.PRODUCTION or not is_here
    return judge(
        "public_url",
        in_production(settings, ERROR, WARNING),
        scheme == "https" or (scheme == "http" and not is_asked_for),
        f"PUBLIC_URL begins with {scheme or 'no scheme'}:// and names {public_host(settings) or 'no host'}.",
        "Set PUBLIC_URL to the https address by which callers reach the API; letters link there.",
    )


def log(settings: Settings) -> Finding:
    is_production = settings.environment is Environment.PRODUCTION
    return judge(
        "log",
        WARNING,
        not is_production or (settings.log_level != "debug" and settings.log_format == "json"),
        f"LOG_LEVEL is {settings.log_level}, LOG_FORMAT {settings.log_format}.",
        "In production set LOG_LEVEL=info and LOG_FORMAT=json: console lines may hold personal data.",
    )


def docs(settings: Settings) -> Finding:
    return judge(
        "docs",
        NOTE,
        not (settings.docs_enabled and settings.environment is Environment.PRODUCTION),
        f"/docs is {'on' if settings.docs_enabled else 'off'}.",
        "Set DOCS_ENABLED=false, unless everybody is to read it.",
    )


def ops_page(settings: Settings) -> Finding:
    return judge(
        "ops_page",
        WARNING,
        not (settings.has_ops_page and settings.environment is Environment.PRODUCTION),
        f"/ops is {'on' if settings.has_ops_page else 'off'}.",
        "Set OPS_PAGE=off, or let the proxy keep /ops inside, and its admins have a second factor.",
    )


def cors(settings: Settings) -> Finding:
    open_ones = [each for each in settings.cors_origins if "*" in each or each == "null"]
    plain = [
        each
        for each in settings.cors_origins
        if each.startswith("http://") and not is_local(urlsplit(each).hostname)
    ]
    severity = in_production(settings, ERROR if open_ones else WARNING, WARNING)
    return judge(
        "cors",
        severity,
        not open_ones and not plain,
        f"CORS_ORIGINS {_named(settings.cors_origins)}.",
        "Name the https origins whose pages may call the API, each for itself.",
    )


def trusted_proxies(settings: Settings) -> Finding:
    networks = [ip_network(each) for each in settings.trusted_proxies]
    is_behind_one = urlsplit(settings.public_url).scheme == "https" and not is_local(public_host(settings))
    if any(network.prefixlen == 0 for network in networks):
        return Finding(
            "trusted_proxies",
            ERROR,
            ok=False,
            evidence="TRUSTED_PROXIES has every address.",
            advice="Name the proxy's own network: now each caller says who they are, and no limit holds.",
        )
    return judge(
        "trusted_proxies",
        WARNING,
        bool(networks) or not is_behind_one,
        f"TRUSTED_PROXIES {_named(settings.trusted_proxies)}.",
        "Set TRUSTED_PROXIES to the network of the proxy that ends TLS: now all callers look like one.",
    )


def trusted_hosts(settings: Settings) -> Finding:
    hosts, host = {each.lower() for each in settings.trusted_hosts}, public_host(settings)
    name = f"[{host}]" if ":" in host else host
    suffixes = tuple(each[1:] for each in hosts if each.startswith("*."))
    fits = "*" in hosts or name in hosts or name.endswith(suffixes or ("\0",))
    return judge(
        "trusted_hosts",
        in_production(settings, ERROR if not fits else WARNING, WARNING),
        fits and "*" not in hosts,
        f"TRUSTED_HOSTS {_named(settings.trusted_hosts)}; PUBLIC_URL names {host}.",
        "Set TRUSTED_HOSTS to the host of PUBLIC_URL; others are refused.",
    )


def rate_limits(settings: Settings) -> Finding:
    return judge(
        "rate_limits",
        in_production(settings, ERROR, WARNING),
        settings.rate_limit_enabled,
        f"They are {'on' if settings.rate_limit_enabled else 'off'}.",
        "Set RATE_LIMIT_ENABLED=true: now passwords may be guessed without end.",
    )


def metrics_port(settings: Settings) -> Finding:
    return judge(
        "metrics_port",
        in_production(settings, WARNING),
        settings.metrics_port is not None,
        f"METRICS_PORT is {settings.metrics_port or 'not set: /metrics is where the API is'}.",
        "Set METRICS_PORT, on METRICS_HOST, which Prometheus alone reaches; the worker has none without it.",
    )


def drain_seconds(settings: Settings) -> Finding:
    return judge(
        "drain_seconds",
        in_production(settings, WARNING),
        settings.drain_seconds > 0,
        f"DRAIN_SECONDS is {settings.drain_seconds:g}.",
        "Set DRAIN_SECONDS to what the proxy needs to hear that a process goes: 5 is usual.",
    )


def mail(settings: Settings) -> Finding:
    return judge(
        "mail",
        in_production(settings, WARNING),
        settings.smtp_url is not None,
        "Mail is sent." if settings.smtp_url else "SMTP_URL is not set: mail is kept, and nobody gets it.",
        "Set SMTP_URL and MAIL_FROM; what is kept until then `glasswork mail` shows.",
    )


def _named(values: Sequence[str]) -> str:
    return f"has {', '.join(values)}" if values else "is empty"


CHECKS: Sequence[Callable[[Settings], Finding]] = (
    environment,
    public_url,
    log,
    docs,
    ops_page,
    cors,
    trusted_proxies,
    trusted_hosts,
    rate_limits,
    metrics_port,
    drain_seconds,
    mail,
)
