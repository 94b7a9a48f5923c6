"""Open data: the coverage feed and the datasets of Satu Data, as files.

Owns formats (GeoJSON, CSV, JSON, JSON Schema, DCAT, CKAN) and the map page. Which figures may be told is decided before they
come here.
"""
