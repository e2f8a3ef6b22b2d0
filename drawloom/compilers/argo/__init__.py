"""Argo Workflows: a step plan as a Workflow."""
