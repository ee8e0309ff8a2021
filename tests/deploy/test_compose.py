"""The compose file: locked up, pinned, bounded, and at one with what the server and the proxy are told."""

import ipaddress
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.configuration import read_configuration
from tests.deploy.rooms import DEPLOY, stages

COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# What each place may have, by the Compose specification; of a key that is misspelt nothing would be done.
TOP_KEYS = {"name", "services", "networks", "volumes", "secrets", "configs"}
SERVICE_KEYS = {
    "build", "image", "command", "entrypoint", "user", "environment", "volumes", "tmpfs", "ports", "expose", "networks",
    "depends_on", "healthcheck", "secrets", "configs", "read_only", "cap_drop", "cap_add", "security_opt", "sysctls",
    "ulimits", "pids_limit", "restart", "logging", "stop_grace_period", "stop_signal", "init", "deploy", "hostname",
}  # fmt: skip
GIVEN_BY_THE_FORCE = {"./tls", "./grafana-password"}
"""What cannot be shipped: docs/howto/deploy.md tells how to make it."""
EVERY = pytest.mark.parametrize("name", SERVICES)


def test_every_key_is_one_of_the_specification() -> None:
    """A lock that is misspelt is none; what begins with x- is anybody's."""
    assert {key for key in COMPOSE if not key.startswith("x-")} <= TOP_KEYS
    for name, service in SERVICES.items():
        assert set(service) <= SERVICE_KEYS, name


@EVERY
def test_a_service_is_locked_up_and_bounded(name: str) -> None:
    """Nothing to write, nothing to gain, and an end to what it takes from the others."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service.get("cap_add", ())) <= ({"NET_BIND_SERVICE"} if name == "proxy" else set())
    assert 0 < service["pids_limit"] <= 256
    limits = service["deploy"]["resources"]["limits"]
    assert float(limits["cpus"]) <= 2
    assert re.fullmatch(r"\d+[mg]", limits["memory"])
    assert all("size=" in each for each in service["tmpfs"])
    assert "privileged" not in service


@EVERY
def test_an_image_is_built_here_or_pinned(name: str) -> None:
    """A whole version of a named registry: not whatever bears a name today."""
    service = SERVICES[name]
    if "build" in service:
        build = service["build"]
        assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    else:
        assert re.fullmatch(r"docker\.io/[a-z/]+:v?\d+\.\d+\.\d+(-alpine)?", service["image"])


@EVERY
def test_what_is_mounted_is_there(name: str) -> None:
    """A file of this folder, only to be read; a named volume; or what docs/howto/deploy.md tells how to make."""
    page = (DEPLOY.parent / "docs/howto/deploy.md").read_text(encoding="utf-8")
    for each in SERVICES[name].get("volumes", ()):
        source, target, *mode = each.split(":")
        assert target.startswith("/")
        if not source.startswith("."):
            assert source in COMPOSE["volumes"]
        elif source in GIVEN_BY_THE_FORCE:
            assert source.removeprefix("./") in page
        else:
            assert (DEPLOY / source).exists(), each
            assert mode == ["ro"]
    for secret in SERVICES[name].get("secrets", ()):
        assert COMPOSE["secrets"][secret]["file"] in GIVEN_BY_THE_FORCE


def test_only_the_proxy_is_reached_from_outside() -> None:
    """The server has no way in or out but the proxy; whoever looks at dashboards sits at this machine."""
    ports = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert ports == {"server": [], "proxy": ["443:443"], "prometheus": [], "grafana": ["127.0.0.1:3000:3000"]}
    inside = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    assert set(SERVICES["server"]["networks"]) <= inside
    assert set(SERVICES["prometheus"]["networks"]) <= inside
    assert [name for name, service in SERVICES.items() if "edge" in service["networks"]] == ["server", "proxy"]


def test_the_server_is_told_what_the_file_says() -> None:
    """It believes the network on which the proxy alone is, and listens where the proxy and its own check call it."""
    told = read_configuration(DEPLOY / "container/beatbook.toml", {})
    (edge,) = COMPOSE["networks"]["edge"]["ipam"]["config"]
    assert told.listen.trusted_proxies == (edge["subnet"],)
    assert ipaddress.ip_network(edge["subnet"]).is_private
    assert told.edge().proxies_only
    environment = SERVICES["proxy"]["environment"]
    assert environment["BEATBOOK_UPSTREAM"] == f"server:{told.listen.port}"
    assert environment["BEATBOOK_HOST"] in told.listen.hosts
    scraped = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text(encoding="utf-8"))["scrape_configs"]
    assert told.metrics is not None
    assert scraped[0]["static_configs"][0]["targets"] == [f"server:{told.metrics.port}"]
    assert told.data == Path("/var/lib/beatbook")
    assert f"data:{told.data}" in SERVICES["server"]["volumes"]
    caddy = (DEPLOY / "caddy/Caddyfile").read_text(encoding="utf-8")
    assert {name for name in environment if name.startswith("BEATBOOK_")} == set(re.findall(r"\{\$(\w+):", caddy))


def test_the_server_is_checked_as_its_image_says() -> None:
    """What the proxy waits for is told in the image, and here for an engine that leaves it out there: the same."""
    text = (DEPLOY / "container/Containerfile").read_text(encoding="utf-8")
    (image,) = [each for each in stages(text)["run"] if each.word == "HEALTHCHECK"]
    check = SERVICES["server"]["healthcheck"]
    assert check["test"] == ["CMD", *json.loads(image.rest.removeprefix("CMD "))]
    told = {name.replace("-", "_"): value for name, value in image.flags.items()}
    assert told == {name: str(value) for name, value in check.items() if name != "test"}
    assert SERVICES["proxy"]["depends_on"] == {"server": {"condition": "service_healthy"}}


@EVERY
def test_settings_of_the_kernel_are_a_list(name: str) -> None:
    """There are engines that hand on the names of a mapping without the values."""
    assert all(re.fullmatch(r"[a-z0-9._]+=\d+", each) for each in SERVICES[name].get("sysctls", ()))
    assert isinstance(SERVICES[name].get("sysctls", []), list)
