"""A real OpenID provider in a process of its own: django-oauth-toolkit on loopback, made anew in an empty folder.

`python idp.py FOLDER REDIRECT_URI` reads an RSA key from FOLDER/key.pem, says its port in one line, serves, and ends
when its standard input does: however the tests end, no process is left behind. Nothing of Django is imported before it
is configured, and its parts have no types.
"""

import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

CLIENT_ID = "beatbook"
CLIENT_SECRET = "a long secret of the client: with + and %"
SHARED_CLIENT_ID = "beatbook-shared"
"""A client whose ID tokens the provider signs with the client's secret (HS256)."""
PUBLIC_CLIENT_ID = "beatbook-public"
PASSWORD = "four grey herons"
USERS = {"WM21877@force.example": ["station-4", "sergeants"], "stranger@force.example": [], "WM1@other.example": []}
LOGIN_PAGE = (
    '<form method="post">{% csrf_token %}{{ form.as_p }}<input type="hidden" name="next" value="{{ next }}"></form>'
)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


def configure(folder: Path, issuer: str) -> None:
    """Set Django up: a database in the folder, a login form, and the toolkit with OpenID Connect and PKCE."""
    import_module("django.conf").settings.configure(
        SECRET_KEY="of a provider that lives for a minute",
        ALLOWED_HOSTS=["127.0.0.1"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "idp.sqlite")}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": [("django.template.loaders.locmem.Loader", {"login.html": LOGIN_PAGE})],
                    "context_processors": ["django.template.context_processors.request"],
                },
            }
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ROOT_URLCONF=__name__,
        LOGIN_URL="/login/",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_ISS_ENDPOINT": issuer,
            "OIDC_RSA_PRIVATE_KEY": (folder / "key.pem").read_text(),
            "PKCE_REQUIRED": True,
            "SCOPES": {"openid": "who you are", "profile": "your name"},
            "OAUTH2_VALIDATOR_CLASS": f"{__name__}.validator_class",
            "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
            "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
        },
    )
    import_module("django").setup()


def __getattr__(name: str) -> Any:  # noqa: ANN401  Django asks this module for its URLs and for its validator
    if name == "urlpatterns":
        urls = import_module("django.urls")
        login = import_module("django.contrib.auth.views").LoginView.as_view(template_name="login.html")
        return [urls.path("login/", login), urls.path("o/", urls.include("oauth2_provider.urls"))]
    if name == "validator_class":
        base = import_module("oauth2_provider.oauth2_validators").OAuth2Validator

        def additional_claims(_self: object, request: Any) -> dict[str, Any]:  # noqa: ANN401  oauthlib's
            return {"preferred_username": request.user.username, "groups": USERS.get(request.user.username, [])}

        return type("Validator", (base,), {"get_additional_claims": additional_claims, "oidc_claim_scope": None})
    raise AttributeError(name)


def fill(redirect_uri: str) -> None:
    """Make the tables, the people and the clients."""
    people = import_module("django.contrib.auth").get_user_model().objects
    clients = import_module("oauth2_provider.models").get_application_model().objects
    import_module("django.core.management").call_command("migrate", verbosity=0, run_syncdb=True)
    for name in USERS:
        people.create_user(name, password=PASSWORD)
    for client_id, client_type, algorithm in (
        (CLIENT_ID, "confidential", "RS256"),
        (PUBLIC_CLIENT_ID, "public", "RS256"),
        (SHARED_CLIENT_ID, "confidential", "HS256"),
    ):
        clients.create(
            name=client_id,
            client_id=client_id,
            client_secret=CLIENT_SECRET,
            hash_client_secret=False,
            client_type=client_type,
            authorization_grant_type="authorization-code",
            redirect_uris=redirect_uri,
            algorithm=algorithm,
            skip_authorization=True,
        )


def main() -> None:
    """Serve until standard input ends."""
    folder, redirect_uri = Path(sys.argv[1]), sys.argv[2]
    server = _Server(("127.0.0.1", 0), _QuietHandler)
    port = server.server_address[1]
    configure(folder, f"http://127.0.0.1:{port}/o")
    fill(redirect_uri)
    server.set_app(import_module("django.core.wsgi").get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
