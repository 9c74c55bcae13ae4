"""What surrounds the tabs: the page's head, its sentences, sign-in, and checks on every request."""
