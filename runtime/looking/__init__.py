"""What goes into a model, as a page to look at: `dlc build --look`."""
