"""What is read from a text without a model: signals of urgency, the wish for a person, language, mood, numbers."""
