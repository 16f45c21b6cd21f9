"""Adaptation: from a base model and a few clips to a recogniser of their language, accent or voice."""
