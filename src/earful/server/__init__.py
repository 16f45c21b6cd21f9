"""The server: what other programs know (OpenAI's routes), adaptation by request, and the studio in the browser."""
