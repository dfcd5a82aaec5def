"""``make images``: the pictures in docs/images, of real reports and messages, as a browser shows them."""
