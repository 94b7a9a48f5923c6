"""From a recommendation to a device's own words, one file per dialect. Pure: nothing here sends anything or reads a clock."""
