import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from glasswork.core.errors import EXIT_CONFIGURATION, StartError
from glasswork.core.settings import DISCOVERY_PATH, LocalSettings, Settings, default_data_dir
from glasswork.installation import installation

URL = "postgresql+asyncpg://ada:otter@localhost:5432/glasswork"
SECRET = "a secret that has more than 32 bytes"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is set, and there is no .env."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in ({"DATABASE_URL": URL, "JWT_SECRET": SECRET} | environment).items():
        monkeypatch.setenv(name, value)
    return Settings()


def provider_at(url: str, name: str = "acme") -> str:
    return json.dumps({name: {"discovery_url": url, "client_id": "a", "client_secret": "otter"}})


class TestRefusals:
    def test_production_names_all_that_is_missing_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "production")
        with pytest.raises(StartError) as refusal, installation():
            pass
        assert "DATABASE_URL: is missing" in str(refusal.value)
        assert "JWT_SECRET: is missing" in str(refusal.value)
        assert refusal.value.exit_code == EXIT_CONFIGURATION

    def test_what_is_set_but_empty_is_missing_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(ValidationError) as refusal:
            read(monkeypatch, JWT_SECRET="", DATABASE_URL="")
        assert {error["type"] for error in refusal.value.errors()} == {"missing"}

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("JWT_SECRET", "x" * 31),
            ("DATABASE_URL", "postgresql+psycopg://ada:otter@localhost/glasswork"),
            ("DATABASE_URL", "sqlite+aiosqlite:///glasswork.db"),
            ("DATABASE_URL", "localhost:5432"),
            ("DATABASE_POOLER_URL", "pgbouncer://ada:otter@localhost:6432/glasswork"),
            ("MIGRATION_DATABASE_URL", "mysql://owner:otter@localhost/glasswork"),
            ("RATE_LIMIT_GLOBAL", "often"),
            ("RATE_LIMIT_GLOBAL", "10/fortnight"),
            ("RATE_LIMIT_TOKEN", "0/minute"),
            ("RATE_LIMIT_ROUTES", "search_tasks=60/minute"),
            ("RATE_LIMIT_ROUTES", '{"search_tasks": 60}'),
            ("RATE_LIMIT_ROUTES", '{"search_tasks": "often"}'),
            ("REDIS_URL", "localhost:6379"),
            ("REDIS_URL", "http://localhost:6379"),
            ("REDIS_URL", "redis:///0"),
            ("EVENT_STREAM_URL", "localhost:6379"),
            ("EVENT_STREAM_URL", "redis://localhost:6379/0?maxlen=few"),
            ("TRUSTED_PROXIES", "10.0.0.0/8,traefik"),
            ("TRUSTED_PROXIES", "10.0.0.1/8"),
            ("OUTGOING_ALLOWED", "localhost"),
            ("OIDC_PROVIDERS", "acme"),
            ("OIDC_PROVIDERS", "[]"),
            ("OIDC_PROVIDERS", '{"acme": {"client_id": "a", "client_secret": "b"}}'),
            ("OIDC_PROVIDERS", provider_at("https://acme.example")),
            ("OIDC_PROVIDERS", provider_at(f"ftp://acme.example{DISCOVERY_PATH}")),
            ("OIDC_PROVIDERS", provider_at(f"https://acme.example{DISCOVERY_PATH}", name="A/b")),
            ("PASSWORD_MIN_LENGTH", "7"),
            ("DATABASE_POOL_SIZE", "0"),
            ("MAX_BODY_BYTES", "many"),
            ("LOG_LEVEL", "loud"),
            ("LOG_FORMAT", "xml"),
            ("ENVIRONMENT", "prod"),
            ("DOCS_ENABLED", "perhaps"),
        ],
    )
    def test_names_what_is_wrong(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        with pytest.raises(ValidationError) as refusal:
            read(monkeypatch, **{name: value})
        (error,) = refusal.value.errors(include_input=False, include_url=False)
        assert error["loc"][0] == name.lower()

    def test_a_pooler_of_no_database_is_wrong(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_POOLER_URL", URL)
        with pytest.raises(ValidationError, match="needs DATABASE_URL"):
            LocalSettings()

    @pytest.mark.parametrize("content", [None, b"\xff" * 40], ids=["missing", "no text"])
    def test_a_file_that_cannot_be_read_is_named(
        self, monkeypatch: pytest.MonkeyPatch, folder: Path, content: bytes | None
    ) -> None:
        if content:
            (folder / "secret").write_bytes(content)
        with pytest.raises(StartError, match="JWT_SECRET_FILE=secret cannot be read: "):
            read(monkeypatch, JWT_SECRET="", JWT_SECRET_FILE="secret")

    def test_a_secret_is_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = read(monkeypatch)
        assert "otter" not in repr(settings)
        assert SECRET not in repr(settings)


class TestProviders:
    URL = f"http://acme.example{DISCOVERY_PATH}"

    def test_are_read_from_a_file_too(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        (folder / "providers").write_text(provider_at(self.URL))
        for name, value in (("OIDC_PROVIDERS", provider_at(self.URL)), ("OIDC_PROVIDERS_FILE", "providers")):
            with monkeypatch.context() as only:
                acme = read(only, **{name: value}).oidc_providers["acme"]
            assert acme.client_secret.get_secret_value() == "otter"
            assert acme.scopes == "openid email profile"
            assert "otter" not in repr(acme)

    def test_are_encrypted_in_production(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(ValidationError, match="https"):
            read(monkeypatch, ENVIRONMENT="production", OIDC_PROVIDERS=provider_at(self.URL))
        secure = provider_at(self.URL.replace("http:", "https:"))
        assert read(monkeypatch, ENVIRONMENT="production", OIDC_PROVIDERS=secure).oidc_providers


class TestGithub:
    @pytest.mark.parametrize(
        "url", ["api.github.com", "ftp://x", "https://x/?a=b", "https://a@x", "https://x#a"]
    )
    def test_is_called_at_an_address(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        with pytest.raises(ValidationError, match="https"):
            read(monkeypatch, GITHUB_API_URL=url)
        assert read(monkeypatch, GITHUB_API_URL="http://x/api/v3/").github_api_url == "http://x/api/v3"

    def test_is_called_encrypted_in_production(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(ValidationError, match="https"):
            read(monkeypatch, ENVIRONMENT="production", GITHUB_API_URL="http://x")
        secure = read(monkeypatch, ENVIRONMENT="production", GITHUB_API_URL="https://x")
        assert secure.github_api_url == "https://x"


class TestSources:
    def test_the_environment_is_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = read(monkeypatch)
        assert settings.database_url.get_secret_value() == URL
        assert settings.jwt_secret.get_secret_value() == SECRET

    @pytest.mark.parametrize(
        ("written", "read_as"),
        [
            ("postgres://ada:otter@localhost:5432/glasswork", URL),
            ("postgresql://ada:otter@localhost:5432/glasswork", URL),
            ("postgresql://ada:otter@localhost:5432/glasswork?sslmode=require", f"{URL}?ssl=require"),
        ],
    )
    def test_a_database_may_be_named_as_other_programs_do(
        self, monkeypatch: pytest.MonkeyPatch, written: str, read_as: str
    ) -> None:
        settings = read(monkeypatch, DATABASE_URL=written)
        assert settings.database_url.get_secret_value() == read_as

    def test_a_secret_may_be_a_file(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        (folder / "secret").write_text(f"{SECRET} from a file\n")
        (folder / "hosts").write_text("a.example,b.example\n")
        settings = read(monkeypatch, JWT_SECRET="", JWT_SECRET_FILE="secret", TRUSTED_HOSTS_FILE="hosts")
        assert settings.jwt_secret.get_secret_value() == f"{SECRET} from a file"
        assert settings.trusted_hosts == ("a.example", "b.example")

    def test_what_comes_nearer_counts(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        (folder / "level").write_text("warning")
        (folder / ".env").write_text("LOG_LEVEL=error\nLOG_FORMAT=json\nUNKNOWN=1\n")
        assert (read(monkeypatch).log_level, read(monkeypatch).log_format) == ("error", "json")
        assert read(monkeypatch, LOG_LEVEL_FILE="level").log_level == "warning"
        assert read(monkeypatch, LOG_LEVEL="debug").log_level == "debug"

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a.example", ("a.example",)),
            ("a.example,b.example", ("a.example", "b.example")),
            (" a.example , b.example ,", ("a.example", "b.example")),
            (",", ()),
        ],
    )
    def test_lists_are_separated_by_commas(
        self, monkeypatch: pytest.MonkeyPatch, text: str, expected: tuple[str, ...]
    ) -> None:
        assert read(monkeypatch, CORS_ORIGINS=text).cors_origins == expected

    def test_rates_are_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        several = "20/second;600 per 1 minute"
        settings = read(
            monkeypatch, RATE_LIMIT_GLOBAL=several, RATE_LIMIT_ROUTES=json.dumps({"search_tasks": several})
        )
        assert settings.rate_limit_global == several
        assert settings.rate_limit_routes == {"search_tasks": several}

    @pytest.mark.parametrize(
        "url", ["redis://:otter@localhost:6379/0", "rediss://localhost", "unix:///run/redis"]
    )
    def test_a_redis_is_taken(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        settings = read(monkeypatch, REDIS_URL=url)
        assert settings.redis_url is not None
        assert settings.redis_url.get_secret_value() == url
        assert "otter" not in repr(settings)

    def test_networks_are_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = read(monkeypatch, TRUSTED_PROXIES="10.0.0.0/8,2001:db8::/32,192.0.2.1")
        assert settings.trusted_proxies == ("10.0.0.0/8", "2001:db8::/32", "192.0.2.1")


class TestDefaults:
    @pytest.mark.parametrize(
        ("environment", "log_format", "docs"),
        [("development", "console", True), ("staging", "json", True), ("production", "json", False)],
    )
    def test_follow_the_environment(
        self, monkeypatch: pytest.MonkeyPatch, environment: str, log_format: str, *, docs: bool
    ) -> None:
        settings = read(monkeypatch, ENVIRONMENT=environment)
        assert (settings.log_format, settings.docs_enabled) == (log_format, docs)

    @pytest.mark.parametrize("environment", ["development", "production"])
    def test_give_way_to_what_is_set(self, monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
        chosen: dict[str, Any] = {"LOG_FORMAT": "console", "DOCS_ENABLED": "true"}
        on = read(monkeypatch, ENVIRONMENT=environment, **chosen)
        assert (on.log_format, on.docs_enabled) == ("console", True)
        off = read(monkeypatch, LOG_FORMAT="json", DOCS_ENABLED="false")
        assert (off.log_format, off.docs_enabled) == ("json", False)

    def test_the_serving_role_owns_the_tables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert read(monkeypatch).owner_database_url.get_secret_value() == URL
        owner = URL.replace("ada", "owner")
        settings = read(monkeypatch, MIGRATION_DATABASE_URL=owner)
        assert settings.owner_database_url.get_secret_value() == owner
        assert settings.database_url.get_secret_value() == URL

    def test_there_is_no_pooler(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert read(monkeypatch).database_pooler_url is None
        written = URL.replace("5432", "6432").replace("postgresql+asyncpg", "postgres")
        pooler = read(monkeypatch, DATABASE_POOLER_URL=written).database_pooler_url
        assert pooler is not None
        assert pooler.get_secret_value() == URL.replace("5432", "6432")

    @pytest.mark.parametrize(
        ("user", "path"), [(0, "/var/lib/glasswork"), (1000, "/home/ada/data/glasswork")]
    )
    def test_the_data_of_root_is_the_systems(
        self, monkeypatch: pytest.MonkeyPatch, user: int, path: str
    ) -> None:
        monkeypatch.setattr("os.geteuid", lambda: user)
        monkeypatch.setenv("XDG_DATA_HOME", "/home/ada/data")
        assert default_data_dir() == Path(path)
