from glasswork.core.schemas import Input
from glasswork.features.accounts.schemas import Email, Name, Password, Username
from glasswork.features.credentials.schemas import OneTimeSecret


class FirstAdminCreate(Input):
    token: OneTimeSecret
    email: Email
    username: Username
    name: Name
    password: Password
