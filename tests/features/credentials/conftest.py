import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from tests.features.credentials.letters import Postman


@pytest.fixture
def postman(app: FastAPI, database: Database) -> Postman:
    return Postman(app, database)
