"""Every route of the server, and the role it takes: what is not in this table is not there.

`app` makes routes of nothing else, so none can be forgotten by the door (see guard); the tests walk it for every role.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from srup_host.server import (
    api_access,
    api_audit,
    api_bundles,
    api_fleet,
    api_orders,
    api_rollouts,
    live,
    pages,
    pages_access,
    pages_fleet,
    pages_more,
    pages_rollouts,
    polling,
    probes,
)
from srup_host.server.roles import Role

ANYBODY, VIEWER, OPERATOR, APPROVER, ADMIN = Role


class Route(NamedTuple):
    """status: of a success · page: for people, not for programs · media: what a success has, where that is no JSON · also: other
    answers than the refusals that all of them have."""

    method: str
    path: str
    role: Role
    handler: Callable[..., Any]
    status: int = 200
    page: bool = False
    media: str = ""
    also: tuple[int, ...] = ()


API = "/api/v1"

ROUTES = (
    Route("GET", "/health", ANYBODY, probes.health),
    Route("GET", "/ready", ANYBODY, probes.ready, also=(503,)),
    Route("GET", "/metrics", VIEWER, probes.metrics, media="text/plain"),
    Route("GET", f"{API}/openapi.json", VIEWER, api_access.openapi),
    # devices that sleep: what they show is signed by themselves
    Route("POST", "/srup/v1/devices/{device}/poll", ANYBODY, polling.poll),
    Route("POST", "/srup/v1/devices/{device}/messages", ANYBODY, polling.messages, 204),
    # the way in
    Route("GET", "/static/{name}", ANYBODY, pages.static, page=True),
    Route("GET", "/log-in", ANYBODY, pages_access.log_in_form, page=True),
    Route("POST", "/log-in", ANYBODY, pages_access.log_in, page=True),
    Route("POST", "/log-out", VIEWER, pages_access.log_out, page=True),
    Route("GET", "/invitation/{secret}", ANYBODY, pages_access.invitation_form, page=True),
    Route("POST", "/invitation/{secret}", ANYBODY, pages_access.accept_invitation, page=True),
    # pages
    Route("GET", "/", VIEWER, pages_fleet.fleet, page=True),
    Route("GET", "/live", VIEWER, live.live, page=True),
    Route("GET", "/devices/{device}", VIEWER, pages_fleet.device, page=True),
    Route("POST", "/devices/{device}/ask", OPERATOR, pages_fleet.ask, page=True),
    Route("POST", "/devices/{device}/labels", OPERATOR, pages_fleet.label, page=True),
    Route("POST", "/devices/{device}/quarantine", OPERATOR, pages_fleet.quarantine, page=True),
    Route("GET", "/joins", VIEWER, pages_fleet.joins, page=True),
    Route("POST", "/joins/{device}/accept", OPERATOR, pages_fleet.let_in, page=True),
    Route("POST", "/joins/{device}/refuse", OPERATOR, pages_fleet.refuse, page=True),
    Route("POST", "/devices/{device}/action", OPERATOR, pages_fleet.act, page=True),
    Route("GET", "/orders", VIEWER, pages_fleet.orders, page=True),
    Route("POST", "/orders/{order}/withdraw", OPERATOR, pages_fleet.withdraw, page=True),
    Route("GET", "/rollouts", VIEWER, pages_rollouts.rollouts, page=True),
    Route("GET", "/rollouts/new", OPERATOR, pages_rollouts.new, page=True),
    Route("POST", "/rollouts/new", OPERATOR, pages_rollouts.create, page=True),
    Route("GET", "/rollouts/{rollout}", VIEWER, pages_rollouts.rollout, page=True),
    Route("POST", "/rollouts/{rollout}/approve", APPROVER, pages_rollouts.approve, page=True),
    Route("POST", "/rollouts/{rollout}/activate", APPROVER, pages_rollouts.activate, page=True),
    Route("POST", "/rollouts/{rollout}/pause", OPERATOR, pages_rollouts.pause, page=True),
    Route("POST", "/rollouts/{rollout}/resume", OPERATOR, pages_rollouts.resume, page=True),
    Route("POST", "/rollouts/{rollout}/abort", OPERATOR, pages_rollouts.abort, page=True),
    Route("GET", "/bundles", VIEWER, pages_more.bundles, page=True),
    Route("POST", "/bundles", OPERATOR, pages_more.add_bundle, page=True),
    Route("GET", "/audit", VIEWER, pages_more.audit, page=True),
    Route("GET", "/accounts", ADMIN, pages_more.accounts, page=True),
    Route("POST", "/accounts", ADMIN, pages_more.invite, page=True),
    Route("POST", "/accounts/{account}", ADMIN, pages_more.change_account, page=True),
    # who is who
    Route("GET", f"{API}/me", VIEWER, api_access.me),
    Route("GET", f"{API}/accounts", ADMIN, api_access.list_accounts),
    Route("PATCH", f"{API}/accounts/{{account}}", ADMIN, api_access.change_account),
    Route("POST", f"{API}/invitations", ADMIN, api_access.invite, 201),
    Route("GET", f"{API}/tokens", ADMIN, api_access.list_tokens),
    Route("POST", f"{API}/tokens", ADMIN, api_access.make_token, 201),
    Route("DELETE", f"{API}/tokens/{{token}}", ADMIN, api_access.revoke_token, 204),
    # the fleet
    Route("GET", f"{API}/fleet", VIEWER, api_fleet.overview),
    Route("GET", f"{API}/devices", VIEWER, api_fleet.list_devices),
    Route("PATCH", f"{API}/devices", OPERATOR, api_fleet.label_many),
    Route("GET", f"{API}/devices/{{device}}", VIEWER, api_fleet.show_device),
    Route("PATCH", f"{API}/devices/{{device}}", OPERATOR, api_fleet.label),
    Route("GET", f"{API}/devices/{{device}}/frames", VIEWER, api_fleet.frames),
    Route("POST", f"{API}/devices/{{device}}/ask", OPERATOR, api_fleet.ask, 202),
    Route("PUT", f"{API}/devices/{{device}}/quarantine", OPERATOR, api_fleet.quarantine),
    Route("DELETE", f"{API}/devices/{{device}}/quarantine", OPERATOR, api_fleet.release),
    Route("POST", f"{API}/devices/{{device}}/actions", OPERATOR, api_orders.act, 202),
    # what takes two persons
    Route("GET", f"{API}/orders", VIEWER, api_orders.list_orders),
    Route("POST", f"{API}/orders/{{order}}/prepare", APPROVER, api_orders.prepare),
    Route("POST", f"{API}/orders/{{order}}/approve", APPROVER, api_orders.approve),
    Route("POST", f"{API}/orders/{{order}}/withdraw", OPERATOR, api_orders.withdraw),
    # bundles
    Route("GET", f"{API}/bundles", VIEWER, api_bundles.list_bundles),
    Route("POST", f"{API}/bundles", OPERATOR, api_bundles.upload, 201),
    Route("GET", f"{API}/bundles/{{digest}}", VIEWER, api_bundles.show_bundle),
    # roll-outs
    Route("GET", f"{API}/rollouts", VIEWER, api_rollouts.list_rollouts),
    Route("POST", f"{API}/rollouts", OPERATOR, api_rollouts.create, 201),
    Route("GET", f"{API}/rollouts/{{rollout}}", VIEWER, api_rollouts.show),
    Route("GET", f"{API}/rollouts/{{rollout}}/devices", VIEWER, api_rollouts.devices),
    Route("GET", f"{API}/rollouts/{{rollout}}/events", VIEWER, api_rollouts.events),
    Route("POST", f"{API}/rollouts/{{rollout}}/approve", APPROVER, api_rollouts.approve),
    Route("POST", f"{API}/rollouts/{{rollout}}/activate", APPROVER, api_rollouts.activate),
    Route("POST", f"{API}/rollouts/{{rollout}}/pause", OPERATOR, api_rollouts.pause),
    Route("POST", f"{API}/rollouts/{{rollout}}/resume", OPERATOR, api_rollouts.resume),
    Route("POST", f"{API}/rollouts/{{rollout}}/abort", OPERATOR, api_rollouts.abort),
    # the audit log
    Route("GET", f"{API}/audit", VIEWER, api_audit.lines),
    Route("GET", f"{API}/audit/head", VIEWER, api_audit.head),
    Route("GET", f"{API}/audit/heads", VIEWER, api_audit.heads),
    Route("GET", f"{API}/audit/export", VIEWER, api_audit.export, media="application/jsonl"),
)
