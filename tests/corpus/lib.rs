//! Only a place for the manifest.
