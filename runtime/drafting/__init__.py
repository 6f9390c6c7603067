"""A first spec for data as it is: `dlc new --from`. Looks at a table, images, a text or a series, and writes a spec that trains."""
