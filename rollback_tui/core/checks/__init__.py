"""Safety checks: one small module a family, each facts → CheckResult."""
