"""What is around the tabs: the page's head, its words, who may use it."""
