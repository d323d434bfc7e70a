// Not used by index.html, and large: left out of the package (see .cargo/config.toml).
