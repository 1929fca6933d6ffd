"""What every page uses: words, widgets, charts, downloads, images, the run cache."""
