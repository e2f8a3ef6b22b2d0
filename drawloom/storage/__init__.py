"""Places that keep bytes under keys: a folder, an object store; and content-addressed objects on top of them."""
