"""How pods are made, for the engines that start them."""
