"""sqitch: its plan, its configuration, its registry."""
