"""Settings are environment variables or `.env`, read once at the start and passed down."""

import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from glasswork.core.errors import EXIT_CONFIGURATION, StartError
from glasswork.core.event_stream import StreamAddress
from glasswork.core.rates import parse_rates

Separated = Annotated[tuple[str, ...], NoDecode]  # "a,b" in the environment

MIN_SECRET_BYTES = 32
DISCOVERY_PATH = "/.well-known/openid-configuration"

_PROVIDER_NAME = re.compile(r"[a-z0-9-]{1,32}")
_SCHEMES = ("https://", "http://")


def default_data_dir() -> Path:
    return platformdirs.user_data_path("glasswork") if os.geteuid() else Path("/var/lib/glasswork")


class Environment(StrEnum):
    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class OidcClient(BaseModel):
    """How we are known to a provider of identities."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    discovery_url: str
    client_id: str = Field(min_length=1)
    client_secret: SecretStr = Field(min_length=1)
    scopes: str = "openid email profile"


class SecretFiles(PydanticBaseSettingsSource):
    """`JWT_SECRET_FILE=/run/secrets/jwt` stands for the file's content, for any setting."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002
        variable = f"{field_name.upper()}_FILE"
        path = os.environ.get(variable)
        try:
            return (Path(path).read_text().strip() if path else None), field_name, False
        except (OSError, ValueError) as error:
            raise StartError(f"{variable}={path} cannot be read: {error}", EXIT_CONFIGURATION) from error

    def __call__(self) -> dict[str, Any]:
        values = ((name, self.get_field_value(field, name)[0]) for name, field in self.fields.items())
        return {name: value for name, value in values if value is not None}

    @property
    def fields(self) -> dict[str, FieldInfo]:
        return self.settings_cls.model_fields


class LocalSettings(BaseSettings):
    """What must be known before a database is there: `serve` adds what a fresh machine lacks."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True)

    environment: Environment = Environment.DEVELOPMENT
    data_dir: Path = Field(default_factory=default_data_dir)
    database_url: SecretStr | None = None
    database_pooler_url: SecretStr | None = None
    migration_database_url: SecretStr | None = None
    jwt_secret: SecretStr | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (its files have no _FILE names)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, SecretFiles(settings_cls), dotenv_settings

    @field_validator("database_url", "database_pooler_url", "migration_database_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        """Take what other programs call it too; the driver is ours."""
        if value is None:
            return None
        with suppress(ArgumentError):
            url = make_url(value.get_secret_value())
            if url.drivername in {"postgresql+asyncpg", "postgresql", "postgres"}:
                query = {{"sslmode": "ssl"}.get(name, name): word for name, word in url.query.items()}
                ours = url.set(drivername="postgresql+asyncpg", query=query)
                return SecretStr(ours.render_as_string(hide_password=False))
        raise ValueError("must look like postgresql://user:password@host:5432/database")

    @field_validator("database_pooler_url")
    @classmethod
    def _is_not_alone(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is not None and info.data.get("database_url") is None:
            raise ValueError("needs DATABASE_URL, too: the same database without the pooler")
        return value

    @field_validator("jwt_secret")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"must have at least {MIN_SECRET_BYTES} bytes: openssl rand -base64 48")
        return value


class Settings(LocalSettings):
    database_url: SecretStr
    jwt_secret: SecretStr

    jwt_accepted_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    redis_url: SecretStr | None = None
    event_stream_url: SecretStr | None = None
    database_pool_size: int = Field(default=20, ge=1, le=500)
    database_wait_seconds: float = Field(default=30, gt=0)
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = Field(default=None, ge=1, le=65535)
    drain_seconds: float = Field(default=0, ge=0, le=300)
    cors_origins: Separated = ()
    trusted_hosts: Separated = ("localhost", "127.0.0.1", "[::1]")
    trusted_proxies: Separated = ()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = Field(default=None, validate_default=True)
    rate_limit_enabled: bool = True
    rate_limit_global: str = "1200/minute"
    rate_limit_token: str = "600/minute"  # noqa: S105 (no token)
    rate_limit_routes: Annotated[Mapping[str, str], NoDecode] = Field(default_factory=dict)
    rate_limit_registrations: int = Field(default=20, ge=1, le=100_000)
    password_min_length: int = Field(default=12, ge=8, le=64)
    password_rules: Literal["length", "complex"] = "length"  # noqa: S105 (no password)
    registration: Literal["open", "invited", "closed"] = "open"
    registration_min_age: int | None = Field(default=None, ge=1, le=100)
    docs_enabled: bool = Field(default=None, validate_default=True)
    ops_page: Literal["off", "auto", "on"] = "auto"
    public_url: str = "http://127.0.0.1:8000"
    outgoing_allowed: Separated = ()
    webhook_allow_cidrs: Separated = ()
    webhook_retry_seconds: float = Field(default=86_400, ge=1, le=604_800)
    github_api_url: str = "https://api.github.com"
    oidc_providers: Annotated[Mapping[str, OidcClient], NoDecode] = Field(default_factory=dict)
    smtp_url: SecretStr | None = None
    mail_from: str = "Glasswork <glasswork@localhost>"
    retention_days: int = Field(default=30, ge=1, le=3650)
    worker_inline: bool = False
    heartbeat_seconds: float = Field(default=30, ge=1)
    max_connections: int = Field(default=4000, ge=1, le=100_000)
    live_streams: int = Field(default=2000, ge=1, le=100_000)
    live_streams_per_user: int = Field(default=20, ge=1, le=100_000)
    max_body_bytes: int = Field(default=1_048_576, ge=1024)
    storage_url: str | None = None
    attachment_max_bytes: int = Field(default=100 * 2**20, ge=1024)
    import_max_bytes: int = Field(default=200 * 2**20, ge=1024)
    workspace_quota_bytes: int = Field(default=10 * 2**30, ge=0)

    @field_validator(
        "cors_origins",
        "trusted_hosts",
        "trusted_proxies",
        "outgoing_allowed",
        "webhook_allow_cidrs",
        mode="before",
    )
    @classmethod
    def _separate(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(item.strip().rstrip("/") for item in value.split(",") if item.strip())

    @field_validator("jwt_accepted_secrets", mode="before")
    @classmethod
    def _are_secrets(cls, value: object) -> object:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("jwt_accepted_secrets")
    @classmethod
    def _are_long(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for secret in value:
            cls._is_long(secret)
        return value

    @field_validator("trusted_proxies", "outgoing_allowed", "webhook_allow_cidrs")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)
        return value

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"rediss?://[^/]|unix://", value.get_secret_value()):
            raise ValueError("must look like redis://user:password@host:6379/0")
        return value

    @field_validator("event_stream_url")
    @classmethod
    def _is_stream(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            StreamAddress.parse(value.get_secret_value())
        return value

    @field_validator("oidc_providers", "rate_limit_routes", mode="before")
    @classmethod
    def _are_json(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("must be a JSON object") from None  # the text has secrets

    @field_validator("oidc_providers")
    @classmethod
    def _are_encrypted(
        cls, value: Mapping[str, OidcClient], info: ValidationInfo
    ) -> Mapping[str, OidcClient]:
        schemes = ("https://",) if info.data.get("environment") is Environment.PRODUCTION else _SCHEMES
        for name, client in value.items():
            if not _PROVIDER_NAME.fullmatch(name):
                raise ValueError("a provider is named by a to z, 0 to 9 and -")
            url = client.discovery_url
            if not url.startswith(schemes) or not url.endswith(DISCOVERY_PATH):
                raise ValueError(f"{name}: discovery_url must look like https://host{DISCOVERY_PATH}")
        return value

    @field_validator("github_api_url")
    @classmethod
    def _is_address(cls, value: str, info: ValidationInfo) -> str:
        schemes = ("https://",) if info.data.get("environment") is Environment.PRODUCTION else _SCHEMES
        if not value.startswith(schemes) or set(value) & set("?#@ "):
            raise ValueError("must look like https://host/path")
        return value.rstrip("/")

    @field_validator("rate_limit_global", "rate_limit_token")
    @classmethod
    def _are_rates(cls, value: str) -> str:
        parse_rates("requests", value)
        return value

    @field_validator("rate_limit_routes")
    @classmethod
    def _have_rates(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for operation, rates in value.items():
            parse_rates(operation, rates)
        return value

    @field_validator("log_format", mode="before")
    @classmethod
    def _for_people_at_home(cls, value: object, info: ValidationInfo) -> object:
        at_home = info.data.get("environment") is Environment.DEVELOPMENT
        return value or ("console" if at_home else "json")

    @field_validator("docs_enabled", mode="before")
    @classmethod
    def _for_developers(cls, value: object, info: ValidationInfo) -> object:
        return info.data.get("environment") is not Environment.PRODUCTION if value is None else value

    @property
    def has_ops_page(self) -> bool:
        """`auto`: outside of production."""
        return self.ops_page == "on" or (
            self.ops_page == "auto" and self.environment is not Environment.PRODUCTION
        )

    @property
    def owner_database_url(self) -> SecretStr:
        """The role that owns the tables and migrates them."""
        return self.migration_database_url or self.database_url
