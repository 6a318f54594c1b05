"""What files hold: one class a format, one class a grid, blocks of scans."""
