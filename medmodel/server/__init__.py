"""The web server around Streamlit: its own routes, guards, uploads, background work."""
