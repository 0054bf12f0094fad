"""The network of section III: one file per component, `network.TagVIS` puts them together."""
