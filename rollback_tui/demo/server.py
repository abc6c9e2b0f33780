"""The demo's server is an embedded one."""

from rollback_tui.embedded.server import EmbeddedServer as EmbeddedServer
