"""Slack as a desk: https://docs.slack.dev."""
