"""Every picture as a static figure, and the HTML pages they stand on."""
