"""pimgr: a box that sheds load when the grid fails, and gives back exactly what it took."""
